"""Afterwards: what is stored when the load is over, read back and held against what every worker was answered."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance import bodies, changes, ledger, standing
from conformance.answers import Answer, classify, describe
from conformance.batches import Composer
from conformance.ledger import Entry, Key, Ledger
from conformance.load.bench import ANSWERS, STORED
from conformance.load.payloads import RACES, mark_of
from conformance.model import Level, Record
from conformance.sender import Bounded
from conformance.standing.whole import Untold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.load.payloads import Pool
    from conformance.load.tally import Tally
    from conformance.model import Exchange, Json
    from conformance.patience import Patience
    from conformance.suite import Suite
    from conformance.transport import Transport

ONCE = "no accepted order is stored twice"
_CHUNK = 2000
# Pages in a row without an order of ours, after which all of ours were seen: lists are sorted by age.
_FOREIGN = 3
_MOST_PAGES = 20_000
_AT_ONCE_S = 0.5
_SETTLED = frozenset({Answer.ACCEPTED, Answer.REFUSED, Answer.AMBIGUOUS})


@dataclass(slots=True)
class Listing:
    """
    Our stored orders by key, compressed: a load run leaves many.

    ``last`` is the exchange of the last page; ``why`` says why the listing proves nothing, if it does not.
    """

    orders: dict[Key, list[bytes]] = field(default_factory=lambda: defaultdict[Key, list[bytes]](list))
    ids: dict[str, None] = field(default_factory=dict[str, None])
    last: Exchange | None = None
    why: str = ""

    def get(self, key: Key) -> list[Json]:
        """The stored orders with a key."""
        return [json.loads(zlib.decompress(each)) for each in self.orders.get(key, ())]


class Reading:
    """Reads back what a load run left, by the transport of a run like any other."""

    def __init__(self, suite: Suite, pool: Pool, token: str, transport: Transport, patience: Patience) -> None:
        self._suite, self._pool, self._token = suite, pool, token
        self._provider = suite.provider
        self._transport, self._patience = transport, patience
        self._composer = Composer(suite, 0, token)
        self._count = 0

    def listing(self, rows: list[list[int]]) -> Listing | None:
        """Everything of ours, read again while accepted orders are missing; None where no list is documented."""
        if self._provider.read_back is None:
            return None
        wanted = {key for key, *_ in self._keys(rows, Answer.ACCEPTED)}
        waiting = self._patience.tries(self._patience.bound())
        while True:
            found = self._sweep(len(wanted))
            if found.why or not waiting.once_more():
                return found
            if wanted <= found.orders.keys():
                break
        if waiting.waited() < _AT_ONCE_S or not self._patience.limit:
            return found
        # What comes late may be something that was refused.
        self._patience.saw(waiting.waited())
        self._patience.settle()
        return self._sweep(len(wanted))

    def clean_up(self, found: Listing) -> tuple[int, int]:
        """Delete what this run created; how many orders went and how many are left."""
        form = self._provider.read_back
        if form is None or not form.delete:
            return 0, len(found.ids)
        gone = 0
        for name in found.ids:
            operation = self._provider.operation(form.delete)
            request = self._composer.read(operation, {"id": name}).request
            exchange = self._transport.send(request, operation.id, "clean-up", datetime.now(UTC))
            gone += classify(operation, exchange) is Answer.ACCEPTED
        return gone, len(found.ids) - gone

    def judge(self, rows: list[list[int]], found: Listing, tally: Tally, second: int) -> None:
        """Hold the ledger of all workers against the listing, by the checks that every run is judged by."""
        if found.why or found.last is None:
            tally.judged("what is stored", "inconclusive", second)
            tally.found("what is stored: open", _finding("", "", found.why))
            return
        last = Record(found.last, "sweep", step=1)
        cases = [
            each
            for each in self._suite.cases
            if each.standing in STORED and each.requirement.level is Level.MUST and not each.excluded
        ]
        for part in self._parts(rows):
            book, total = self._book(part)
            whole = standing.Whole(self._suite, [last], [Answer.ACCEPTED], self._token)
            keys = {*book.accepted, *book.refused}
            listed = {key: found.get(key) for key in keys if key in found.orders}
            whole.__dict__.update(ledger=book, listed=listed or ({("",): []} if found.orders else {}))
            for case in cases:
                try:
                    flaws = list(standing.CHECKS[case.standing](case, whole))
                except Untold as why:
                    if book.accepted and case.standing == "stored":
                        tally.judged(case.id, "inconclusive", second)
                        tally.found(f"{case.id}: open", _finding("", "", str(why)))
                    continue
                tally.checks[case.id]["conformant"] += max(total - len(flaws), 0)
                for flaw, name in flaws:
                    tally.judged(case.id, "violation", second)
                    tally.found(case.id, _finding(flaw.where, flaw.expected, flaw.got, name))
            self._once(book, listed, tally, second)

    def unsettled(self, rows: list[list[int]], found: Listing, lost: dict[int, int]) -> dict[str, int]:
        """
        Orders whose answer never came, and those of workers that are gone: which of them are stored.

        ``lost`` gives the last number of every worker that is gone, as far as it was told.
        """
        told = {"stored": 0, "absent": 0, "unreported": 0}
        for answer in Answer:
            if answer not in _SETTLED:
                for key, *_ in self._keys(rows, answer):
                    told["stored" if key in found.orders else "absent"] += 1
        if lost:
            known = {
                mark_of(row[0], row[1] + index) for row in rows if row[0] in lost for index in range(row[2])
            }  # fmt: skip
            prefixes = {mark_of(index, 0)[:2] for index in lost}
            marks = [key[0].rpartition("-")[2] for key in found.orders]
            told["unreported"] = sum(each[:2] in prefixes and each not in known for each in marks)
        return told

    def _once(self, book: Ledger, listed: dict[Key, list[Json]], tally: Tally, second: int) -> None:
        for key in book.accepted:
            if len(listed.get(key, ())) > 1:
                tally.judged(ONCE, "violation", second)
                tally.found(ONCE, _finding("stored orders", "1", f"{len(listed[key])} with {', '.join(key)}"))
            else:
                tally.checks[ONCE]["conformant"] += 1

    # The ledger

    def _parts(self, rows: list[list[int]]) -> Iterator[list[list[int]]]:
        part: list[list[int]] = []
        size = 0
        for row in rows:
            part.append(row)
            size += row[2]
            if size >= _CHUNK:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _book(self, rows: list[list[int]]) -> tuple[Ledger, int]:
        """What a part of the batches should have done to the store, and how many orders that were."""
        book, total = Ledger(), 0
        for answer in (Answer.ACCEPTED, Answer.REFUSED, Answer.AMBIGUOUS):
            for key, order, name, good in self._keys(rows, answer):
                total += 1
                if answer is Answer.ACCEPTED:
                    book.accepted[key] = Entry(order, name, good)
                else:
                    book.refused[key].append(Entry(order, name))
        return book, total

    def _keys(self, rows: list[list[int]], wanted: Answer) -> Iterator[tuple[Key, Json, str, bool]]:
        """The orders of batches with an answer: key, order, the batch, and whether it was all good."""
        for row in rows:
            if ANSWERS[row[5]] is not wanted:
                continue
            batch = self._pool.sent(tuple(row))
            for index in range(batch.size):
                order = self._pool.order(batch, index)
                if key := ledger.key_of(self._provider.main, order):
                    yield key, order, f"w{batch.worker}, orders from {batch.first}", batch.fault < 0

    # The listing

    def _sweep(self, expected: int) -> Listing:
        form = self._provider.read_back
        assert form is not None
        operation, found = self._provider.operation(form.list), Listing()
        query, foreign = form.query, 0
        for _ in range(_MOST_PAGES):
            request = self._composer.read(operation, {}, query).request
            self._count += 1
            if isinstance(self._transport, Bounded):
                # Of a page that was read only our orders are kept.
                self._transport.begin_listing()
            exchange = self._transport.send(request, operation.id, f"sweep-{self._count}", datetime.now(UTC))
            found.last = exchange
            if bodies.cut(exchange):
                found.why = "the stored orders could not be listed: a page is longer than is read"
                return found
            if classify(operation, exchange) is not Answer.ACCEPTED:
                found.why = f"the stored orders could not be listed: {describe(exchange)}"
                return found
            page = ledger.stored(self._provider, exchange)
            mine = [each for each in page if ledger.is_ours(self._provider.main, each, self._token)]
            for each in mine:
                self._keep(found, each)
            foreign = 0 if mine else foreign + 1
            query = ledger.further(form, exchange, page)
            if not query or (foreign > _FOREIGN and len(found.orders) >= expected):
                return found
        found.why = f"the list of stored orders has more than {_MOST_PAGES} pages"
        return found

    def _keep(self, found: Listing, order: Json) -> None:
        outcome = self._provider.main.outcome
        names = [str(value) for _, value in changes.select(order, outcome.id)] if outcome else []
        raw = zlib.compress(json.dumps(order).encode(), 1)
        # Pages shift while others write: one order may come twice, and is known by its id then.
        if names and names[0] in found.ids:
            return
        found.ids.update(dict.fromkeys(names))
        found.orders[ledger.key_of(self._provider.main, order)].append(raw)


def is_race(key: Key) -> bool:
    """Whether a key is that of a race."""
    return key[0].rpartition("-")[2].startswith(mark_of(RACES, 0)[:2])


def _finding(where: str, expected: str, got: str, exchange: str = "") -> dict[str, Any]:
    return {"where": where, "expected": expected, "got": got, "title": "", "exchange": exchange}
