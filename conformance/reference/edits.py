"""Changes to the JSON of an answer before it is sent: one member left out, renamed, of another type or value, or empty."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Json
    from conformance.reference.refusals import Reply

# Values of every type, in the order they are tried as one of another type.
_VALUES: tuple[tuple[str, Json], ...] = (("string", "other"), ("integer", 7), ("object", {}), ("array", []))
_OTHER = "no-such-value"


def edited(reply: Reply, operation: str, edits: Sequence[dict[str, Any]]) -> Reply:
    """An answer of an operation with those edits made that are for it."""
    kind = "success" if reply.status < 300 else "refusal"
    for edit in edits:
        if edit["operation"] == operation and edit["answer"] == kind and reply.body is not None:
            reply = replace(reply, body=_edit(reply.body, edit))
    return reply


def _edit(body: Json, edit: dict[str, Any]) -> Json:
    holder: dict[str, Any] = {"$": copy.deepcopy(body)}
    path = str(edit["path"])
    steps = [] if path == "$" else [part for step in path.split(".") for part in _parts(step)]
    *way, last = ["$", *steps]
    for parent in _reach([holder], way, last):
        for name in _names(parent, last):
            _change(parent, name, edit)
    return cast("Json", holder["$"])


def _parts(step: str) -> Iterator[str]:
    """``data[]`` is a member and then each of its elements."""
    name = step.rstrip("[]")
    if name:
        yield name
    yield from ["[]"] * ((len(step) - len(name)) // 2)


def _reach(nodes: list[Any], way: list[str], last: str) -> list[Any]:
    """The nodes at the end of a way; an object on it that is not there is made, unless a list belongs there."""
    for part, following in zip(way, [*way, last][1:], strict=True):
        below: list[Any] = []
        for node in nodes:
            if part == "[]":
                below += node if isinstance(node, list) else []
            elif part == "*":
                below += cast("dict[str, Any]", node).values() if isinstance(node, dict) else []
            elif isinstance(node, dict) and following == "[]" and part not in node:
                continue
            elif isinstance(node, dict):
                below.append(cast("dict[str, Any]", node).setdefault(part, {}))
        nodes = below
    return nodes


def _names(parent: Any, last: str) -> list[Any]:
    """What the last step of a path stands for in one node: a member, or each position."""
    if last == "*":
        return list(parent) if isinstance(parent, dict) else []  # pyright: ignore[reportUnknownArgumentType]
    if last != "[]":
        return [last]
    return list(range(len(parent))) if isinstance(parent, list) else []  # pyright: ignore[reportUnknownArgumentType]


def _change(parent: Any, name: Any, edit: dict[str, Any]) -> None:
    if not isinstance(parent, list) and not isinstance(parent, dict):
        return
    if edit["edit"] == "left-out":
        if isinstance(parent, dict):
            cast("dict[str, Any]", parent).pop(name, None)
        return
    if edit["edit"] == "renamed":
        if isinstance(parent, dict) and name in parent:
            # A serializer that spells names another way.
            parent[f"{name[:1].swapcase()}{name[1:]}"] = cast("dict[str, Any]", parent).pop(name)
        return
    if edit["edit"] == "other-type":
        value = edit["value"]
        wanted = cast("list[str]", value if isinstance(value, list) else [value])
        fitting = {*wanted, *(["integer"] if "number" in wanted else [])}
        parent[name] = copy.deepcopy(next(value for kind, value in _VALUES if kind not in fitting))
    elif edit["edit"] == "other-value":
        parent[name] = _OTHER
    elif edit["edit"] == "set":
        parent[name] = copy.deepcopy(edit["value"])
    elif edit["edit"] == "text":
        parent[name] = str(parent[name]) if name in parent or isinstance(parent, list) else ""
    else:
        parent[name] = [] if edit["value"] == "array" else ""
