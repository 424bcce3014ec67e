"""Objections: what the documentation has against one place of a request, and how much that weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.model import Level, Verdict

if TYPE_CHECKING:
    from conformance.model import Requirement


@dataclass(frozen=True, slots=True)
class Objection:
    """
    One thing that the documentation has against a request.

    ``pointer`` is a JSON Pointer into the request body (empty for the whole of it, and for headers);
    where a member is missing, it is the place where that should stand. ``order`` is the index
    of the order in the batch, or None for the batch itself. ``verdict`` is ``violation``, ``advisory`` (advice,
    or a reading) or ``observed`` (the documentation is silent or contradicts itself).
    """

    requirement: str
    level: str
    title: str
    source: str
    pointer: str
    order: int | None
    expected: str
    got: str
    verdict: str = "violation"


def weigh(requirement: Requirement, *, reading: bool = False, observed: bool = False) -> Verdict:
    """How much an objection weighs: as the same value does for an endpoint that takes it."""
    if observed or requirement.level in (Level.SILENT, Level.CONTRADICTORY):
        return Verdict.OBSERVED
    return Verdict.ADVISORY if reading or requirement.level is Level.SHOULD else Verdict.VIOLATION


def objection(
    requirement: Requirement,
    verdict: Verdict,
    expected: str,
    got: str,
    *,
    pointer: str = "",
    order: int | None = None,
) -> Objection:
    """An objection in the name of a requirement."""
    level, title, source = str(requirement.level), requirement.title, requirement.source
    return Objection(requirement.id, level, title, source, pointer, order, expected, got, str(verdict))
