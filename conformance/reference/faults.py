"""Faults: each breaks one documented rule of a reference endpoint, so that the suite can be seen to notice."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from conformance import catalogue
from conformance.errors import UserError, nearest
from conformance.model import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.catalogue import AnswerSite, Owned
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.schemas import Site


# What makes an endpoint refuse more than it should, by keyword: only accepted values can show it.
_TIGHTER = {
    **dict.fromkeys(("minLength", "minimum", "exclusiveMinimum", "minItems"), ("one-more",)),
    **dict.fromkeys(("maxLength", "maximum", "exclusiveMaximum", "maxItems"), ("one-less",)),
    "enum": ("enum member",),
    "optional": ("demanded",),
    "type": ("not-nullable",),
}
# What an answer can have wrong, by the keyword of the site that says so.
_ANSWERED = {
    "required": "left-out",
    "type": "other-type",
    "enum": "other-value",
    "const": "other-value",
    "pattern": "other-value",
    "minLength": "empty",
    "minItems": "empty",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """
    ``id`` is ``AL-034``, a name below it (``AL-166/first-10-only``) or a site and what was done to it.

    ``kind`` is ``hand-made``, ``whole`` (it bears the requirement's own id) or what was done
    to one constraint at one place. ``unseen`` says why no case can show the fault, or is empty.
    """

    id: str
    requirement: str
    title: str
    apply: Callable[[Behaviour], Behaviour]
    kind: str = "hand-made"
    unseen: str = ""


def of(provider: Provider) -> dict[str, Fault]:
    """Every fault of a provider by id: hand-made ones, and those derived from the constraints."""
    known = catalogue.load(provider.name, provider.revision)
    found: dict[str, Fault] = {}
    for requirement in known.requirements:
        owned = [each for each in known.sites if each.requirement.id == requirement.id]
        made = [*_hand_made(provider, requirement.id, known.faults[requirement.id])]
        if requirement.level is Level.MUST:
            made += _singles(owned)
            made += _answers([each for each in known.answers if each.requirement.id == requirement.id])
        for fault in made:
            found[fault.id] = fault
        whole = _whole(requirement.id, requirement.title, made)
        if whole:
            found[whole.id] = whole
    return found


def fault(provider: Provider, name: str) -> Fault:
    """A fault by id. Raises UserError with the nearest id."""
    known = of(provider)
    if name not in known:
        raise UserError(f"--fault {name}: {provider.name} has no such fault; {nearest(name, known)}")
    return known[name]


def _whole(requirement: str, title: str, made: list[Fault]) -> Fault | None:
    """The fault that bears the requirement's own id: its first hand-made one, all its constraints dropped, or an answer's."""
    hand = [each for each in made if each.kind == "hand-made"]
    parts = hand[:1] or [each for each in made if each.kind in ("dropped", "demanded")] or made[:1]
    if not parts:
        return None

    def apply(behaviour: Behaviour) -> Behaviour:
        for part in parts:
            behaviour = part.apply(behaviour)
        return behaviour

    return Fault(requirement, requirement, hand[0].title if hand else f"Not so: {title}", apply, "whole")


def _hand_made(provider: Provider, requirement: str, entries: tuple[dict[str, Any], ...]) -> Iterator[Fault]:
    for entry in entries:
        name = f"{requirement}/{entry['id']}"
        if "at" in entry:
            apply = _merging(entry.get("operation", provider.main.id), provider, entry["at"], entry["merge"])
        else:
            apply = _behaving(entry["behaviour"], entry.get("value", True))
        yield Fault(name, requirement, entry["title"], apply)


def _behaving(name: str, value: Any) -> Callable[[Behaviour], Behaviour]:
    def apply(behaviour: Behaviour) -> Behaviour:
        if name == "nullable":
            schemas = {key: cast("JsonObject", _nullable(schema)) for key, schema in behaviour.schemas.items()}
            return replace(behaviour, schemas=schemas)
        if name in ("without-rule", "rule-instead"):
            gone = value if name == "without-rule" else value["rule"]
            rules = tuple(each for each in behaviour.rules if each["rule"] != gone)
            return replace(behaviour, rules=(*rules, value) if name == "rule-instead" else rules)
        if name == "rule":
            return replace(behaviour, rules=(*behaviour.rules, value))
        return replace(behaviour, **{name.replace("-", "_"): value})

    return apply


def _merging(
    operation: str, provider: Provider, places: list[str], keywords: JsonObject
) -> Callable[[Behaviour], Behaviour]:
    at: dict[str, str] = {}
    for site in catalogue.sites(provider.operation(operation).request_schema).values():
        if site.keyword not in ("required", "optional"):
            at[site.path] = site.at

    def change(schema: JsonObject) -> None:
        for place in places:
            if place not in at:
                raise UserError(f"{operation}: a fault names {place!r}; {nearest(place, at)}")
            _node(schema, at[place]).update(copy.deepcopy(keywords))

    return _on_schema(operation, change)


def _singles(owned: list[Owned]) -> Iterator[Fault]:
    """Constraint by constraint: dropped, loosened and tightened by one, a member of an enum gone, an option demanded."""
    for each in owned:
        site = each.site
        for word, change in _mutations(site):
            name = f"{each.requirement.id}/{site.path}.{site.keyword}/{word}"
            title = f"{site.path}: {site.keyword} {word}"
            kind = "enum member" if word.startswith("without-") else word
            unseen = ""
            if kind == "nullable" and each.refuse_side == "by-hand":
                # Whether null may stand there is not clear, or written out as a case of its own.
                continue
            if each.accept_side == "none" and kind in _TIGHTER.get(site.keyword, ()):
                unseen = f"nobody can try the accepting side of {site.key}"
            yield Fault(name, each.requirement.id, title, _on_schema(each.operation, change), kind, unseen)


def _answers(owned: list[AnswerSite]) -> Iterator[Fault]:
    """What the answers can have wrong: a member left out, of another type or value, or empty."""
    for each in owned:
        site = each.site
        edit = _ANSWERED.get(site.keyword)
        if edit is None:
            continue
        value = "array" if site.keyword == "minItems" else site.value
        change = {"operation": each.operation, "answer": each.answer, "path": site.path, "edit": edit, "value": value}
        name = f"{each.requirement.id}/{each.answer}.{site.path}.{site.keyword}/{edit}"
        title = f"{each.answer}: {site.path}: {site.keyword} {edit}"
        yield Fault(name, each.requirement.id, title, _editing(change), edit)


def _editing(change: dict[str, Any]) -> Callable[[Behaviour], Behaviour]:
    return lambda behaviour: replace(behaviour, answer_edits=(*behaviour.answer_edits, change))


def _mutations(site: Site) -> Iterator[tuple[str, Callable[[JsonObject], None]]]:
    keyword, value = site.keyword, site.value
    name = site.path.rpartition(".")[2]
    if keyword == "required":
        yield "dropped", lambda schema: cast("list[str]", _node(schema, site.at)["required"]).remove(name)
        return
    if keyword == "optional":
        yield "demanded", lambda schema: _demand(_node(schema, site.at), name)
        return
    if keyword == "unknown":
        return

    def put(new: Json) -> Callable[[JsonObject], None]:
        return lambda schema: _node(schema, site.at).update({keyword: new})

    yield "dropped", lambda schema: _drop(_node(schema, site.at), keyword)
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A length or a count of less than nothing is no constraint that a schema can state.
        if value > 0 or keyword.endswith("imum"):
            yield "one-less", put(value - 1)
        yield "one-more", put(value + 1)
    if keyword == "enum":
        for member in cast("list[Json]", value):
            yield f"without-{member}", put([each for each in cast("list[Json]", value) if each != member])
    if keyword == "type":
        yield from _nulls(site)


def _nulls(site: Site) -> Iterator[tuple[str, Callable[[JsonObject], None]]]:
    """A null where the documentation knows none, or none where it knows one: milder than no type at all."""
    if isinstance(site.value, str):
        yield "nullable", lambda schema: _null_too(_node(schema, site.at))
    elif isinstance(site.value, list) and "null" in site.value:
        others = [each for each in site.value if each != "null"]
        left: Json = others if len(others) > 1 else others[0]
        yield "not-nullable", lambda schema: _node(schema, site.at).update({"type": left})


def _drop(node: JsonObject, keyword: str) -> None:
    node.pop(keyword, None)
    if keyword == "type":
        # Without its type an enum still pins the value down: whatever is not text passes now.
        members = node.pop("enum", None)
        if members is not None:
            node["anyOf"] = [{"enum": members}, {"not": {"type": "string"}}]


def _null_too(node: JsonObject) -> None:
    node["type"] = [node["type"], "null"]
    if "enum" in node:
        node["enum"] = [*cast("list[Json]", node["enum"]), None]


def _demand(node: JsonObject, name: str) -> None:
    node["required"] = [*cast("list[Json]", node.get("required", [])), name]


def _node(schema: JsonObject, at: str) -> JsonObject:
    node: Any = schema
    for part in at.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return cast("JsonObject", node)


def _on_schema(operation: str, change: Callable[[JsonObject], None]) -> Callable[[Behaviour], Behaviour]:
    def apply(behaviour: Behaviour) -> Behaviour:
        schemas = copy.deepcopy(behaviour.schemas)
        change(schemas[operation])
        return replace(behaviour, schemas=schemas)

    return apply


def _nullable(node: Json) -> Json:
    if isinstance(node, list):
        return [_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    result: JsonObject = {
        key: _nullable(each) if key != "properties" else {name: _nullable(one) for name, one in _items(each)}
        for key, each in node.items()
    }
    if isinstance(result.get("type"), str):
        _null_too(result)
    return result


def _items(value: Json) -> list[tuple[str, Json]]:
    return list(cast("JsonObject", value).items())
