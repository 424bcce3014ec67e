"""The runner: executes a plan once, guarded by controls, and keeps every exchange for the judge."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from conformance import plan
from conformance.batches import PLAIN, Composed, Composer
from conformance.envelope import Answer, classify
from conformance.judge import describe, judge
from conformance.model import Case, Expect, Judgement, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.model import Json
    from conformance.suite import Suite
    from conformance.transport import Transport

# A control stands at least this often between other requests.
CONTROL_EVERY = 50
_PAUSE_S = 1.0
# Tokens expire; an endpoint that fails more often than this is not being tested but endured.
_MAX_RENEWALS = 20
# Name, lines of each order, further orders beside it.
_LARGER_CONTROLS = (("full", 1, 0), ("full with two lines", 2, 0), ("two full orders", 2, 1))
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


class Stop(Exception):  # noqa: N818  # not an error: the run ends here
    """Nothing more can be concluded; the text is for the user."""


class Runner:
    """Runs one suite against one transport."""

    def __init__(
        self, suite: Suite, transport: Transport, settings: Settings, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._suite = suite
        self._operation = suite.provider.main
        self._transport = transport
        self._settings = settings
        self._composer = Composer(suite, settings.seed, settings.token)
        self._progress = progress
        self._unit = 0
        self._since_control = 0
        self._expected = 0
        self._lost_from = 0
        self._renewals = 0
        # Statuses such as 404 that were shown in this run to speak of the body.
        self._explained: set[int] = set()
        self._doubtful: list[tuple[Case, int]] = []

    def run(self, selected: Iterable[str]) -> Run:
        """Execute the plan for the selected cases and judge them."""
        names = tuple(selected)
        self._run = run = Run(self._suite, self._settings, names, self._now())
        todo = plan.make(self._suite, names)
        self._expected = todo.requests(self._operation.pack_size if self._settings.pack else 1)
        try:
            self._first_control()
            self._lost_from = len(run.records)
            self._accepted(todo)
            self._singles(todo.singles)
            self._settle()
        except Stop as stop:
            run.stopped = str(stop)
        run.not_run |= dict.fromkeys(self._unsent(todo), f"not sent: {run.stopped}" if run.stopped else "not sent")
        run.judgements = judge(self._suite, run.records, run.not_run)
        run.finished_at = self._now()
        return run

    # Controls

    def _first_control(self) -> None:
        record = self._send_control()
        answer = self._answer(record)
        if answer is Answer.AMBIGUOUS and self._status(record) in (404, 405) and self._transport.other_base():
            self._run.records.clear()
            record = self._send_control()
            answer = self._answer(record)
        if answer is Answer.REFUSED:
            answer = self._larger_control()
        if answer is not Answer.ACCEPTED:
            raise Stop(self._advice(record, answer))

    def _larger_control(self) -> Answer:
        """
        Try a larger valid batch as the control.

        Perhaps the endpoint demands a member, a second line or a second order that the
        documentation does not ask for. With a control all the rest can still be judged,
        and what was refused turns up as the violation that it is.
        """
        for name, lines, fillers in _LARGER_CONTROLS:
            self._composer.enlarge(lines, fillers)
            answer = self._answer(self._send_control())
            if answer is not Answer.REFUSED:
                self._run.control = name
                return answer
        return Answer.REFUSED

    def _advice(self, record: Record, answer: Answer) -> str:
        got = describe(record.exchange)
        path = f"{self._operation.method} {self._operation.path}"
        if answer is Answer.NONE:
            kind = record.exchange.trouble.kind if record.exchange.trouble else ""
            if kind == "credentials":
                return f"{path}: {got}"
            return f"{path}: {got}; check that the endpoint is running and its URL is right"
        hints = {401: "check the credentials", 403: "check the credentials and what the account may do"}
        status = self._status(record)
        hint = hints.get(status, "check the account facts (--account)" if 400 <= status < 500 else "try again later")
        if status in (404, 405) or 300 <= status < 400:
            hint = f"check --endpoint: it is the part before {self._operation.path}"
        return f"{path}: the plain valid batch was not accepted: {got}; {hint}"

    def _send_control(self) -> Record:
        composed = self._composer.orders([plan.Atom("control", PLAIN)], f"c{self._unit}", self._now())
        self._since_control = 0
        record = self._send(composed, "control", self._next_unit())
        self._keep([record])
        return record

    def _control(self) -> None:
        """A control between other requests. Raises Stop when the endpoint no longer takes a valid batch."""
        record = self._send_control()
        if self._answer(record) is Answer.ACCEPTED:
            self._lost_from = len(self._run.records)
            return
        renewed = self._status(record) in (401, 403) and self._transport.renew_credentials()
        if not renewed:
            self._sleep()
        again = self._send_control()
        answer = self._answer(again)
        if answer is not Answer.ACCEPTED:
            raise Stop(f"in mid-run {self._advice(again, answer)}")
        self._redo()

    def _redo(self) -> None:
        """Send again what was refused between the last good control and the bad one: it proves nothing."""
        self._renewals += 1
        if self._renewals > _MAX_RENEWALS:
            raise Stop(f"the endpoint stopped taking the plain valid batch {self._renewals} times in this run")
        lost = self._run.records[self._lost_from :]
        self._lost_from = len(self._run.records)
        names = dict.fromkeys(
            atom
            for each in lost
            if each.purpose != "control" and self._answer(each) is not Answer.ACCEPTED
            for atom in (*each.atoms, each.case)
            if atom in self._suite.by_id
        )
        start = len(self._run.records) - len(lost)
        for index, each in enumerate(lost, start):
            if {*each.atoms, each.case} & set(names) or each.purpose == "control":
                self._run.records[index] = replace(each, purpose="lost", atoms=(), case="")
        self._doubtful = [each for each in self._doubtful if each[0].id not in names]
        self._singles([self._suite.case(name) for name in names])

    # Phases

    def _accepted(self, todo: plan.Plan) -> None:
        """Orders that must be taken, several in a batch once that is known to be sound."""
        size = self._operation.pack_size if self._settings.pack else 1
        if size > 1 and len(todo.atoms) > 1 and not self._all_or_nothing(todo, size):
            size = 1
        packs = [todo.atoms[start : start + size] for start in range(0, len(todo.atoms), size)]
        for pack in packs:
            if self._room_for(len(pack), [atom.id for atom in pack]):
                self._pack(pack, "p")
            self._control_if_due()
        if packs:
            self._control()

    def _all_or_nothing(self, todo: plan.Plan, size: int) -> bool:
        """Whether one bad order at the end of a full pack takes the good ones with it."""
        if todo.probe is None or not self._room_for(size, []):
            return False
        step = replace(todo.probe.steps[0], slots=(*["good"] * (min(size, self._operation.batch_max) - 1), "changed"))
        composed = self._composer.step(replace(todo.probe, steps=(step,)), 0, "probe", self._now())
        record = self._send(replace(composed, atoms=(), case=""), "probe", self._next_unit())
        self._keep([record])
        return self._answer(record) is Answer.REFUSED

    def _pack(self, atoms: Sequence[plan.Atom], attempt: str) -> None:
        """Send atoms together; a refused pack is halved, with fresh ids, until the culprits stand alone."""
        composed = self._composer.orders(atoms, attempt, self._now())
        record = self._send(composed, "pack", self._next_unit())
        self._keep([record])
        answer = self._answer(record)
        if len(atoms) > 1 and answer in (Answer.REFUSED, Answer.FAILED, Answer.AMBIGUOUS):
            half = len(atoms) // 2
            self._pack(atoms[:half], f"{attempt}a")
            self._pack(atoms[half:], f"{attempt}b")
        elif answer is Answer.AMBIGUOUS and atoms[0].id in self._suite.by_id:
            self._doubtful.append((self._suite.case(atoms[0].id), 0))

    def _singles(self, cases: Sequence[Case]) -> None:
        """Cases on their own, as many in flight as is allowed, with controls between them."""
        width = max(self._settings.concurrency, 1)
        for window in _chunks(cases, width):
            cases_now = [case for case in window if self._room_for(case.orders, [case.id])]
            numbers = [self._next_unit() for _ in cases_now]
            tasks = [partial(self._case, case, number) for case, number in zip(cases_now, numbers, strict=True)]
            results = self._in_flight(tasks, width)
            doubt = False
            for case, records in zip(cases_now, results, strict=True):
                self._keep(records)
                doubt |= self._unexpected(case, records)
            if doubt:
                self._control()
                self._confirm()
            else:
                self._control_if_due()

    def _settle(self) -> None:
        self._control()
        if self._doubtful:
            self._confirm()

    def _confirm(self) -> None:
        """Send what met 401, 403, 404 or 405 once more, between accepted controls."""
        doubtful, self._doubtful = self._doubtful, []
        if not doubtful:
            return
        for case, step in doubtful:
            composed = self._composer.step(case, step, "again", self._now())
            record = self._send(composed, "confirm", self._next_unit(), step)
            self._keep([record])
            self._explained.add(self._status(record))
        self._control()

    def _unexpected(self, case: Case, records: list[Record]) -> bool:
        """Note ambiguous answers for a second try; whether a control is called for at once."""
        at_once = False
        for record in records:
            answer = self._answer(record)
            speaks_of_body = case.expect not in (Expect.DENY, Expect.OBSERVE)
            if answer is Answer.AMBIGUOUS and speaks_of_body:
                if len(case.steps) == 1:
                    self._doubtful.append((case, record.step))
                at_once |= self._status(record) not in self._explained
            elif answer in (Answer.NONE, Answer.UNAVAILABLE, Answer.FAILED) or (
                answer is Answer.REFUSED and case.expect is Expect.ACCEPT
            ):
                at_once = True
        return at_once

    # Sending

    def _case(self, case: Case, number: int) -> list[Record]:
        first: Json = None
        composed: list[Composed] = []
        for index in range(len(case.steps)):
            made = self._composer.step(case, index, "", self._now(), first)
            first = made.orders[0] if first is None and made.orders else first
            composed.append(made)
        sends = [partial(self._send, made, "case", number, index) for index, made in enumerate(composed)]
        if case.parallel:
            return self._in_flight(sends, len(sends))
        return [send() for send in sends]

    def _send(self, composed: Composed, purpose: str, number: int, step: int = 0) -> Record:
        name = f"x{number:04d}" + (f".{step + 1}" if step else "")
        exchange = self._transport.send(composed.request, composed.operation, name, self._now())
        return Record(
            exchange, purpose, composed.atoms, composed.case, step, len(composed.orders), composed.changes,
            composed.change_of,
        )  # fmt: skip

    def _in_flight(self, tasks: Sequence[Callable[[], T]], width: int) -> list[T]:
        if width == 1 or len(tasks) == 1:
            return [task() for task in tasks]
        with ThreadPoolExecutor(width) as pool:
            return [future.result() for future in [pool.submit(task) for task in tasks]]

    def _keep(self, records: list[Record]) -> None:
        for record in records:
            self._run.records.append(record)
            if record.purpose != "control":
                self._since_control += 1
            if self._answer(record) is Answer.ACCEPTED and record.exchange.operation == self._operation.id:
                self._run.orders_created += record.orders
            if self._progress:
                self._progress(len(self._run.records), self._expected)

    def _control_if_due(self) -> None:
        if self._since_control >= CONTROL_EVERY - max(self._settings.concurrency, 1):
            self._control()
            self._confirm()

    def _room_for(self, orders: int, names: list[str]) -> bool:
        limit = self._settings.max_orders
        if not limit or self._run.orders_created + orders < limit:
            return True
        self._run.not_run |= dict.fromkeys(names, f"not sent: it could create more than --max-orders={limit} orders")
        return False

    def _unsent(self, todo: plan.Plan) -> Iterator[str]:
        sent = {name for record in self._run.records for name in (*record.atoms, record.case)}
        for name in [*(atom.id for atom in todo.atoms), *(case.id for case in todo.singles)]:
            if name not in sent and name not in self._run.not_run and name in self._suite.by_id:
                yield name

    def _next_unit(self) -> int:
        self._unit += 1
        return self._unit

    def _answer(self, record: Record) -> Answer:
        return classify(self._suite.provider.operation(record.exchange.operation), record.exchange)

    @staticmethod
    def _status(record: Record) -> int:
        return record.exchange.response.status if record.exchange.response else 0

    def _now(self) -> datetime:
        return self._settings.instant or datetime.now(UTC)

    def _sleep(self) -> None:
        if self._settings.instant is None:
            time.sleep(_PAUSE_S)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
