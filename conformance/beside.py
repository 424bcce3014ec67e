"""
Bad orders beside good ones: an endpoint that looks at the first order of a batch alone has to be found.

Where this run has shown that a bad order takes its batch with it, bad orders stand behind good ones by turns. One that is
taken there is sent again before a good order, and alone: taken behind and refused before, it was not looked at; taken in
both places and refused alone, it was left out, of which the documentation may say nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import Case, Expect

if TYPE_CHECKING:
    from conformance.operations import Operation

# By turn: the only order of its batch, or the last, or one in the middle.
_SLOTS = (("good", "changed"), ("changed",), ("good", "changed", "good"))
SWAPPED, ALONE = "swapped", "alone"


def possible(operation: Operation) -> bool:
    """Whether a batch of the operation has one fate."""
    return operation.envelope in ("array", "wrapped") and operation.batch_max >= max(map(len, _SLOTS))


def placed(case: Case) -> Case:
    """The case with its order where its turn has it."""
    return case if case.turn is None else _with(case, _SLOTS[case.turn % len(_SLOTS)])


def again(case: Case) -> dict[str, Case]:
    """What is sent when the case's order was taken behind a good one, by purpose."""
    return {SWAPPED: _with(case, ("changed", "good")), ALONE: _with(case, ("changed",))}


def is_behind(case: Case) -> bool:
    """Whether a placed case has its order behind a good one."""
    return case.turn is not None and case.expect is Expect.REFUSE and case.steps[0].slots[0] == "good"


def _with(case: Case, slots: tuple[str, ...]) -> Case:
    [step] = case.steps
    return replace(case, steps=(replace(step, slots=slots),))
