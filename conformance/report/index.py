"""Many bundles on one page: who was conformant when, what broke since, and the same questions over all vendors."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from conformance.report import answered, build, index_page, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path, PurePath

    from conformance.report.answered import Answer

# A report of the largest pack has 7 MB.
_LARGEST = 200_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What runs are compared of: one provider at one endpoint."""

    provider: str
    title: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Run:
    """
    One bundle. ``states`` tells of each requirement that was judged whether it was broken.

    ``broken`` and ``fixed`` are the requirements that came out differently when they were last judged before.
    """

    subject: Subject
    href: str
    started_at: str
    verdict: str
    in_words: str
    partial: str
    counts: dict[str, int]
    states: dict[str, bool]
    titles: dict[str, str]
    answers: dict[str, Answer]
    broken: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """The page as data: runs by day and subject, newest day first, and a row of answers a question."""

    subjects: list[Subject]
    days: dict[str, dict[Subject, list[Run]]]
    questions: dict[str, dict[Subject, Answer]]
    unreadable: list[str] = field(default_factory=list[str])


def found(folder: Path) -> Iterator[tuple[PurePath, dict[str, Any] | None]]:
    """
    Every bundle under a folder, by its path in it; None in place of a report that cannot be read.

    One report is in memory at a time.
    """
    for path in sorted(folder.rglob("report.json")):
        if path.is_file() and not path.is_symlink():
            yield path.parent.relative_to(folder), _read(path)


def render(reports: Iterable[tuple[PurePath, dict[str, Any] | None]]) -> str:
    """One HTML page without scripts over bundles, each with its path below the folder that the page is for."""
    return index_page.render(make(reports), answered.questions())


def make(reports: Iterable[tuple[PurePath, dict[str, Any] | None]]) -> Index:
    """The page as data. What is no report is listed as unreadable, for a missing night must not look like none."""
    runs: list[Run] = []
    unreadable: list[str] = []
    for path, report in reports:
        try:
            runs.append(_run(path, report or {}))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            unreadable.append(words.visible(path.as_posix()))
    runs.sort(key=lambda each: (each.started_at, each.href))
    by_subject: dict[Subject, list[Run]] = defaultdict(list)
    for run in runs:
        by_subject[run.subject].append(run)
    subjects = sorted(by_subject, key=lambda each: (each.provider, each.endpoint))
    days: dict[str, dict[Subject, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in sorted((each for runs in by_subject.values() for each in _trend(runs)), key=_newest, reverse=True):
        days[run.started_at[:10]][run.subject].append(run)
    questions = {
        question: {subject: answer for subject in subjects if (answer := _answer(question, by_subject[subject]))}
        for question in answered.questions()
    }
    return Index(subjects, days, {name: row for name, row in questions.items() if row}, sorted(unreadable))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        report = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) and report.get("format") == build.FORMAT else None


def _run(path: PurePath, report: dict[str, Any]) -> Run:
    rows = {words.visible(row["id"]): row for row in report["requirements"]}
    states = {name: row["verdict"] == "violation" for name, row in rows.items() if row["verdict"] in answered.JUDGED}
    return Run(
        subject=Subject(
            words.visible(report["provider"]["name"]),
            words.visible(report["provider"]["title"]),
            words.where(report),
        ),
        # A name is no address: "javascript:" would be one without the dot in front.
        href=f"./{quote(os.fsencode(path.as_posix().lstrip('/')))}/report.html",
        started_at=words.visible(report["run"]["started_at"]),
        verdict=words.visible(report["verdict"]),
        in_words=words.in_words(report),
        partial="" if report["run"]["complete"] else "; ".join(words.unknown(report)) or "not complete",
        counts={verdict: int(report["counts"]["requirements"].get(verdict, 0)) for verdict in words.VERDICTS},
        states=states,
        titles={name: words.visible(rows[name]["title"]) for name in states},
        answers=answered.answers(report),
    )


def _trend(runs: list[Run]) -> Iterator[Run]:
    """
    The runs of one subject, oldest first, with what changed in each.

    Requirements that a run did not judge keep the state they had, so that a partial run neither mends nor breaks any.
    """
    known: dict[str, bool] = {}
    for run in runs:
        changed = [name for name, broken in run.states.items() if name in known and known[name] is not broken]
        yield replace(
            run,
            broken=tuple(name for name in changed if run.states[name]),
            fixed=tuple(name for name in changed if not run.states[name]),
        )
        known |= run.states


def _answer(question: str, runs: list[Run]) -> Answer | None:
    """The newest answer that tells something; where none does, the newest reason why."""
    given = [run.answers[question] for run in reversed(runs) if question in run.answers]
    return next((each for each in given if each.known), given[0] if given else None)


def _newest(run: Run) -> tuple[str, str]:
    return run.started_at, run.href
