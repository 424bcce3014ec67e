"""Every place of a description that rules look at, each once, and never what only looks like one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conformance.linting.registry import Place
from conformance.openapi.dialect import subschemas
from conformance.openapi.files import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book
    from conformance.openapi.document import Operation
    from conformance.openapi.files import Spot

# Keywords whose schemas speak of the same value as the one they stand in.
SAME_VALUE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})


class _Walk:
    def __init__(self, book: Book) -> None:
        self._book = book
        self._document = book.document
        self._seen: set[Any] = set()
        self._found: list[Place] = []

    def run(self) -> list[Place]:
        """All places: those that operations use first, which tells what is sent and what is answered."""
        root = self._document.root
        self._found.append(Place("document", root, root))
        for operation in self._document.operations():
            self._operation(operation)
        components = root.child("components")
        for _, child in components.child("schemas").children():
            self._schema(child, child, None, request=None)
        for group, request in (("parameters", True), ("headers", False)):
            for _, child in components.child(group).children():
                self._parameter(child, None, request=request)
        for group, request in (("requestBodies", True), ("responses", False)):
            for _, child in components.child(group).children():
                self._contents(child, None, request=request)
        return self._found

    def _real(self, spot: Spot) -> Spot | None:
        """What a spot stands for. References are noted as used."""
        while isinstance(spot.value, dict) and isinstance(spot.get("$ref"), str):
            try:
                spot = self._document.files.target(spot)
            except Lost:
                return None
            if spot.key in self._book.referred and "$ref" in (spot.value if isinstance(spot.value, dict) else {}):
                return None
            self._book.referred.add(spot.key)
        return spot if isinstance(spot.value, dict) else None

    def _once(self, kind: str, spot: Spot) -> bool:
        key = (kind, spot.key)
        known = key in self._seen
        self._seen.add(key)
        return not known

    def _operation(self, operation: Operation) -> None:
        spot = operation.spot
        if not self._once("operation", spot):
            return
        self._found.append(Place("operation", spot, spot, operation))
        for holder in (operation.item, spot):
            for _, child in holder.child("parameters").children():
                self._parameter(child, operation, request=True)
        self._contents(spot.child("requestBody"), operation, request=True)
        for _, child in spot.child("responses").children():
            self._contents(child, operation, request=False)

    def _parameter(self, spot: Spot, operation: Operation | None, *, request: bool) -> None:
        real = self._real(spot)
        if real is None or not self._once("parameter", real):
            return
        self._found.append(Place("parameter", real, real, operation, request))
        if isinstance(real.get("schema"), dict):
            self._schema(real.child("schema"), real.child("schema"), operation, request=request)

    def _contents(self, spot: Spot, operation: Operation | None, *, request: bool) -> None:
        real = self._real(spot)
        if real is None or not self._once("contents", real):
            return
        for _, child in real.child("headers").children():
            self._parameter(child, operation, request=request)
        for _, media in real.child("content").children():
            if isinstance(media.value, dict):
                self._found.append(Place("media", media, media, operation, request))
                if isinstance(media.get("schema"), dict):
                    self._schema(media.child("schema"), media.child("schema"), operation, request=request)

    def _schema(self, spot: Spot, top: Spot, operation: Operation | None, *, request: bool | None) -> None:
        """A schema and all below it; what it refers to as well, once."""
        waiting = [(spot, top)]
        while waiting:
            spot, top = waiting.pop()
            if not isinstance(spot.value, dict) or not self._once("schema", spot):
                continue
            self._found.append(Place("schema", spot, top, operation, request))
            if isinstance(spot.get("$ref"), str):
                try:
                    target = self._document.files.target(spot)
                except Lost:
                    continue
                self._book.referred.add(target.key)
                self._book.users.setdefault(target.key, []).append(top)
                waiting.append((target, target))
                if not self._document.modern:
                    continue
            for keyword, child in subschemas(spot):
                waiting.append((child, top if keyword in SAME_VALUE else child))


def places(book: Book) -> Iterator[Place]:
    """Every place of the description, with what belongs to whom noted in the book."""
    # All before the first, because rules ask who refers to what.
    yield from _Walk(book).run()


def parts(book: Book, spot: Spot, keywords: frozenset[str] = SAME_VALUE) -> list[Spot]:
    """A schema and all those that speak of the same value because it names them, through references."""
    found: list[Spot] = []
    seen: set[Any] = set()
    waiting = [spot]
    while waiting:
        part = waiting.pop()
        if part.key in seen or not isinstance(part.value, dict):
            continue
        seen.add(part.key)
        found.append(part)
        if isinstance(part.get("$ref"), str):
            with suppress(Lost):
                waiting.append(book.document.files.target(part))
            if not book.modern:
                continue
        waiting += [child for keyword, child in subschemas(part) if keyword in keywords]
    return found
