"""Races: what two callers were told who sent the same key with other values, and what is stored of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conformance import ledger
from conformance.answers import Answer

if TYPE_CHECKING:
    from conformance.load.afterwards import Listing
    from conformance.load.payloads import Pool
    from conformance.load.tally import Tally
    from conformance.providers import Provider

UPDATE = "two callers with one key: one order, with one of the two values"
DUPLICATE = "two callers with one number: one of them is refused"
_OPEN = (Answer.NONE, Answer.UNAVAILABLE, Answer.THROTTLED, Answer.AMBIGUOUS)
# So many ids are named where they ought to be one.
_SHOWN = 4


class Races:
    """The races of a run, judged by what both callers were told and by what is ``listed`` where anything is."""

    def __init__(self, pool: Pool, provider: Provider, listing: Listing | None) -> None:
        self._pool, self._provider = pool, provider
        self._listing = listing if listing is not None and not listing.why else None
        self._check = UPDATE if pool.contest == "update" else DUPLICATE

    def judge(self, races: list[dict[str, Any]], tally: Tally, second: int) -> dict[str, int]:
        """Judge every race; how many there were, and how many had a single caller."""
        by_number: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for each in races:
            by_number[each["number"]].append(each)
        for number, told in sorted(by_number.items()):
            self._judge(number, told, tally, second)
        return {"races": len(by_number), "with one caller only": sum(len(each) < 2 for each in by_number.values())}

    def _judge(self, number: int, told: list[dict[str, Any]], tally: Tally, second: int) -> None:
        answers = [Answer(each["answer"]) for each in told]
        left = [each for answer, each in zip(answers, told, strict=True) if answer in _OPEN or each["temporary"]]
        flaw = _update(told, answers) if self._check == UPDATE else _duplicate(answers)
        if not flaw and not left and self._listing is not None:
            flaw = self._kept(number, self._listing, Answer.ACCEPTED in answers)
        if flaw:
            tally.judged(self._check, "violation", second)
            where = "two answers" if len(told) > 1 else "the answer"
            tally.found(self._check, {**_evidence(told[-1]), **_row(where, *flaw)})
        elif left:
            tally.judged(self._check, "inconclusive", second)
            tally.found(f"{self._check}: open", {**_evidence(left[0]), **_row("", "", left[0]["answer"])})
        else:
            tally.judged(self._check, "conformant", second)

    def _kept(self, number: int, listing: Listing, taken: bool) -> tuple[str, str] | None:  # noqa: FBT001  # of the pair
        """What is stored under the key of a race and ought not to be."""
        sides = [ledger.orders_in(self._provider.main, self._pool.race(number, side).body)[0] for side in (0, 1)]
        stored = listing.get(ledger.key_of(self._provider.main, sides[0]))
        if len(stored) != int(taken):
            return f"{int(taken)} stored", f"{len(stored)} stored"
        for kept in stored if self._check == UPDATE else ():
            found = [ledger.differences(self._provider, side, kept) for side in sides]
            if all(found):
                return "what one of the two sent", f"a mixture: {found[0][0][0]} is the other's"
        return None


def _update(told: list[dict[str, Any]], answers: list[Answer]) -> tuple[str, str] | None:
    for answer, each in zip(answers, told, strict=True):
        if answer in (Answer.FAILED, Answer.UNTOLD) or (answer is Answer.REFUSED and not each["temporary"]):
            return "both accepted", f"{answer} ({each['status']})"
    ids = {
        name for answer, each in zip(answers, told, strict=True) if answer is Answer.ACCEPTED for name in each["ids"]
    }
    if len(ids) < 2:
        return None
    shown = ", ".join(sorted(ids)[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
    return "one id in both answers", f"the ids {shown}"


def _duplicate(answers: list[Answer]) -> tuple[str, str] | None:
    if Answer.FAILED in answers or Answer.UNTOLD in answers:
        return "one accepted, one refused", ", ".join(answers)
    if answers.count(Answer.ACCEPTED) > 1:
        return "one of the two refused", "both accepted"
    if answers.count(Answer.REFUSED) == len(answers):
        return "one of the two accepted", "all refused"
    return None


def _evidence(told: dict[str, Any]) -> dict[str, Any]:
    kept = ("exchange", "sent_at", "orders", "request", "status", "response")
    return {name: told[name] for name in kept}


def _row(where: str, expected: str, got: str) -> dict[str, str]:
    return {"where": where, "expected": expected, "got": got, "title": ""}
