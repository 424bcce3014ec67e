"""Memory: what the earlier part of an interrupted run came to, and where this run's own is noted as it comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.answers import Answer, classify, fates
from conformance.model import Expect

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from conformance.model import Record
    from conformance.suite import Suite


class Memory:
    """
    The earlier part of a run, none by default.

    ``records`` have the order of that run; ``settled`` names the cases and twins that need not
    be sent again, and ``part`` counts how often the run was taken up: what is sent has other
    identifiers in each part. ``note`` takes the events of this run: ``("record", record)`` and
    ``("done", case id)``.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        settled: Collection[str] = (),
        part: int = 0,
        started_at: datetime | None = None,
        note: Callable[[str, Any], None] | None = None,
    ) -> None:
        self.records = list(records)
        self.settled = frozenset(settled)
        self.started_at = started_at
        self._part = part
        self._note = note

    def attempt(self, name: str) -> str:
        """The name of an attempt, other in each part of a run."""
        return f"{name}g{self._part}" if self._part else name

    @property
    def last_unit(self) -> int:
        """The number of the last unit that was sent."""
        return max((int(each.exchange.id[1:].partition(".")[0]) for each in self.records), default=0)

    def keep(self, record: Record) -> None:
        """A request has come to its end."""
        if self._note:
            self._note("record", record)

    def done(self, case: str) -> None:
        """A case has been sent with all its steps."""
        if self._note:
            self._note("done", case)


def remembered(suite: Suite, records: Sequence[Record], done: Collection[str]) -> tuple[list[Record], set[str]]:
    """
    The records of a part that was broken off, and which cases they settle.

    What was not accepted since the last good control proves nothing, for the endpoint may have
    changed; neither do cases that were not sent to their end, packs that were to be
    halved, and what was read back. All that is set aside.
    """
    records = sorted(records, key=_number)
    answers = [classify(suite.provider.operation(each.exchange.operation), each.exchange) for each in records]
    good = max(
        (at for at, each in enumerate(records) if each.purpose == "control" and answers[at] is Answer.ACCEPTED),
        default=-1,
    )
    confirmed = {each.case for each in records if each.purpose == "confirm"}
    kept: list[Record] = []
    settled: set[str] = set()
    for at, (record, answer) in enumerate(zip(records, answers, strict=True)):
        names = _told(suite, record, answer, done)
        doubtful = answer is Answer.AMBIGUOUS and _wants_answer(suite, record) and record.case not in confirmed
        if record.purpose == "sweep" or doubtful or (at > good and answer is not Answer.ACCEPTED) or names is None:
            kept.append(replace(record, purpose="lost", atoms=(), case=""))
        else:
            kept.append(record)
            settled |= names
    return kept, settled


def _told(suite: Suite, record: Record, answer: Answer, done: Collection[str]) -> set[str] | None:
    """The cases and twins that a record settles; None where it settles nothing because it was broken off."""
    if record.purpose in ("case", "confirm") and record.case:
        return {record.case} if record.case in done else None
    own = {each for each in record.atoms if each not in ("", "control")}
    if record.purpose != "pack" or len(record.atoms) < 2 or answer in (Answer.ACCEPTED, Answer.NONE):
        operation = suite.provider.main
        if record.purpose == "pack" and operation.outcome and operation.outcome.by_name:
            told = fates(operation, record.exchange, len(record.atoms))
            return own if Answer.UNTOLD not in told and told[-1] is Answer.ACCEPTED else None
        return own
    return None


def _wants_answer(suite: Suite, record: Record) -> bool:
    case = suite.by_id.get(record.case)
    return case is not None and case.expect not in (Expect.DENY, Expect.OBSERVE) and len(case.steps) == 1


def _number(record: Record) -> tuple[int, int]:
    unit, _, step = record.exchange.id[1:].partition(".")
    return int(unit), int(step or 1)
