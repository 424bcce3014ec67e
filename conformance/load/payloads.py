"""Payloads of a load run: orders made ahead of the clock, so that sending one is joining a few bytes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, cast

from conformance import changes, envelope, schemas, spend
from conformance.batches import PLAIN, Composed, Composer, Unmade
from conformance.errors import UserError
from conformance.evidence import relative
from conformance.model import Case, Expect, Json, Level, Operations, Recipe, Request
from conformance.plan import Atom

if TYPE_CHECKING:
    from conformance.load.settings import Load
    from conformance.suite import Suite

# So many different good orders, and so many kinds of bad ones, are enough to be no caches' friend.
_GOOD = 200
_BAD = 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_BITS = 40
# Orders that two callers send at once have marks that no worker's own orders have.
RACES = 1 << 9


@dataclass(frozen=True, slots=True)
class Mould:
    """
    One order in bytes, cut where the characters stand that make it unlike any other.

    ``case`` is the case whose change it has, if it has one, and ``change`` that change, as in a batch of it alone.
    """

    parts: tuple[bytes, ...]
    case: str = ""
    change: Operations = ()

    def cast(self, mark: str) -> bytes:
        """The order with a mark of its own."""
        return mark.encode().join(self.parts)


@dataclass(frozen=True, slots=True)
class Batch:
    """
    A batch in bytes, and what is needed to say what it was.

    Its good orders are the moulds that their numbers, counted from ``first``, fall to; the one at ``bad`` is
    that of the case ``fault``. ``names`` are those of its orders, where orders have names.
    """

    body: bytes
    first: int
    size: int
    bad: int = -1
    fault: int = -1
    worker: int = 0


def mark_of(worker: int, number: int) -> str:
    """Ten characters that no other order of the run has; the first two tell the worker."""
    value = (worker << _BITS) + number
    return "".join(_LETTERS[value >> shift & 31] for shift in range(45, -1, -5))


class Pool:
    """
    The orders of a run, ready but for their marks.

    It depends on suite, seed, token and instant alone: whoever reads back what another process sent makes the same.
    Raises UserError where no valid order can be made of the account's facts.
    """

    def __init__(self, suite: Suite, load: Load) -> None:
        self._suite, self._load = suite, load
        self._operation = suite.provider.main
        self._now = datetime.fromisoformat(load.instant)
        self._composer = Composer(suite, load.seed, load.token)
        self._mark = re.compile(rf"-{re.escape(load.token)}-([a-z2-7]{{10}})")
        self._head: Request = self._composed("control", PLAIN, "load").request
        self.good = tuple(self._mould(PLAIN, f"load/{index}") for index in range(_GOOD))
        self.faults = self._faults()
        self.dearest = max(self._price(each) for each in self.good)
        self._check()

    # What is sent

    def batch(self, worker: int, first: int, size: int, bad: int = -1, fault: int = -1) -> Batch:
        """A batch of good orders whose numbers count from ``first``, one of them in its place a bad one."""
        orders = [
            (self.faults[fault] if index == bad else self.good[(first + index) % _GOOD]).cast(
                mark_of(worker, first + index)
            )
            for index in range(size)
        ]
        return Batch(self._wrapped(orders, worker, first), first, size, bad, fault, worker)

    def request(self, batch: Batch) -> Request:
        """The request that carries a batch."""
        head = self._head
        return Request(head.method, head.path, head.query, head.headers, batch.body, head.root)

    def order(self, batch: Batch, index: int) -> Json:
        """One order of a batch as it was sent."""
        mould = self.faults[batch.fault] if index == batch.bad else self.good[(batch.first + index) % _GOOD]
        return cast("Json", json.loads(mould.cast(mark_of(batch.worker, batch.first + index))))

    def sent(self, row: tuple[int, ...]) -> Batch:
        """A batch from what a worker reported of it: worker, first number, size, place and kind of a bad order."""
        worker, first, size, bad, fault = row[:5]
        return Batch(b"", first, size, bad, fault, worker)

    def race(self, number: int, side: int) -> Batch:
        """The batch of one of two callers who send the same key with other values."""
        first = 2 * number
        mine, key = self.good[(first + side) % _GOOD], mark_of(RACES, first)
        order = json.loads(mine.cast(mark_of(RACES, first + side)))
        other = json.loads(self.good[first % _GOOD].cast(key))
        form = self._operation.order
        for pointer in form.key if form else ():
            order = changes.apply(order, ({"op": "replace", "path": pointer, "value": changes.read(other, pointer)},))
        order = changes.apply(order, self.flag)
        body = self._wrapped([envelope.encode(order)], RACES, first + side)
        return Batch(body, first + side, 1, worker=RACES)

    # What kinds of races there are

    @property
    def contest(self) -> str:
        """What two orders with one key come to: ``update``, ``duplicate``, or nothing where that is not documented."""
        form, provider = self._operation.order, self._suite.provider
        if form is None or not form.key:
            return ""
        if provider.reference.get("upsert"):
            return "update"
        return "duplicate" if self._unique() else ""

    @property
    def flag(self) -> Operations:
        """What makes an order ask for a check of duplicates, where one has to ask."""
        return tuple(
            {"op": "add", "path": str(rule["only-when"]), "value": True}
            for rule in self._unique()
            if "only-when" in rule
        )

    def _unique(self) -> list[dict[str, Json]]:
        form, provider = self._operation.order, self._suite.provider
        rows = cast("list[dict[str, Json]]", provider.reference.get("always", []))
        return [
            each
            for each in rows
            if each["rule"] == "unique"
            and form
            and each["at"] in form.key
            and provider.revision in cast("list[str]", each.get("revision", [provider.revision]))
        ]

    # Making

    def _faults(self) -> tuple[Mould, ...]:
        """Bad orders of many kinds, one change each, none of which touches what tells orders apart."""
        cases = [each for each in self._suite.cases if _suits(each, self._operation.id)]
        Random(self._load.seed).shuffle(cases)
        # Different requirements first.
        seen: dict[str, int] = {}
        ranked = []
        for case in cases:
            seen[case.requirement.id] = seen.get(case.requirement.id, 0) + 1
            ranked.append((seen[case.requirement.id], case))
        found: list[Mould] = []
        for _, case in sorted(ranked, key=lambda each: each[0]):
            if len(found) == _BAD:
                break
            try:
                made = self._mould(case.recipe, f"load/{case.id}", case)
            except Unmade:
                continue
            if len(made.parts) == len(self.good[0].parts):
                found.append(made)
        return tuple(found)

    def _composed(self, name: str, recipe: Recipe, attempt: str, change: Operations = ()) -> Composed:
        return self._composer.orders([Atom(name, recipe, change, drawn=attempt)], attempt, self._now)

    def _mould(self, recipe: Recipe, attempt: str, case: Case | None = None) -> Mould:
        name, change = (case.id, case.steps[0].change) if case else ("control", ())
        composed = self._composed(name, recipe, attempt, change)
        # By the draft of the unchanged order: what a change wrote over is no longer there to be found.
        plain = envelope.encode(self._composed(name, recipe, attempt).orders[0]).decode()
        raw = envelope.encode(composed.orders[0])
        found = self._mark.search(plain)
        parts = tuple(raw.split(found[1].encode())) if found else (raw,)
        return Mould(parts, case.id if case else "", composed.changes.get(name, ()))

    def _wrapped(self, orders: list[bytes], worker: int, first: int) -> bytes:
        operation = self._operation
        if operation.envelope == "single":
            return orders[0]
        if operation.envelope == "named":
            rows = (
                f'"{self._load.token}-{mark_of(worker, first + index)}":'.encode() + each
                for index, each in enumerate(orders)
            )
            return b"{" + b",".join(rows) + b"}"
        listed = b"[" + b",".join(orders) + b"]"
        return f'{{"{operation.wrapper}":'.encode() + listed + b"}" if operation.envelope == "wrapped" else listed

    def _price(self, mould: Mould) -> int:
        order = json.loads(mould.cast(mark_of(0, 0)))
        return spend.cost(self._operation, self._suite.account, [order]).total()

    def _check(self) -> None:
        """Good orders stay valid whatever their mark is."""
        validator = schemas.validator(self._operation.request_schema)
        for number in (0, (1 << _BITS) - 1 - _GOOD):
            for index in range(0, _GOOD, max(self._load.sizes)):
                batch = self.batch(1, number + index, max(self._load.sizes))
                mistakes = validator.mistakes(json.loads(batch.body))
                if mistakes:
                    raise UserError(
                        f"{self._suite.provider.name}: an order made of the account's facts is not valid:"
                        f" {mistakes[0].pointer}: {mistakes[0].message}"
                    )


def _suits(case: Case, operation: str) -> bool:
    """Whether a case is a plain order with one bad value, whose refusal is documented and depends on nothing else."""
    return (
        case.sends
        and case.expect is Expect.REFUSE
        and case.requirement.level is Level.MUST
        and case.operation == operation
        and case.twin == "control"
        and not (case.reading or case.parallel or relative(case))
        and len(case.steps) == 1
        and case.steps[0].slots == ("changed",)
        and case.steps[0].scope == "order"
        and not (case.steps[0].names or case.steps[0].checks)
    )
