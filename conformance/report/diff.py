"""What one report says and another does not: by requirement, so that a nightly run tells how the endpoint drifted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = "not there"
_SECONDS = re.compile(r"after [0-9.]+ s\b")
# What a change comes to, in the order in which it is told.
KINDS = ("broken", "fixed", "judged", "observed", "coverage", "policy")
_UNJUDGED = frozenset({_ABSENT, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE, Verdict.UNTESTED})


@dataclass(frozen=True, slots=True)
class Change:
    """
    One requirement or policy that is another now: its line, and one a case.

    ``kind`` is ``broken`` or ``fixed`` (violated now, or no longer), ``judged`` (another verdict), ``observed``
    (the endpoint does something else where it may), ``coverage`` (judged in one report only) or ``policy``.
    """

    kind: str
    about: str
    line: str
    cases: tuple[str, ...] = ()


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Everything that is another in ``new``, newly broken first."""
    before, after = _requirements(old), _requirements(new)
    found = [
        change
        for name in (*before, *(each for each in after if each not in before))
        for change in _requirement(name, before.get(name), after.get(name))
    ]
    for name in sorted({*old["policy"], *new["policy"]}):
        was, now = old["policy"].get(name, _ABSENT), new["policy"].get(name, _ABSENT)
        if _steady(was) != _steady(now):
            found.append(Change("policy", name, f"policy {name}: {was} -> {now}"))
    return sorted(found, key=lambda each: KINDS.index(each.kind))


def _requirements(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in report["requirements"]}


def _requirement(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[Change]:
    before, after = _cases(old), _cases(new)
    pairs = {each: (before.get(each), after.get(each)) for each in (*before, *after)}
    changed = {each: pair for each, pair in pairs.items() if _differ(*pair)}
    if not changed and _verdict(old) == _verdict(new):
        return
    kind = _kind([(_verdict(was), _verdict(now)) for was, now in changed.values()] or [(_verdict(old), _verdict(new))])
    row = new or old or {}
    if _verdict(old) != _verdict(new):
        line = f"{name} ({row['level']}): {_verdict(old)} -> {_verdict(new)}: {row['title']}"
    elif kind == "observed":
        line = f"{name} ({row['level']}): observed otherwise: {row['title']}"
    else:
        line = f"{name} ({row['level']}): {_verdict(new)}, but not in the same cases: {row['title']}"
    yield Change(kind, name, line, tuple(_case(each, *pair) for each, pair in changed.items()))


def _kind(verdicts: list[tuple[str, str]]) -> str:
    if any(now == Verdict.VIOLATION != was for was, now in verdicts):
        return "broken"
    if any(was == Verdict.VIOLATION and now not in _UNJUDGED for was, now in verdicts):
        return "fixed"
    if all(was == now for was, now in verdicts):
        return "observed"
    return "coverage" if all(_UNJUDGED & {was, now} for was, now in verdicts if was != now) else "judged"


def _cases(row: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in row["cases"]} if row else {}


def _verdict(row: dict[str, Any] | None) -> str:
    return row["verdict"] if row else _ABSENT


def _differ(old: dict[str, Any] | None, new: dict[str, Any] | None) -> bool:
    """Whether the verdict is another, or what was observed; older reports do not tell the latter."""
    told = old and new and "found" in old and "found" in new
    return _steady(_word(old)) != _steady(_word(new)) if told else _verdict(old) != _verdict(new)


def _word(case: dict[str, Any] | None) -> str:
    """The verdict of a case, or what was observed where nothing is documented."""
    verdict = _verdict(case)
    seen = case.get("found") if case and verdict == Verdict.OBSERVED else None
    return f"{verdict}: {seen}" if seen else verdict


def _steady(text: str) -> str:
    """What was observed without the seconds that it took, which no two runs share."""
    return _SECONDS.sub("after a while", text)


def _case(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    line = f"  {name}: {_word(old)} -> {_word(new)}"
    if new and new["findings"] and new["verdict"] != Verdict.OBSERVED:
        finding = new["findings"][0]
        line += f": expected {finding['expected']}, got {finding['got']}"
    elif new and new.get("reason"):
        line += f": {new['reason']}"
    return line
