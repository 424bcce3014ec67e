"""What the forms of a report have in common: hostile text made visible, the verdict in words, commands, times."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS = ("must", "should", "silent", "contradictory")
VERDICTS = ("violation", "inconclusive", "advisory", "conformant", "observed", "not-applicable", "untested")
LONGEST = 300
# A largest batch names a hundred cases, and half a command is none.
LONGEST_COMMAND = 10_000

# Characters that steer terminals, turn the direction of text, hide, or are no characters at all. The list is
# written out because what Python calls printable grows with every version, and equal reports make equal files.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff\U000e0000-\U000e0fff]"
)


def visible(text: object, longest: int = LONGEST) -> str:
    r"""Text of any origin on one line: steering characters as escapes (``\x1b``), the rest cut after ``longest``."""
    whole = text if isinstance(text, str) else str(text)
    shown = _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), whole[:longest])
    return shown if len(whole) <= longest else f"{shown}… ({len(whole):,} characters in all)"


def arguments(report: dict[str, Any], case_id: str) -> list[str]:
    """
    The command that runs one case again, with those whose requests it looks at.

    The account file is named as in the README, for a report has no path.
    """
    target, run = report["target"], report["run"]
    parts = ["pytest", f"--provider={report['provider']['name']}"]
    parts += [f"--case={each}" for each in (case_id, *_again(report, case_id))]
    if target["kind"] == "cassettes":
        parts.append("--record-mode=none")
    elif target["kind"] == "live":
        parts.append(f"--endpoint={target['url']}")
        parts += ["--account=account.toml"] if report["account"] else []
        parts += [f"--allow={','.join(run['allowed'])}"] if run["allowed"] else []
    elif target["strict"]:
        parts.append("--reference-strict")
    if asked := run.get("revision"):
        parts.append(f"--revision={asked}")
    if "explore" in run and "/explored." in case_id and target["kind"] != "cassettes":
        parts.append(f"--explore={run['explore']}")
    if run["seed"] != 1:
        parts.append(f"--seed={run['seed']}")
    return parts


def _again(report: dict[str, Any], case_id: str) -> list[str]:
    cases = (case for row in report.get("requirements", ()) for case in row["cases"] if case["id"] == case_id)
    return [name for case in cases for name in case.get("again", ())]


def command(report: dict[str, Any], case_id: str) -> str:
    """The command that runs one case again, as one line to look at."""
    return visible(shlex.join(arguments(report, case_id)), LONGEST_COMMAND)


def changes(case: dict[str, Any]) -> list[str]:
    """The JSON Patch of a case in words, one operation each."""
    words: list[str] = []
    for operation in case["change"]:
        text = f"{operation['op']} {operation['path'] or '(the whole body)'}"
        text += f" from {operation['from']}" if "from" in operation else ""
        text += f" = {json.dumps(operation['value'], ensure_ascii=False)}" if "value" in operation else ""
        words.append(visible(text))
    return words


def where(report: dict[str, Any]) -> str:
    """What was tested, in a few words."""
    target = report["target"]
    if target["kind"] == "reference":
        return f"the suite's own reference endpoint ({'strict' if target['strict'] else 'lenient'}), no vendor's"
    return visible(target["url"] or "a recording") + (
        " (replayed from a recording)" if target["kind"] != "live" else ""
    )


def in_words(report: dict[str, Any]) -> str:
    """The verdict in one sentence or two."""
    counts = report["counts"]["requirements"]
    judged = sum(counts.get(each, 0) for each in ("violation", "advisory", "conformant"))
    broken = counts.get("violation", 0)
    if report["verdict"] == "conformant":
        open_ = counts.get("observed", 0)
        untested = counts.get("untested", 0) + counts.get("not-applicable", 0)
        return (
            f"It does what the documentation says, in all {judged} requirements that were judged. {open_} more were"
            f" observed where the documentation is silent or contradicts itself, {untested} were not tested."
        )
    if report["verdict"] == "nonconformant":
        known = " All violations are known deviations." if broken and not _unexcused(report) else ""
        return f"It breaks {broken} of {judged} requirements that were judged.{known}"
    return f"Whether it does what the documentation says is not known: {'; '.join(unknown(report)) or 'see below'}."


def excuses(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The known deviation of each case that has one which is still seen."""
    return {
        case: each
        for each in report.get("deviations", ())
        if each.get("status") == "seen"
        for case in each.get("cases", ())
    }


def _unexcused(report: dict[str, Any]) -> bool:
    known = excuses(report)
    broken = (case["id"] for row in report["requirements"] for case in row["cases"] if case["verdict"] == "violation")
    return any(name not in known for name in broken)


def unknown(report: dict[str, Any]) -> Iterator[str]:
    """Why a run says less than it could, reason by reason."""
    run, counts = report["run"], report["counts"]["cases"]
    if run["stopped"]:
        yield f"the run stopped early ({visible(run['stopped'])})"
    elif run["finished_at"] is None:
        yield "the run did not come to its end"
    if run["selection"] != "all":
        yield f"{len(run['selection'])} cases were selected, not all of them"
    if counts.get("inconclusive"):
        yield f"{counts['inconclusive']} cases proved nothing"
    untested = [
        row["id"]
        for row in report["requirements"]
        if row["level"] == "must" and row["verdict"] == "untested" and "untestable" not in row
    ]
    if untested and run["selection"] == "all":
        yield f"{len(untested)} must requirements were not judged ({', '.join(untested[:5])})"
    if not any(counts.get(each) for each in ("violation", "advisory", "conformant")):
        yield "no case was judged"


def milliseconds(report: dict[str, Any], cases: list[dict[str, Any]]) -> float:
    """How long the exchanges took that these cases rest on, each counted once."""
    names = {name for case in cases for name in case["exchange_ids"]}
    return float(sum(report["exchanges"][name]["duration_ms"] for name in sorted(names) if name in report["exchanges"]))
