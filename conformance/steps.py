"""Steps: the requests of one case, each made from what the ones before it were answered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from conformance import beside, checking
from conformance.answers import Answer, classify
from conformance.batches import Unmade
from conformance.lanes import in_flight
from conformance.model import Expect
from conformance.values import NotSaid, Past

if TYPE_CHECKING:
    from conformance.batches import Composed, Composer
    from conformance.model import Case, Exchange, Json, Record
    from conformance.sender import Sender
    from conformance.suite import Suite


class Steps:
    """Sends the cases of one run, each with all its steps. Safe to use from several threads."""

    def __init__(self, suite: Suite, composer: Composer, sender: Sender) -> None:
        self._suite = suite
        self._composer = composer
        self._sender = sender
        # Whether bad orders may stand behind good ones; see there.
        self.beside = False

    def run(self, case: Case, number: int, attempt: str = "", purpose: str = "case") -> list[Record]:
        """
        Send the steps of a case in their order, or at once; those that cannot be sent end it.

        Another ``attempt`` has other identifiers.
        """
        if self.beside and self._sender.room_for(0, (), 3):
            # With less room, nobody could tell whether its place was why it was taken.
            case = beside.placed(case)
        if case.parallel:
            composed = self._composed(case, attempt)
            sends = [
                partial(self._sender.send, made, purpose, number, index, in_lane=True)
                for index, made in enumerate(composed)
            ]
            with self._sender.lanes.together(len(sends)):
                return in_flight(sends, len(sends))
        first: Json = None
        records: list[Record] = []
        for index, step in enumerate(case.steps):
            before = checking.past(each.exchange for each in records)
            now = self._sender.now()
            try:
                made = self._composer.step(case, index, attempt, now, first=first, past=before)
            except NotSaid:
                # The judge finds the step missing.
                break
            except Unmade as error:
                self._sender.run.not_run[case.id] = f"not sent: it cannot be made for this account: {error}"
                break
            first = made.orders[0] if first is None and made.orders else first
            if step.wait == "settled":
                self._sender.patience.settle()
            until = partial(self._holds, case, index, before) if step.wait == "until" else None
            records.append(self._sender.send(made, purpose, number, index, until))
            if case.stages(index) and self._sender.answer(records[-1]) is not Answer.ACCEPTED:
                break
        taken = self.beside and beside.is_behind(case) and self._sender.answer(records[0]) is Answer.ACCEPTED
        if taken and self._sender.room_for(3, (), 2):
            for count, (word, other) in enumerate(beside.again(case).items(), 1):
                made = self._composer.step(other, 0, f"{attempt}{word}", self._sender.now())
                records.append(self._sender.send(made, word, number, again=count))
        return records

    def _composed(self, case: Case, attempt: str) -> list[Composed]:
        first: Json = None
        composed: list[Composed] = []
        for index in range(len(case.steps)):
            made = self._composer.step(case, index, attempt, self._sender.now(), first=first)
            first = made.orders[0] if first is None and made.orders else first
            composed.append(made)
        return composed

    def _holds(self, case: Case, index: int, before: Past, exchange: Exchange) -> bool:
        """Whether the answer to a step is what the case waits for."""
        step, operation = case.steps[index], self._suite.provider.operation(exchange.operation)
        accepted = classify(operation, exchange) is Answer.ACCEPTED
        wanted = case.wanted(index)
        if wanted is Expect.OBSERVE:
            return accepted
        if accepted is not (wanted is Expect.ACCEPT):
            return False
        # What this very step was answered can be recalled too.
        now = checking.past([exchange])
        past = Past((*before.sent, *now.sent), (*before.answers, *now.answers), (*before.links, *now.links))
        return not checking.failures(step.checks, operation, exchange, past, self._suite.account)
