"""The runner: executes a plan once, guarded by controls, and keeps every exchange for the judge."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance import beside, budget, plan
from conformance.answers import Answer
from conformance.batches import Composer
from conformance.flow import Flow
from conformance.guard import Guard, Stop
from conformance.judge import judge
from conformance.memory import Memory
from conformance.model import Expect
from conformance.packing import Packer
from conformance.reader import Reader
from conformance.sender import Run, Sender, Settings, status
from conformance.shrinking import Shrinker
from conformance.spend import told
from conformance.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.flow import Task, Unit
    from conformance.model import Case, Record
    from conformance.packing import Pack
    from conformance.suite import Suite
    from conformance.transport import Transport

__all__ = ["Run", "Runner", "Settings"]
_WAITING = 8


class Runner:
    """Runs one suite against one transport. ``memory`` is what an interrupted run left."""

    def __init__(
        self,
        suite: Suite,
        transport: Transport,
        settings: Settings,
        progress: Callable[[int, int], None] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._suite = suite
        self._operation = suite.provider.main
        self._settings = settings
        self._composer = Composer(suite, settings.seed, settings.token)
        self._memory = memory or Memory()
        self._sender = Sender(suite, transport, settings, progress, self._memory)
        self._guard = Guard(self._operation, self._composer, self._sender, transport, suite.authorization[1:])
        self._reader = Reader(suite, self._composer, self._sender, settings.token)
        self.steps = Steps(suite, self._composer, self._sender)
        self._flow = Flow(self._sender, self._guard, self._check)
        # Statuses such as 404 that were shown in this run to speak of the body.
        self.explained: set[int] = set()
        self.doubtful: list[tuple[Case, int]] = []
        self._packer = Packer(suite, self._composer, self._sender, self._reader, self.doubtful)
        self._repeats = 0
        # Whether orders that could share a batch are sent one by one, since a bad one does not take its batch with it.
        self._alone = False

    def run(self, selected: Iterable[str]) -> Run:
        """Execute the plan for the selected cases and judge them. Ctrl-C ends it early, and no verdict is lost."""
        names = tuple(selected)
        run = self._sender.begin(names)
        todo = plan.make(self._suite, names).without(self._memory.settled)
        size = self._operation.pack_size if self._settings.pack else 1
        if self._settings.budget:
            todo = budget.by_yield(self._suite, todo)
            # Larger packs are halved more often where something is wrong, and cost less where nothing is.
            size = self._operation.batch_max if size > 1 else 1
        self._sender.expected = todo.requests(size)
        try:
            self._execute(todo, size)
        except Stop as stop:
            run.stopped = str(stop)
        except KeyboardInterrupt:
            run.stopped, run.interrupted = "it was interrupted", True
        run.spent = told(self._sender.purse.spent)
        reason = f"not sent: {run.stopped}" if run.stopped else "not sent"
        run.not_run |= dict.fromkeys(self._unsent(todo), reason)
        run.judgements = judge(self._suite, run.records, run.not_run, self._settings.token)
        if run.left_out:
            budget.leave_out(run)
        run.finished_at = self._sender.now()
        return run

    def _execute(self, todo: plan.Plan, size: int) -> None:
        """Send the plan, read back what is stored, and clean up, also after having stopped early."""
        try:
            self._reader.watch(self._guard.open())
            packs = self._packs(todo, size)
            if self._sender.lanes.width == 1 and not self._settings.budget:
                first: deque[Unit] = deque(packs)
                self._flow.run(first, 1)
                packs = []
                if todo.atoms:
                    self._control()
            self._singles(todo.singles, self._memory.attempt(""), packs)
            self._check()
            if self._suite.explored.changes:
                Shrinker(self._suite, self._composer, self._sender).run()
                self._check()
        except Stop:
            self._read_back()
            raise
        self._read_back()

    def _read_back(self) -> None:
        if self._sender.run.orders_created:
            self._reader.sweep()
            if self._settings.clean_up:
                self._reader.clean_up()

    def _packs(self, todo: plan.Plan, size: int) -> list[Pack]:
        """Orders that must be taken: several in a batch, once that is known to be sound."""
        by_order = self._operation.mixed_batch == "per-order"
        turns = beside.possible(self._operation) and any(case.turn is not None for case in todo.singles)
        if not by_order and size > 1 and (len(todo.atoms) > 1 or turns):
            together = any(self._all_or_nothing(probe, size) for probe in todo.probes)
            self.steps.beside = turns and together
            self._alone = not together
            size = size if together else 1
        return self._packer.units(todo.atoms, size)

    def _all_or_nothing(self, probe: Case, size: int) -> bool:
        """Whether one bad order at the end of a full pack takes the good ones with it."""
        if not self._sender.room_for(size, []):
            return False
        good = min(size, self._operation.batch_max) - 1
        step = replace(probe.steps[0], slots=(*["good"] * good, "changed"))
        for attempt in map(self._memory.attempt, ("probe", "once more")):
            composed = self._composer.step(replace(probe, steps=(step,)), 0, attempt, self._sender.now())
            record = self._sender.send_and_keep(replace(composed, atoms=(), case=""), "probe")
            if self._sender.answer(record) is not Answer.NONE:
                break
        return self._sender.answer(record) is Answer.REFUSED

    def _singles(self, cases: Sequence[Case], attempt: str = "", packs: Iterable[Pack] = ()) -> None:
        """Cases on their own, and packs before them: as many in flight as is allowed."""
        width = self._sender.lanes.width
        if self._sender.patience.longest:
            # Where storage takes time, cases that wait for it wait together.
            waiting = [case for case in cases if any(step.wait for step in case.steps)]
            self._flow.run(self._queue(waiting, attempt), max(width, _WAITING))
            cases = [case for case in cases if case not in waiting]
        self._flow.run(self._queue(cases, attempt, packs), width)

    def _queue(self, cases: Sequence[Case], attempt: str, packs: Iterable[Pack] = ()) -> deque[Unit]:
        singles: list[Unit] = [Single(self, self._sender, case, attempt) for case in cases]
        packs = list(packs)
        if self._settings.budget:
            return deque(budget.in_order(self._suite, cases, singles, packs, alone=self._alone))
        if self._sender.lanes.width == 1:
            return deque([*packs, *singles])
        # The longest begin first, lest the others wait for them in the end.
        units = sorted(singles, key=lambda unit: -unit.weight[1])
        # Many orders take long to be made: meanwhile others have to be on their way.
        apart = len(units) // (len(packs) + 1)
        for count, pack in enumerate(packs, 1):
            units.insert(count * (apart + 1) - 1, pack)
        return deque(units)

    # Controls

    def _control(self) -> None:
        """A control; what was lost before it is sent again, with other identifiers: it may have arrived."""
        # What is sent again needs a control behind it too.
        while lost := self._guard.check():
            names = dict.fromkeys(
                name for each in lost for name in (*each.atoms, each.case) if name in self._suite.by_id
            )
            self.doubtful[:] = [each for each in self.doubtful if each[0].id not in names]
            self._repeats += 1
            self._singles([self._suite.case(name) for name in names], self._memory.attempt(f"r{self._repeats}"))

    def _check(self) -> None:
        """A control, and once more what met 401, 403, 404 or 405, between accepted controls."""
        self._control()
        doubtful = self.doubtful[:]
        self.doubtful.clear()
        for case, step in doubtful:
            if case.is_scenario:
                # What its steps are answered hangs on the ones before.
                if self._sender.room_for(case.orders, (), len(case.steps)):
                    attempt = self._memory.attempt("again")
                    again = self.steps.run(case, self._sender.next_unit(), attempt, "confirm")
                    self._sender.keep(again)
                    self.explained |= {status(each) for each in again if each.step == step}
            elif self._sender.room_for(case.orders, ()):
                composed = self._composer.step(case, step, self._memory.attempt("again"), self._sender.now())
                self.explained.add(status(self._sender.send_and_keep(composed, "confirm", step)))
        if doubtful:
            self._control()

    # What was not sent

    def _unsent(self, todo: plan.Plan) -> Iterator[str]:
        run = self._sender.run
        sent = {name for record in run.records for name in (*record.atoms, record.case)}
        for name in [*(atom.id for atom in todo.atoms), *(case.id for case in todo.singles)]:
            if name not in sent and name not in run.not_run and name in self._suite.by_id:
                yield name


class Single:
    """One case with its steps, as a unit of the flow."""

    def __init__(self, runner: Runner, sender: Sender, case: Case, attempt: str) -> None:
        self._runner = runner
        self._sender = sender
        self._case = case
        self._attempt = attempt

    @property
    def weight(self) -> tuple[int, int]:
        """The orders it may create, and its steps."""
        return self._case.orders, len(self._case.steps)

    def begin(self, orders: int, requests: int) -> Task | None:
        """What sends its steps, where there is room."""
        own_orders, own_requests = self.weight
        if not self._sender.room_for(orders + own_orders, [self._case.id], requests + own_requests):
            return None
        number = self._sender.next_unit()
        return lambda: self._sent(number)

    def _sent(self, number: int) -> list[Record]:
        records = self._runner.steps.run(self._case, number, self._attempt)
        self._sender.memory.done(self._case.id)
        return records

    def done(self, records: list[Record], _queue: deque[Unit]) -> bool:
        """Note ambiguous answers for a second try; whether a control is called for at once."""
        case, at_once = self._case, False
        for record in records:
            answer = self._sender.answer(record)
            if answer is Answer.AMBIGUOUS and case.expect not in (Expect.DENY, Expect.OBSERVE):
                known = any(each.id == case.id for each, _ in self._runner.doubtful)
                if (len(case.steps) == 1 or case.is_scenario) and not known:
                    self._runner.doubtful.append((case, record.step))
                at_once |= status(record) not in self._runner.explained
            elif answer in (Answer.NONE, Answer.UNAVAILABLE, Answer.FAILED):
                at_once = True
            elif answer is Answer.REFUSED:
                at_once |= case.wanted(record.step) is Expect.ACCEPT
        return at_once
