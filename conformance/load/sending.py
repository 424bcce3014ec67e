"""One worker of a load run: composes, sends, judges, and tells what came of it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from conformance.answers import Answer
from conformance.load.bench import Bench, Sent
from conformance.load.payloads import Batch, Pool
from conformance.load.tally import Tally
from conformance.pace import Pace
from conformance.refusals import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.load.settings import Load
    from conformance.model import Exchange
    from conformance.suite import Suite
    from conformance.transport import Transport

# A lot is judged when it has so many answers, or is so old.
_LOT = 20
_LOT_S = 1.0
# A documented "not yet" is asked again so often.
_TRIES = 5
_PAUSE_S = 1.0
# What a closed connection or a full server costs is not made worse by hammering at it.
_BACK_OFF_S = 0.2


class Turns(Pace):
    """Lets every request go at once, notes when it really went, and stands back when an endpoint asks for it."""

    def __init__(self) -> None:
        super().__init__()
        self.throttled = 0
        self._own = threading.local()

    def wait(self, method: str) -> None:
        """Return when nobody asked to stand back any more."""
        super().wait(method)
        self._own.began = time.perf_counter()

    def since(self) -> float:
        """The milliseconds since the last request of this caller went."""
        began: float = self._own.began
        return (time.perf_counter() - began) * 1000

    def hold(self, seconds: float) -> None:
        """Stand back, and count how often that was asked for."""
        self.throttled += 1
        super().hold(seconds)


class Worker:
    """
    What all callers of one process share.

    ``index`` tells the workers apart; ``begin`` is when its clock starts. ``quota`` bounds the orders it sends, since
    each of them may be created.
    """

    def __init__(self, suite: Suite, load: Load, index: int, transport: Transport, turns: Turns) -> None:
        started = time.perf_counter()
        self.load, self.index = load, index
        self._suite, self._transport, self._turns = suite, transport, turns
        self.pool = Pool(suite, load)
        self._bench = Bench(suite, self.pool, load.token)
        self._random = Random(f"{load.seed}/{index}")  # which batch comes next is no secret
        self.ahead = time.perf_counter() - started
        self._number = 0
        self._count = 0
        self._lot_at = self._begun = time.monotonic()
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        self.in_flight = 0
        self.violated = False
        # Called with the milliseconds, the size and the trouble of every answer.
        self.heard: Callable[[float, int, str], None] = lambda _ms, _size, _trouble: None

    def begin(self) -> None:
        """The clock starts."""
        self._lot_at = self._begun = time.monotonic()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    @property
    def exhausted(self) -> bool:
        """Whether not even a small batch fits into the quota any more."""
        return bool(self.load.quota) and self._left() < min(self.load.sizes)

    def _left(self) -> int:
        # One small batch is set aside for the end.
        return self.load.quota - self._number - min(self.load.sizes)

    def draw(self) -> int:
        """The size of the next batch of a caller, by chance, seeded."""
        return self._random.choice(self.load.sizes)

    def turn(self, size: int) -> None:
        """Send a batch of a size, or a smaller one where the quota asks for it, and judge what can be judged."""
        if self.load.quota:
            size = max((each for each in self.load.sizes if each <= min(size, self._left())), default=0)
        if not size:
            return
        started = time.perf_counter()
        batch = self._next(size)
        self._bench.tally.clock["making"] += time.perf_counter() - started
        self._carry(batch)

    def race(self, number: int, side: int) -> None:
        """Send one of the two batches that contend for a key."""
        self._carry(self.pool.race(number, side))

    def conclude(self) -> None:
        """Send a last valid batch, where refusals wait for one that shows whether the endpoint still takes orders."""
        if self._bench.pending:
            self._carry(self._make(min(self.load.sizes)))

    def _next(self, size: int) -> Batch:
        """A batch of the kind that chance chooses."""
        if not self.pool.faults or self._random.random() >= self.load.reject:
            return self._make(size)
        # Where nobody says what becomes of good orders beside a bad one, it stands alone.
        if self._suite.provider.main.mixed_batch == "silent":
            size = 1
        return self._make(
            size, self._random.choice((0, size // 2, size - 1)), self._random.randrange(len(self.pool.faults))
        )

    def _make(self, size: int, bad: int = -1, fault: int = -1) -> Batch:
        batch = self.pool.batch(self.index, self._number, size, bad, fault)
        self._number += size
        return batch

    def _carry(self, batch: Batch) -> None:
        request, operation = self.pool.request(batch), self._suite.provider.main
        self.in_flight += 1
        try:
            for number in range(_TRIES):
                self._count += 1
                name = f"w{self.index}-{self._count:06d}"
                exchange = self._transport.send(request, operation.id, name, datetime.now(UTC))
                took = self._turns.since()
                if not is_temporary(operation, exchange) or number == _TRIES - 1:
                    break
                self._bench.tally.counts["asked to come again"] += 1
                time.sleep(_PAUSE_S)
        finally:
            self.in_flight -= 1
        self._judge(batch, exchange, took)
        if exchange.trouble:
            time.sleep(_BACK_OFF_S)

    def _judge(self, batch: Batch, exchange: Exchange, took: float) -> None:
        started = time.perf_counter()
        tally, second = self._bench.tally, int(time.monotonic() - self._begun)
        tally.answered(second, batch.size, took)
        answer = self._bench.take(Sent(batch, exchange, second))
        tally.counts["requests"] += 1
        tally.counts["orders"] += batch.size
        if answer is Answer.ACCEPTED:
            tally.counts["orders accepted"] += batch.size
        if batch.fault >= 0:
            tally.counts["batches with a bad order"] += 1
        self.heard(took, batch.size, exchange.trouble.detail if exchange.trouble else "")
        if self._bench.waiting >= _LOT or time.monotonic() - self._lot_at > _LOT_S:
            self._bench.close()
            self._lot_at = time.monotonic()
        self.violated |= tally.violations > 0
        self._bench.tally.clock["judging"] += time.perf_counter() - started

    def report(self, *, last: bool = False) -> dict[str, Any]:
        """What was counted since the last report, and what is under way; everything in it is told once."""
        bench = self._bench
        if last:
            bench.finish()
        tally, bench.tally = bench.tally, Tally()
        self.violated |= tally.violations > 0
        tally.counts["throttled"] += self._turns.throttled
        self._turns.throttled = 0
        cpu, wall = time.process_time(), time.perf_counter()
        tally.clock["cpu"] += cpu - self._cpu
        tally.clock["elapsed"] += wall - self._wall
        self._cpu, self._wall = cpu, wall
        rows, bench.rows = bench.rows, []
        ids, bench.ids = bench.ids, []
        races, bench.races = bench.races, []
        return {
            "worker": self.index,
            "tally": tally.to_json(),
            "rows": rows,
            "ids": ids,
            "races": races,
            "in_flight": self.in_flight,
            "number": self._number,
            "exhausted": self.exhausted,
            "violated": self.violated,
            "last": last,
        }
