"""JSON with places: where a member stands in a text, found only when somebody asks."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from conformance.openapi.yamlfile import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


class JsonText:
    """
    A JSON text: its ``data``, and the places of its members.

    Raises Malformed for anything else.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._known: dict[int, dict[Any, tuple[int, int]]] = {}
        self._twice = False
        try:
            self.data: Any = json.loads(text, object_pairs_hook=self._object, parse_constant=self._constant)
        except json.JSONDecodeError as error:
            raise Malformed(error.msg, error.lineno, error.colno) from None
        except RecursionError:
            raise Malformed("nested too deep") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        self._twice = self._twice or len(made) < len(pairs)
        return made

    @staticmethod
    def _constant(word: str) -> Any:
        raise Malformed(f"{word} is no JSON number")

    def place(self, tokens: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of a member, counted from 1; of its nearest ancestor where there is no such member."""
        at = shown = _blank(self._text, 0)
        for token in tokens:
            found = self._children(at).get(token)
            if found is None:
                break
            shown, at = found
        line = bisect_right(self._lines, shown)
        return line, shown - self._lines[line - 1] + 1

    def repeated(self) -> list[tuple[str, int, int]]:
        """Keys that stand twice in one object, with their places."""
        found: list[tuple[str, int, int]] = []
        waiting = [_blank(self._text, 0)] if self._twice else []
        while waiting:
            at = waiting.pop()
            seen: set[Any] = set()
            for key, shown, value in self._members(at):
                if key in seen:
                    line = bisect_right(self._lines, shown)
                    found.append((str(key), line, shown - self._lines[line - 1] + 1))
                seen.add(key)
                waiting.append(value)
        return found

    def _children(self, at: int) -> dict[Any, tuple[int, int]]:
        if at not in self._known:
            self._known[at] = {key: (shown, value) for key, shown, value in self._members(at)}
        return self._known[at]

    def _members(self, at: int) -> list[tuple[Any, int, int]]:
        """(key, offset to show, offset of the value) of each member of the container at an offset."""
        text = self._text
        if text[at] not in "{[":
            return []
        is_object, found = text[at] == "{", list[tuple[Any, int, int]]()
        at = _blank(text, at + 1)
        while text[at] not in "}]":
            shown = at
            key: Any = len(found)
            if is_object:
                key, at = _DECODER.raw_decode(text, at)
                at = _blank(text, _blank(text, at) + 1)
            found.append((key, shown, at))
            _, at = _DECODER.raw_decode(text, at)
            at = _blank(text, at)
            if text[at] == ",":
                at = _blank(text, at + 1)
        return found
