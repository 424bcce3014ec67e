"""Free texts of an order: which of its members may hold letters of any alphabet, and some that a member has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from conformance import changes
from conformance.checks.sums import order_node

if TYPE_CHECKING:
    from conformance.operations import Operation

# Facts that are words. Codes, numbers, ids and what carriers or customs read may well be limited to ASCII by prose.
WORDS = frozenset(
    {
        "@buyer.first_name", "@buyer.last_name", "@buyer.name", "@buyer.company", "@address.street",
        "@address.street_name", "@address.unit", "@address.building", "@address.city", "@line.name", "@line.variant",
        "@line.description",
    }
)  # fmt: skip
# Letters of two bytes and of three, whole words first; none beyond the basic plane, which are another question.
_LETTERS = ("Größe é Łódź 你好", "éßŁ你")
_NARROWING = frozenset({"format", "pattern", "enum", "const"})


def beyond_ascii(operation: Operation, pointer: str) -> str:
    """A text with letters beyond ASCII that fits a free text of an order; empty where there is none at this place."""
    form = operation.order
    if form is None or not changes.exists(form.template, pointer):
        return ""
    template = changes.read(form.template, pointer)
    free = pointer in form.texts or (isinstance(template, str) and template in WORDS)
    node = order_node(operation, pointer)
    types = node.get("type")
    if not free or node.keys() & _NARROWING or "string" not in (types if isinstance(types, list) else [types]):
        return ""
    room = cast("int", node.get("maxLength", len(_LETTERS[0])))
    return next((each for each in _LETTERS if len(each) <= room), "")
