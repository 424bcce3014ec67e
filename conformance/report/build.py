"""The report as data: format ``conformance-report/1``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from conformance import __version__
from conformance.answers import Answer, classify
from conformance.model import Case, Expect, Judgement, Verdict, worst
from conformance.report.again import companions
from conformance.target import challenged

if TYPE_CHECKING:
    from conformance.model import Exchange, Operations, Requirement
    from conformance.resources import PackFolders
    from conformance.runner import Run
    from conformance.target import Target

FORMAT = "conformance-report/1"
# Fields that change from answer to answer and say nothing: they would make equal runs differ.
_NOISE = frozenset({"date", "server", "connection", "keep-alive"})


def build(run: Run, target: Target) -> dict[str, Any]:
    """
    The report of a finished run.

    Everything but ``run`` and the durations is the same for two runs with the same seed
    against the reference endpoint.
    """
    suite, provider = run.suite, run.suite.provider
    selected = set(run.selected)
    cases = {case.id: case for case in suite.cases}
    rows = [
        _requirement(each, run, [case for case in suite.cases if case.requirement.id == each.id])
        for each in suite.catalogue.requirements
    ]
    exchanges = [each for record in run.records for each in (*record.earlier, record.exchange)]
    form = provider.read_back
    aside = {form.list, form.one, form.delete} if form else set[str]()
    shown = {name: run.judgements[name] for name in cases if name in selected}
    full = selected == set(cases)
    return {
        "format": FORMAT,
        "suite": {"name": "bulk-order-conformance", "version": __version__},
        "provider": {
            "name": provider.name,
            "title": provider.title,
            "revision": provider.revision,
            "pack_sha256": provider.folders.digest(),
        },
        "target": target_of(target),
        "run": {
            "id": f"{run.settings.token}-{run.started_at:%Y%m%dT%H%M%SZ}",
            "started_at": _time(run.started_at),
            "finished_at": _time(run.finished_at) if run.finished_at else None,
            "seed": run.settings.seed,
            "complete": full and not run.not_run and not run.stopped,
            "selection": "all" if full else sorted(selected),
            "allowed": sorted(target.options.allowed),
            "expected_cases_sha256": hashlib.sha256("\n".join(sorted(cases)).encode()).hexdigest(),
            "control": run.control,
            "stopped": run.stopped,
            "left": sorted(run.left),
            "budget": run.settings.budget,
            **({"revision": target.options.revision} if target.options.revision else {}),
            **({"explore": suite.explored.asked} if suite.explored.asked else {}),
            **_challenge(run, target),
        },
        "account": suite.account.facts,
        "verdict": overall(run, rows, full=full),
        "policy": _policy(run, cases),
        "questions": dict(sorted(suite.catalogue.questions.items())),
        "counts": {
            "requirements": _count(row["verdict"] for row in rows),
            "cases": _count(str(each.verdict) for each in shown.values()),
            "requests": sum(each.operation not in aside for each in exchanges),
            "requests_by_operation": _count(each.operation for each in exchanges),
            "read_backs": sum(each.operation in aside and each.request.method == "GET" for each in exchanges),
            "clean_up": sum(record.purpose == "clean-up" for record in run.records),
            "deleted": sum(
                classify(provider.operation(record.exchange.operation), record.exchange) is Answer.ACCEPTED
                for record in run.records
                if record.purpose == "clean-up"
            ),
            "controls": sum(each.purpose in ("control", "pulse") for each in run.records),
            "orders_created": run.orders_created,
            "spent": run.spent,
        },
        "requirements": rows,
        "exchanges": {
            each.id: _exchange(each, record.purpose)
            for record in run.records
            for each in (*record.earlier, record.exchange)
        },
        "not_run": [{"id": name, "reason": why} for name, why in sorted((run.not_run | run.left_out).items())],
        **_detection(provider.folders),
    }


def target_of(target: Target) -> dict[str, Any]:
    """What a run was made against."""
    return {
        "kind": target.kind,
        # The port of the embedded endpoint is chance; a live endpoint is named in full.
        "url": target.endpoint or f"http://127.0.0.1{target.suite.provider.main.base_path}",
        "strict": target.options.strict,
    }


def _challenge(run: Run, target: Target) -> dict[str, Any]:
    """The challenge that the run token depends on, if there was one."""
    text = target.options.challenge
    if not text or run.settings.token != challenged(text, target.nonce):
        return {}
    return {"challenge": {"text": text, "nonce": target.nonce}}


def _detection(folders: PackFolders) -> dict[str, Any]:
    """The detection power that was measured of the pack, where somebody measured it."""
    if not folders.detection.is_file():
        return {}
    try:
        return {"detection": json.loads(folders.detection.read_text(encoding="utf-8"))}
    except (OSError, ValueError):
        return {}


def overall(run: Run, rows: list[dict[str, Any]], *, full: bool) -> str:
    """
    The verdict of the run.

    ``conformant`` takes the full selection, no inconclusive case, and every must judged,
    not applicable or untestable with a written reason.
    """
    verdicts = {each.verdict for name, each in run.judgements.items() if name in run.selected}
    if Verdict.VIOLATION in verdicts:
        return "nonconformant"
    untested = [
        row for row in rows if row["level"] == "must" and row["verdict"] == "untested" and "untestable" not in row
    ]
    judged = verdicts & {Verdict.CONFORMANT, Verdict.ADVISORY}
    if not full or run.stopped or untested or not judged or Verdict.INCONCLUSIVE in verdicts:
        return "inconclusive"
    return "conformant"


def _requirement(requirement: Requirement, run: Run, cases: list[Case]) -> dict[str, Any]:
    wanted = set(run.selected)
    rows = [_case(case, run.judgements[case.id], run) for case in cases if case.id in wanted]
    row: dict[str, Any] = {
        "id": requirement.id,
        "level": str(requirement.level),
        "area": requirement.area,
        "title": requirement.title,
        "source": requirement.source,
        "verdict": str(worst([run.judgements[case.id].verdict for case in cases if case.id in wanted])),
        "cases": rows,
    }
    if requirement.untestable and not rows:
        row["untestable"] = requirement.untestable
    return row


def _case(case: Case, judgement: Judgement, run: Run) -> dict[str, Any]:
    change, change_of = change_of_case(case, judgement, run)
    row: dict[str, Any] = {
        "id": case.id,
        "expectation": str(case.expect),
        "effect": {"orders": case.orders},
        "verdict": str(judgement.verdict),
        "change": list(change),
        "findings": [{"where": each.where, "expected": each.expected, "got": each.got} for each in judgement.findings],
        "exchange_ids": list(judgement.exchange_ids),
        "order_index": judgement.order_index,
    }
    if again := companions(case, judgement, run):
        row["again"] = list(again)
    if change_of != "body":
        row["change_of"] = change_of
    if case.expect in (Expect.REFUSE, Expect.DENY) and case.sends:
        row["twin"] = case.twin
    if case.reading:
        row["reading"] = True
    if judgement.policy:
        row["found"] = judgement.policy
    if case.site:
        row["site"] = case.site
    if judgement.reason:
        row["reason"] = judgement.reason
    if case.why:
        row["why"] = case.why
    return row


def change_of_case(case: Case, judgement: Judgement, run: Run) -> tuple[Operations, str]:
    """The JSON Patch that a case made against its twin's request, and what it points into."""
    for record in run.records:
        if record.exchange.id in judgement.exchange_ids and case.id in record.changes:
            return record.changes[case.id], record.change_of
    return (), "body"


