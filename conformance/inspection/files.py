"""Files of payloads: request bodies or single orders, as one JSON text or one a line, with the place of every finding."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, cast

from conformance.changes import tokens
from conformance.inspection import texts
from conformance.openapi.jsonfile import JsonText
from conformance.openapi.yamlfile import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from conformance.inspection.inspector import Inspector
    from conformance.inspection.objections import Objection
    from conformance.model import Json

# Names that say that a file has one record a line.
_BY_LINE = (".ndjson", ".jsonl")


@dataclass(frozen=True, slots=True)
class Placed:
    """An objection with its place in a file, counted from 1."""

    file: str
    line: int
    column: int
    objection: Objection


class Seen:
    """Which values came up before; keeps eight bytes of each, however long they are."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def __call__(self, place: str, value: Json) -> bool:
        """Whether an earlier order had this value there; from now on it had."""
        key = hashlib.blake2b(json.dumps([place, value]).encode(), digest_size=8).digest()
        known = key in self._known
        self._known.add(key)
        return known


class PayloadFile:
    """
    One file of payloads, read as it comes.

    ``by_line`` says whether it has a record a line, or is None where that is to be seen from name and
    content. ``records`` and ``orders`` count what was looked at so far, ``spoilt`` the orders with a finding.
    """

    def __init__(self, name: str, inspector: Inspector, *, orders: bool, by_line: bool | None) -> None:
        self.name = name
        self.by_line = True if by_line is None and name.lower().endswith(_BY_LINE) else by_line
        self.records = self.orders = self.spoilt = 0
        self._inspector = inspector
        self._alone = orders
        self._seen = Seen()

    def findings(self, stream: Iterable[bytes], now: datetime) -> Iterator[Placed]:
        """Every objection to what a stream holds, in the order of its lines."""
        lines = enumerate(stream, 1)
        start: list[tuple[int, bytes]] = []
        if self.by_line is None:
            start = _start(lines)
            self.by_line = len(start) > 1 and _complete(start[0][1]) and bool(start[-1][1].strip())
        if not self.by_line:
            yield from self._record(b"".join(line for _, line in chain(start, lines)), 1, now)
            return
        for number, line in chain(start, lines):
            if line.strip():
                yield from self._record(line.rstrip(b"\r\n"), number, now)
        if not self.records:
            yield from self._record(b"", 1, now)

    def _record(self, raw: bytes, first: int, now: datetime) -> Iterator[Placed]:
        """What is objected to in one record that begins at a line."""
        self.records += 1
        text = texts.read(raw)
        if not raw.strip():
            yield from self._told([("", each) for each in self._inspector.body(b"", now=now)], raw, first)
            return
        if text.broken:
            yield Placed(self.name, text.line + first - 1, text.column, self._inspector.broken(text.broken))
            return
        odd = [each for word, what in text.oddities for each in self._inspector.odd(word, what)]
        found = [("", each) for each in odd]
        found += self._by_order(text.value, now) if self._alone else self._by_body(text.value, now)
        yield from self._told(found, raw, first)

    def _by_body(self, body: Json, now: datetime) -> list[tuple[str, Objection]]:
        found = self._inspector.body(body, now=now, seen=self._seen)
        self.orders += self._inspector.orders(body)
        self.spoilt += len({each.order for each in found if each.order is not None})
        return [(each.pointer, each) for each in found]

    def _by_order(self, value: Json, now: datetime) -> list[tuple[str, Objection]]:
        """The objections to orders outside of any batch: a list of them, or one."""
        listed = isinstance(value, list) and not self.by_line
        found: list[tuple[str, Objection]] = []
        for index, order in enumerate(cast("list[Json]", value) if listed else [value]):
            told = self._inspector.order(order, now=now, seen=self._seen, index=self.orders)
            prefix = f"/{index}" if listed else ""
            self.orders += 1
            self.spoilt += bool(told)
            found += [(prefix + each.pointer, replace(each, pointer=prefix + each.pointer)) for each in told]
        return found

    def _told(self, found: list[tuple[str, Objection]], raw: bytes, first: int) -> Iterator[Placed]:
        places = _Places(raw) if found else None
        for pointer, objection in found:
            line, column = places.of(pointer) if places else (1, 1)
            yield Placed(self.name, line + first - 1, column, objection)


class _Places:
    """Where the members of a JSON text stand; at its beginning where that cannot be told."""

    def __init__(self, raw: bytes) -> None:
        self._text: JsonText | None = None
        try:
            self._text = JsonText(texts.decoded(raw))
        except (Malformed, ValueError):
            return

    def of(self, pointer: str) -> tuple[int, int]:
        if self._text is None:
            return 1, 1
        value, path = self._text.data, list[str | int]()
        for part in tokens(pointer):
            step: str | int = int(part) if isinstance(value, list) and part.isdigit() else part
            path.append(step)
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
        return self._text.place(path)


def _start(lines: Iterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The lines up to the second that has something in it."""
    found: list[tuple[int, bytes]] = []
    filled = 0
    for number, line in lines:
        found.append((number, line))
        filled += bool(line.strip())
        if filled > 1:
            break
    return found[next((index for index, (_, line) in enumerate(found) if line.strip()), 0) :] if filled > 1 else found


def _complete(line: bytes) -> bool:
    """Whether a line is an object or an array by itself."""
    return not texts.read(line).broken and line.lstrip(b"\xef\xbb\xbf \t")[:1] in (b"{", b"[")
