"""Valid orders in any number, for load tests and rehearsals of migrations: made in blocks, by one process or many."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from conformance import changes, drafts, envelope, providers, schemas
from conformance.errors import PackError, UserError
from conformance.model import Account, Recipe
from conformance.operations import order_schema
from conformance.orders import OrderMaker
from conformance.reference import behaviour
from conformance.reference.inspector import holds
from conformance.rules import Context
from conformance.rules.registry import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from conformance.model import Json

STARTS = ("plain", "minimal", "full", "mixed")
# Of a hundred mixed orders so many are minimal and full; the rest are plain.
_MINIMAL, _FULL = 20, 20
# Every order has a serial number of its own, of which ids have room for so many.
MOST = 2**50
# Lines made at a time: enough that handing a block over costs nothing beside it, few enough to stay small.
_BLOCK = 2000
# Facts that differ from order to order however many there are; what identifies an order has to hold one.
_OWN = ("@order.id", "@order.number", "@order.reference", "@number", "@line.id")


@dataclass(frozen=True, slots=True)
class Wish:
    """
    Which orders are wanted: equal wishes give equal orders, and each order depends on its number alone.

    ``lines`` is how many lines an order has, at least and at most; ``batch`` how many orders stand in a request
    body, 0 for orders without an envelope. With ``checked`` each is held against schema and rules.
    """

    provider: str
    account: Account
    now: datetime
    revision: str = ""
    seed: int = 1
    start: str = "plain"
    lines: tuple[int, int] = (1, 1)
    batch: int = 0
    checked: bool = True

    @property
    def token(self) -> str:
        """What all ids carry; another seed has another. No run of the suite on a reference endpoint has it too."""
        return hashlib.sha256(f"generate/{self.seed}".encode()).hexdigest()[:6]

    @property
    def block(self) -> int:
        """How many orders are made at a time: whole batches."""
        step = self.batch or 1
        return max(_BLOCK // max(self.lines[1], 1) // step, 1) * step


def largest_batch(provider: providers.Provider) -> int:
    """How many orders the documentation allows in one request, or as many as the suite packs where it says nothing."""
    main = provider.main
    return 1 if main.envelope == "single" else main.batch_max or main.pack_size


def check(wish: Wish) -> None:
    """
    Raise UserError for a wish that cannot be granted: whatever is wrong with one order shows in the first.

    What identifies an order to the API has to differ between orders by construction.
    """
    provider = providers.load(wish.provider, wish.revision)
    form = provider.main.order
    if form is None:
        raise PackError(f"{provider.folders.schemas}: the main operation has no order template")
    unique = [str(each["at"]) for each in behaviour.healthy(provider).rules if each["rule"] == "unique"]
    for places in (form.key, (form.token,) * bool(form.token), *((each,) for each in unique)):
        found = [text for place in places for _, text in changes.select(form.template, place)]
        if found and not any(own in str(text) for text in found for own in _OWN):
            raise PackError(
                f"{provider.folders.schemas}: order.json: {' and '.join(places)} tell orders apart, and would be the same"
                f" in all; write {_OWN[0]} there"
            )
    for start in ("plain", "minimal", "full") if wish.start == "mixed" else (wish.start,):
        for lines in dict.fromkeys(wish.lines):
            Source(replace(wish, start=start, lines=(lines, lines), checked=True)).text(0, 1)


class Source:
    """Makes the orders of one wish."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._provider = providers.load(wish.provider, wish.revision)
        self._main = self._provider.main
        self._maker = OrderMaker(self._main, wish.account, wish.seed, wish.token)
        form = self._main.order
        # What an order is known by is in every one, even where a minimal order could do without.
        self._identity = tuple(filter(None, (*form.key, form.token))) if form else ()
        self._usual = _recipe(wish.start, wish.lines[0], self._identity)
        rules = behaviour.healthy(self._provider).rules
        self._rules = [prepared(each) for each in rules if holds(each, wish.account)]
        main = self._main
        self._order = schemas.validator(order_schema(main.envelope, main.wrapper, main.request_schema))
        self._body = schemas.validator(main.request_schema)

    def order(self, number: int) -> Json:
        """The order of a number, counted from 0."""
        wish = self._wish
        low, high = wish.lines
        if low == high and wish.start != "mixed":
            return self._maker.make(self._usual, str(number), wish.now, number)[0]
        # Two dice that every number throws for itself.
        thrown = drafts.scattered(number) >> 10
        share = thrown % 100
        start = wish.start
        if start == "mixed":
            start = "minimal" if share < _MINIMAL else "full" if share >= 100 - _FULL else "plain"
        recipe = _recipe(start, low + thrown // 100 % (high - low + 1), self._identity)
        return self._maker.make(recipe, str(number), wish.now, number)[0]

    def text(self, first: int, count: int) -> bytes:
        """So many orders from a number on, in lines: one order each, or one batch. Raises UserError for an invalid one."""
        orders = [self.order(number) for number in range(first, first + count)]
        if self._wish.checked:
            self._check(orders, first)
        bodies = orders
        if self._wish.batch:
            bodies = [
                self._batch(orders[at : at + self._wish.batch], first + at) for at in range(0, count, self._wish.batch)
            ]
        return b"".join(envelope.encode(each) + b"\n" for each in bodies)

    def _batch(self, orders: list[Json], first: int) -> Json:
        """A request body. Orders that have names are named by their numbers, counted from 1."""
        names = [envelope.name(first + at) for at in range(len(orders))]
        body = envelope.wrap(self._main, orders, names)
        if self._wish.checked and not self._body.accepts(body):
            mistake = self._body.mistakes(body)[0]
            raise UserError(
                f"{self._provider.name}: a batch of {len(orders)} orders is not valid: {_said(mistake.message)}"
            )
        return body

    def _check(self, orders: list[Json], first: int) -> None:
        seen: set[str] = set()

        def used(place: str, value: Json) -> bool:
            # In this block only: between blocks, ids differ by construction.
            known = (mark := f"{place}\n{json.dumps(value)}") in seen
            seen.add(mark)
            return known

        context = Context(self._wish.now, self._wish.account, used)
        for at, order in enumerate(orders, first):
            if not self._order.accepts(order):
                mistake = self._order.mistakes(order)[0]
                raise self._wrong(at, mistake.pointer, mistake.message)
            for rule in self._rules:
                for breach in rule(order, context):
                    raise self._wrong(at, breach.pointer, breach.message)

    def _wrong(self, number: int, pointer: str, message: str) -> UserError:
        wish = self._wish
        return UserError(
            f"{wish.provider}: the {wish.start} order {number + 1} would not be valid: {pointer or '/'}: {_said(message)};"
            " see the account file, --start and --lines"
        )


def _said(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:200]}…"


