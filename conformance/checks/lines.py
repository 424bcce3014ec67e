"""Where in an order a bad line stands: an endpoint that looks at the first line alone has to be found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import Expect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.model import Case
    from conformance.operations import Operation

# The place of the bad line, and how many there are; the first is the only line of a plain order. An order of three is
# documented everywhere; what becomes of more is not.
_TURNS = ((2, 3), (0, 0), (1, 3))


def in_turn(cases: Iterable[Case], operation: Operation) -> Iterator[Case]:
    """
    The same cases; refusals that are about one line have it last, first and in the middle by turns.

    Each costs one request wherever the line stands, so that every constraint gets a place of its own for nothing.
    """
    place = operation.order.lines if operation.order else ""
    turn = 0
    for case in cases:
        if case.expect is Expect.REFUSE and place and _about_a_line(case, f"{place}/0"):
            yield _moved(case, place, *_TURNS[turn % len(_TURNS)])
            turn += 1
        else:
            yield case


def _about_a_line(case: Case, first: str) -> bool:
    if len(case.steps) != 1 or case.recipe.lines or case.recipe.given:
        return False
    [step] = case.steps
    inside = all(f"{each['path']}/".startswith(f"{first}/") for each in step.change)
    return step.scope == "order" and step.slots == ("changed",) and bool(step.change) and inside


def _moved(case: Case, place: str, index: int, count: int) -> Case:
    [step] = case.steps
    begin = len(f"{place}/0")
    change = tuple({**each, "path": f"{place}/{index}{str(each['path'])[begin:]}"} for each in step.change)
    return replace(case, recipe=replace(case.recipe, lines=count), steps=(replace(step, change=change),))
