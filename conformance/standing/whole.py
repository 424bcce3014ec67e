"""All exchanges of a run with the orders in them, as standing checks look at them."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from conformance import bodies, changes, ledger
from conformance.answers import Answer
from conformance.model import Expect, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.ledger import Key
    from conformance.model import Exchange, Json, JsonObject, Record
    from conformance.suite import Suite

# A difference, and the exchange it showed in.
Found: TypeAlias = "tuple[Finding, str]"


class Whole:
    """All exchanges of a run with the orders in them."""

    def __init__(self, suite: Suite, records: Sequence[Record], answers: Sequence[Answer], token: str) -> None:
        self.suite = suite
        self.provider = suite.provider
        self.operation = suite.provider.main
        self.records = records
        self.answers = answers
        self.token = token

    @cached_property
    def taken(self) -> list[Record]:
        """
        Accepted batches.

        Without those that should have been refused: that they were not is a finding of its own, and how the
        answer to a valid batch looks says nothing about theirs.
        """
        return [each for each in self._accepted if not self._is_observed(each) and not self._was_not_to_be_taken(each)]

    @cached_property
    def _accepted(self) -> list[Record]:
        return [each for each, answer in self._main() if answer is Answer.ACCEPTED]

    @cached_property
    def processed(self) -> list[Record]:
        """Batches that were answered as processed: the accepted ones, or any where each order has a fate of its own."""
        outcome = self.operation.outcome
        if outcome is None or not outcome.by_name:
            return self.taken
        return [
            each
            for each, _ in self._main()
            if 200 <= status(each.exchange) < 300 and _is_batch(each) and not self._is_observed(each)
        ]

    def _is_observed(self, record: Record) -> bool:
        """Whether a request is about something that the documentation leaves open, so that its answer is open too."""
        cases = self.suite.by_id
        about = {name for name in (record.case, *record.atoms) if name in cases}
        open_ = (Expect.OBSERVE, Expect.CONSISTENT)
        return bool(about) and all(cases[name].expect in open_ for name in about)

    @cached_property
    def refused(self) -> list[Record]:
        """Refusals of cases that had to be refused for their body."""
        return [each for each, answer in self._main() if answer is Answer.REFUSED and self._had_to_be_refused(each)]

    def _had_to_be_refused(self, record: Record) -> bool:
        if not bodies.legible(record.exchange.request.body):
            # What is said of refusals is said of orders that are wrong. Where nothing can be read there are none.
            return False
        case = self.suite.by_id.get(record.case)
        return case is not None and case.wanted(record.step) is Expect.REFUSE

    def _was_not_to_be_taken(self, record: Record) -> bool:
        case = self.suite.by_id.get(record.case)
        return case is not None and case.wanted(record.step) in (Expect.REFUSE, Expect.DENY)

    @cached_property
    def disguised(self) -> list[Record]:
        """What looks like a success by its status, and has the body of a refusal."""
        form = self.operation.refusal
        wanted = [each for each in self._accepted if form and not self._is_observed(each)]
        return [each for each in wanted if form and any(value for _, value in self._errors(each, form.errors))]

    def _errors(self, record: Record, path: str) -> list[tuple[str, Json]]:
        return changes.select(bodies.answered(record.exchange), path)

    @cached_property
    def confirmed(self) -> list[Record]:
        """Refusals with a status that may speak of something else, met twice between accepted controls."""
        return [
            each
            for each, answer in self._main()
            if answer is Answer.AMBIGUOUS and each.purpose == "confirm" and self._had_to_be_refused(each)
        ]

    @cached_property
    def ledger(self) -> ledger.Ledger:
        """What ought to be stored."""
        return ledger.write(self.suite, self.records, self.token)

    @cached_property
    def listed(self) -> dict[Key, list[Json]] | None:
        """What is stored, by the final sweep."""
        return ledger.listed(self.provider, self.records, self.token)

    @cached_property
    def alone(self) -> dict[Key, bool]:
        """Which of the accepted orders that the final sweep lacks could be read by themselves."""
        return ledger.alone(self.provider, self.records, self.ledger.ids)

    @cached_property
    def readable(self) -> bool:
        """Whether anything accepted became readable at all."""
        form = self.provider.read_back
        if form is None:
            # Nobody documents a reading of all orders; what a case reads speaks for itself.
            return True
        read = [
            record
            for record, answer in zip(self.records, self.answers, strict=True)
            if answer is Answer.ACCEPTED and record.purpose not in ("lookup", "sweep")
        ]
        return bool(self.listed) or any(
            each.exchange.operation == form.one
            or (each.exchange.operation == form.list and bool(ledger.stored(self.provider, each.exchange)))
            for each in read
        )

    def not_listed(self) -> str:
        """Why there is no listing of what is stored."""
        sweeps = [each for each in self.records if each.purpose == "sweep"]
        if any(bodies.cut(each.exchange) for each in sweeps):
            return "the stored orders could not be listed: a page is longer than is read"
        return "the stored orders could not be listed"

    def nothing_readable(self) -> str:
        """Why nothing can be said about storage."""
        if self.listed is not None and any(self.alone.values()):
            return "nothing that was accepted is listed"
        return "nothing that was accepted became readable"

    def sent_for(self, name: str) -> str:
        """What an exchange was for, in words: its case, the one change, its answer; empty for one of no case."""
        record = next(each for each in self.records if each.exchange.id == name)
        case = next((each for each in (record.case, *record.atoms) if each in self.suite.by_id), "")
        if not case:
            return ""
        change = "; ".join(_in_words(each) for each in record.changes.get(case, ()))
        return f"sent for {case}{f' ({change})' if change else ''} and answered {status(record.exchange)} ({name})"

    def _main(self) -> Iterator[tuple[Record, Answer]]:
        for record, answer in zip(self.records, self.answers, strict=True):
            if record.exchange.operation == self.operation.id and record.purpose != "lost":
                yield record, answer


class Untold(Exception):  # noqa: N818  # not an error: there is nothing to judge by
    """Why a check cannot say anything."""


def _is_batch(record: Record) -> bool:
    """Whether a request holds orders as documented, good or bad ones: what becomes of others is not said."""
    return record.change_of == "body" and (bool(record.atoms) or not record.changes)


def _in_words(operation: JsonObject) -> str:
    value = f" = {short(operation['value'])}" if "value" in operation else ""
    return f"{operation['op']} {operation['path'] or '(the whole body)'}{value}"


def some(records: list[Record], otherwise: str) -> list[Record]:
    """``records``, of which there has to be one. Raises Untold with ``otherwise``."""
    if not records:
        raise Untold(otherwise)
    return records


def status(exchange: Exchange) -> int:
    """The status of an answer; 0 without one."""
    return exchange.response.status if exchange.response else 0


def short(value: Json) -> str:
    """A value as JSON, cut where it goes on for long."""
    return json.dumps(value, ensure_ascii=False)[:120]
