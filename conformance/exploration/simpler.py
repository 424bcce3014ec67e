"""Simpler changes: what to try instead of a change that shows something, so that what is reported says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Json, Operations

T = TypeVar("T")
_WHOLE = 1_000_000


def changes(change: Operations) -> Iterator[Operations]:
    """Simpler changes, the simplest first: fewer operations, then simpler values."""
    if len(change) > 1:
        for each in change:
            yield (each,)
        if len(change) > 2:  # otherwise the same again
            for at in range(len(change)):
                yield change[:at] + change[at + 1 :]
        return
    [operation] = change
    if operation["op"] == "replace":
        for value in values(operation["value"]):
            yield ({**operation, "value": value},)


def values(value: Json) -> Iterator[Json]:
    """Simpler values of the same kind, the simplest first; each is less than the value, so that this comes to an end."""
    if isinstance(value, str):
        yield from _texts(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        yield from _numbers(value)
    elif isinstance(value, dict):
        for names in _fewer([*value]):
            yield {name: value[name] for name in names}
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                yield {**value, name: 1}
    else:
        yield from _fewer(value)


def _fewer(parts: list[T]) -> Iterator[list[T]]:
    """None of the parts, halves of them, then all but one."""
    half = len(parts) // 2
    if parts:
        yield []
    if half:
        yield parts[:half]
        yield parts[half:]
        for at in range(len(parts)):
            yield [*parts[:at], *parts[at + 1 :]]


def _texts(value: str) -> Iterator[str]:
    half = len(value) // 2
    if half:
        yield value[:half]
        yield value[half:]
        for at in range(len(value)):
            yield value[:at] + value[at + 1 :]
    for at, letter in enumerate(value):
        if letter != "a":
            yield f"{value[:at]}a{value[at + 1 :]}"


def _numbers(value: float) -> Iterator[int | float]:
    if isinstance(value, float):
        if value != int(value) or abs(value) < _WHOLE:
            yield int(value)
        return
    step = abs(value)
    while step:
        yield value - step if value > 0 else value + step
        step //= 2
