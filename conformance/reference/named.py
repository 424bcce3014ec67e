"""Answers that have an entry for each name of the request, and what a careless endpoint makes of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from conformance.model import Json
    from conformance.reference.behaviour import Behaviour


def arranged(entries: list[tuple[str, Json]], how: Behaviour) -> Json:
    """The answer: always an object, whatever the names look like."""
    if how.array_of_digits and entries and all(name.isdigit() for name, _ in entries):
        return [each for _, each in entries]
    if how.names == "one-less":
        entries = entries[:-1] if len(entries) > 1 else []
    if how.names == "one-more" and entries:
        entries = [*entries, ("", entries[-1][1])]
    if how.names == "sole" and entries:
        return entries[0][1]
    made = {_written(name, index, how.names): each for index, (name, each) in enumerate(entries)}
    return cast("Json", made)


def _written(name: str, index: int, kind: str) -> str:
    if kind == "numbered":
        return str(index)
    if kind == "small":
        return name.lower()
    if kind == "trimmed":
        return name.replace(" ", "")
    if kind == "ascii":
        return name.encode("ascii", "replace").decode()
    if kind == "integers" and name.isdigit():
        return str(int(name))
    return name
