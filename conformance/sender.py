"""Sending: composed requests into records, in a stable order, however many are in flight."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from conformance import ledger, refusals
from conformance.answers import TROUBLE, Answer, classify, fates
from conformance.lanes import Lanes
from conformance.model import Exchange, Judgement, Record, Request, Trouble
from conformance.patience import Patience
from conformance.spend import Purse, charged, cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance.batches import Composed
    from conformance.memory import Memory
    from conformance.suite import Suite
    from conformance.transport import Transport


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a run is done.

    ``instant`` stops the clock, for endpoints whose clock is stopped too; ``patience`` makes
    the run's own way of waiting. ``budget`` bounds the requests apart from reading back and
    clean-up; 0 is no bound.
    """

    seed: int
    token: str
    concurrency: int = 1
    pack: bool = True
    max_orders: int = 0
    instant: datetime | None = None
    clean_up: bool = True
    patience: Callable[[], Patience] = Patience
    budget: int = 0


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
    # Whether somebody pressed Ctrl-C: what was answered until then is judged all the same.
    interrupted: bool = False
    # Cases for which the budget had no room, with the reason.
    left_out: dict[str, str] = field(default_factory=dict[str, str])


@runtime_checkable
class Bounded(Protocol):
    """A transport that has room for so much of all answers only."""

    def begin_listing(self) -> None:
        """Make room for a whole listing; the answers to the one before are not kept."""
        ...