def _policy(run: Run, cases: dict[str, Case]) -> dict[str, str]:
    """What the endpoint does where the documentation is silent, by the question."""
    found = {
        cases[name].policy: each.policy
        for name, each in run.judgements.items()
        if cases[name].policy and each.policy and name in run.selected
    }
    mixed: dict[str, set[str]] = defaultdict(set)
    for name, each in run.judgements.items():
        if cases[name].group and each.policy:
            mixed[repr(cases[name].steps[0].change)].add(each.policy)
    if mixed:
        documented = run.suite.provider.main.mixed_batch == "all-or-nothing"
        found["batch"] = _mixed_batches(list(mixed.values()), documented=documented)
    return dict(sorted(found.items()))


def _mixed_batches(outcomes: list[set[str]], *, documented: bool) -> str:
    """
    What becomes of a batch with one bad order, from the outcomes of each kind of bad order at all positions.

    A refusal does not show that nothing was stored, nor a success that everything was.
    """
    kinds = [{each.partition(" ")[0] for each in told} for told in outcomes]
    if any(len(each) > 1 for each in kinds):
        return "depends on the position"
    if {"refused"} in kinds:
        return "all-or-nothing" if documented else "refused as a whole (whether good orders were kept cannot be seen)"
    return ", ".join(sorted(set().union(*outcomes)))


def _exchange(exchange: Exchange, purpose: str) -> dict[str, Any]:
    request, response = exchange.request, exchange.response
    row: dict[str, Any] = {
        "operation": exchange.operation,
        "purpose": purpose,
        "request": {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": [list(each) for each in request.headers],
            **_body(request.body or b""),
        },
        "response": None,
        "sent_at": _time(exchange.sent_at),
        "duration_ms": exchange.duration_ms,
    }
    if response is not None:
        headers = [list(each) for each in response.headers if each[0].lower() not in _NOISE]
        row["response"] = {"status": response.status, "headers": headers, **_body(response.body)}
        if response.truncated:
            row["response"]["truncated"] = True
    if exchange.trouble is not None:
        row["trouble"] = {"kind": exchange.trouble.kind, "detail": exchange.trouble.detail}
    return row


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _count(words: Any) -> dict[str, int]:
    return dict(sorted(Counter(str(word) for word in words).items()))


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
