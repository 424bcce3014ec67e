"""JSON Patch (RFC 6902) and JSON Pointer (RFC 6901): the only module that imports jsonpatch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import jsonpatch

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject, Operations


def apply(document: Json, operations: Operations) -> Json:
    """
    A copy of ``document`` with ``operations`` applied in order.

    Raises ValueError when an operation does not fit the document.
    """
    made = copied(document)
    if not operations:
        return made
    try:
        # Some versions of jsonpatch put an operation's own value into the document, to be changed there later.
        patch = cast("list[JsonObject]", copied(list(operations)))
        return cast("Json", jsonpatch.apply_patch(made, patch, in_place=True))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as error:
        raise ValueError(f"{operations[0]}: {error}") from error


def copied(value: Json) -> Json:
    """A copy that shares no array and no object with ``value``; several times as fast as :func:`copy.deepcopy`."""
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    if isinstance(value, list):
        return [copied(each) for each in value]
    return value


def tokens(pointer: str) -> list[str]:
    """The unescaped reference tokens of a JSON Pointer; none for the whole document."""
    parts = pointer.split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts] if "~" in pointer else parts


def pointer(parts: list[str]) -> str:
    """The JSON Pointer of reference tokens."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


_MISSING = object()
_INDEX = re.compile("0|[1-9][0-9]*")


def _step(value: object, token: str) -> object:
    if isinstance(value, dict):
        return cast("JsonObject", value).get(token, _MISSING)
    if isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(cast("list[Json]", value)):
        return cast("list[Json]", value)[int(token)]
    return _MISSING


def exists(document: Json, place: str) -> bool:
    """Whether a JSON Pointer leads to something in ``document`` (``null`` counts)."""
    value: object = document
    for token in tokens(place):
        value = _step(value, token)
    return value is not _MISSING


def read(document: Json, place: str) -> Json:
    """What a JSON Pointer leads to. Raises LookupError when that is nothing."""
    value: object = document
    for token in tokens(place):
        value = _step(value, token)
    if value is _MISSING:
        raise LookupError(f"{place}: not in the document")
    return cast("Json", value)


def select(document: Json, path: str) -> list[tuple[str, Json]]:
    """Every (JSON Pointer, value) that ``path`` leads to; ``*`` stands for each element of an array or member."""
    if "*" not in path:
        # Most paths lead to one place, and very many are asked for.
        value: object = document
        for token in tokens(path):
            value = _step(value, token)
        return [] if value is _MISSING else [(path, cast("Json", value))]
    found: list[tuple[str, Json]] = [("", document)]
    for part in tokens(path):
        found = [each for place, value in found for each in _below(place, value, part)]
    return found


def _below(place: str, value: Json, part: str) -> list[tuple[str, Json]]:
    if part == "*" and isinstance(value, list):
        return [(f"{place}/{index}", each) for index, each in enumerate(value)]
    if part == "*" and isinstance(value, dict):
        return [(f"{place}{pointer([name])}", each) for name, each in value.items()]
    found = _step(value, part)
    if found is _MISSING:
        return []
    return [(f"{place}/{part.replace('~', '~0').replace('/', '~1')}", cast("Json", found))]


def moved(operations: Operations, prefix: str) -> Operations:
    """The same operations with their pointers below ``prefix``."""
    result: list[JsonObject] = []
    for operation in operations:
        step = dict(operation)
        for key in ("path", "from"):
            if key in step:
                step[key] = f"{prefix}{step[key]}"
        result.append(step)
    return tuple(result)
