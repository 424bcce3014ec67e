"""Rules on references: those that lead nowhere or away, and parts that nothing refers to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conformance.linting.registry import Slip, rule
from conformance.openapi.files import Lost, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place

# What examples and extensions hold is data, and a $ref there a member like any other.
_DATA = frozenset({"example", "default", "enum", "const", "value"})


def _references(book: Book) -> Iterator[Spot]:
    """Every spot with a ``$ref`` in all files read, but for those in examples."""
    for source in book.document.files.all():
        waiting = [(Spot(source, (), source.data), False)]
        while waiting:
            spot, named = waiting.pop()
            if not named and isinstance(spot.get("$ref"), str):
                yield spot
            for name, child in spot.children():
                if not isinstance(child.value, dict | list):
                    continue
                # The keys of these are names that people chose, perhaps "example" or "$ref".
                names = not named and name in ("properties", "patternProperties", "schemas", "examples")
                if named or not (name in _DATA or str(name).startswith("x-")):
                    waiting.append((child, names and isinstance(child.value, dict)))


@rule(
    "reference-lost", "document", "error",
    "Tools stop at it, or take the part that it stands for as anything at all.",
)  # fmt: skip
def reference_lost(_place: Place, book: Book) -> Iterator[Slip]:
    """A `$ref` that leads nowhere."""
    for spot in _references(book):
        try:
            book.document.files.follow(spot)
        except Lost as error:
            if not error.remote and str(error).startswith(spot.child("$ref").where.rpartition(":")[0]):
                message = re.sub(r"^\S+:\d+: ", "", str(error))
                yield Slip(spot.child("$ref"), message, "the place of a part that exists")


@rule(
    "reference-elsewhere", "document", "note",
    "What stands there can change without notice; nothing behind it was checked here.",
)  # fmt: skip
def reference_elsewhere(_place: Place, book: Book) -> Iterator[Slip]:
    """A `$ref` to another host, which is not followed."""
    for spot in _references(book):
        try:
            book.document.files.target(spot)
        except Lost as error:
            if error.remote:
                yield Slip(
                    spot.child("$ref"),
                    f"{spot.get('$ref')!r} is on another host and was not looked at",
                    "a copy beside the file",
                )


@rule(
    "component-unused", "document", "note",
    "It describes something that no operation has: often the reference to it was forgotten.",
)  # fmt: skip
def component_unused(_place: Place, book: Book) -> Iterator[Slip]:
    """A shared response, parameter, header or body that nothing refers to."""
    components = book.document.root.child("components")
    if not book.document.root.get("paths"):
        return
    used: set[Any] = set(book.referred)
    for spot in _references(book):
        try:
            used.add(book.document.files.target(spot).key)
        except Lost:
            continue
    for group in ("responses", "parameters", "requestBodies", "headers"):
        for name, child in components.child(group).children():
            if child.key not in used:
                yield Slip(
                    child,
                    f"no operation refers to {name!r} in {group}",
                    "a reference where it applies, or leave it out",
                )
