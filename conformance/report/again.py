"""What else has to run for a finding to show again, where a case sends nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Case, Judgement, Record
    from conformance.runner import Run

# Sent in every run, whatever is selected.
_ALWAYS = ("control", "pulse")


def companions(case: Case, judgement: Judgement, run: Run) -> tuple[str, ...]:
    """
    The cases whose request showed what was found: those of the exchange that fewest had a part in.

    None where the case sends its own requests, or where a control shows it too.
    """
    if case.sends or not judgement.findings:
        return ()
    wanted = set(judgement.exchange_ids)
    shown = [each for each in run.records if each.exchange.id in wanted]
    if any(each.purpose in _ALWAYS for each in shown):
        return ()
    parts = [names for each in shown if (names := tuple(_cases(each, run)))]
    return min(parts, key=len, default=())


def _cases(record: Record, run: Run) -> Iterator[str]:
    """The cases that a request was sent for, each once."""
    known = run.suite.by_id
    yield from dict.fromkeys(name for name in (record.case, *record.atoms) if name in known)
