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
    good = _last_good(records, answers)
    confirmed = {each.case for each in records if each.purpose == "confirm"}
    unproved: set[str] = set()
    spoiled: set[int] = set()
    for at, (record, answer) in enumerate(zip(records, answers, strict=True)):
        doubtful = answer is Answer.AMBIGUOUS and _wants_answer(suite, record) and record.case not in confirmed
        late = at > good and answer is not Answer.ACCEPTED
        if record.purpose == "sweep" or doubtful or late or not _whole(suite, record, answer, done):
            spoiled.add(at)
            unproved.add(record.case)
    kept: list[Record] = []
    settled: set[str] = set()
    for at, record in enumerate(records):
        if at in spoiled or (record.case and record.case in unproved):
            kept.append(replace(record, purpose="lost", atoms=(), case=""))
        else:
            kept.append(record)
            settled |= {*record.atoms, record.case} - {"", "control"}
    return kept, settled


def _last_good(records: Sequence[Record], answers: Sequence[Answer]) -> int:
    """
    The index of the last control that was accepted; of the last but one where requests overlapped.

    What had begun before the last of these may have ended after it.
    """
    found = [at for at, answer in enumerate(answers) if answer is Answer.ACCEPTED]
    controls = [at for at in found if records[at].purpose == "control"]
    pulses = [at for at in found if records[at].purpose == "pulse"]
    return max([*controls[-1:], *pulses[-2:-1]], default=-1)


def _whole(suite: Suite, record: Record, answer: Answer, done: Collection[str]) -> bool:
    """Whether a record is all that there was to do: every step of a case, every order of a pack with its fate."""
    if record.purpose in ("case", "confirm") and record.case:
        return record.case in done
    if record.purpose != "pack" or len(record.atoms) < 2:
        return True
    operation = suite.provider.main
    if operation.outcome and operation.outcome.by_name:
        told = fates(operation, record.exchange, len(record.atoms))
        return Answer.UNTOLD not in told and told[-1] is Answer.ACCEPTED
    return answer in (Answer.ACCEPTED, Answer.NONE)


def _wants_answer(suite: Suite, record: Record) -> bool:
    case = suite.by_id.get(record.case)
    return case is not None and case.expect not in (Expect.DENY, Expect.OBSERVE) and len(case.steps) == 1


def _number(record: Record) -> tuple[int, int]:
    unit, _, step = record.exchange.id[1:].partition(".")
    return int(unit), int(step or 1)
