"""Sending: composed requests into records, in a stable order, however many are in flight."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from conformance.answers import Answer, classify
from conformance.model import Judgement, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.batches import Composed
    from conformance.suite import Suite
    from conformance.transport import Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is done. ``instant`` stops the clock, for endpoints whose clock is stopped too."""

    seed: int
    token: str
    concurrency: int = 1
    pack: bool = True
    max_orders: int = 0
    instant: datetime | None = None


@dataclass(slots=True)
class Run:
    """What came of a run. ``stopped`` says why it ended early, or is empty."""

    suite: Suite
    settings: Settings
    selected: tuple[str, ...]
    started_at: datetime
    records: list[Record] = field(default_factory=list[Record])
    not_run: dict[str, str] = field(default_factory=dict[str, str])
    judgements: dict[str, Judgement] = field(default_factory=dict[str, Judgement])
    orders_created: int = 0
    control: str = "plain"
    stopped: str = ""
    finished_at: datetime | None = None


class Sender:
    """Sends for one run and keeps its records."""

    def __init__(
        self, suite: Suite, transport: Transport, settings: Settings, progress: Callable[[int, int], None] | None
    ) -> None:
        self._suite = suite
        self._transport = transport
        self._settings = settings
        self._progress = progress
        self._unit = 0
        self.expected = 0
        self.since_control = 0
        self.run: Run

    def begin(self, selected: tuple[str, ...]) -> Run:
        """A fresh run; everything sent from now on belongs to it."""
        self.run = Run(self._suite, self._settings, selected, self.now())
        return self.run

    def next_unit(self) -> int:
        """The number of the next unit of the plan; exchanges are named after it."""
        self._unit += 1
        return self._unit

    def send(self, composed: Composed, purpose: str, number: int, step: int = 0) -> Record:
        """Send one request. Called from several threads; the record is not kept yet."""
        name = f"x{number:04d}" + (f".{step + 1}" if step else "")
        exchange = self._transport.send(composed.request, composed.operation, name, self.now())
        return Record(
            exchange,
            purpose,
            composed.atoms,
            composed.case,
            step,
            len(composed.orders),
            composed.changes,
            composed.change_of,
        )

    def keep(self, records: list[Record]) -> None:
        """Keep records, in the order of the plan."""
        for record in records:
            self.run.records.append(record)
            self.since_control = 0 if record.purpose == "control" else self.since_control + 1
            if self.answer(record) is Answer.ACCEPTED and record.exchange.operation == self._suite.provider.main.id:
                self.run.orders_created += record.orders
            if self._progress:
                self._progress(len(self.run.records), self.expected)

    def send_and_keep(self, composed: Composed, purpose: str, step: int = 0) -> Record:
        """Send one request on its own."""
        record = self.send(composed, purpose, self.next_unit(), step)
        self.keep([record])
        return record

    def room_for(self, orders: int, names: list[str]) -> bool:
        """
        Whether so many more orders may be created; otherwise the named cases are noted as not run.

        One order more is kept back: without the control behind them, refusals prove nothing.
        """
        limit = self._settings.max_orders
        if not limit or self.run.orders_created + orders + 1 <= limit:
            return True
        self.run.not_run |= dict.fromkeys(names, f"not sent: it could create more than --max-orders={limit} orders")
        return False

    def answer(self, record: Record) -> Answer:
        """What the answer of a record means."""
        return classify(self._suite.provider.operation(record.exchange.operation), record.exchange)

    def now(self) -> datetime:
        """The instant of sending."""
        return self._settings.instant or datetime.now(UTC)


def status(record: Record) -> int:
    """The status of a record's answer; 0 without one."""
    return record.exchange.response.status if record.exchange.response else 0


def in_flight(tasks: Sequence[Callable[[], T]], width: int) -> list[T]:
    """The results of tasks in their order, at most ``width`` of them at work at once."""
    if width == 1 or len(tasks) == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(width) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]
