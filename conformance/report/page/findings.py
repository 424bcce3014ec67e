"""What went wrong, by requirement: a cause that shows in forty cases is told once, with the forty listed."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from conformance.report.page import changes, commands, evidence

# Shown in full; an endpoint that is not the one of the documentation breaks everything, and five are as clear as fifty.
_IN_FULL = {"violation": 60, "advisory": 20}
_EXCHANGES = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """A requirement with the case that shows best how it is broken, and the other cases that show it too."""

    requirement: dict[str, Any]
    case: dict[str, Any]
    others: tuple[dict[str, Any], ...]
    change: tuple[changes.Row, ...]
    exchanges: tuple[evidence.Shown, ...]
    command: str
    deviation: dict[str, Any] | None

    @property
    def in_full(self) -> bool:
        """Whether its evidence stands on the page itself."""
        return bool(self.exchanges)


def failures(report: dict[str, Any], verdict: str, cases: dict[str, dict[str, Any]]) -> list[Failure]:
    """The requirements with cases of a verdict, in the order of the documentation."""
    rows = [
        (row, found)
        for row in report["requirements"]
        if (found := [case for case in row["cases"] if case["verdict"] == verdict])
    ]
    longest = evidence.share(2 * min(len(rows), _IN_FULL[verdict]))
    return [
        _failure(report, row, found, cases, longest if place < _IN_FULL[verdict] else 0)
        for place, (row, found) in enumerate(rows)
    ]


def _failure(
    report: dict[str, Any],
    requirement: dict[str, Any],
    found: list[dict[str, Any]],
    cases: dict[str, dict[str, Any]],
    longest: int,
) -> Failure:
    # The plainest case: one change and one request say more than a scenario.
    case = min(found, key=lambda each: (not each["change"], len(each["exchange_ids"]) or 9))
    names = [name for name in case["exchange_ids"] if name in report["exchanges"]][-_EXCHANGES:] if longest else []
    return Failure(
        requirement,
        case,
        tuple(each for each in found if each is not case),
        tuple(changes.rows(report, case, cases)),
        tuple(evidence.shown(report, case, name, longest // len(names), last=name == names[-1]) for name in names),
        commands.pytest(report, case["id"]),
        _deviation(report, requirement["id"], case["id"]),
    )


def _deviation(report: dict[str, Any], *names: str) -> dict[str, Any] | None:
    return next((each for each in report.get("deviations", ()) if each["id"] in names), None)


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that share a reason."""

    reason: str
    cases: tuple[str, ...]


def by_reason(report: dict[str, Any], verdict: str) -> list[Group]:
    """Cases of a verdict by the reason for it, the most frequent first."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in report["requirements"]:
        for case in row["cases"]:
            if case["verdict"] == verdict:
                found[_reason(case)].append(case["id"])
    return _grouped(found)


def not_sent(report: dict[str, Any]) -> list[Group]:
    """Cases that were not sent, by reason."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in report["not_run"]:
        found[each["reason"].removeprefix("not sent: ")].append(each["id"])
    return _grouped(found)


def _grouped(found: dict[str, list[str]]) -> list[Group]:
    return sorted((Group(reason, tuple(names)) for reason, names in found.items()), key=lambda each: -len(each.cases))


def _reason(case: dict[str, Any]) -> str:
    if case.get("reason"):
        return str(case["reason"])
    return (
        "; ".join(f"{each['where']}: expected {each['expected']}" for each in case["findings"]) or "no reason was given"
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What an endpoint does in one question that the documentation leaves open.

    ``variants`` are the forms in which it was asked, without the path that they share, ``at``.
    """

    question: str
    answer: str
    at: str
    variants: tuple[str, ...]


def observed(report: dict[str, Any]) -> dict[str, list[Answer]]:
    """
    Open questions with their answers, refusals first: those are what a client stumbles over.

    Variants of a question that are answered alike share a row.
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for question, answer in report["policy"].items():
        if question != "batch":
            stem, colon, variant = question.partition(": ")
            found[stem if colon else question, answer].append(variant)
    groups: dict[str, list[Answer]] = {"Refused": [], "Answered in another way": [], "Accepted": []}
    for (stem, answer), names in sorted(found.items(), key=lambda each: each[0][0].casefold()):
        row = Answer(stem, answer, *_shared([each.split(".") for each in names if each]))
        plain = re.fullmatch(r"(accepted|refused)( \([^)]*\))?", answer)
        groups[plain[1].capitalize() if plain else "Answered in another way"].append(row)
    return {title: rows for title, rows in groups.items() if rows}


def _shared(paths: list[list[str]]) -> tuple[str, tuple[str, ...]]:
    alike = takewhile(lambda each: len(set(each)) == 1, zip(*paths, strict=False))
    count = len(list(alike)) if len(paths) > 1 else 0
    return ".".join(paths[0][:count]) if count else "", tuple(".".join(each[count:]) for each in paths)
