"""Refusals that say what is wrong: the places they name, held against the place of the one change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conformance import bodies, changes, envelope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.model import Exchange, Json
    from conformance.operations import Operation

_POSITION = re.compile(r"\[?(\d+)\]?")


def places(operation: Operation, exchange: Exchange) -> list[str]:
    """The places that a refusal names, in its own notation; none where it names none."""
    form = operation.refusal
    if form is None:
        return []
    found = [value for _, errors in changes.select(bodies.answered(exchange), form.errors) for value in _each(errors)]
    named = [value for error in found for _, value in changes.select(error, form.pointer)]
    return [each for each in named if isinstance(each, str)]


def _each(errors: Json) -> list[Json]:
    return errors if isinstance(errors, list) else [errors]


def is_temporary(operation: Operation, exchange: Exchange) -> bool:
    """Whether a refusal says, in the documented form, that the same request may be sent again later."""
    form, response = operation.refusal, exchange.response
    if form is None or not form.temporary or response is None or response.status != operation.refusal_status:
        return False
    named = places(operation, exchange)
    return bool(named) and all(each == form.temporary for each in named)


def expected(operation: Operation, pointer: str) -> tuple[str, list[str]] | None:
    """
    Where a place of the request body ought to be named: the order as the form writes it, and the path inside.

    ``pointer`` is a JSON Pointer into the body; None when it leads to no order.
    """
    if operation.refusal is None:
        return None
    prefix = envelope.place(operation, 0).removesuffix("0")
    if not pointer.startswith(prefix):
        return None
    index, *path = changes.tokens("/" + pointer.removeprefix(prefix))
    if not index.isdigit():
        return None
    return operation.refusal.order.replace("{index}", index), [each for each in path if each != "-"]


def match(operation: Operation, named: Iterable[str], pointer: str) -> str:
    """
    How well the best of the ``named`` places leads to ``pointer``.

    ``exact``; ``positions`` when only the positions below the order are written otherwise;
    ``order`` when only the order is right; ``nothing``. Further segments between and behind
    are no difference: how alternatives of a schema are named is not documented.
    """
    wanted = expected(operation, pointer)
    if wanted is None:
        return "exact"
    order, path = wanted
    best = "nothing"
    for each in named:
        if each != order and not each.startswith(f"{order}/"):
            continue
        segments = changes.tokens(each.removeprefix(order))
        words = [part for part in segments if not _POSITION.fullmatch(part)]
        if _is_within(path, segments):
            return "exact"
        if _is_within([part for part in path if not part.isdigit()], words):
            best = "positions"
        elif best == "nothing":
            best = "order"
    return best


def _is_within(path: list[str], segments: list[str]) -> bool:
    """Whether the segments hold the path in its order."""
    rest = iter(segments)
    return all(part in rest for part in path)
