"""What an answer has to show beside its status: a step's checks, held against what was stored of it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

from conformance import bodies, changes, links, refusals
from conformance.answers import describe
from conformance.model import Finding
from conformance.rules.answers import amount
from conformance.schemas import validator
from conformance.values import Past, recall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance.model import Account, Check, Exchange, Json
    from conformance.operations import Operation

_MISSING = "nothing"


def past(exchanges: Iterable[Exchange]) -> Past:
    """What the exchanges of a case's steps, in their order, sent and were answered."""
    known = list(exchanges)
    return Past(
        tuple(bodies.sent(each) for each in known),
        tuple(bodies.answered(each) for each in known),
        tuple(links.query(each, "next") for each in known),
    )


def failures(
    checks: Sequence[Check], operation: Operation, exchange: Exchange, before: Past, account: Account
) -> tuple[Finding, ...]:
    """Every check that the answer does not pass."""
    return tuple(found for each in checks if (found := _failure(each, operation, exchange, before, account)))


def _failure(check: Check, operation: Operation, exchange: Exchange, before: Past, account: Account) -> Finding | None:
    if check.kind == "status":
        status = exchange.response.status if exchange.response else 0
        return None if status == check.value else Finding("response status", str(check.value), describe(exchange))
    if check.kind == "points-at":
        return _pointers(check, operation, exchange)
    if check.kind == "links-to":
        linked = links.query(exchange, str(check.value))
        return None if linked else Finding("Link header", f"a link to {check.value}", describe(exchange))
    try:
        wanted = _wanted(check.value, before, account)
    except LookupError as error:
        return Finding(f"response body {check.at or '/'}", str(check.value), str(error))
    found = [value for _, value in changes.select(bodies.answered(exchange), check.at)]
    got = found[0] if found else _MISSING
    if _KINDS[check.kind](found, wanted):
        return None
    return Finding(f"response body {check.at or '/'}", f"{_WORDS[check.kind]} {_short(wanted)}".strip(), _short(got))


def _wanted(value: Json, before: Past, account: Account) -> Json:
    if isinstance(value, str) and value.startswith("@account "):
        return account.get(value.removeprefix("@account "))
    return recall(value, before)


def _pointers(check: Check, operation: Operation, exchange: Exchange) -> Finding | None:
    named = refusals.places(operation, exchange)
    wanted = [str(each) for each in check.value] if isinstance(check.value, list) else []
    missed = [each for each in wanted if refusals.match(operation, named, each) != "exact"]
    if not missed:
        return None
    form = [f"{found[0]}/{'/'.join(found[1])}" for each in missed if (found := refusals.expected(operation, each))]
    return Finding("places named in the refusal", " and ".join(form), ", ".join(named) or describe(exchange))


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _same(found: Json, wanted: Json) -> bool:
    # 1 and true are equal to Python and not to JSON; 1 and 1.0 are equal to both.
    return isinstance(found, bool) is isinstance(wanted, bool) and found == wanted


def _count(wanted: Json) -> int:
    """A number of entries: as it stands, or that of a list."""
    return len(wanted) if isinstance(wanted, list) else int(str(wanted))


def _numbers(found: list[Json]) -> list[int]:
    return [int(str(each)) for each in found] if all(str(each).isdecimal() for each in found) else []


_KINDS: dict[str, Callable[[list[Json], Json], bool]] = {
    "is": lambda found, wanted: any(_same(each, wanted) for each in found),
    "is-not": lambda found, wanted: bool(found) and not any(_same(each, wanted) for each in found),
    "reads": lambda found, wanted: any(str(each) == str(wanted) for each in found),
    "count": lambda found, wanted: any(isinstance(each, list) and len(each) == wanted for each in found),
    "type": lambda found, wanted: bool(found) and all(validator({"type": wanted}).accepts(each) for each in found),
    "absent": lambda found, _wanted: not found,
    "one-of": lambda found, wanted: (
        bool(found) and all(any(_same(each, one) for one in _list(wanted)) for each in found)
    ),
    "at-most": lambda found, wanted: any(isinstance(each, list) and len(each) <= int(str(wanted)) for each in found),
    "at-least": lambda found, wanted: any(isinstance(each, list) and len(each) >= _count(wanted) for each in found),
    # The ids of an endpoint are numbers, which some show as texts; others cannot be held against an order.
    "falling": lambda found, _wanted: all(later < earlier for earlier, later in pairwise(_numbers(found))),
    "amount": lambda found, wanted: any(amount(each) is not None and amount(each) == amount(wanted) for each in found),
}
_WORDS = {"is": "", "is-not": "not", "reads": "", "count": "so many entries:", "type": "of type", "absent": "nothing",
    "one-of": "one of", "at-most": "no more entries than", "at-least": "no fewer entries than", "falling": "the newest first", "amount": "an amount of"}  # fmt: skip


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"
