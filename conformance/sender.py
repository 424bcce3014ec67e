"""Sending: composed requests into records, in a stable order, however many are in flight."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from conformance import ledger, refusals
from conformance.answers import Answer, classify, fates
from conformance.model import Exchange, Judgement, Record, Trouble
from conformance.patience import Patience
from conformance.spend import Purse, charged, cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from conformance.batches import Composed
    from conformance.suite import Suite
    from conformance.transport import Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a run is done.

    ``instant`` stops the clock, for endpoints whose clock is stopped too; ``patience`` makes
    the run's own way of waiting.
    """

    seed: int
    token: str
    concurrency: int = 1
    pack: bool = True
    max_orders: int = 0
    instant: datetime | None = None
    clean_up: bool = True
    patience: Callable[[], Patience] = Patience


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
    spent: dict[str, str] = field(default_factory=dict[str, str])
    # The vendor's ids of orders that this run created and could not delete.
    left: list[str] = field(default_factory=list[str])
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
        self.width = max(settings.concurrency, 1)
        # Cases that wait may be at work together; no more requests are on their way than were asked for.
        self._lanes = threading.Semaphore(self.width)
        self.purse = Purse(suite.account)
        self.patience = settings.patience()
        self._temporary_left = self.patience.limit
        self.run: Run

    def begin(self, selected: tuple[str, ...]) -> Run:
        """A fresh run; everything sent from now on belongs to it."""
        self.run = Run(self._suite, self._settings, selected, self.now())
        return self.run

    def next_unit(self) -> int:
        """The number of the next unit of the plan; exchanges are named after it."""
        self._unit += 1
        return self._unit

    def send(
        self,
        composed: Composed,
        purpose: str,
        number: int,
        step: int = 0,
        until: Callable[[Exchange], bool] | None = None,
        *,
        at_once: bool = False,
    ) -> Record:
        """
        Send one request; the record is not kept yet. Called from several threads.

        A refusal that the documentation calls temporary is waited out, since the endpoint says
        itself that it dropped the batch. A request that only reads is repeated ``until`` its answer
        is as it should be, within the run's patience. ``at_once`` requests wait for no lane.
        """
        name = f"x{number:04d}" + (f".{step + 1}" if step else "")
        earlier: list[Exchange] = []
        operation = self._suite.provider.operation(composed.operation)
        price = cost(operation, self._suite.account, ledger.orders_in(operation, composed.request.body or b""))
        if not self.purse.take(price):
            return self._record(composed, purpose, step, self._unaffordable(composed, name), ())
        lane = nullcontext() if at_once else self._lanes
        exchange = self._carry(composed, name, lane)
        waiting = self.patience.tries(self._temporary_left if until is None else self.patience.bound())
        while self._not_yet(exchange, until) and waiting.once_more():
            earlier.append(replace(exchange, id=f"{name}~{len(earlier) + 1}"))
            exchange = self._carry(composed, name, lane)
        if self._not_yet(exchange, until):
            # An endpoint that never comes round is not waited for again and again.
            if until is None:
                self._temporary_left = 0.0
            else:
                self.patience.in_vain = True
        answer = classify(operation, exchange)
        charge = charged(operation, exchange) if answer is Answer.ACCEPTED else None
        if answer in (Answer.REFUSED, Answer.AMBIGUOUS):
            charge = Counter()
        self.purse.settle(price, price if charge is None else charge)
        return self._record(composed, purpose, step, exchange, tuple(earlier))

    def _record(
        self, composed: Composed, purpose: str, step: int, exchange: Exchange, earlier: tuple[Exchange, ...]
    ) -> Record:
        return Record(
            exchange,
            purpose,
            composed.atoms,
            composed.case,
            step,
            len(composed.orders),
            composed.changes,
            composed.change_of,
            earlier,
        )

    def _unaffordable(self, composed: Composed, name: str) -> Exchange:
        detail = (
            f"not sent: the run would spend more than the account's max_spend = {self._suite.account.get('max_spend')}"
        )
        return Exchange(name, composed.operation, composed.request, self.now(), 0.0, trouble=Trouble("money", detail))

    def _carry(self, composed: Composed, name: str, lane: AbstractContextManager[object]) -> Exchange:
        with lane:
            return self._transport.send(composed.request, composed.operation, name, self.now())

    def _not_yet(self, exchange: Exchange, until: Callable[[Exchange], bool] | None) -> bool:
        if until is not None:
            return exchange.response is not None and not until(exchange)
        return refusals.is_temporary(self._suite.provider.operation(exchange.operation), exchange)

    def keep(self, records: list[Record]) -> None:
        """Keep records, in the order of the plan."""
        for record in records:
            self.run.records.append(record)
            # Reading proves nothing about refusals, nor does it need a control beside it.
            if record.exchange.operation == self._suite.provider.main.id:
                self.since_control = 0 if record.purpose == "control" else self.since_control + 1
                told = fates(self._suite.provider.main, record.exchange, record.orders)
                self.run.orders_created += told.count(Answer.ACCEPTED)
            if self._progress:
                self._progress(len(self.run.records), self.expected)

    def send_and_keep(
        self, composed: Composed, purpose: str, step: int = 0, until: Callable[[Exchange], bool] | None = None
    ) -> Record:
        """Send one request on its own."""
        record = self.send(composed, purpose, self.next_unit(), step, until)
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
