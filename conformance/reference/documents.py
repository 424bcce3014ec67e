"""Small changes to JSON documents that need not have the members yet."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from conformance.changes import select, tokens

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject


def first(document: Json, place: str) -> Json:
    """The value at a JSON Pointer (``*`` is each element), or None where there is nothing."""
    return next((value for _, value in select(document, place)), None)


def put(document: JsonObject, place: str, value: Json) -> None:
    """Set the member at a JSON Pointer, with the objects on the way to it."""
    node: dict[str, Any] = document
    *way, last = tokens(place)
    for part in way:
        node = node.setdefault(part, {})
    node[last] = value


def replace(document: Json, place: str, value: Json) -> None:
    """Replace every value that is at a JSON Pointer (``*`` is each element)."""
    parent, _, last = place.rpartition("/")
    for _, node in select(document, parent):
        if isinstance(node, dict) and last in node:
            node[last] = value


def shortened(document: Json, place: str, count: int) -> Json:
    """The document with no more than the first so many elements of the array at a place; the last ones, below zero."""
    rows = first(document, place) if count and isinstance(document, dict) else None
    if not isinstance(rows, list):
        return document
    made = copy.deepcopy(document)
    replace(made, place, rows[:count] if count > 0 else rows[count:])
    return made


def nested(place: str, value: Json) -> JsonObject:
    """An object that has nothing but a value at a JSON Pointer."""
    result: JsonObject = {}
    put(result, place, value)
    return result


def members(value: Json) -> JsonObject:
    """The value as an object; one without members for anything else."""
    return value if isinstance(value, dict) else {}
