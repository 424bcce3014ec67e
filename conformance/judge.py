"""The judge: verdicts from what was exchanged, and from nothing else."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from conformance import checking, schemas, standing
from conformance.answers import Answer, classify, clock_skew, describe, in_a_word
from conformance.model import Expect, Finding, Judgement, Level, Verdict
from conformance.values import mentions_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case, Exchange, Record
    from conformance.operations import Operation
    from conformance.suite import Suite

# Beyond this difference between our clock and the endpoint's, dates relative to now prove nothing.
MAX_SKEW = timedelta(minutes=2)


def judge(suite: Suite, records: Sequence[Record], not_run: dict[str, str], token: str = "") -> dict[str, Judgement]:
    """
    The verdict of every case of ``suite``.

    ``not_run`` gives the reason for cases that were never sent; they are inconclusive.
    ``token`` is the run's, by which its orders are known among others.
    """
    return _Bench(suite, records, not_run, token).verdicts()


class _Bench:
    """All records of a run, arranged for judging."""

    def __init__(self, suite: Suite, records: Sequence[Record], not_run: dict[str, str], token: str) -> None:
        self._suite = suite
        self._records = records
        self._not_run = not_run
        self._answers = [classify(suite.provider.operation(each.exchange.operation), each.exchange) for each in records]
        self._of: dict[str, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            for atom in {*record.atoms, record.case} - {""}:
                self._of[atom].append(index)
        self._controls = [index for index, each in enumerate(records) if each.purpose == "control"]
        self._groups: dict[str, list[Answer]] = defaultdict(list)
        self._whole = standing.Whole(suite, records, self._answers, token)
        for case in suite.cases:
            if case.group and case.expect is Expect.CONSISTENT:
                self._groups[case.group] += [self._answers[index] for index in self._of[case.id][:1]]

    def verdicts(self) -> dict[str, Judgement]:
        return {case.id: self._judge(case) for case in self._suite.cases}

    def _judge(self, case: Case) -> Judgement:
        if case.excluded:
            return Judgement(Verdict.NOT_APPLICABLE, reason=case.excluded)
        if case.standing:
            return standing.judge(case, self._whole)
        if case.reads:
            return self._reading_of_others(case)
        indexes = self._of.get(case.id, [])
        if not indexes:
            return Judgement(Verdict.INCONCLUSIVE, reason=self._not_run.get(case.id, "it was not sent"))
        sent = indexes
        if case.is_scenario:
            return self._scenario(case, indexes)
        indexes = self._after_confirmation(indexes)
        if case.expect is Expect.ACCEPT:
            indexes = sent = self._settling(indexes)
        judgement = self._by_answers(case, indexes)
        ids = tuple(self._records[index].exchange.id for index in sent)
        atoms = self._records[indexes[-1]].atoms
        at = atoms.index(case.id) if case.id in atoms else None
        return Judgement(judgement.verdict, judgement.findings, ids, at, judgement.reason, judgement.policy)

    def _after_confirmation(self, indexes: list[int]) -> list[int]:
        """The exchanges that count: a second try replaces the first when it answers to the body after all."""
        clear = {
            self._records[index].step: index
            for index in indexes
            if self._records[index].purpose == "confirm" and self._answers[index] is not Answer.AMBIGUOUS
        }
        firsts = [index for index in indexes if self._records[index].purpose != "confirm"]
        return [
            clear.get(self._records[index].step, index) if self._answers[index] is Answer.AMBIGUOUS else index
            for index in firsts
        ]

    def _settling(self, indexes: list[int]) -> list[int]:
        """The exchange that settles an acceptance: one that was accepted, else the last, in which it stood alone."""
        steps = {self._records[index].step for index in indexes}
        if len(steps) > 1:
            return indexes
        accepted = [index for index in indexes if self._answers[index] is Answer.ACCEPTED]
        return accepted[-1:] or indexes[-1:]

    # What the answers of a case's own exchanges mean

    def _by_answers(self, case: Case, indexes: list[int]) -> Judgement:
        answers = [self._answers[index] for index in indexes]
        for index, answer in zip(indexes, answers, strict=True):
            trouble = self._trouble(case, index, answer)
            if trouble:
                return trouble
        index, answer = indexes[-1], answers[-1]
        got = describe(self._records[index].exchange)
        if case.expect is Expect.OBSERVE:
            words = [
                in_a_word(answer, self._records[each].exchange) for each, answer in zip(indexes, answers, strict=True)
            ]
            text = ", then ".join(words)
            failed = Answer.FAILED in answers
            findings = (Finding("response", "nothing in particular: the documentation is silent", got),)
            return Judgement(Verdict.ADVISORY if failed else Verdict.OBSERVED, findings, policy=text)
        if case.expect is Expect.CONSISTENT:
            return self._consistent(case, index, answer, got)
        if case.expect is Expect.ACCEPT:
            return self._acceptance(case, indexes, answers)
        return self._refusal(case, indexes, answers)

    def _trouble(self, case: Case, index: int, answer: Answer) -> Judgement | None:
        exchange = self._records[index].exchange
        if answer in (Answer.NONE, Answer.UNAVAILABLE, Answer.THROTTLED):
            return Judgement(Verdict.INCONCLUSIVE, reason=describe(exchange))
        if answer is not Answer.ACCEPTED and not self._bracketed(index) and not self._is_token(case):
            return Judgement(
                Verdict.INCONCLUSIVE, reason="the plain batch was refused afterwards: the endpoint changed"
            )
        skew = clock_skew(exchange)
        if skew > MAX_SKEW and _relative(case):
            return Judgement(
                Verdict.INCONCLUSIVE, reason=f"the endpoint's clock differs by {int(skew.total_seconds())} s from ours"
            )
        return None

    def _acceptance(self, case: Case, indexes: list[int], answers: list[Answer]) -> Judgement:
        for index, answer in zip(indexes, answers, strict=True):
            exchange = self._records[index].exchange
            if answer is Answer.ACCEPTED:
                continue
            if answer is Answer.AMBIGUOUS and not self._confirmed(case, index):
                return Judgement(Verdict.INCONCLUSIVE, reason=f"{describe(exchange)}: not an answer to the body")
            finding = Finding("response status", f"{_statuses(self._operation(case))} (accepted)", describe(exchange))
            return Judgement(self._failed(case), (finding,))
        findings = self._checked(case, indexes)
        if case.answers_form:
            findings += self._form(case, self._records[indexes[-1]].exchange)
        return Judgement(self._failed(case) if findings else Verdict.CONFORMANT, findings)

    def _checked(self, case: Case, indexes: list[int]) -> tuple[Finding, ...]:
        """What the answer to the last step does not show although it should."""
        exchange = self._records[indexes[-1]].exchange
        past = checking.past(self._records[index].exchange for index in indexes)
        checks = case.steps[-1].checks
        return checking.failures(checks, self._operation(case), exchange, past, self._suite.account)

    def _refusal(self, case: Case, indexes: list[int], answers: list[Answer]) -> Judgement:
        index, answer = indexes[-1], answers[-1]
        got = describe(self._records[index].exchange)
        expected = "a refusal (4xx)" if case.expect is Expect.REFUSE else "any status but a success"
        finding = (Finding("response status", expected, got),)
        if answer is Answer.ACCEPTED:
            return Judgement(Verdict.ADVISORY if case.reading else self._failed(case), finding)
        if answer is Answer.FAILED:
            return Judgement(self._failed(case), finding)
        if case.expect is Expect.REFUSE and answer is Answer.AMBIGUOUS and not self._confirmed(case, index):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"{got}: not an answer to the body")
        if not self._twin_accepted(case):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"its accepted twin ({case.twin}) was refused too")
        findings = self._checked(case, indexes)
        return Judgement(self._failed(case) if findings else Verdict.CONFORMANT, findings)

    def _consistent(self, case: Case, index: int, answer: Answer, got: str) -> Judgement:
        if answer is Answer.FAILED:
            return Judgement(self._failed(case), (Finding("response status", "accepted or refused", got),))
        if answer is Answer.AMBIGUOUS and not self._confirmed(case, index):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"{got}: not an answer to the body")
        others = {each is Answer.ACCEPTED for each in self._groups[case.group]}
        if answer is Answer.ACCEPTED and len(others) > 1:
            finding = Finding("response status", "a refusal, as other batches with one bad order got", got)
            policy = in_a_word(answer, self._records[index].exchange)
            return Judgement(self._failed(case), (finding,), policy=policy)
        return Judgement(Verdict.CONFORMANT, policy=in_a_word(answer, self._records[index].exchange))

    # Cases that look at the exchanges of others

    def _reading_of_others(self, case: Case) -> Judgement:
        indexes = sorted({index for name in case.reads for index in self._of.get(name, [])[:1]})
        if not indexes:
            return Judgement(Verdict.INCONCLUSIVE, reason=f"nothing was sent for {', '.join(case.reads)}")
        exchanges = [self._records[index].exchange for index in indexes]
        if any(each.response is None for each in exchanges):
            return Judgement(Verdict.INCONCLUSIVE, reason=describe(exchanges[0]))
        findings = tuple(Finding("response", "nothing in particular", describe(each)) for each in exchanges)
        words = dict.fromkeys(in_a_word(self._answers[index], self._records[index].exchange) for index in indexes)
        return Judgement(Verdict.OBSERVED, findings, tuple(each.id for each in exchanges), policy=", ".join(words))

    # Cases of several steps that are judged one by one

    def _scenario(self, case: Case, indexes: list[int]) -> Judgement:
        of_step = {self._records[index].step: index for index in indexes if self._records[index].purpose == "case"}
        ids = tuple(self._records[index].exchange.id for index in of_step.values())
        exchanges: list[Exchange] = []
        findings: list[Finding] = []
        words: list[str] = []
        for number, step in enumerate(case.steps):
            index = of_step.get(number)
            if index is None:
                return Judgement(Verdict.INCONCLUSIVE, exchange_ids=ids, reason=f"step {number + 1} could not be sent")
            exchange, answer = self._records[index].exchange, self._answers[index]
            exchanges.append(exchange)
            words.append(in_a_word(answer, exchange))
            if trouble := self._trouble(case, index, answer):
                return replace(trouble, exchange_ids=ids)
            if step.wait and not self._whole.readable and not self._whole.accepted(answer, step.operation):
                return Judgement(Verdict.INCONCLUSIVE, exchange_ids=ids, reason=self._whole.nothing_readable())
            if case.stages(number) and answer is not Answer.ACCEPTED:
                reason = f"step {number + 1}, which sets the stage, was answered {describe(exchange)}"
                return Judgement(Verdict.INCONCLUSIVE, exchange_ids=ids, reason=reason)
            if (
                answer is Answer.AMBIGUOUS
                and case.wanted(number) is not Expect.DENY
                and case.expect is not Expect.OBSERVE
            ):
                return Judgement(
                    Verdict.INCONCLUSIVE, exchange_ids=ids, reason=f"{describe(exchange)}: not an answer to the body"
                )
            if found := self._step(case, number, index, answer):
                findings.append(found)
            operation = self._suite.provider.operation(exchange.operation)
            past = checking.past(exchanges)
            findings += checking.failures(step.checks, operation, exchange, past, self._suite.account)
        policy = ", then ".join(words)
        if case.expect is Expect.OBSERVE:
            seen = "; ".join(f"{each.where}: {each.got}" for each in findings)
            text = f"{policy} ({seen})" if seen else policy
            return Judgement(Verdict.OBSERVED, tuple(findings), ids, policy=text)
        verdict = self._failed(case) if findings else Verdict.CONFORMANT
        return Judgement(verdict, tuple(findings), ids, policy=policy)

    def _step(self, case: Case, number: int, index: int, answer: Answer) -> Finding | None:
        """What is wrong with the status of a step."""
        exchange = self._records[index].exchange
        wanted, where = case.wanted(number), f"response status of step {number + 1}"
        operation = self._suite.provider.operation(exchange.operation)
        if wanted is Expect.ACCEPT and answer is not Answer.ACCEPTED:
            return Finding(where, f"{_statuses(operation)} (accepted)", describe(exchange))
        if wanted is Expect.REFUSE and answer is not Answer.REFUSED:
            return Finding(where, "a refusal (4xx)", describe(exchange))
        if wanted is Expect.DENY and answer in (Answer.ACCEPTED, Answer.FAILED):
            return Finding(where, "any status but a success", describe(exchange))
        return None

    # Small facts

    def _operation(self, case: Case) -> Operation:
        return self._suite.provider.operation(case.operation)

    def _is_token(self, case: Case) -> bool:
        return self._operation(case).anonymous

    def _failed(self, case: Case) -> Verdict:
        return Verdict.VIOLATION if case.requirement.level is Level.MUST else Verdict.ADVISORY

    def _bracketed(self, index: int) -> bool:
        """Whether the controls before and after an exchange were accepted."""
        after = bisect_left(self._controls, index)
        around = self._controls[max(after - 1, 0) : after + 1]
        return len(around) > 1 and all(self._answers[each] is Answer.ACCEPTED for each in around)

    def _confirmed(self, case: Case, index: int) -> bool:
        """Whether an ambiguous status came back a second time between accepted controls."""
        first = self._records[index].exchange.response
        again = [
            each
            for each in self._of[case.id]
            if self._records[each].purpose == "confirm" and self._records[each].step == self._records[index].step
        ]
        return any(
            first is not None
            and (second := self._records[each].exchange.response) is not None
            and second.status == first.status
            and self._bracketed(each)
            for each in again
        )

    def _twin_accepted(self, case: Case) -> bool:
        if self._is_token(case):
            return any(
                self._answers[index] is Answer.ACCEPTED
                for index, record in enumerate(self._records)
                if record.exchange.operation == case.operation and not record.changes
            )
        return any(self._answers[index] is Answer.ACCEPTED for index in self._of.get(case.twin, []))

    def _form(self, case: Case, exchange: Exchange) -> tuple[Finding, ...]:
        schema = self._operation(case).response_schema
        if schema is None or exchange.response is None:
            return ()
        try:
            body = json.loads(exchange.response.body)
        except (ValueError, RecursionError):
            return (Finding("response body", "JSON", describe(exchange)),)
        return tuple(
            Finding(f"response body {each.pointer or '/'}", f"a value that satisfies {each.keyword}", each.message)
            for each in schemas.validator(schema).mistakes(body)
        )


def _statuses(operation: Operation) -> str:
    return " or ".join(map(str, operation.success))


def _relative(case: Case) -> bool:
    return any(mentions_time(list(step.change)) for step in case.steps)