class Sender:
    """Sends for one run and keeps its records."""

    def __init__(
        self,
        suite: Suite,
        transport: Transport,
        settings: Settings,
        progress: Callable[[int, int], None] | None,
        memory: Memory,
    ) -> None:
        self._suite = suite
        self.memory = memory
        self._transport = transport
        self._settings = settings
        self._progress = progress
        self._unit = memory.last_unit
        self.expected = 0
        self.since_control = 0
        form = suite.provider.read_back
        self._aside = {form.list, form.one, form.delete} if form else set[str]()
        # Requests that the budget counts, those that are planned and under way included.
        self.counted = 0
        # Cases that wait may be at work together; no more requests are on their way than were asked for.
        self.lanes = Lanes(max(settings.concurrency, 1))
        self.purse = Purse(suite.account)
        self.patience = settings.patience()
        self._temporary_left = self.patience.limit
        self.run: Run

    def begin(self, selected: tuple[str, ...]) -> Run:
        """A run; everything sent from now on belongs to it, and whatever an earlier part of it had sent."""
        self.run = Run(self._suite, self._settings, selected, self.memory.started_at or self.now())
        for record in self.memory.records:
            price = self._price(record.exchange.operation, record.exchange.request)
            self.purse.take(price)
            self._settle(record, price, None)
            self._count(record)
        self.run.records = list(self.memory.records)
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
        in_lane: bool = False,
        again: int = 0,
    ) -> Record:
        """
        Send one request; the record is not kept yet. Called from several threads.

        A refusal that the documentation calls temporary is waited out, since the endpoint says
        itself that it dropped the batch. A request that only reads is repeated ``until`` its answer
        is as it should be, within the run's patience. Whoever took a lane says ``in_lane``; ``again`` counts
        the requests that a step had before.
        """
        name = f"x{number:04d}" + (f".{step + again + 1}" if step + again else "")
        price = self._price(composed.operation, composed.request)
        if not self.purse.take(price):
            limit = self._suite.account.get("max_spend")
            trouble = Trouble("money", f"not sent: the run would spend more than the account's max_spend = {limit}")
            exchange = Exchange(name, composed.operation, composed.request, self.now(), 0.0, trouble=trouble)
            return self._record(composed, purpose, step, exchange, ())
        came = self._carried(composed, name, until, in_lane=in_lane)
        record = self._record(composed, purpose, step, *came)
        self._settle(record, price, until)
        self.memory.keep(record)
        return record

    def _price(self, operation: str, request: Request) -> Counter[str]:
        form = self._suite.provider.operation(operation)
        return cost(form, self._suite.account, ledger.orders_in(form, request.body or b""))

    def _carried(
        self,
        composed: Composed,
        name: str,
        until: Callable[[Exchange], bool] | None,
        *,
        in_lane: bool,
    ) -> tuple[Exchange, tuple[Exchange, ...]]:
        """Carry a request, again while it is answered "not yet"; what came last, and before that."""
        earlier: list[Exchange] = []
        exchange = self._carry(composed, name, in_lane=in_lane)
        waiting = self.patience.tries(self._temporary_left if until is None else self.patience.bound())
        while self._not_yet(exchange, until) and waiting.once_more():
            earlier.append(replace(exchange, id=f"{name}~{len(earlier) + 1}"))
            exchange = self._carry(composed, name, in_lane=in_lane)
        return exchange, tuple(earlier)

    def _settle(self, record: Record, price: Counter[str], until: Callable[[Exchange], bool] | None) -> None:
        """Learn from an answer how patient to be, and what was charged."""
        exchange = record.exchange
        operation = self._suite.provider.operation(exchange.operation)
        # An endpoint that never comes round is not waited for again and again.
        if until is None:
            if self._not_yet(exchange, until):
                self._temporary_left = 0.0
        elif not until(exchange):
            self.patience.in_vain = True
        elif record.earlier:
            self.patience.saw((exchange.sent_at - record.earlier[0].sent_at).total_seconds())
        answer = classify(operation, exchange)
        charge = charged(operation, exchange) if answer is Answer.ACCEPTED else None
        if answer in (Answer.REFUSED, Answer.AMBIGUOUS):
            charge = Counter()
        self.purse.settle(price, price if charge is None else charge)

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

    def _carry(self, composed: Composed, name: str, *, in_lane: bool) -> Exchange:
        with nullcontext() if in_lane else self.lanes.one():
            return self._transport.send(composed.request, composed.operation, name, self.now())

    def _not_yet(self, exchange: Exchange, until: Callable[[Exchange], bool] | None) -> bool:
        if until is not None:
            # Reading does no harm: where the answer was lost, nobody knows yet. Where it was lost for good, one try tells.
            lost = classify(self._suite.provider.operation(exchange.operation), exchange) in TROUBLE
            return not until(exchange) and not (lost and self.patience.in_vain)
        return refusals.is_temporary(self._suite.provider.operation(exchange.operation), exchange)

    def begin_listing(self) -> None:
        """Make room for the answers to a whole listing."""
        if isinstance(self._transport, Bounded):
            self._transport.begin_listing()

    def keep(self, records: list[Record]) -> None:
        """Keep records, in the order of the plan."""
        for record in records:
            self.run.records.append(record)
            self._count(record)
            if self._progress:
                self._progress(len(self.run.records), self.expected)

    def _count(self, record: Record) -> None:
        # Reading proves nothing about refusals, nor does it need a control beside it.
        if record.exchange.operation == self._suite.provider.main.id:
            self.since_control = 0 if record.purpose == "control" else self.since_control + 1
            told = fates(self._suite.provider.main, record.exchange, record.orders)
            self.run.orders_created += told.count(Answer.ACCEPTED)
        if record.exchange.operation not in self._aside:
            self.counted += 1 + len(record.earlier)

    def send_and_keep(
        self, composed: Composed, purpose: str, step: int = 0, until: Callable[[Exchange], bool] | None = None
    ) -> Record:
        """Send one request on its own."""
        record = self.send(composed, purpose, self.next_unit(), step, until)
        self.keep([record])
        return record

    def room_for(self, orders: int, names: Iterable[str], requests: int = 1) -> bool:
        """
        Whether so many more orders and requests may be sent; otherwise the named cases are noted as not run.

        Room for one control is kept back: without the control behind them, refusals prove nothing.
        """
        limit, budget = self._settings.max_orders, self._settings.budget
        if limit and self.run.orders_created + orders + 1 > limit:
            self.run.not_run |= dict.fromkeys(names, f"not sent: it could create more than --max-orders={limit} orders")
            return False
        if budget and self.counted + requests + 1 > budget:
            self.run.left_out |= dict.fromkeys(names, for_lack_of(budget))
            return False
        return True

    @property
    def no_room(self) -> str:
        """Why not even a control may be sent any more, or an empty text."""
        limit, budget = self._settings.max_orders, self._settings.budget
        if limit and self.run.orders_created + 1 > limit:
            return "as many orders as --max-orders allows were created"
        if budget and self.counted + 1 > budget:
            return f"as many requests as --budget={budget} allows were sent"
        return ""

    def answer(self, record: Record) -> Answer:
        """What the answer of a record means."""
        return classify(self._suite.provider.operation(record.exchange.operation), record.exchange)

    def now(self) -> datetime:
        """The instant of sending."""
        return self._settings.instant or datetime.now(UTC)


def status(record: Record) -> int:
    """The status of a record's answer; 0 without one."""
    return record.exchange.response.status if record.exchange.response else 0


def for_lack_of(budget: int) -> str:
    """Why a case was not sent."""
    return f"left out: --budget={budget}"
