"""Evidence: the exchanges of a run arranged for judging, and the small questions that every verdict asks of them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from conformance import bodies, changes, envelope, refusals, standing
from conformance.answers import TROUBLE, Answer, claims, classify, clock_skew, describe, fates, in_a_word
from conformance.model import Expect, Judgement, Level, Verdict
from conformance.values import mentions_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case, Exchange, Record
    from conformance.operations import Operation
    from conformance.suite import Suite

_REFUSED = (Answer.REFUSED, Answer.AMBIGUOUS, Answer.FAILED)
# Beyond this difference between our clock and the endpoint's, dates relative to now prove nothing.
MAX_SKEW = timedelta(minutes=2)


class Evidence:
    """
    All records of a run.

    ``answers`` stand beside ``records``; ``of`` gives the indexes of the records that are
    about a case or twin, ``groups`` the answers of cases that belong together.
    """

    def __init__(self, suite: Suite, records: Sequence[Record], token: str) -> None:
        self.suite = suite
        self.records = records
        self.answers = [classify(suite.provider.operation(each.exchange.operation), each.exchange) for each in records]
        self.of: dict[str, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            for atom in {*record.atoms, record.case} - {""}:
                self.of[atom].append(index)
        self._by_name = {each.exchange.id: each.exchange for each in records}
        self._controls = [index for index, each in enumerate(records) if each.purpose == "control"]
        self._pulses = [index for index, each in enumerate(records) if each.purpose == "pulse"]
        self.whole = standing.Whole(suite, records, self.answers, token)
        self.groups: dict[str, list[Answer]] = defaultdict(list)
        for case in suite.cases:
            if case.group and case.expect is Expect.CONSISTENT and not self.base_refused(case):
                self.groups[case.group] += [self.answers[index] for index in self.of[case.id][:1]]

    def peer_accepted(self, case: Case) -> bool:
        """Whether another case of the same group was accepted."""
        others = (each.id for each in self.suite.cases if each.group == case.group and each.id != case.id)
        return any(self.answers[index] is Answer.ACCEPTED for name in others for index in self.of[name][:1])

    def exchange(self, name: str) -> Exchange:
        """An exchange by its id."""
        return self._by_name[name]

    def operation(self, case: Case) -> Operation:
        """The operation that a case is about."""
        return self.suite.provider.operation(case.operation)

    def is_token(self, case: Case) -> bool:
        """Whether a case is about tokens and not about orders."""
        return self.operation(case).anonymous

    def failed(self, case: Case) -> Verdict:
        """The verdict of a case whose endpoint did not do what is documented."""
        return Verdict.VIOLATION if case.requirement.level is Level.MUST else Verdict.ADVISORY

    def trouble(self, case: Case, index: int, answer: Answer) -> Judgement | None:
        """Why an exchange proves nothing, or None."""
        exchange = self.records[index].exchange
        if answer in TROUBLE:
            return Judgement(Verdict.INCONCLUSIVE, reason=describe(exchange))
        if refusals.is_temporary(self.suite.provider.operation(exchange.operation), exchange):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"it asked for another try to the end: {describe(exchange)}")
        if answer is not Answer.ACCEPTED and not self.bracketed(index) and not self.is_token(case):
            return Judgement(
                Verdict.INCONCLUSIVE,
                reason="a plain valid batch that was sent right before or after it was refused too",
            )
        skew = clock_skew(exchange)
        if skew > MAX_SKEW and relative(case):
            return Judgement(
                Verdict.INCONCLUSIVE, reason=f"the endpoint's clock differs by {int(skew.total_seconds())} s from ours"
            )
        return None

    def bracketed(self, index: int) -> bool:
        """Whether the controls before and after an exchange were accepted, and those that overlapped with others."""
        after = bisect_left(self._controls, index)
        around = self._controls[max(after - 1, 0) : after + 1]
        if len(around) < 2:
            return False
        among = self._pulses[bisect_left(self._pulses, around[0]) : bisect_left(self._pulses, around[1])]
        return all(self.answers[each] is Answer.ACCEPTED for each in (*around, *among))

    def confirmed(self, case: Case, index: int) -> bool:
        """Whether an ambiguous status came back a second time between accepted controls."""
        first = self.records[index].exchange.response
        again = [
            each
            for each in self.of[case.id]
            if self.records[each].purpose == "confirm" and self.records[each].step == self.records[index].step
        ]
        return any(
            first is not None
            and (second := self.records[each].exchange.response) is not None
            and second.status == first.status
            and self.bracketed(each)
            for each in again
        )

    def redirected(self, index: int) -> bool:
        """Whether an exchange was answered by sending the client elsewhere, which settles nothing about a body."""
        response = self.records[index].exchange.response
        return response is not None and response.status < 400 and self.answers[index] is Answer.AMBIGUOUS

    def base_refused(self, case: Case) -> str:
        """The case of the same order, or of so many orders, without the change, if that was refused; or nothing."""
        base = self.suite.bases.get(case.id, "")
        if base and self._was_refused(base):
            return base
        size = len(case.steps[0].slots)
        if len(case.steps) > 1 or size < 2 or case.operation != self.suite.provider.main.id:
            return ""
        plain = any(name == case.id for _, name in self._plain_batches)
        # Two batches of one size that hold nothing but plain orders ask the same: neither explains the other.
        smaller = [name for count, name in self._plain_batches if count < size or (count == size and not plain)]
        refused = next((name for name in smaller if self._was_refused(name)), "")
        return "" if refused and self._largest_taken >= size else refused

    @cached_property
    def _plain_batches(self) -> list[tuple[int, str]]:
        """The batches of several plain orders and nothing else: their sizes and cases, the largest first."""
        found = [
            (len(case.steps[0].slots), case.id)
            for case in self.suite.cases
            if case.sends
            and case.expect is Expect.ACCEPT
            and len(case.steps) == 1
            and set(case.steps[0].slots) == {"good"}
            and not case.steps[0].change
            and len(case.steps[0].slots) > 1
        ]
        return sorted(found, reverse=True)

    @cached_property
    def _largest_taken(self) -> int:
        taken = [
            record.orders
            for record, answer in zip(self.records, self.answers, strict=True)
            if answer is Answer.ACCEPTED and record.exchange.operation == self.suite.provider.main.id
        ]
        return max(taken, default=0)

    def _was_refused(self, name: str) -> bool:
        told = [self.atom(index, name) for index in self.of.get(name, ())]
        return bool(told) and Answer.ACCEPTED not in told and told[-1] in _REFUSED

    def among_others(self, index: int) -> bool:
        """Whether a record is a pack of several orders that was refused: nobody knows for which of them."""
        record, operation = self.records[index], self.suite.provider.main
        several = record.purpose == "pack" and len(record.atoms) > 1 and operation.mixed_batch != "per-order"
        return several and self.answers[index] not in TROUBLE | {Answer.ACCEPTED}

    def untwinned(self, case: Case) -> str:
        """Why the accepted counterpart of a refusal is not there; empty where it was accepted."""
        if self.is_token(case):
            issued = any(
                self.answers[index] is Answer.ACCEPTED
                for index, record in enumerate(self.records)
                if record.exchange.operation == case.operation and not record.changes
            )
            return "" if issued else "no request for a token without a change was accepted"
        told = [self.atom(index, case.twin) for index in self.of.get(case.twin, [])]
        if Answer.ACCEPTED in told:
            return ""
        if not told:
            return f"its accepted twin ({case.twin}) was not sent"
        return (
            f"its accepted twin ({case.twin}) was {'refused too' if told[-1] in _REFUSED else 'not clearly answered'}"
        )

    def atom(self, index: int, name: str) -> Answer:
        """What became of the first order that stands for something in one exchange."""
        record = self.records[index]
        operation = self.suite.provider.operation(record.exchange.operation)
        if name not in record.atoms:
            return self.answers[index]
        return fates(operation, record.exchange, len(record.atoms))[record.atoms.index(name)]

    def word(self, case: Case, index: int, answer: Answer) -> str:
        """An answer for the table of what was found, with the code that an order's own entry gives."""
        record = self.records[index]
        outcome = self.suite.provider.operation(record.exchange.operation).outcome
        word = in_a_word(answer, record.exchange)
        if outcome is None or not outcome.by_name or not outcome.code or case.id not in record.atoms:
            return word
        told = bodies.answered(record.exchange)
        # Entries go by name: in which order they stand is not promised.
        names = envelope.names(self.operation(case), bodies.sent(record.exchange))
        at = record.atoms.index(case.id)
        entry = told.get(names[at]) if isinstance(told, dict) and at < len(names) else None
        code = changes.select(entry, outcome.code)
        return f"{answer.value} (code {code[0][1]})" if code else answer.value

    def fate(self, index: int, case: Case) -> Answer:
        """What became of a case's own orders in one exchange; of the exchange as a whole where that is all there is."""
        record, whole = self.records[index], self.answers[index]
        operation = self.suite.provider.operation(record.exchange.operation)
        if operation.outcome is None or not operation.outcome.by_name:
            return whole
        told = fates(operation, record.exchange, len(record.atoms))
        own = [each for name, each in zip(record.atoms, told, strict=True) if name == case.id]
        if not own:
            # Its orders are all good ones, or it is about the request as a whole.
            if case.expect is not Expect.ACCEPT:
                # Where nothing says that an order was taken, nothing was created.
                if whole is Answer.UNTOLD:
                    return Answer.ACCEPTED if claims(operation, record.exchange) else Answer.REFUSED
                return whole
            own = fates(operation, record.exchange, record.orders)
        wanted = Answer.REFUSED if case.wanted(record.step) is Expect.REFUSE else Answer.ACCEPTED
        return next((each for each in own if each is not wanted), wanted)


def relative(case: Case) -> bool:
    """Whether a case's change depends on the instant of sending."""
    return any(mentions_time(list(step.change)) for step in case.steps)
