"""What continuous integration is told: one result a requirement, failed exactly where pytest's exit status is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.report import words

if TYPE_CHECKING:
    from collections.abc import Iterator

_CASES = 20
# Nothing was found wrong with a requirement of these verdicts.
_PASSED = ("conformant", "advisory", "observed")
_TROUBLE = {
    "passed": "the deviation is gone: take it off the list",
    "expired": "the deviation has expired",
    "unmatched": "no case or requirement has this id",
}


@dataclass(frozen=True, slots=True)
class Result:
    """
    One requirement, or something about the whole run.

    ``outcome`` is ``passed``, ``failed``, ``error`` or ``skipped``; ``message`` is one line,
    ``details`` what a person reads; ``verdict``, ``level``, ``area`` and ``source`` are the requirement's, or empty.
    """

    name: str
    outcome: str
    message: str
    details: str
    milliseconds: float = 0.0
    verdict: str = ""
    level: str = ""
    area: str = "run"
    source: str = ""


def of(report: dict[str, Any]) -> list[Result]:
    """All results of a report, requirements first."""
    excused = words.excuses(report)
    rows = [_requirement(row, report, excused) for row in report["requirements"]]
    rows += _deviations(report)
    if report["verdict"] == "inconclusive" and not any(row.outcome in ("failed", "error") for row in rows):
        rows.append(_whole(report))
    return rows


def _requirement(row: dict[str, Any], report: dict[str, Any], excused: dict[str, dict[str, Any]]) -> Result:
    broken = [case for case in row["cases"] if case["verdict"] == "violation"]
    known = [excused[case["id"]] for case in broken if case["id"] in excused]
    outcome, message = _outcome(row)
    if broken and len(known) == len(broken):
        outcome, message = "skipped", f"known deviation: {words.visible(known[0].get('reason', ''))}"
    return Result(
        name=words.visible(f"{row['id']} {row['title']}"),
        outcome=outcome,
        message=message,
        details="\n".join(_details(row, report)),
        milliseconds=words.milliseconds(report, row["cases"]),
        verdict=row["verdict"],
        level=row["level"],
        area=words.visible(row["area"]),
        source=words.visible(row["source"]),
    )


def _outcome(row: dict[str, Any]) -> tuple[str, str]:
    verdict = row["verdict"]
    if verdict in _PASSED:
        return "passed", verdict
    of_verdict = [case for case in row["cases"] if case["verdict"] == verdict]
    if verdict == "violation":
        return "failed", f"violation in {len(of_verdict)} of {len(row['cases'])} cases"
    reasons = [case.get("reason", "") for case in of_verdict] or [row.get("untestable", "no case was selected")]
    return "error" if verdict == "inconclusive" else "skipped", f"{verdict}: {words.visible(reasons[0])}"


def _details(row: dict[str, Any], report: dict[str, Any]) -> Iterator[str]:
    yield f"{row['id']} ({row['level']}): {words.visible(row['title'])}"
    yield f"source    {words.visible(row['source'])}"
    yield f"verdict   {row['verdict']} ({len(row['cases'])} cases)"
    telling = [case for case in row["cases"] if case["verdict"] == row["verdict"] != "conformant"]
    for case in telling[:_CASES]:
        yield f"\n{words.visible(case['id'])}"
        for change in words.changes(case):
            yield f"  change    {change}"
        for finding in case["findings"][:_CASES]:
            yield f"  at        {words.visible(finding['where'])}"
            yield f"  expected  {words.visible(finding['expected'])}"
            yield f"  got       {words.visible(finding['got'])}"
        if case.get("reason"):
            yield f"  reason    {words.visible(case['reason'])}"
        yield f"  replay    {words.command(report, case['id'])}"
    if len(telling) > _CASES:
        yield f"\n{len(telling) - _CASES} more cases: see report.json"


def _deviations(report: dict[str, Any]) -> Iterator[Result]:
    """Entries of the list of known deviations that are themselves wrong; they fail the run."""
    for each in report.get("deviations", ()):
        if each.get("status") in _TROUBLE:
            message = f"{_TROUBLE[each['status']]}: {words.visible(each.get('reason', ''))}"
            yield Result(words.visible(f"known deviation {each['id']}"), "failed", message, message)


def _whole(report: dict[str, Any]) -> Result:
    """A run that proves too little must not look like one in which all is well."""
    message = words.in_words(report)
    judged = any(report["counts"]["cases"].get(each) for each in (*_PASSED, "violation"))
    return Result("the run as a whole", "skipped" if judged else "error", message, message, verdict="inconclusive")
