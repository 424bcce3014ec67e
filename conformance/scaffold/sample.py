"""Values made from a schema node: the simplest that satisfies it."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

from conformance import formats, schemas
from conformance.scaffold.flatten import EXAMPLE, types, written

if TYPE_CHECKING:
    from conformance.scaffold.flatten import Node

_WORDS = ("", "x", "!", "~", "123", "ABC", "abc", "a b", "-", "0", "\N{SNOWMAN}", "x" * 64)
_LONGEST, _LONGEST_WORD = 3, 10_000
# Values of formats that have no examples of their own.
_FORMATS = {
    "email": ("a@b.co",), "uri": ("a:b",), "duration": ("P1D",), "regex": ("^a$",), "json-pointer": ("/a",), "relative-json-pointer": ("0/a",),
    "uri-template": ("/a/{b}",), "iri": ("https://example.com/",), "iri-reference": ("/a",), "idn-hostname": ("example.com",),
}  # fmt: skip


def accepts(node: Node, value: Any) -> bool:
    """Whether a node accepts a value."""
    return schemas.validator(written(node)).accepts(value)


def value(node: Node) -> Any:
    """A scalar that a node accepts, as packs write it: an expression for times. None where none was found."""
    known = formats.examples(str(node.get("format")))
    if known and "enum" not in node:
        # Times are expressions, whose values no length or pattern is held against here.
        fitting = [each.value for each in known.good if each.value.startswith("@") or accepts(node, each.value)]
        if fitting:
            return fitting[0]
    candidates = [*node.get(EXAMPLE, []), *node.get("enum", [])]
    candidates += [member for part in node.get("allOf", ()) for member in part.get("enum", ())]
    if "string" in types(node) or not types(node):
        candidates += [*_FORMATS.get(str(node.get("format")), ()), *_texts(node)]
    candidates += [*_numbers(node), True, None]
    for each in candidates:
        if not isinstance(each, dict | list) and accepts(node, each):
            return f"@{each}" if isinstance(each, str) and each.startswith("@") else each
    return None


def refused(node: Node) -> str | None:
    """A text that the pattern of a node refuses while its length would do; None where none was found."""
    plain = {"pattern": node["pattern"]}
    rest = {key: each for key, each in node.items() if key in ("minLength", "maxLength")}
    length = node.get("minLength", 1)
    words = (*_WORDS, *(letter * length for letter in ("x", "X", "1", "-") if length <= _LONGEST_WORD))
    fitting = [each for each in words if accepts(rest, each) and not accepts(plain, each)]
    return next(iter(sorted(fitting, key=lambda each: not each)), None)


def _texts(node: Node) -> list[str]:
    length = node.get("minLength", 1)
    found = ["Sample" if length <= 6 <= node.get("maxLength", 6) else "S" * min(length, 100_000)]
    if "pattern" in node:
        found += [
            each for each in (_matching(node["pattern"], extra) for extra in range(_LONGEST + 1)) if each is not None
        ]
    return found


def _numbers(node: Node) -> list[Any]:
    low = node.get("minimum", node.get("exclusiveMinimum"))
    high = node.get("maximum", node.get("exclusiveMaximum"))
    step = node.get("multipleOf", 1)
    base = low if low is not None else high if high is not None else 1
    return [base, base + step, base - step, step, 0, 1, 2, 10, base + 0.5, base - 0.5, base + 0.01, base - 0.01]


def _matching(pattern: str, extra: int) -> str | None:
    """A text that a pattern matches, repeated parts ``extra`` times more than they need; None where it is not clear how."""
    try:
        # The standard library's own parser: a pattern is nothing that one should read by hand.
        parsed = importlib.import_module("re._parser").parse(pattern)
        return "".join(_part(str(kind).lower(), argument, extra) for kind, argument in parsed)
    except (re.error, KeyError, RecursionError, OverflowError):
        return None


def _part(kind: str, argument: Any, extra: int) -> str:
    if kind == "literal":
        return chr(argument)
    if kind == "not_literal":
        return "b" if argument == ord("a") else "a"
    if kind == "any":
        return "a"
    if kind == "in":
        return _class(argument)
    if kind in ("max_repeat", "min_repeat", "possessive_repeat"):
        least, most, inside = argument
        return "".join(
            "".join(_part(str(each).lower(), what, extra) for each, what in inside)
            for _ in range(min(least + extra, most, 10_000))
        )
    if kind == "subpattern":
        return "".join(_part(str(each).lower(), what, extra) for each, what in argument[-1])
    if kind == "branch":
        return "".join(_part(str(each).lower(), what, extra) for each, what in argument[1][0])
    if kind in ("at", "assert", "assert_not"):
        return ""
    raise KeyError(kind)


def _class(members: Any) -> str:
    kinds = {"category_digit": "1", "category_word": "a", "category_space": " ", "category_not_digit": "a",
             "category_not_word": "-", "category_not_space": "a"}  # fmt: skip
    if str(members[0][0]).lower() == "negate":
        taken = "".join(_class([each]) for each in members[1:])
        return next(letter for letter in "aZ1-_ " if letter not in taken)
    kind, argument = str(members[0][0]).lower(), members[0][1]
    if kind == "category":
        return kinds[str(argument).lower()]
    return chr(argument[0] if kind == "range" else argument)
