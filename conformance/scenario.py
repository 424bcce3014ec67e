"""Cases of several steps, judged one by one."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from conformance import checking
from conformance.answers import Answer, describe
from conformance.model import Expect, Finding, Judgement, Verdict

if TYPE_CHECKING:
    from conformance.evidence import Evidence
    from conformance.model import Case, Exchange, Record, Step
    from conformance.operations import Operation


def judge(case: Case, indexes: list[int], evidence: Evidence) -> Judgement:
    """
    The judgement of a case of several steps.

    A step without which nothing is proved ends it; otherwise all that is wrong is told.
    """
    of_step = {evidence.records[index].step: index for index in indexes if evidence.records[index].purpose == "case"}
    ids = tuple(evidence.records[index].exchange.id for index in of_step.values())
    exchanges: list[Exchange] = []
    findings: list[Finding] = []
    words: list[str] = []
    for number in range(len(case.steps)):
        index = of_step.get(number)
        if index is None:
            if findings and case.expect is not Expect.OBSERVE:
                # A step that was refused left nothing for the next one to go by; that refusal is what was wrong.
                break
            return Judgement(Verdict.INCONCLUSIVE, exchange_ids=ids, reason=f"step {number + 1} could not be sent")
        exchanges.append(evidence.records[index].exchange)
        words.append(evidence.word(case, index, evidence.fate(index, case)))
        missed = _missed(case, number, exchanges, evidence)
        if trouble := _unproved(case, number, index, missed, evidence):
            if findings and case.expect is not Expect.OBSERVE:
                # What was wrong before stays wrong.
                break
            if case.expect is Expect.OBSERVE and case.stages(number):
                # That the stage cannot be set is an observation too.
                return Judgement(Verdict.OBSERVED, exchange_ids=ids, policy=", then ".join(words))
            return replace(trouble, exchange_ids=ids)
        findings += [*_status(case, number, index, evidence), *missed]
    policy = ", then ".join(words)
    if case.expect is Expect.OBSERVE:
        seen = "; ".join(f"{each.where}: {each.got}" for each in findings)
        return Judgement(Verdict.OBSERVED, tuple(findings), ids, policy=f"{policy} ({seen})" if seen else policy)
    verdict = evidence.failed(case) if findings else Verdict.CONFORMANT
    return Judgement(verdict, tuple(findings), ids, policy=policy)


def _missed(case: Case, number: int, exchanges: list[Exchange], evidence: Evidence) -> tuple[Finding, ...]:
    operation = evidence.suite.provider.operation(exchanges[-1].operation)
    past = checking.past(exchanges)
    return checking.failures(case.steps[number].checks, operation, exchanges[-1], past, evidence.suite.account)


def _unproved(case: Case, number: int, index: int, missed: tuple[Finding, ...], evidence: Evidence) -> Judgement | None:
    """Why nothing is proved by a step, or by those after it."""
    step, exchange, answer = case.steps[number], evidence.records[index].exchange, evidence.fate(index, case)
    if trouble := evidence.trouble(case, index, answer):
        return trouble
    reason = ""
    if step.wait and (answer is not Answer.ACCEPTED or missed) and not evidence.whole.readable:
        reason = evidence.whole.nothing_readable()
    elif step.undetermined and missed and answer is Answer.ACCEPTED:
        # Nobody promises how long it takes, and it could be read all the while: that is no failure of the run.
        return Judgement(Verdict.NOT_APPLICABLE, reason=_undetermined(step, evidence.records[index], missed[0]))
    elif case.stages(number) and answer is not Answer.ACCEPTED:
        reason = f"step {number + 1}, which sets the stage, was answered {describe(exchange)}"
    elif case.stages(number) and missed:
        seen = "; ".join(f"{each.where}: expected {each.expected}, got {each.got}" for each in missed)
        reason = f"step {number + 1}, which sets the stage, did not show what it has to: {seen}"
    elif (
        answer is Answer.AMBIGUOUS
        and case.wanted(number) not in (Expect.DENY, Expect.OBSERVE)
        and case.expect is not Expect.OBSERVE
        and not evidence.confirmed(case, index)
    ):
        reason = f"{describe(exchange)}: not an answer to the body"
    return Judgement(Verdict.INCONCLUSIVE, reason=reason) if reason else None


def _undetermined(step: Step, record: Record, missed: Finding) -> str:
    """What did not come about, and in how many seconds."""
    if not step.wait:
        return f"not determined: {missed.where.removeprefix('response body ')}: {missed.got}"
    waited = (record.exchange.sent_at - record.earlier[0].sent_at).total_seconds() if record.earlier else 0.0
    span = f"{ceil(waited)} s" if waited else "the waiting time"
    place = missed.where.removeprefix("response body ")
    return f"not determined within {span}, which no documentation bounds: {place}: {missed.got}"


def _status(case: Case, number: int, index: int, evidence: Evidence) -> list[Finding]:
    """What is wrong with the status of a step."""
    exchange, answer = evidence.records[index].exchange, evidence.fate(index, case)
    wanted, where = case.wanted(number), f"response status of step {number + 1}"
    operation = evidence.suite.provider.operation(exchange.operation)
    if wanted is Expect.ACCEPT and answer is not Answer.ACCEPTED:
        return [Finding(where, f"{statuses(operation)} (accepted)", describe(exchange))]
    # One that comes here with a status that may not be about the body came twice with it.
    refused = answer is Answer.REFUSED or (answer is Answer.AMBIGUOUS and not evidence.redirected(index))
    if wanted is Expect.REFUSE and not refused:
        return [Finding(where, "a refusal (4xx)", describe(exchange))]
    if wanted is Expect.DENY and answer in (Answer.ACCEPTED, Answer.FAILED):
        return [Finding(where, "any status but a success", describe(exchange))]
    return []


def statuses(operation: Operation) -> str:
    """The documented statuses of success, for a reader."""
    return " or ".join(map(str, operation.success))
