"""Standing checks: what is held against all exchanges of a run at once. One finding a check, however often it shows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from conformance.model import Expect, Finding, Judgement, Level, Verdict
from conformance.standing import answers, contents, storage
from conformance.standing.whole import Untold, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.model import Case
    from conformance.standing.whole import Found

__all__ = ["CHECKS", "Whole", "judge"]

_MORE = " and {count} more like it"
# By the name that packs use.
CHECKS: dict[str, Callable[[Case, Whole], Iterator[Found]]] = {
    "success-status": answers.success_status,
    "accepted-with": answers.accepted_with,
    "refusal-status": answers.refusal_status,
    "success-form": answers.success_form,
    "refusal-form": answers.refusal_form,
    "pointers": answers.pointers,
    "pointer-positions": answers.positions,
    "correlation": answers.correlation,
    "distinct": contents.distinct,
    "lines": contents.lines,
    "names": contents.names,
    "numbers": contents.numbers,
    "rule": contents.rule,
    "entry-order": answers.entry_order,
    "visibility": storage.visibility,
    "same-ids": answers.same_ids,
    "new-ids": answers.new_ids,
    "stored": storage.stored,
    "listed": storage.listed,
    "stored-as-sent": storage.as_sent,
    "one-a-key": storage.one_a_key,
    "nothing-of-refused-batches": storage.nothing_refused,
    "nothing-of-refused-updates": storage.nothing_updated,
}


def judge(case: Case, whole: Whole) -> Judgement:
    """The judgement of a standing case. Raises KeyError for a check that does not exist."""
    try:
        found = list(CHECKS[case.standing](case, whole))
    except Untold as reason:
        return Judgement(Verdict.INCONCLUSIVE, reason=str(reason))
    ids = tuple(dict.fromkeys(name for _, name in found if name))
    if case.expect is Expect.OBSERVE:
        policy = ", ".join(dict.fromkeys(each.got for each, _ in found))
        return Judgement(Verdict.OBSERVED, tuple(each for each, _ in found[:1]), ids[:1], policy=policy)
    if not found:
        return Judgement(Verdict.CONFORMANT)
    grouped: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for each, _ in found:
        grouped[each.where, each.expected].append(each)
    findings = tuple(
        Finding(where, expected, same[0].got + (_MORE.format(count=len(same) - 1) if len(same) > 1 else ""))
        for (where, expected), same in grouped.items()
    )
    failed = Verdict.VIOLATION if case.requirement.level is Level.MUST else Verdict.ADVISORY
    return Judgement(failed, findings, ids)
