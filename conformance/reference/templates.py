"""
Answers as a pack writes them: JSON in which some texts and objects stand for what an endpoint knows.

``@/a/b`` is the value at that JSON Pointer (null where there is nothing), ``@text /a`` the
same as text, ``@?/a`` leaves its member out where there is nothing; ``@@x`` is the text ``@x``.
An object with ``@each`` is written once for every element of a list, which is all that it
sees; with ``@if`` or ``@unless`` it is left out where that place holds nothing or something.
``@then`` is what it stands for instead of its other members, ``@in`` names the revisions that know it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from conformance.changes import exists, read

if TYPE_CHECKING:
    from conformance.model import Json

_NOTHING: Any = object()
_WORDS = ("@each", "@if", "@unless", "@then", "@in")


def fill(template: Json, known: Json, revision: str = "") -> Json:
    """What a template stands for; null for one that is left out as a whole."""
    made = _fill(template, known, revision)
    return None if made is _NOTHING else cast("Json", made)


def value(known: Json, place: str) -> Json:
    """The value at a JSON Pointer, or None."""
    return read(known, place) if exists(known, place) else None


def _fill(node: Json, known: Json, revision: str) -> Any:
    if isinstance(node, str):
        return _text(node, known)
    if isinstance(node, list):
        return [made for each in node if (made := _fill(each, known, revision)) is not _NOTHING]
    if not isinstance(node, dict):
        return node
    if "@in" in node and revision not in cast("list[str]", node["@in"]):
        return _NOTHING
    if ("@if" in node and not value(known, str(node["@if"]))) or (
        "@unless" in node and value(known, str(node["@unless"]))
    ):
        return _NOTHING
    body: Json = node.get("@then", {key: each for key, each in node.items() if key not in _WORDS})
    if "@each" in node:
        rows = value(known, str(node["@each"]))
        return [_fill(body, row, revision) for row in rows] if isinstance(rows, list) else _NOTHING
    if not isinstance(body, dict):
        return _fill(body, known, revision)
    filled = {key: _fill(each, known, revision) for key, each in body.items()}
    return {key: each for key, each in filled.items() if each is not _NOTHING}


def _text(text: str, known: Json) -> Any:
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@?"):
        found = value(known, text[2:])
        return _NOTHING if found is None else copy.copy(found)
    if text.startswith("@text "):
        found = value(known, text.removeprefix("@text "))
        return None if found is None else str(found)
    return copy.copy(value(known, text[1:]))
