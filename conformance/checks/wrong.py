"""Values of wrong types, and which of them lenient parsers turn into the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model import Json

# Wrong types, as (word, value, whether lenient parsers turn it into the right one).
WRONG_TYPES: dict[str, tuple[tuple[str, Json, bool], ...]] = {
    "string": (("object", {}, False), ("number", 123, True)),
    "number": (("text", "abc", False), ("object", {}, False), ("numeric-text", "10.55", True), ("boolean", True, True)),
    "integer": (
        ("fraction", 1.5, False), ("text", "abc", False), ("object", {}, False), ("numeric-text", "2", True),
        ("boolean", True, True),
    ),
    "boolean": (("text", "abc", False), ("object", {}, False), ("boolean-text", "true", True), ("number", 1, True)),
    "object": (("text", "x", False), ("array", [], False), ("number", 12.5, False)),
    "array": (("object", {}, False), ("text", "x", False)),
}  # fmt: skip

# Of amounts in orders that cost nothing: what a lenient parser makes of these adds up.
WORTH_NOTHING: dict[str, Json] = {"numeric-text": "0.00", "boolean": False}
