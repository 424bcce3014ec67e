"""Kinds of values as lenient parsers see them, and which of them are readings of which type."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from conformance.model import Json
    from conformance.schemas import Site

_NUMERIC = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_MOMENT = re.compile(r"@(now|today|date)\S*(?: (?P<form>.+))?")
# Kinds of what expressions make, where that is no text.
_MADE = {"null": "null", "number": "whole", "answer-number": "whole", "same": "object"}
# Kinds that lenient parsers turn into a type.
_READINGS = {
    "string": ("whole", "fraction"),
    "number": ("numeric-text", "boolean"),
    "integer": ("numeric-text", "boolean"),
    "boolean": ("boolean-text", "whole"),
}


def kind(value: Json) -> str:
    """What a value is to a parser that looks at more than its JSON type."""
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return "boolean-text"
        return "numeric-text" if _NUMERIC.fullmatch(value) else "text"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "whole" if isinstance(value, int) or value.is_integer() else "fraction"
    return "array" if isinstance(value, list) else "object"


def made_kind(given: Json) -> str:
    """The kind of the value that a case puts somewhere, which may be an expression."""
    if is_expression(given):
        word, _, rest = str(given)[1:].partition(" ")
        return kind(float(rest)) if word == "float" else _MADE.get(word, "text")
    return kind(given)


def is_expression(given: Json) -> bool:
    """Whether the value of a case has to be filled in."""
    return isinstance(given, str) and given.startswith("@")


def is_same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON; true is no 1."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def alike(given: Json, value: Json) -> bool:
    """Whether a value is written as the moment is that a case makes: digit by digit, whatever the digits are."""
    made = sample(given)
    return bool(made) and isinstance(value, str) and _shape(made) == _shape(value)


def sample(given: Json) -> str:
    """A moment written as a case writes its own, or nothing where that makes none."""
    found = _MOMENT.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        return ""
    form = found["form"] or ("%Y-%m-%dT%H:%M:%SZ" if found[1] == "now" else "%Y-%m-%d")
    return datetime(2000, 1, 1, tzinfo=UTC).strftime(form)


def _shape(text: str) -> str:
    return re.sub("[0-9]", "0", text)


def lenient(site: Site, value: Json) -> bool:
    """Whether a value of a wrong type is a reading of the right one: null is none, where a value is needed."""
    types = cast("list[str]", site.value if isinstance(site.value, list) else [site.value])
    found = kind(value)
    if found == "null":
        return not site.required
    if "enum" in site.node:
        return False
    if found == "numeric-text" and "integer" in types and "number" not in types:
        return float(cast("str", value)).is_integer()
    return any(found in _READINGS.get(each, ()) for each in types)