@lru_cache(maxsize=1024)
def _recipe(start: str, lines: int, carry: tuple[str, ...]) -> Recipe:
    return Recipe(start=start, lines=lines, carry=carry)


def blocks(wish: Wish, orders: int, jobs: int = 1) -> Iterator[tuple[int, bytes]]:
    """
    How many orders each block has, and its lines; equal whatever ``jobs``.

    No more than a few blocks are in memory. Raises UserError.
    """
    ranges = ((first, min(wish.block, orders - first)) for first in range(0, orders, wish.block))
    if jobs == 1 or orders <= wish.block:
        source = Source(wish)
        for first, count in ranges:
            yield count, source.text(first, count)
        return
    pool = ProcessPoolExecutor(jobs, initializer=_begin, initargs=(wish,))
    try:
        # The reader may be slower than the makers, so they never run far ahead.
        waiting = deque((count, pool.submit(_block, first, count)) for first, count in islice(ranges, 2 * jobs))
        while waiting:
            count, future = waiting.popleft()
            yield count, future.result()
            waiting.extend((count, pool.submit(_block, first, count)) for first, count in islice(ranges, 1))
    except BrokenProcessPool:
        raise UserError(
            f"one of {jobs} processes came to a sudden end, perhaps for lack of memory; try --jobs=1"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_SOURCES: list[Source] = []


def _begin(wish: Wish) -> None:
    """Make a process ready. Ctrl-C is for the one that writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _SOURCES[:] = [Source(wish)]


def _block(first: int, count: int) -> bytes:
    return _SOURCES[0].text(first, count)


def cores() -> int:
    """How many processes can work at a time here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
