"""Flow: units of work in flight, their records kept in the order of the plan, and controls among them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from conformance.guard import CONTROL_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from conformance.guard import Guard
    from conformance.model import Record
    from conformance.sender import Sender

    Task = Callable[[], list[Record]]
    Submit = Callable[[Task], "Future[list[Record]]"]

# Where requests overlap, nothing else is under way beside every so-manieth control.
_BARRIER_EVERY = 30
# So many units for each lane are begun or wait to have their results looked at.
_AHEAD = 4


class Unit(Protocol):
    """One thing to send: a pack, or a case with its steps."""

    def begin(self, orders: int, requests: int) -> Task | None:
        """What sends it, or None when it is not to be sent; ``orders`` and ``requests`` are under way already."""
        ...

    @property
    def weight(self) -> tuple[int, int]:
        """How many orders it may create, and how many requests it takes."""
        ...

    def done(self, records: list[Record], queue: deque[Unit]) -> bool:
        """
        Take note of what came of it; whether a control is called for at once.

        The records are the last that were kept. What is put in front of the queue comes next.
        """
        ...


class Flow:
    """
    Sends the units of one run.

    With one lane every unit is followed by the next, and a control stands between them when
    it is due. With several, controls travel among the units like one of them (pulses), and
    a control with nothing else under way comes less often: a refusal counts when both around
    it, and all pulses between these, were accepted.
    """

    def __init__(self, sender: Sender, guard: Guard, check: Callable[[], None]) -> None:
        self._sender = sender
        self._guard = guard
        self._check = check
        self._since_pulse = 0

    def run(self, queue: deque[Unit], lanes: int) -> None:
        """
        Send all units of ``queue``, to which they may add.

        With several lanes no unit begins long before one ahead of it has ended, so that trouble is noticed in time.
        """
        ahead = 1 if lanes == 1 else _AHEAD * lanes
        flying: deque[tuple[Unit, Future[list[Record]]]] = deque()
        alarm = False
        with _submitting(lanes) as submit:
            while queue or flying:
                due = alarm or self._due(lanes, sum(unit.weight[1] for unit, _ in flying))
                while queue and len(flying) < ahead and not due:
                    self._begin(queue, flying, submit, lanes)
                    due = self._due(lanes, sum(unit.weight[1] for unit, _ in flying))
                if flying:
                    unit, future = flying.popleft()
                    records = future.result()
                    self._sender.keep(records)
                    alarm |= unit.done(records, queue)
                if not flying and (alarm or self._due(lanes, 0)):
                    self._check()
                    alarm = False

    def _begin(
        self, queue: deque[Unit], flying: deque[tuple[Unit, Future[list[Record]]]], submit: Submit, lanes: int
    ) -> None:
        orders = sum(unit.weight[0] for unit, _ in flying)
        requests = sum(unit.weight[1] for unit, _ in flying)
        unit: Unit
        if lanes > 1 and self._since_pulse >= CONTROL_EVERY - 1 and self._sender.room_for(orders, (), requests + 1):
            unit = _Pulse(self._guard)
            self._since_pulse = 0
        else:
            unit = queue.popleft()
        task = unit.begin(orders, requests)
        if task is not None:
            self._since_pulse += unit.weight[1]
            flying.append((unit, submit(task)))

    def _due(self, lanes: int, under_way: int) -> bool:
        """Whether the next thing to come is a control with nothing else under way."""
        if lanes == 1:
            return self._sender.since_control >= CONTROL_EVERY - 1
        return self._sender.since_control + under_way >= _BARRIER_EVERY * CONTROL_EVERY


class _Pulse:
    """A control among other requests."""

    weight = (1, 1)

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def begin(self, _orders: int, _requests: int) -> Task:
        return self._guard.pulse()

    def done(self, records: list[Record], _queue: deque[Unit]) -> bool:
        return not self._guard.felt(records[0])


@contextmanager
def _submitting(lanes: int) -> Generator[Submit]:
    """A way to get tasks done: in threads, or right away where there is one lane."""
    if lanes == 1:
        yield _at_once
        return
    # More threads than lanes: what comes next is made while others wait for their answers.
    pool = ThreadPoolExecutor(lanes)
    try:
        yield pool.submit
    finally:
        pool.shutdown(cancel_futures=True)


def _at_once(task: Task) -> Future[list[Record]]:
    done: Future[list[Record]] = Future()
    done.set_result(task())
    return done
