"""Rules that the engine would try in the wrong way, put where only validators look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.scaffold.flatten import AT, Node, types, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG_LIST = 2000


def hide(root: Node, batch: Node | None, lines: Node | None) -> Iterator[str]:
    """
    Put counts of other lists than orders and lines aside, and counts too large to be tried; says which.

    The engine makes as many orders or lines as such a count says, whatever list it belongs to.
    """
    for node in walk(root):
        # Orders are cut to the members that a schema requires by name, which leaves none of a map.
        if "minProperties" in node:
            yield f"{', '.join(node.get(AT, [])[:1])}: minProperties {node.pop('minProperties')} is left out"
        if "array" not in types(node):
            continue
        aside: dict[str, Any] = {}
        for keyword in ("minItems", "maxItems"):
            value = node.get(keyword)
            if not isinstance(value, int):
                continue
            own = node is batch or node is lines
            if not own or value > _LONG_LIST:
                aside[keyword] = node.pop(keyword)
        if aside:
            node.setdefault("allOf", []).append(aside)
            said = ", ".join(f"{keyword} {value}" for keyword, value in aside.items())
            yield f"{', '.join(node.get(AT, [])[:1])}: {said}: held by the schema, but no cases are made of it; write one"
