"""Mutations of request schemas: every way in which an endpoint gets one constraint at one place slightly wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.model import Json, JsonObject
    from conformance.schemas import Site

    Change = Callable[[JsonObject], None]

# What validators that are not quite the format's take in its place, and what they refuse of it.
_LOOSER: dict[str, dict[str, JsonObject]] = {
    "date-time": {
        "looser-date-only": {"anyOf": [{"format": "date-time"}, {"format": "date"}]},
        "looser-digits": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"},
    },
    "date": {
        "looser-date-time": {"anyOf": [{"format": "date"}, {"format": "date-time"}]},
        "looser-digits": {"pattern": r"^\d{4}-\d\d-\d\d$"},
    },
    "email": {"looser-at-sign": {"pattern": "@"}},
    "uri": {"looser-any-text": {"minLength": 1}},
    "uuid": {"looser-any-length": {"pattern": "^[0-9a-fA-F-]+$"}},
}
_NARROWER: dict[str, dict[str, JsonObject]] = {
    "date-time": {"narrower-utc": {"pattern": "Z$"}, "narrower-whole-seconds": {"pattern": "^[^.]*$"}},
    "email": {"narrower-no-plus": {"pattern": "^[^+]*$"}, "narrower-two-labels": {"pattern": r"@[^.]+\.[^.]+$"}},
    "uri": {"narrower-no-query": {"pattern": "^[^?]*$"}},
    "uuid": {"narrower-version-4": {"pattern": "^.{14}4"}},
}
_LEAST = 0.01


def of(site: Site) -> Iterator[tuple[str, Change]]:
    """
    The mutations of one constraint by name; each changes an inlined schema in place.

    Left out are those that no value can show, such as the length of a member whose values are listed.
    """
    keyword, name = site.keyword, site.path.rpartition(".")[2]
    if keyword == "required":
        yield "dropped", lambda schema: cast("list[str]", node(schema, site.at)["required"]).remove(name)
    elif keyword == "optional":
        yield "demanded", lambda schema: _demand(node(schema, site.at), name)
        yield "refused", lambda schema: cast("JsonObject", node(schema, site.at)["properties"]).update({name: False})
    elif keyword != "unknown" and not ("enum" in site.node and keyword not in ("enum", "type")):
        yield "dropped", lambda schema: _drop(node(schema, site.at), keyword)
        yield from _KEYWORDS.get(keyword, _numbers)(site)


def ascii_only(site: Site) -> Change:
    """Only letters that ASCII has."""
    return _limited(site, {"pattern": r"^[\u0000-\u007F]*$"}, instead=False)


def kind(word: str) -> str:
    """What a mutation does, in a word that many share."""
    if word.startswith("without-"):
        return "enum member"
    return next((each for each in ("looser", "narrower") if word.startswith(f"{each}-")), word)


def node(schema: JsonObject, at: str) -> JsonObject:
    """The part of a schema that a JSON Pointer names."""
    found: Any = schema
    for part in at.split("/")[1:]:
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return cast("JsonObject", found)


def null_too(schema: JsonObject) -> None:
    """Let a schema take null beside its one type."""
    schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*cast("list[Json]", schema["enum"]), None]


def _put(site: Site, **new: Json) -> Change:
    return lambda schema: node(schema, site.at).update(new)


def _numbers(site: Site) -> Iterator[tuple[str, Change]]:
    """A bound that is off by one; where a number may have decimals, also by the least that money knows."""
    keyword, value = site.keyword, site.value
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    # A length or a count of less than nothing is no constraint that a schema can state.
    if value > 0 or keyword.endswith("imum"):
        yield "one-less", _put(site, **{keyword: value - 1})
    yield "one-more", _put(site, **{keyword: value + 1})
    if keyword.endswith("imum") and "integer" not in _types(site):
        yield "a-hundredth-less", _put(site, **{keyword: round(value - _LEAST, 4)})
        yield "a-hundredth-more", _put(site, **{keyword: round(value + _LEAST, 4)})
        excluding = keyword.startswith("exclusive")
        yield ("included" if excluding else "excluded"), lambda schema: _swap(node(schema, site.at), keyword)


def _steps(site: Site) -> Iterator[tuple[str, Change]]:
    value = cast("float", site.value)
    yield "halved", _put(site, multipleOf=value / 2)
    yield "doubled", _put(site, multipleOf=value * 2)


def _listed(site: Site) -> Iterator[tuple[str, Change]]:
    members = cast("list[Json]", site.value)
    for member in members:
        yield f"without-{member}", _put(site, enum=[each for each in members if each != member])
    texts = [each for each in members if isinstance(each, str)]
    more: list[Json] = [form for each in texts for form in (each.lower(), each.upper()) if form not in members]
    if more:
        yield "any-case", _put(site, enum=[*members, *more])


def _typed(site: Site) -> Iterator[tuple[str, Change]]:
    """A null where the documentation knows none, or none where it knows one; numbers with or without decimals."""
    types = _types(site)
    if isinstance(site.value, str):
        yield "nullable", lambda schema: null_too(node(schema, site.at))
    elif "null" in types:
        others: list[Json] = [each for each in types if each != "null"]
        yield "not-nullable", _put(site, type=others if len(others) > 1 else others[0])
    for own, other, word in (("integer", "number", "fractions"), ("number", "integer", "whole-numbers")):
        if own in types and "enum" not in site.node:
            changed: list[Json] = [other if each == own else each for each in types]
            yield word, _put(site, type=changed if len(changed) > 1 else changed[0])


def _formed(site: Site) -> Iterator[tuple[str, Change]]:
    name = str(site.value)
    for word, other in _LOOSER.get(name, {}).items():
        yield word, _limited(site, other, instead=True)
    for word, other in _NARROWER.get(name, {}).items():
        yield word, _limited(site, other, instead=False)


def _limited(site: Site, other: JsonObject, *, instead: bool) -> Change:
    """Another limit, instead of the format or beside it."""

    def change(schema: JsonObject) -> None:
        found = node(schema, site.at)
        if instead:
            found.pop("format", None)
        found["allOf"] = [*cast("list[Json]", found.get("allOf", [])), other]

    return change


def _types(site: Site) -> list[str]:
    types = site.node.get("type", [])
    return cast("list[str]", types if isinstance(types, list) else [types])


def _drop(schema: JsonObject, keyword: str) -> None:
    schema.pop(keyword, None)
    if keyword == "type":
        # Without its type an enum still pins the value down: whatever is not text passes now.
        members = schema.pop("enum", None)
        if members is not None:
            schema["anyOf"] = [{"enum": members}, {"not": {"type": "string"}}]


def _swap(schema: JsonObject, keyword: str) -> None:
    """A bound that belongs to its range instead of ending it, or the other way round."""
    value = schema.pop(keyword)
    name = keyword.removeprefix("exclusive")
    schema[name[0].lower() + name[1:] if name != keyword else f"exclusive{name.capitalize()}"] = value


def _demand(schema: JsonObject, name: str) -> None:
    schema["required"] = [*cast("list[Json]", schema.get("required", [])), name]


def _nothing(_site: Site) -> Iterator[tuple[str, Change]]:
    yield from ()


_KEYWORDS: dict[str, Callable[[Site], Iterator[tuple[str, Change]]]] = {
    "enum": _listed, "type": _typed, "format": _formed, "multipleOf": _steps, "uniqueItems": _nothing, "const": _nothing,
    "pattern": _nothing,
}  # fmt: skip
