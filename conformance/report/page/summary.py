"""The verdict in words, and what it covers and does not cover."""

from __future__ import annotations

from collections import Counter
from typing import Any

LEVELS = ("must", "should", "silent", "contradictory")
VERDICTS = ("violation", "inconclusive", "advisory", "conformant", "observed", "not-applicable", "untested")
_JUDGED = frozenset({"violation", "advisory", "conformant"})
_SUBJECTS = {
    "live": "This endpoint",
    "reference": "The suite's own reference endpoint",
    "cassettes": "The endpoint, as it was recorded,",
}


def headline(report: dict[str, Any]) -> str:
    """One sentence for who reads no second one."""
    subject = _SUBJECTS[report["target"]["kind"]]
    found = Counter(row["verdict"] for row in report["requirements"])
    if report["verdict"] == "conformant":
        return f"{subject} does what its documentation says."
    if report["verdict"] == "nonconformant":
        return f"{subject} breaks {found['violation']} of the {sum(found[each] for each in _JUDGED)} requirements that were judged."
    return "It is not settled whether this endpoint does what its documentation says."


def explanation(report: dict[str, Any]) -> str:
    """What the headline rests on."""
    musts = Counter(row["verdict"] for row in report["requirements"] if row["level"] == "must")
    judged = sum(musts[each] for each in _JUDGED)
    if report["verdict"] == "conformant":
        harmless = f", {musts['advisory']} of them with a harmless exception" if musts["advisory"] else ""
        return f"All {judged} requirements of level must that were judged hold{harmless}: valid orders are taken, and what breaks one documented rule is refused."
    if report["verdict"] == "nonconformant":
        known = _known(report)
        return f"{musts['conformant']} of the {judged} judged requirements of level must hold. Each violation is shown below with its request, its answer and a command to see it again.{known}"
    if not judged:
        return f"{_why_open(report)} No requirement of level must was judged, so nothing can be said for or against it."
    return f"{_why_open(report)} Of the requirements of level must, {judged} of {musts.total()} were judged, and none of them was found broken."


def _known(report: dict[str, Any]) -> str:
    excused = {name for each in report.get("deviations", ()) if each["status"] == "seen" for name in each["cases"]}
    broken = [case for row in report["requirements"] for case in row["cases"] if case["verdict"] == "violation"]
    known = sum(case["id"] in excused for case in broken)
    if not known:
        return ""
    return (
        " All violations are known deviations."
        if known == len(broken)
        else f" Known deviations explain {known} of the {len(broken)} failing cases."
    )


def _why_open(report: dict[str, Any]) -> str:
    cases = report["counts"]["cases"].get("inconclusive", 0)
    if report["run"]["stopped"]:
        return "The run stopped before its end."
    if cases:
        return f"{_number(cases, 'case')} could not be judged."
    if report["run"]["selection"] != "all":
        return "Only a part of the cases was selected."
    return "Requirements of level must were not tested."


def covered(report: dict[str, Any]) -> list[str]:
    """What was looked at."""
    counts, rows = report["counts"], report["requirements"]
    judged = {level: [row for row in rows if row["level"] == level and row["verdict"] in _JUDGED] for level in LEVELS}
    totals = Counter(row["level"] for row in rows)
    lines = [
        f"{len(judged[level])} of {totals[level]} requirements of level {level}"
        for level in ("must", "should")
        if totals[level]
    ]
    noted = sum(row["verdict"] == "observed" for row in rows)
    if noted:
        lines.append(
            f"{_number(noted, 'place')} where the documentation is silent or contradicts itself: recorded, not judged"
        )
    told = sum(counts["cases"].get(each, 0) for each in (*_JUDGED, "observed"))
    lines.append(
        f"{told:,} of {_number(sum(counts['cases'].values()), 'case')}, by {_number(counts['requests'], 'request')}; {counts['controls']}"
        " of these were controls, which show whether the endpoint still takes valid orders"
    )
    if counts["orders_created"]:
        lines.append(f"{_number(counts['orders_created'], 'order')} created")
    power = report.get("detection", {}).get("faults")
    if power:
        lines.append(
            f"Breaches like those that were built in to try this suite out: {_number(power, 'fault')}, see “Detection power”"
        )
    return lines


def not_covered(report: dict[str, Any]) -> list[str]:
    """What nobody should conclude from the verdict."""
    kind, found = report["target"]["kind"], report["counts"]["cases"]
    lines: list[str] = []
    if kind == "reference":
        lines.append("Any vendor's endpoint: this run shows that the suite and its reference endpoint agree")
    if kind == "cassettes":
        lines.append(
            f"What the endpoint does today: nothing was sent, and the answers were recorded{_recorded(report)}"
        )
    untested = [row for row in report["requirements"] if row["verdict"] == "untested"]
    if untested:
        lines.append(f"{_number(len(untested), 'requirement')} without a case, for the reasons below")
    if found.get("not-applicable"):
        lines.append(
            f"{_number(found['not-applicable'], 'case')} that the account, the credentials or the allowed effects leave out"
        )
    if found.get("inconclusive"):
        lines.append(f"{_number(found['inconclusive'], 'case')} that proved nothing")
    load = "Security" if "load" in report else "Load, security"
    lines.append(f"{load}, and whatever the documentation does not speak of")
    return lines


def banners(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What has to be known before the verdict is read: title and text."""
    run, found = report["run"], []
    if not run["finished_at"]:
        found.append(("This run did not end.", "It was killed or is still going on: what follows is what there was."))
    if run["stopped"]:
        found.append(("This run stopped early.", run["stopped"]))
    if run["selection"] != "all":
        found.append(
            (
                "This is a part of the suite.",
                f"{_number(len(run['selection']), 'case')} selected; the others were not run.",
            )
        )
    if report["not_run"] and not run["stopped"]:
        found.append(
            (
                "Some cases were not sent.",
                f"{_number(len(report['not_run']), 'case')}, for the reasons under “Not tested”.",
            )
        )
    if not run["complete"] and not found:
        found.append(("This run is not complete.", "Not every case was judged."))
    if run["control"] != "plain":
        found.append(("The plain valid batch was refused.", f"The control was: {run['control']}."))
    if run.get("recording", {}).get("pack") == "another":
        found.append(
            (
                "The documentation was read anew since this was recorded.",
                "Cases that ask something else now are inconclusive.",
            )
        )
    return found


def levels(report: dict[str, Any]) -> list[dict[str, Any]]:
    """How many requirements of each level have which verdict, with the places of the bar's segments."""
    made: list[dict[str, Any]] = []
    longest = max(Counter(row["level"] for row in report["requirements"]).values(), default=1)
    for level in LEVELS:
        found = Counter(row["verdict"] for row in report["requirements"] if row["level"] == level)
        if not found:
            continue
        # A single violation among hundreds has to be seen, so nothing is thinner than a finger's breadth of the bar.
        widths = {each: max(8.0, 640 * found[each] / longest) for each in VERDICTS if found[each]}
        bar, at = [], 0.0
        for verdict, width in widths.items():
            bar.append({"verdict": verdict, "x": round(at, 1), "width": round(width - 2, 1)})
            at += width
        made.append(
            {"level": level, "counts": {each: found[each] for each in VERDICTS}, "bar": bar, "total": found.total()}
        )
    return made


def _recorded(report: dict[str, Any]) -> str:
    notes = report["run"].get("recording", {})
    source = {"reference": " from the reference endpoint", "live": " from a live endpoint"}.get(notes.get("source"), "")
    return f" on {notes['recorded_at'][:10]}{source}" if "recorded_at" in notes else source


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' if count != 1 else ''}"
