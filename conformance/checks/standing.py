"""Cases about the form of answers: each is held against every answer of the run, and sends nothing of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model import Case, Expect, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.catalogue import AnswerSite
    from conformance.model import Requirement


def cases(requirement: Requirement, answers: tuple[AnswerSite, ...]) -> Iterator[Case]:
    """One case for each kind of answer that a requirement constrains."""
    for answer in ("success", "refusal"):
        owned = [each for each in answers if each.requirement.id == requirement.id and each.answer == answer]
        if owned:
            observed = requirement.level in (Level.SILENT, Level.CONTRADICTORY)
            judged = Expect.ACCEPT if answer == "success" else Expect.REFUSE
            yield Case(
                id=f"{requirement.id}/answer.{answer}-form",
                requirement=requirement,
                operation=owned[0].operation,
                expect=Expect.OBSERVE if observed else judged,
                standing=f"{answer}-form",
            )
