"""The judge: verdicts from what was exchanged, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance import beside, bodies, checking, scenario, schemas, standing
from conformance.answers import Answer, describe, fates, in_a_word
from conformance.evidence import Evidence
from conformance.exploration.cases import is_explored
from conformance.model import Expect, Finding, Judgement, Verdict
from conformance.scenario import statuses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case, Exchange, Record
    from conformance.suite import Suite

_AS_ITS_BASE = "without the change ({base}) it was refused too"


def judge(suite: Suite, records: Sequence[Record], not_run: dict[str, str], token: str = "") -> dict[str, Judgement]:
    """
    The verdict of every case of ``suite``.

    ``not_run`` gives the reason for cases that were never sent; they are inconclusive.
    ``token`` is the run's, by which its orders are known among others.
    """
    return _Bench(suite, Evidence(suite, records, token), not_run).verdicts()


class _Bench:
    """One run being judged."""

    def __init__(self, suite: Suite, evidence: Evidence, not_run: dict[str, str]) -> None:
        self._suite = suite
        self._evidence = evidence
        self._not_run = not_run

    def verdicts(self) -> dict[str, Judgement]:
        return {case.id: self._legible(case, self._judge(case)) for case in self._suite.cases}

    def _legible(self, case: Case, judgement: Judgement) -> Judgement:
        """What was found in answers that cannot be read here, but may be what is documented, proves nothing."""
        if judgement.verdict not in (Verdict.VIOLATION, Verdict.ADVISORY):
            return judgement
        outcome = self._suite.provider.main.outcome
        by_status = all(each.where.startswith(("response status", "status of")) for each in judgement.findings)
        if by_status and not (outcome and outcome.by_name):
            return judgement
        exchanges = [self._evidence.exchange(name) for name in judgement.exchange_ids]
        reasons = [bodies.illegible(each) for each in exchanges]
        unread = all(reasons) if case.standing else any(reasons)
        if not unread or not reasons:
            return judgement
        reason = next(each for each in reasons if each)
        return Judgement(Verdict.INCONCLUSIVE, exchange_ids=judgement.exchange_ids, reason=reason)

    def _judge(self, case: Case) -> Judgement:
        if case.excluded:
            return Judgement(Verdict.NOT_APPLICABLE, reason=case.excluded)
        if case.standing:
            return standing.judge(case, self._evidence.whole)
        if case.reads:
            return self._reading_of_others(case)
        indexes = self._evidence.of.get(case.id, [])
        if not indexes:
            return Judgement(Verdict.INCONCLUSIVE, reason=self._not_run.get(case.id, "it was not sent"))
        if case.is_scenario:
            return scenario.judge(case, indexes, self._evidence)
        shrunk = [index for index in indexes if self._evidence.records[index].purpose == "shrink"]
        sent = [index for index in indexes if index not in shrunk]
        indexes = self._after_confirmation(sent)
        if case.expect is Expect.ACCEPT:
            indexes = sent = self._settling(case, indexes)
            if self._evidence.among_others(indexes[-1]):
                reason = "it was refused together with others, and there was no room to send it alone"
                return Judgement(
                    Verdict.INCONCLUSIVE, exchange_ids=(self._evidence.records[indexes[-1]].exchange.id,), reason=reason
                )
        judgement, decisive = self._in_its_place(case, indexes)
        if decisive != indexes:
            indexes = sent = decisive
        if judgement.findings and is_explored(case):
            judgement, sent = self._shrunk(case, judgement, sent, shrunk)
            indexes = sent
        ids = tuple(self._evidence.records[index].exchange.id for index in sent)
        atoms = self._evidence.records[indexes[-1]].atoms
        at = atoms.index(case.id) if case.id in atoms else None
        return Judgement(judgement.verdict, judgement.findings, ids, at, judgement.reason, judgement.policy)

    def _in_its_place(self, case: Case, indexes: list[int]) -> tuple[Judgement, list[int]]:
        """A bad order that was taken behind a good one is judged alone, unless its place made the difference."""
        where = {self._evidence.records[index].purpose: index for index in indexes}
        if not {beside.SWAPPED, beside.ALONE} <= where.keys():
            judgement, first = self._by_answers(case, indexes), self._evidence.records[indexes[0]]
            taken = self._evidence.answers[indexes[0]] is Answer.ACCEPTED
            behind = first.case == case.id and case.id in first.atoms[1:]
            if case.turn is not None and taken and behind and judgement.findings:
                reason = "it was taken behind a good order, and there was no room to send it alone"
                judgement = Judgement(Verdict.INCONCLUSIVE, judgement.findings, reason=reason)
            return judgement, indexes
        alone = self._by_answers(case, [where[beside.ALONE]])
        if alone.verdict is Verdict.CONFORMANT and self._evidence.answers[where[beside.SWAPPED]] is Answer.REFUSED:
            got = describe(self._evidence.records[indexes[0]].exchange)
            finding = Finding("response status", "a refusal (4xx), as before a good order and alone", got)
            verdict = Verdict.ADVISORY if case.reading else self._evidence.failed(case)
            return Judgement(verdict, (finding,)), indexes[:1]
        return alone, [where[beside.ALONE]]

    def _shrunk(
        self, case: Case, judgement: Judgement, sent: list[int], shrunk: list[int]
    ) -> tuple[Judgement, list[int]]:
        """What the simplest form of a made-up change shows, which came last; with several changes, nothing is refused for one."""
        for index in reversed(shrunk):
            simpler = self._by_answers(case, [index])
            if simpler.verdict is judgement.verdict and simpler.findings:
                judgement, sent = simpler, [index]
                break
        record = self._evidence.records[sent[-1]]
        several = len(record.changes.get(case.id, ())) > 1
        if several and case.expect is Expect.ACCEPT and self._evidence.fate(sent[-1], case) is not Answer.FAILED:
            reason = "it is refused for several changes together only, which no requirement is about"
            judgement = Judgement(Verdict.OBSERVED, judgement.findings, reason=reason)
        return judgement, sent

    def _after_confirmation(self, indexes: list[int]) -> list[int]:
        """The exchanges that count: a second try replaces the first when it answers to the body after all."""
        clear = {
            self._evidence.records[index].step: index
            for index in indexes
            if self._evidence.records[index].purpose == "confirm"
            and self._evidence.answers[index] is not Answer.AMBIGUOUS
        }
        firsts = [index for index in indexes if self._evidence.records[index].purpose != "confirm"]
        return [
            clear.get(self._evidence.records[index].step, index)
            if self._evidence.answers[index] is Answer.AMBIGUOUS
            else index
            for index in firsts
        ]

    def _settling(self, case: Case, indexes: list[int]) -> list[int]:
        """The exchange that settles an acceptance: one that was accepted, else the last, in which it stood alone."""
        steps = {self._evidence.records[index].step for index in indexes}
        if len(steps) > 1:
            return indexes
        accepted = [index for index in indexes if self._evidence.fate(index, case) is Answer.ACCEPTED]
        return accepted[-1:] or indexes[-1:]

    # What the answers of a case's own exchanges mean

    def _by_answers(self, case: Case, indexes: list[int]) -> Judgement:
        answers = [self._evidence.fate(index, case) for index in indexes]
        for index, answer in zip(indexes, answers, strict=True):
            trouble = self._evidence.trouble(case, index, answer)
            if trouble:
                return trouble
        index, answer = indexes[-1], answers[-1]
        got = describe(self._evidence.records[index].exchange)
        if case.expect is Expect.OBSERVE:
            text = ", then ".join(
                self._evidence.word(case, each, told) for each, told in zip(indexes, answers, strict=True)
            )
            failed = Answer.FAILED in answers
            findings = (Finding("response", "nothing in particular: the documentation is silent", got),)
            return Judgement(Verdict.ADVISORY if failed else Verdict.OBSERVED, findings, policy=text)
        if case.expect is Expect.CONSISTENT:
            return self._consistent(case, index, answer, got)
        if case.expect is Expect.ACCEPT:
            return self._acceptance(case, indexes, answers)
        return self._refusal(case, indexes, answers)

    def _acceptance(self, case: Case, indexes: list[int], answers: list[Answer]) -> Judgement:
        for index, answer in zip(indexes, answers, strict=True):
            exchange = self._evidence.records[index].exchange
            if answer is Answer.ACCEPTED:
                continue
            if answer is Answer.AMBIGUOUS and not self._evidence.confirmed(case, index):
                return Judgement(Verdict.INCONCLUSIVE, reason=f"{describe(exchange)}: not an answer to the body")
            if base := self._evidence.base_refused(case):
                return Judgement(Verdict.INCONCLUSIVE, reason=_AS_ITS_BASE.format(base=base))
            finding = Finding(
                "response status", f"{statuses(self._evidence.operation(case))} (accepted)", describe(exchange)
            )
            if case.group and not self._evidence.peer_accepted(case):
                # What the documentation leaves open about all of its group may well be what it was refused for.
                text = f"{in_a_word(answer, exchange)}, as were the others of its kind"
                return Judgement(Verdict.OBSERVED, (finding,), policy=text)
            return Judgement(self._evidence.failed(case), (finding,))
        findings = self._checked(case, indexes)
        if case.answers_form:
            findings += self._form(case, self._evidence.records[indexes[-1]].exchange)
        return Judgement(self._evidence.failed(case) if findings else Verdict.CONFORMANT, findings)

    def _checked(self, case: Case, indexes: list[int]) -> tuple[Finding, ...]:
        """What the answer to the last step does not show although it should."""
        exchange = self._evidence.records[indexes[-1]].exchange
        past = checking.past(self._evidence.records[index].exchange for index in indexes)
        checks = case.steps[-1].checks
        return checking.failures(checks, self._evidence.operation(case), exchange, past, self._suite.account)

    def _refusal(self, case: Case, indexes: list[int], answers: list[Answer]) -> Judgement:
        index, answer = indexes[-1], answers[-1]
        got = describe(self._evidence.records[index].exchange)
        outcome = self._evidence.operation(case).outcome
        refusal = f"a refusal ({outcome.refused!r})" if outcome and outcome.by_name else "a refusal (4xx)"
        expected = refusal if case.expect is Expect.REFUSE else "any status but a success"
        finding = (Finding("response status", expected, got),)
        if answer is Answer.ACCEPTED:
            return Judgement(Verdict.ADVISORY if case.reading else self._evidence.failed(case), finding)
        if answer in (Answer.FAILED, Answer.UNTOLD):
            return Judgement(self._evidence.failed(case), finding)
        if case.expect is Expect.REFUSE and answer is Answer.AMBIGUOUS and not self._evidence.confirmed(case, index):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"{got}: not an answer to the body")
        if reason := self._evidence.untwinned(case):
            return Judgement(Verdict.INCONCLUSIVE, reason=reason)
        if base := self._evidence.base_refused(case):
            return Judgement(Verdict.INCONCLUSIVE, reason=_AS_ITS_BASE.format(base=base))
        if case.expect is Expect.REFUSE and self._evidence.redirected(index):
            return Judgement(self._evidence.failed(case), finding)
        findings = (*self._beside(case, index), *self._checked(case, indexes))
        return Judgement(self._evidence.failed(case) if findings else Verdict.CONFORMANT, findings)

    def _beside(self, case: Case, index: int) -> tuple[Finding, ...]:
        """Good orders beside a bad one that were not accepted although each order has a fate of its own."""
        record = self._evidence.records[index]
        if record.case != case.id or case.id not in record.atoms:
            return ()
        operation = self._evidence.operation(case)
        if operation.outcome is None or not operation.outcome.by_name:
            return ()
        told = fates(operation, record.exchange, len(record.atoms))
        others = [each for name, each in zip(record.atoms, told, strict=True) if name != case.id]
        if all(each is Answer.ACCEPTED for each in others):
            return ()
        return (Finding("good orders beside the bad one", "accepted", describe(record.exchange)),)

    def _consistent(self, case: Case, index: int, answer: Answer, got: str) -> Judgement:
        if answer is Answer.FAILED:
            return Judgement(self._evidence.failed(case), (Finding("response status", "accepted or refused", got),))
        if answer is Answer.AMBIGUOUS and not self._evidence.confirmed(case, index):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"{got}: not an answer to the body")
        if answer is not Answer.ACCEPTED and (base := self._evidence.base_refused(case)):
            return Judgement(Verdict.INCONCLUSIVE, reason=_AS_ITS_BASE.format(base=base))
        if self._evidence.redirected(index):
            return Judgement(self._evidence.failed(case), (Finding("response status", "accepted or refused", got),))
        others = {each is Answer.ACCEPTED for each in self._evidence.groups[case.group]}
        if answer is Answer.ACCEPTED and len(others) > 1:
            finding = Finding("response status", "a refusal, as other batches with one bad order got", got)
            policy = in_a_word(answer, self._evidence.records[index].exchange)
            return Judgement(self._evidence.failed(case), (finding,), policy=policy)
        return Judgement(Verdict.CONFORMANT, policy=in_a_word(answer, self._evidence.records[index].exchange))

    # Cases that look at the exchanges of others

    def _reading_of_others(self, case: Case) -> Judgement:
        found: dict[int, str] = {}
        for name in case.reads:
            indexes = self._evidence.of.get(name, [])
            other = self._suite.by_id.get(name)
            if other and other.is_scenario:
                # What a scenario is about shows in the last step that is held to what the scenario expects.
                held = [at for at in indexes if other.wanted(self._evidence.records[at].step) is other.expect]
                indexes = (held or indexes)[-1:]
            at = indexes[0] if indexes else None
            if at is not None:
                told = self._evidence.fate(at, other) if other else self._evidence.answers[at]
                found[at] = self._evidence.word(other or case, at, told)
        if not found:
            return Judgement(Verdict.INCONCLUSIVE, reason=f"nothing was sent for {', '.join(case.reads)}")
        exchanges = [self._evidence.records[index].exchange for index in sorted(found)]
        if any(each.response is None for each in exchanges):
            return Judgement(Verdict.INCONCLUSIVE, reason=describe(exchanges[0]))
        findings = tuple(Finding("response", "nothing in particular", describe(each)) for each in exchanges)
        words = dict.fromkeys(found[index] for index in sorted(found))
        return Judgement(Verdict.OBSERVED, findings, tuple(each.id for each in exchanges), policy=", ".join(words))

    def _form(self, case: Case, exchange: Exchange) -> tuple[Finding, ...]:
        schema = self._evidence.operation(case).response_schema
        if schema is None or exchange.response is None:
            return ()
        try:
            body = bodies.read(exchange.response.body)
        except (ValueError, RecursionError):
            return (Finding("response body", "JSON", describe(exchange)),)
        return tuple(
            Finding(
                f"response body {each.pointer or '/'}",
                f"has {each.missing}" if each.missing else f"a value that satisfies {each.keyword}",
                "it is left out" if each.missing else each.message,
            )
            for each in schemas.validator(schema).mistakes(body)
        )
