"""The bench: every answer of one worker judged as in any other run, in small lots while the load goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from conformance import bodies, changes, envelope, judge, ledger, standing
from conformance.answers import Answer, classify, describe, fates
from conformance.load.payloads import RACES
from conformance.load.tally import Tally
from conformance.model import Level, Record, Verdict
from conformance.refusals import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.load.payloads import Batch, Pool
    from conformance.model import Exchange, Finding
    from conformance.suite import Suite

ACCEPTED = "valid batches are accepted"
REFUSED = "bad orders are refused"
# Standing checks about what is stored are made once, when the load is over; the others of every lot of answers.
STORED = frozenset(
    {"stored", "stored-as-sent", "one-a-key", "nothing-of-refused-batches", "nothing-of-refused-updates", "visibility"}
)
_SHOWN = 4000
# A refusal that no accepted batch followed for so long is left open.
_MOST_PENDING = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """One exchange of the load with the batch that it carried."""

    batch: Batch
    exchange: Exchange
    second: int


class Bench:
    """
    Judges what one worker was answered, and writes its ledger.

    ``rows`` are the batches with what became of them (see ``row``), ``ids`` the vendor's ids of accepted orders;
    both are taken away when they are reported.
    """

    def __init__(self, suite: Suite, pool: Pool, token: str) -> None:
        self._suite, self._pool, self._token = suite, pool, token
        self._operation = suite.provider.main
        self._standing = [
            case
            for case in suite.cases
            if case.standing
            and case.standing not in STORED
            and case.requirement.level is Level.MUST
            # What is observed of answers is another run's to observe.
            and not case.excluded
            and case.operation == self._operation.id
        ]
        names = {each.case for each in pool.faults}
        self._faults = {name: replace(suite, cases=(suite.case(name),)) for name in names}
        self._lot: list[Sent] = []
        self._pending: list[Sent] = []
        self._control: Record | None = None
        self.tally = Tally()
        self.rows: list[list[int]] = []
        self.ids: list[str] = []
        self.races: list[dict[str, Any]] = []

    def take(self, sent: Sent) -> Answer:
        """Judge one exchange as far as it can be by itself; the rest waits for the end of its lot."""
        batch, answer = sent.batch, classify(self._operation, sent.exchange)
        status = sent.exchange.response.status if sent.exchange.response else 0
        self.tally.statuses[str(status or "no answer")] += 1
        if batch.worker == RACES:
            self._race(sent, answer)
            return answer
        self.rows.append(row(batch, answer))
        if batch.fault < 0:
            self._valid(sent, answer)
        else:
            self._pending.append(sent)
        self._lot.append(sent)
        return answer

    def close(self) -> None:
        """Judge the lot: what answers owe each other, and the refusals that a control now follows."""
        lot, self._lot = self._lot, []
        if not lot:
            return
        records = [self._record(each) for each in lot]
        told = [classify(self._operation, each.exchange) for each in records]
        whole = standing.Whole(self._suite, records, told, self._token)
        by_name = {each.exchange.id: each for each in lot}
        for case in self._standing:
            found = standing.judge(case, whole)
            if found.verdict is Verdict.INCONCLUSIVE:
                # Nothing of that kind was in this lot.
                continue
            second = lot[-1].second
            self.tally.judged(case.id, str(found.verdict), second)
            if found.verdict is not Verdict.CONFORMANT:
                self._found(case.id, found.findings, [by_name[each] for each in found.exchange_ids if each in by_name])
        self.ids += self._named(records, told)
        # Parsed bodies are remembered for whoever asks next; nobody will.
        bodies.parsed.cache_clear()

    @property
    def waiting(self) -> int:
        """How many answers the lot has."""
        return len(self._lot)

    @property
    def pending(self) -> int:
        """How many refusals wait for an accepted batch after them."""
        return len(self._pending)

    def finish(self) -> None:
        """Close the last lot; refusals that no control followed prove nothing."""
        self.close()
        for each in self._pending:
            self.tally.judged(REFUSED, "inconclusive", each.second)
            self._open(REFUSED, each, "no accepted batch came after it")
        self._pending.clear()

    def _race(self, sent: Sent, answer: Answer) -> None:
        """Note what one of two callers was told; who is right shows when both are heard and the orders are read."""
        record = self._record(sent)
        side = sent.batch.first % 2
        self.races.append(
            {
                "number": sent.batch.first // 2,
                "side": side,
                "answer": str(answer),
                "temporary": is_temporary(self._operation, sent.exchange),
                "ids": self._named([record], [answer]),
                **evidence(sent),
            }
        )

    # Valid batches

    def _valid(self, sent: Sent, answer: Answer) -> None:
        told = fates(self._operation, sent.exchange, sent.batch.size)
        if answer is Answer.ACCEPTED and all(each is Answer.ACCEPTED for each in told):
            self.tally.judged(ACCEPTED, "conformant", sent.second)
            control = Record(sent.exchange, "control", ("control",) * sent.batch.size, orders=sent.batch.size)
            self._refusals(control)
            self._control = control
            return
        if reason := self._trouble(sent.exchange, answer):
            self.tally.judged(ACCEPTED, "inconclusive", sent.second)
            self._open(ACCEPTED, sent, reason)
            return
        self.tally.judged(ACCEPTED, "violation", sent.second)
        statuses = " or ".join(map(str, self._operation.success))
        self._note(ACCEPTED, "response status", f"{statuses} (accepted)", sent)

    def _trouble(self, exchange: Exchange, answer: Answer) -> str:
        """Why an answer to a valid batch proves nothing, or an empty text."""
        if answer in (Answer.NONE, Answer.UNAVAILABLE, Answer.THROTTLED):
            return describe(exchange)
        if answer is Answer.AMBIGUOUS:
            return f"{describe(exchange)}: not an answer to the body"
        if is_temporary(self._operation, exchange):
            return f"it asked for another try to the end: {describe(exchange)}"
        return bodies.illegible(exchange) if answer is Answer.UNTOLD else ""

    # Refusals

    def _refusals(self, after: Record) -> None:
        """Judge the refusals between two accepted batches."""
        pending, self._pending = self._pending, []
        for each in pending:
            before = self._control or after
            case = self._pool.faults[each.batch.fault].case
            suite = self._faults[case]
            found = judge.judge(suite, [before, self._record(each), after], {}, self._token)[case]
            self.tally.judged(REFUSED, str(found.verdict), each.second)
            if found.verdict is Verdict.VIOLATION:
                self._found(REFUSED, found.findings, [each], suite.case(case).requirement.title)
            elif found.verdict is Verdict.INCONCLUSIVE:
                self._open(REFUSED, each, found.reason)
        del self._pending[:-_MOST_PENDING]

    def _record(self, sent: Sent) -> Record:
        batch = sent.batch
        if batch.fault < 0:
            return Record(sent.exchange, "control", ("control",) * batch.size, orders=batch.size)
        mould = self._pool.faults[batch.fault]
        moved = changes_in(mould.change, envelope.place(self._operation, 0), self._place(batch))
        atoms = tuple(mould.case if index == batch.bad else "control" for index in range(batch.size))
        return Record(
            sent.exchange, "case", atoms, mould.case, orders=batch.size, changes={mould.case: moved}
        )  # fmt: skip

    def _place(self, batch: Batch) -> str:
        names = envelope.names(self._operation, bodies.parsed(batch.body))
        return envelope.place(self._operation, batch.bad, names)

    # What orders are called

    def _named(self, records: Iterable[Record], told: Iterable[Answer]) -> list[str]:
        """What the vendor calls the accepted orders, as often as it was said."""
        outcome = self._operation.outcome
        if outcome is None:
            return []
        found: list[str] = []
        for record, answer in zip(records, told, strict=True):
            if answer is not Answer.ACCEPTED:
                continue
            answered = bodies.answered(record.exchange)
            if outcome.by_name:
                entries = list(answered.values()) if isinstance(answered, dict) else []
                found += [str(value) for each in entries for at in outcome.ids for _, value in changes.select(each, at)]
            else:
                entries = ledger.entries(self._operation, record.exchange)
                found += [str(value) for each in entries for _, value in changes.select(each, outcome.id)]
        return found

    # Findings

    def _found(self, check: str, findings: Iterable[Finding], sent: list[Sent], title: str = "") -> None:
        for each in findings:
            row = {"where": each.where, "expected": each.expected, "got": each.got, "title": title}
            self.tally.found(check, row | (evidence(sent[0]) if sent else {}))

    def _note(self, check: str, where: str, expected: str, sent: Sent) -> None:
        row = {"where": where, "expected": expected, "got": describe(sent.exchange), "title": ""}
        self.tally.found(check, row | evidence(sent))

    def _open(self, check: str, sent: Sent, reason: str) -> None:
        """What proves nothing, and why."""
        self.tally.found(f"{check}: open", {"where": "", "expected": "", "got": reason, "title": ""} | evidence(sent))


def row(batch: Batch, answer: Answer) -> list[int]:
    """A batch in the ledger: worker, first number, size, place and kind of a bad order, and its answer by number."""
    return [batch.worker, batch.first, batch.size, batch.bad, batch.fault, ANSWERS.index(answer)]


ANSWERS = tuple(Answer)


def changes_in(change: Any, old: str, new: str) -> Any:
    """A change to an order that stands elsewhere in its batch."""
    return tuple({**each, "path": new + str(each["path"]).removeprefix(old)} for each in change)


def evidence(sent: Sent) -> dict[str, Any]:
    """What was sent and answered, cut where it is long."""
    exchange = sent.exchange
    response = exchange.response
    return {
        "exchange": exchange.id,
        "sent_at": f"{exchange.sent_at:%Y-%m-%dT%H:%M:%S}.{exchange.sent_at.microsecond // 1000:03d}Z",
        "orders": sent.batch.size,
        "request": (exchange.request.body or b"")[:_SHOWN].decode("utf-8", "replace"),
        "status": response.status if response else None,
        "response": response.body[:_SHOWN].decode("utf-8", "replace") if response else "",
    }
