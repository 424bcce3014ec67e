"""Where bad orders and bad lines stand: an endpoint that looks at the first ones alone has to be found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import Expect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.model import Case
    from conformance.operations import Operation

# The place of the bad line, and how many there are; the first is the only line of a plain order.
_TURNS = ((2, 3), (0, 0), (1, 3))


def in_turn(cases: Iterable[Case], operation: Operation) -> Iterator[Case]:
    """
    The same cases; each refusal of one order is numbered by site, and one of a line has its own place by that number.

    A refusal costs one request wherever the fault stands, so every constraint gets several places for nothing. Where a
    bad line may be left out of its order, it stays the only one; where a bad order may be, the run finds out
    (:mod:`conformance.beside`).
    """
    form = operation.order
    turns: Counter[str] = Counter()
    for case in cases:
        made = case
        if case.operation == operation.id and _about_an_order(case):
            turn = turns[case.site]
            turns[case.site] += 1
            made = replace(case, turn=turn)
            if form and form.bad_line == "refused" and _about_a_line(case, f"{form.lines}/0"):
                made = _moved(made, form.lines, *_TURNS[turn % len(_TURNS)])
        yield made


def _about_an_order(case: Case) -> bool:
    if case.expect is not Expect.REFUSE or len(case.steps) != 1 or case.answers_form or case.group or not case.sends:
        return False
    [step] = case.steps
    return step.scope == "order" and step.slots == ("changed",) and not (step.names or step.checks)


def _about_a_line(case: Case, first: str) -> bool:
    change = case.steps[0].change
    inside = all(f"{each['path']}/".startswith(f"{first}/") for each in change)
    return bool(case.site and change) and inside and not case.recipe.lines


def _moved(case: Case, place: str, index: int, count: int) -> Case:
    [step] = case.steps
    begin = len(f"{place}/0")
    change = tuple({**each, "path": f"{place}/{index}{str(each['path'])[begin:]}"} for each in step.change)
    return replace(case, recipe=replace(case.recipe, lines=count), steps=(replace(step, change=change),))
