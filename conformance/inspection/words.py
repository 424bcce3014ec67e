"""What a broken keyword asks for, and what stands there instead, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from conformance.changes import exists, read
from conformance.errors import nearest

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject

_LONGEST = 80
_KINDS = {
    "string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "object": "an object", "array": "an array", "null": "null",
}  # fmt: skip
# What a keyword with a number asks for.
_BOUNDS = {
    "minLength": "at least {} character{s}", "maxLength": "at most {} character{s}", "minimum": "at least {}",
    "maximum": "at most {}", "exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}", "minItems": "at least {} element{s}", "maxItems": "at most {} element{s}",
    "minProperties": "at least {} member{s}", "maxProperties": "at most {} member{s}",
}  # fmt: skip
_COUNTED = {"minItems": "elements", "maxItems": "elements", "minLength": "characters", "maxLength": "characters"}


def expected(keyword: str, node: JsonObject, member: str = "") -> str:
    """What the keyword of a schema's node asks for; ``member`` is the missing one."""
    asked = node.get(keyword)
    if keyword == "required":
        return f"the member {json.dumps(member, ensure_ascii=False)}"
    if keyword == "type":
        kinds = cast("list[str]", asked if isinstance(asked, list) else [asked])
        return " or ".join(_KINDS.get(each, each) for each in kinds)
    if keyword in _BOUNDS:
        return _BOUNDS[keyword].format(asked, s="" if asked == 1 else "s")
    if keyword == "enum":
        return f"one of {', '.join(shown(each) for each in cast('list[Json]', asked))}"
    if keyword == "format":
        return f"a text in the format {asked}"
    if keyword == "pattern":
        return f"a text that matches {asked}"
    if keyword in ("anyOf", "oneOf"):
        return _choice(cast("list[JsonObject]", asked))
    words = {"const": shown(asked), "uniqueItems": "no element twice", "additionalProperties": "no such member"}
    return words.get(keyword, f"what the schema's {keyword} asks for")


def _choice(ways: list[JsonObject]) -> str:
    needed = [cast("list[str]", each.get("required", [])) for each in ways]
    if all(needed):
        return f"one of the members {', '.join(dict.fromkeys(' with '.join(names) for names in needed))}"
    return "one of the documented forms"


def got(keyword: str, value: Json, *, there: bool, known: list[str] | None = None, name: str = "") -> str:
    """What stands at the place; for a member that is not known, whether its name is nearly that of one."""
    if not there:
        return "nothing"
    if keyword == "additionalProperties" and known:
        hint = nearest(name, known)
        return f"{shown(value)}; {hint}" if hint.startswith("did") else shown(value)
    if keyword in _COUNTED and isinstance(value, list | str):
        return f"{len(value)}: {shown(value)}" if isinstance(value, str) else f"{len(value)}"
    return shown(value)


def found(body: Json, place: str) -> str:
    """What stands at a place, as the beginning of a sentence."""
    return shown(read(body, place)) if exists(body, place) else "nothing"


def shown(value: Json) -> str:
    """A value as JSON, cut short; of a large one only what it is."""
    if isinstance(value, list) and value:
        return f"an array of {len(value)} element{'' if len(value) == 1 else 's'}"
    if isinstance(value, dict) and value:
        names = ", ".join(list(value)[:4])
        return f"an object of {names}"[:_LONGEST] + (", …" if len(value) > 4 else "")
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
