"""Wrong values: which constraint one breaks, and whether it does so for everybody who reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from conformance.exploration.places import Place
    from conformance.model import Json, JsonObject
    from conformance.schemas import Mistake

_TEXT = re.compile("[!-~]([ -~]*[!-~])?")
# What readers of numbers and yes-or-no make something of.
_TOLD = re.compile(r"(?i)\s*(true|false|yes|no|on|off|y|n|t|f|null|none|nan|[+-]?inf(inity)?|.*[0-9].*|)\s*")
# Nothing that anybody takes for one of the format.
_FAR = {"date-time": r"\D+", "date": r"\D+", "time": r"\D+", "email": "[^@]+", "idn-email": "[^@]+", "uuid": ".{1,20}"}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LARGEST = 1e6
# Less than this beside a bound or a whole number is lost where numbers are rounded.
_STEP = 0.01


def keyword(operation: JsonObject, mistakes: list[Mistake]) -> str:
    """The one constraint that a change breaks at its own place; empty where it breaks several, or others."""
    path = str(operation["path"])
    if operation["op"] == "remove":
        parent = path.rpartition("/")[0]
        [first, *others] = mistakes
        return "required" if not others and (first.pointer, first.keyword) == (parent, "required") else ""
    if any(each.pointer != path for each in mistakes):
        return ""
    found = [each.keyword for each in mistakes]
    # A value of another type breaks other constraints only because of that, one outside a list likewise.
    return next((each for each in ("type", "enum") if each in found), found[0] if len(found) == 1 else "")


def is_reading(place: Place, broken: str, value: Json) -> bool:
    """Whether lenient parsers turn a value of the wrong type into one of the right one."""
    if broken != "type" or isinstance(value, dict | list):
        return False
    if value is None:
        return not next(iter(place.owned.values())).site.required
    types = place.types
    if "enum" in place.node:
        return False
    if "string" in types:
        return True
    if isinstance(value, str):
        return bool({"integer", "number", "boolean"} & set(types)) and _TOLD.fullmatch(value) is not None
    if isinstance(value, bool):
        return bool({"integer", "number"} & set(types))
    return "boolean" in types


def is_certain(place: Place, broken: str, value: Json) -> bool:
    """Whether a value breaks a constraint by every reading: measured otherwise, trimmed or rounded, it still does."""
    if broken == "type":
        return _of_another_type(place, value)
    if broken in ("enum", "minLength", "maxLength", "pattern"):
        return isinstance(value, str) and (value == "" or _TEXT.fullmatch(value) is not None)
    if broken in _BOUNDS and isinstance(value, int | float):
        bound = cast("float", place.node[broken])
        outside = value != bound if broken.startswith("exclusive") else abs(value - bound) >= _STEP
        return outside and abs(value) <= _LARGEST and round(value, 2) == value
    if broken == "format":
        far = _FAR.get(str(place.node["format"]))
        text = isinstance(value, str) and _TEXT.fullmatch(value) is not None
        return far is not None and text and re.fullmatch(far, cast("str", value)) is not None
    return broken == "minItems" and value == []


def _of_another_type(place: Place, value: Json) -> bool:
    if value is None or isinstance(value, dict | list):
        return True
    if isinstance(value, str):
        return _TEXT.fullmatch(value) is not None
    if isinstance(value, float) and "integer" in place.types:
        return abs(value) <= _LARGEST and round(value, 2) == value
    return True
