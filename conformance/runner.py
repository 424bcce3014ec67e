"""The runner: executes a plan once, guarded by controls, and keeps every exchange for the judge."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from conformance import plan, values
from conformance.answers import Answer, fates
from conformance.batches import PLAIN, Composed, Composer, Unmade
from conformance.guard import Guard, Stop
from conformance.judge import judge
from conformance.model import Case, Expect, Record
from conformance.reader import Reader
from conformance.sender import Run, Sender, Settings, in_flight, status
from conformance.spend import told
from conformance.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.suite import Suite
    from conformance.transport import Transport

__all__ = ["Run", "Runner", "Settings"]
T = TypeVar("T")
# Attempts are named by the path of halvings that led to them (p, pa, pab …); a drawn letter gets some more.
_DRAWS = 3
_LONGEST_ATTEMPT = 12 + _DRAWS
_WAITING = 8


class Runner:
    """Runs one suite against one transport."""

    def __init__(
        self, suite: Suite, transport: Transport, settings: Settings, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._suite = suite
        self._operation = suite.provider.main
        self._settings = settings
        self._composer = Composer(suite, settings.seed, settings.token)
        self._sender = Sender(suite, transport, settings, progress)
        self._guard = Guard(self._operation, self._composer, self._sender, transport, suite.authorization[1:])
        self._reader = Reader(suite, self._composer, self._sender, settings.token)
        self._steps = Steps(suite, self._composer, self._sender)
        self._width = self._sender.width
        # Statuses such as 404 that were shown in this run to speak of the body.
        self._explained: set[int] = set()
        self._doubtful: list[tuple[Case, int]] = []

    def run(self, selected: Iterable[str]) -> Run:
        """Execute the plan for the selected cases and judge them."""
        names = tuple(selected)
        run = self._sender.begin(names)
        todo = plan.make(self._suite, names)
        self._sender.expected = todo.requests(self._operation.pack_size if self._settings.pack else 1)
        try:
            self._reader.watch(self._guard.open())
            self._accepted(todo)
            self._singles(todo.singles)
            self._control()
            self._confirm()
        except Stop as stop:
            run.stopped = str(stop)
        if run.orders_created:
            self._reader.sweep()
            if self._settings.clean_up:
                self._reader.clean_up()
        run.spent = told(self._sender.purse.spent)
        reason = f"not sent: {run.stopped}" if run.stopped else "not sent"
        run.not_run |= dict.fromkeys(self._unsent(todo), reason)
        run.judgements = judge(self._suite, run.records, run.not_run, self._settings.token)
        run.finished_at = self._sender.now()
        return run

    # Orders that must be taken

    def _accepted(self, todo: plan.Plan) -> None:
        """Several in a batch, once that is known to be sound."""
        size = self._operation.pack_size if self._settings.pack else 1
        by_order = self._operation.mixed_batch == "per-order"
        if not by_order and size > 1 and len(todo.atoms) > 1 and not self._all_or_nothing(todo, size):
            size = 1
        send = self._pack_of_fates if by_order else self._pack
        for pack in _chunks(todo.atoms, size):
            if self._sender.room_for(len(pack), [atom.id for atom in pack]):
                try:
                    send(pack, "p")
                except Unmade:
                    # Raised before anything of the pack was sent.
                    if made := self._made(pack):
                        send(made, "p")
            self._control_if_due()
        if todo.atoms:
            self._control()

    def _made(self, atoms: Sequence[plan.Atom]) -> list[plan.Atom]:
        """The atoms that orders can be made of; the others are noted as not sent, with the reason."""
        made: list[plan.Atom] = []
        for atom in atoms:
            try:
                self._composer.orders([atom], "try", self._sender.now())
            except Unmade as error:
                self._sender.run.not_run[atom.id] = f"not sent: it cannot be made for this account: {error}"
            else:
                made.append(atom)
        return made

    def _all_or_nothing(self, todo: plan.Plan, size: int) -> bool:
        """Whether one bad order at the end of a full pack takes the good ones with it."""
        if todo.probe is None or not self._sender.room_for(size, []):
            return False
        good = min(size, self._operation.batch_max) - 1
        step = replace(todo.probe.steps[0], slots=(*["good"] * good, "changed"))
        composed = self._composer.step(replace(todo.probe, steps=(step,)), 0, "probe", self._sender.now())
        record = self._sender.send_and_keep(replace(composed, atoms=(), case=""), "probe")
        return self._sender.answer(record) is Answer.REFUSED

    def _pack(self, atoms: Sequence[plan.Atom], attempt: str) -> None:
        """Send atoms together; a refused pack is halved, with fresh ids, until the culprits stand alone."""
        atoms, attempt, composed = self._unclaimed(atoms, attempt)
        if not atoms:
            return
        record = self._sender.send_and_keep(composed, "pack")
        answer = self._sender.answer(record)
        if len(atoms) > 1 and answer in (Answer.REFUSED, Answer.FAILED, Answer.AMBIGUOUS):
            half = len(atoms) // 2
            self._pack(atoms[:half], f"{attempt}a")
            self._pack(atoms[half:], f"{attempt}b")
        elif answer is Answer.AMBIGUOUS and atoms[0].id in self._suite.by_id:
            self._doubtful.append((self._suite.case(atoms[0].id), 0))
        elif answer is Answer.REFUSED and values.draws_letter(atoms[0].change) and len(attempt) < _LONGEST_ATTEMPT:
            # Perhaps an earlier run used that letter, and the endpoint minds: the next attempt draws another.
            self._pack(atoms, f"{attempt:x<{_LONGEST_ATTEMPT - _DRAWS}}x")

    def _pack_of_fates(self, atoms: Sequence[plan.Atom], attempt: str) -> None:
        """
        Send atoms together where each has a fate of its own, with a control among them.

        Without the control's acceptance, or without a fate for each, the refusals beside prove
        nothing: then the pack is halved. What was refused and should not be is tried once more alone.
        """
        composed = self._composer.orders([*atoms, plan.Atom("control", PLAIN)], attempt, self._sender.now())
        record = self._sender.send_and_keep(composed, "pack")
        told = fates(self._operation, record.exchange, len(record.atoms))
        if told[-1] is not Answer.ACCEPTED or Answer.UNTOLD in told:
            if len(atoms) > 1:
                self._sender.run.records[-1] = replace(record, purpose="lost", atoms=())
                half = len(atoms) // 2
                self._pack_of_fates(atoms[:half], f"{attempt}a")
                self._pack_of_fates(atoms[half:], f"{attempt}b")
            elif told[-1] is not Answer.ACCEPTED and atoms[0].id in self._suite.by_id:
                # Perhaps it is the control that the bad order took with it: alone, it is judged by the controls around.
                self._sender.run.records[-1] = replace(record, purpose="lost", atoms=())
                self._alone(atoms[0], f"{attempt}x")
            return
        for atom, fate in zip(atoms, told, strict=False):
            if atom.expect is Expect.ACCEPT and fate is not Answer.ACCEPTED and len(atoms) > 1:
                self._alone(atom, f"{attempt}x")

    def _alone(self, atom: plan.Atom, attempt: str) -> None:
        record = self._sender.send_and_keep(self._composer.orders([atom], attempt, self._sender.now()), "pack")
        if self._sender.answer(record) in (Answer.NONE, Answer.UNAVAILABLE, Answer.FAILED, Answer.AMBIGUOUS):
            if self._sender.answer(record) is Answer.AMBIGUOUS and atom.id in self._suite.by_id:
                self._doubtful.append((self._suite.case(atom.id), 0))
            self._control()

    def _unclaimed(self, atoms: Sequence[plan.Atom], attempt: str) -> tuple[Sequence[plan.Atom], str, Composed]:
        """
        A batch in which no drawn identifier is one that the account already has an order under.

        Identifiers carry the run's token; those that a case makes too short for it are looked
        up first, since sending them again would change somebody's order.
        """
        keys = self._operation.order.key if self._operation.order else ()
        composed = self._composer.orders(atoms, attempt, self._sender.now())
        for _ in range(_DRAWS):
            claimed = [
                atom.id
                for atom, order in zip(atoms, composed.orders, strict=False)
                if any(each.get("path") in keys and each.get("value") == "@letter" for each in atom.change)
                and not self._reader.is_free(order)
            ]
            if not claimed:
                return atoms, attempt, composed
            attempt += "y"
            composed = self._composer.orders(atoms, attempt, self._sender.now())
        self._sender.run.not_run |= dict.fromkeys(claimed, "not sent: the account has an order under each id tried")
        atoms = [atom for atom in atoms if atom.id not in claimed]
        return atoms, attempt, self._composer.orders(atoms, attempt, self._sender.now())

    # Cases on their own

    def _singles(self, cases: Sequence[Case]) -> None:
        """As many in flight as is allowed, with controls between them."""
        if self._sender.patience.longest:
            # Where storage takes time, cases that wait for it wait together.
            waiting = [case for case in cases if any(step.wait for step in case.steps)]
            self._in_windows(waiting, max(self._width, _WAITING))
            cases = [case for case in cases if case not in waiting]
        self._in_windows(cases, self._width)

    def _in_windows(self, cases: Sequence[Case], width: int) -> None:
        for window in _chunks(cases, width):
            sendable: list[Case] = []
            for case in window:
                planned = sum(each.orders for each in sendable)
                if self._sender.room_for(planned + case.orders, [case.id]):
                    sendable.append(case)
            tasks = [partial(self._steps.run, case, self._sender.next_unit()) for case in sendable]
            at_once = False
            for case, records in zip(sendable, in_flight(tasks, width), strict=True):
                self._sender.keep(records)
                at_once |= self._unexpected(case, records)
            if at_once:
                self._control()
                self._confirm()
            else:
                self._control_if_due()

    def _unexpected(self, case: Case, records: list[Record]) -> bool:
        """Note ambiguous answers for a second try; whether a control is called for at once."""
        at_once = False
        for record in records:
            answer = self._sender.answer(record)
            if answer is Answer.AMBIGUOUS and case.expect not in (Expect.DENY, Expect.OBSERVE):
                if len(case.steps) == 1:
                    self._doubtful.append((case, record.step))
                at_once |= status(record) not in self._explained
            elif answer in (Answer.NONE, Answer.UNAVAILABLE, Answer.FAILED):
                at_once = True
            elif answer is Answer.REFUSED:
                at_once |= case.expect is Expect.ACCEPT
        return at_once

    # Controls

    def _control(self) -> None:
        """A control; what was lost before it is sent again."""
        lost = self._guard.check()
        names = dict.fromkeys(name for each in lost for name in (*each.atoms, each.case) if name in self._suite.by_id)
        if names:
            self._doubtful = [each for each in self._doubtful if each[0].id not in names]
            self._singles([self._suite.case(name) for name in names])

    def _control_if_due(self) -> None:
        if self._guard.due(self._width):
            self._control()
            self._confirm()

    def _confirm(self) -> None:
        """Send what met 401, 403, 404 or 405 once more, between accepted controls."""
        doubtful, self._doubtful = self._doubtful, []
        for case, step in doubtful:
            composed = self._composer.step(case, step, "again", self._sender.now())
            self._explained.add(status(self._sender.send_and_keep(composed, "confirm", step)))
        if doubtful:
            self._control()

    def _unsent(self, todo: plan.Plan) -> Iterator[str]:
        run = self._sender.run
        sent = {name for record in run.records for name in (*record.atoms, record.case)}
        for name in [*(atom.id for atom in todo.atoms), *(case.id for case in todo.singles)]:
            if name not in sent and name not in run.not_run and name in self._suite.by_id:
                yield name


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
