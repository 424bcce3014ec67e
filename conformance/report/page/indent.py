"""JSON text in lines that a person can read, with every token as it was written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

# Strings, numbers and words as they are written, and the marks between them.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True, slots=True)
class Line:
    """A line with the JSON Pointer of the value that it belongs to; text that is no JSON has empty pointers."""

    text: str
    pointer: str = ""


@dataclass(slots=True)
class _Printer:
    """Lines so far; ``open`` has the pointer and the number of members of every open bracket."""

    done: list[Line] = field(default_factory=list[Line])
    open: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    line: str = ""
    pointer: str = ""

    def put(self, word: str, before: str, after: str) -> None:
        if word in ("}", "]"):
            self.close(word, empty=before in ("{", "["))
        elif word == ",":
            self.end(",")
        elif word == ":":
            self.line += ": "
        else:
            self.begin(word, after)
            self.line += word
            if word in ("{", "["):
                self.open.append((self.pointer, 0))
                self.end()

    def begin(self, word: str, after: str) -> None:
        """A new member, unless the line already has its name."""
        if self.line or not self.open:
            return
        pointer, count = self.open[-1]
        self.open[-1] = (pointer, count + 1)
        self.pointer = f"{pointer}/{_segment(word) if after == ':' else count}"
        self.line = "  " * len(self.open)

    def close(self, word: str, *, empty: bool) -> None:
        if self.line:
            self.end()
        self.pointer, _ = self.open.pop()
        self.line = (self.done.pop().text if empty else "  " * len(self.open)) + word

    def end(self, mark: str = "") -> None:
        self.done.append(Line(self.line + mark, self.pointer))
        self.line = ""


def lines(text: str) -> list[Line]:
    """
    A body in lines.

    Repeated members and the form of numbers survive; text that is no JSON object or array
    stays as it is.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    if not isinstance(whole, dict | list):
        return [Line(line) for line in text.split("\n")]
    printer = _Printer()
    tokens = ["", *_TOKEN.findall(text), ""]
    for before, word, after in zip(tokens, tokens[1:-1], tokens[2:], strict=False):
        printer.put(word, before, after)
    printer.end()
    return printer.done


def _segment(word: str) -> str:
    return str(json.loads(word)).replace("~", "~0").replace("/", "~1")
