"""The report as Markdown, short enough for the summary of a CI job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conformance.report import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINES = 200
_BYTES = 60_000
# So many of each that a report with all sections stays below the limit.
_BROKEN = 12
_OBSERVED = 30
_REST = 12
# In prose these would link, mention somebody or become a picture, however they are escaped.
_ACTIVE = re.compile(r"[@`|<>]|://|www\.|#\d|GH-\d|:\w+:|&\w+;|&#", re.IGNORECASE)


def render(report: dict[str, Any]) -> str:
    """
    GitHub-flavoured Markdown of at most 200 lines and 60 kB.

    Whatever an endpoint said stands in code spans, in which nothing is markup, a link or a
    mention; line breaks, backticks and the bars of tables are escapes there.
    """
    lines: list[str] = []
    size = 0
    for line in _lines(report):
        size += len(line.encode("utf-8", "replace")) + 1
        if len(lines) >= _LINES - 2 or size > _BYTES - 100:
            lines += ["", "Cut here: report.html and report.json have everything."]
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def code(text: object, longest: int = words.LONGEST) -> str:
    """Foreign text as a code span that stays one, in tables as elsewhere."""
    shown = words.visible(text, longest).replace("`", "\\x60").replace("|", "\\x7c").strip()
    return f"`{shown}`" if shown else "(empty)"


def prose(text: str) -> str:
    """A sentence of a pack as plain text, or as a code span where something in it would be active."""
    shown = words.visible(text, 1000)
    return code(text, 1000) if _ACTIVE.search(shown) else re.sub(r"([\\*_\[\]~&$!#])", r"\\\1", shown)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    provider = report["provider"]
    yield f"# {prose(provider['title'])}: {report['verdict']}"
    yield ""
    yield prose(words.in_words(report))
    yield from _scope(report)
    yield from _verdicts(report)
    yield from _broken(report)
    yield from _load(report.get("load"))
    for verdict, title in (("inconclusive", "Proved nothing"), ("advisory", "Advisory")):
        yield from _listed(
            title, [_reason(row, verdict) for row in report["requirements"] if row["verdict"] == verdict]
        )
    yield from _deviations(report)
    yield from _observed(report)
    yield from _listed("Not tested", list(_untested(report)))


def _scope(report: dict[str, Any]) -> Iterator[str]:
    provider, run, counts = report["provider"], report["run"], report["counts"]
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| provider | {code(provider['name'])}, revision {code(provider['revision'])} |"
    yield f"| endpoint | {code(words.where(report))} |"
    yield f"| run | {code(run['id'])}, seed {run['seed']}, {code(run['started_at'])} to {code(run['finished_at'] or '?')} |"
    yield f"| selection | {'all' if run['selection'] == 'all' else len(run['selection'])} cases |"
    yield f"| allowed effects | {code(', '.join(run['allowed'])) if run['allowed'] else 'none asked for'} |"
    left = f", {len(run['left'])} of them left there" if run["left"] else ""
    yield f"| traffic | {counts['requests']} requests, {counts['orders_created']} orders created{left} |"
    yield f"| suite | {code(report['suite']['version'])}, pack {code(provider['pack_sha256'][:12])} |"
    for reason in words.unknown(report) if report["verdict"] != "inconclusive" else ():
        yield f"| not covered | {prose(reason)} |"


def _verdicts(report: dict[str, Any]) -> Iterator[str]:
    found = {row["verdict"] for row in report["requirements"]}
    columns = [each for each in words.VERDICTS if each in found]
    yield ""
    yield f"| requirements | {' | '.join(columns)} |"
    yield f"|---|{'---:|' * len(columns)}"
    for level in words.LEVELS:
        verdicts = [row["verdict"] for row in report["requirements"] if row["level"] == level]
        if verdicts:
            yield f"| {level} | {' | '.join(str(verdicts.count(each) or '-') for each in columns)} |"


def _broken(report: dict[str, Any]) -> Iterator[str]:
    rows = [row for row in report["requirements"] if row["verdict"] == "violation"]
    if rows:
        yield from ("", f"## Violations ({len(rows)})")
    for row in rows[:_BROKEN]:
        cases = [case for case in row["cases"] if case["verdict"] == "violation"]
        case, finding = cases[0], cases[0]["findings"][0]
        more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        yield from ("", f"**{row['id']}** ({row['level']}): {prose(row['title'])}", "")
        yield f"- case {code(case['id'])}{more}, documented in {code(row['source'])}"
        if case["change"]:
            yield f"- change {code('; '.join(words.changes(case)))}"
        yield f"- {prose(finding['where'])}: expected {code(finding['expected'])}, got {code(finding['got'])}"
        yield f"- again: {code(words.command(report, case['id']), words.LONGEST_COMMAND)}"
    if len(rows) > _BROKEN:
        yield from ("", f"{len(rows) - _BROKEN} more: {', '.join(row['id'] for row in rows[_BROKEN:][:200])}")


def _load(load: dict[str, Any] | None) -> Iterator[str]:
    """What was found under load, whose verdict is its own."""
    if load is None:
        return
    counts, broken = load["counts"], [row for row in load["checks"] if row["verdict"] == "violation"]
    yield from ("", f"## Under load: {load['verdict']}", "", f"{prose(load['why'])}.", "")
    yield f"- {counts['orders']} orders in {counts['requests']} requests, {load['rate']['orders_per_second']} orders a second"
    for row in load["latency"]:
        yield f"- batches of {row['batch_size']}: p50 {row['p50']} ms, p95 {row['p95']} ms, p99 {row['p99']} ms"
    for row in broken[:_BROKEN]:
        first = row["findings"][0] if row["findings"] else {"got": ""}
        yield f"- **{row['id']}**: {prose(row['title'])} {row['counts']['violation']} times, first {code(first['got'])}"


def _reason(row: dict[str, Any], verdict: str) -> str:
    cases = [case for case in row["cases"] if case["verdict"] == verdict]
    told = cases[0].get("reason") or next((f"got {each['got']}" for each in cases[0]["findings"]), "")
    return f"**{row['id']}** ({row['level']}): {prose(row['title'])} {code(told) if told else ''}".strip()


def _deviations(report: dict[str, Any]) -> Iterator[str]:
    found = [
        f"{code(each['id'])} ({code(each.get('status', ''))}): {code(each.get('reason', ''))}"
        for each in report.get("deviations", ())
    ]
    yield from _listed("Known deviations", found)


def _observed(report: dict[str, Any]) -> Iterator[str]:
    """What the endpoint does where the documentation is silent; the batch first, which integrators ask for first."""
    policy = report["policy"]
    if not policy:
        return
    yield from (
        "",
        f"## Observed where the documentation is silent ({len(policy)})",
        "",
        "| question | found |",
        "|---|---|",
    )
    names = sorted(policy, key=lambda each: (each != "batch", each))
    for name in names[:_OBSERVED]:
        question = "one bad order in a batch" if name == "batch" else name
        yield f"| {prose(question)} | {code(policy[name], 120)} |"
    if len(names) > _OBSERVED:
        yield from ("", f"{len(names) - _OBSERVED} more in report.html.")


def _untested(report: dict[str, Any]) -> Iterator[str]:
    for row in report["requirements"]:
        if row["verdict"] == "untested":
            yield f"**{row['id']}** ({row['level']}): {prose(row['title'])} {prose(row.get('untestable', ''))}".strip()
        elif row["verdict"] == "not-applicable":
            yield _reason(row, "not-applicable")
    reasons: dict[str, int] = {}
    for each in report["not_run"]:
        reasons[each["reason"]] = reasons.get(each["reason"], 0) + 1
    for reason, count in reasons.items():
        yield f"{count} cases were not sent: {code(reason)}"


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    rows = list(lines)
    if rows:
        yield from ("", f"## {title} ({len(rows)})", "")
        yield from (f"- {row}" for row in rows[:_REST])
        if len(rows) > _REST:
            yield f"- {len(rows) - _REST} more in report.html"
