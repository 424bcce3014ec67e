"""Where in an order a bad line stands: an endpoint that looks at the first line alone has to be found."""

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
    The same cases; a site's refusals that are about one line have it last, first and in the middle by turns.

    Each costs one request wherever the line stands, so that every constraint gets several places for nothing. Where
    a bad line may be left out of its order, it stays the only one.
    """
    form = operation.order
    turns: Counter[str] = Counter()
    for case in cases:
        if form and form.bad_line == "refused" and _about_a_line(case, f"{form.lines}/0"):
            yield _moved(case, form.lines, *_TURNS[turns[case.site] % len(_TURNS)])
            turns[case.site] += 1
        else:
            yield case


def _about_a_line(case: Case, first: str) -> bool:
    if case.expect is not Expect.REFUSE or not case.site or case.recipe.lines:
        return False
    [step] = case.steps
    inside = all(f"{each['path']}/".startswith(f"{first}/") for each in step.change)
    return step.scope == "order" and bool(step.change) and inside


def _moved(case: Case, place: str, index: int, count: int) -> Case:
    [step] = case.steps
    begin = len(f"{place}/0")
    change = tuple({**each, "path": f"{place}/{index}{str(each['path'])[begin:]}"} for each in step.change)
    return replace(case, recipe=replace(case.recipe, lines=count), steps=(replace(step, change=change),))
