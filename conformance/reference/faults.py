"""Faults: each breaks one documented rule of a reference endpoint, so that the suite can be seen to notice."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from conformance import catalogue
from conformance.checks import mechanical
from conformance.errors import UserError, nearest
from conformance.model import Level
from conformance.reference import answer_faults, mutations
from conformance.reference.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.catalogue import Owned
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour


# What makes an endpoint refuse more than it should, by keyword: only accepted values can show it.
_TIGHTER = {
    **dict.fromkeys(
        ("minLength", "minimum", "exclusiveMinimum", "minItems"), ("one-more", "a-hundredth-more", "excluded")
    ),
    **dict.fromkeys(
        ("maxLength", "maximum", "exclusiveMaximum", "maxItems"), ("one-less", "a-hundredth-less", "excluded")
    ),
    "enum": ("enum member",),
    "optional": ("demanded", "refused"),
    "type": ("not-nullable", "whole-numbers"),
    "format": ("narrower",),
}
# What lets more in where prose may mean more than the schema says.
_OPEN = ("nullable", "fractions", "any-case", "looser")


def of(provider: Provider) -> dict[str, Fault]:
    """Every fault of a provider by id: hand-made ones, and those derived from the constraints."""
    known = catalogue.load(provider.name, provider.revision)
    found: dict[str, Fault] = {}
    for requirement in known.requirements:
        owned = [each for each in known.sites if each.requirement.id == requirement.id]
        made = [*_hand_made(provider, requirement.id, known.faults[requirement.id])]
        if requirement.level is Level.MUST:
            made += _singles(owned, provider)
            made += answer_faults.of(provider, known, requirement.id)
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
            mutations.node(schema, at[place]).update(copy.deepcopy(keywords))

    return _on_schema(operation, change)


def _singles(owned: list[Owned], provider: Provider) -> Iterator[Fault]:
    """Constraint by constraint: dropped, looser and tighter, a member of an enum gone, an option demanded or refused."""
    for each in owned:
        site = each.site
        if (
            site.keyword == "type"
            and each.accept_side == ""
            and mechanical.beyond_ascii(each, provider.operation(each.operation))
        ):
            yield Fault(
                f"{each.requirement.id}/{site.path}.type/ascii-only",
                each.requirement.id,
                f"{site.path}: ASCII letters only",
                _on_schema(each.operation, mutations.ascii_only(site)),
                "narrower",
            )
        for word, change in mutations.of(site):
            name = f"{each.requirement.id}/{site.path}.{site.keyword}/{word}"
            title = f"{site.path}: {site.keyword} {word}"
            kind = mutations.kind(word)
            unseen = ""
            if kind in _OPEN and each.refuse_side == "by-hand":
                # Whether such a value may stand there is not clear, or written out as a case of its own.
                continue
            if word.removeprefix("looser-") in each.observed:
                continue
            if each.accept_side == "observe" and kind in _TIGHTER.get(site.keyword, ()):
                # What prose narrows further may well be refused.
                continue
            if each.accept_side == "none" and kind in _TIGHTER.get(site.keyword, ()):
                unseen = f"nobody can try the accepting side of {site.key}"
            yield Fault(name, each.requirement.id, title, _on_schema(each.operation, change), kind, unseen)


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
        mutations.null_too(result)
    return result


def _items(value: Json) -> list[tuple[str, Json]]:
    return list(cast("JsonObject", value).items())
