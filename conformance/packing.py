"""Packing: orders that must be taken share batches, where that is sound; a refused batch is halved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from conformance import values
from conformance.answers import TROUBLE, Answer, fates
from conformance.batches import PLAIN, Unmade
from conformance.model import Expect
from conformance.plan import Atom

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator, Sequence

    from conformance.batches import Composed, Composer
    from conformance.flow import Task, Unit
    from conformance.model import Case, Record
    from conformance.reader import Reader
    from conformance.sender import Sender
    from conformance.suite import Suite

T = TypeVar("T")
# Attempts are named by the path of halvings that led to them (p, pa, pab …); a drawn letter gets some more.
_DRAWS = 3
_LONGEST_ATTEMPT = 12 + _DRAWS


class Packer:
    """
    Makes packs, and reads what came of them.

    ``doubtful`` collects cases that were answered with a status that may not be about the body;
    ``in_vain`` is set where the halves of a pack without an answer had none either.
    """

    def __init__(
        self, suite: Suite, composer: Composer, sender: Sender, reader: Reader, doubtful: list[tuple[Case, int]]
    ) -> None:
        self.suite = suite
        self.operation = suite.provider.main
        self.composer = composer
        self.sender = sender
        self.reader = reader
        self.doubtful = doubtful
        self.in_vain = False

    def units(self, atoms: Sequence[Atom], size: int) -> list[Pack]:
        """The packs of atoms, each in its turn."""
        kind = FatesPack if self.operation.mixed_batch == "per-order" else Pack
        return [kind(self, chunk, self.sender.memory.attempt("p")) for chunk in chunks(atoms, size)]

    def made(self, atoms: Sequence[Atom]) -> list[Atom]:
        """The atoms that orders can be made of; the others are noted as not sent, with the reason."""
        made: list[Atom] = []
        for atom in atoms:
            try:
                self.composer.orders([atom], "try", self.sender.now())
            except Unmade as error:
                self.sender.run.not_run[atom.id] = f"not sent: it cannot be made for this account: {error}"
            else:
                made.append(atom)
        return made

    def unclaimed(self, atoms: Sequence[Atom], attempt: str) -> tuple[Sequence[Atom], str, Composed]:
        """
        A batch in which no drawn identifier is one that the account already has an order under.

        Identifiers carry the run's token; those that a case makes too short for it are looked
        up first, since sending them again would change somebody's order.
        """
        keys = self.operation.order.key if self.operation.order else ()
        composed = self.composer.orders(atoms, attempt, self.sender.now())
        for _ in range(_DRAWS):
            claimed = [
                atom.id
                for atom, order in zip(atoms, composed.orders, strict=False)
                if any(each.get("path") in keys and each.get("value") == "@letter" for each in atom.change)
                and not self.reader.is_free(order)
            ]
            if not claimed:
                return atoms, attempt, composed
            attempt += "y"
            composed = self.composer.orders(atoms, attempt, self.sender.now())
        why = self.reader.doubt or "the account has an order under each id tried"
        self.sender.run.not_run |= dict.fromkeys(claimed, f"not sent: {why}")
        atoms = [atom for atom in atoms if atom.id not in claimed]
        return atoms, attempt, self.composer.orders(atoms, attempt, self.sender.now())


class Pack:
    """
    Orders of one batch, all of which must be taken.

    ``parent`` is the refused pack that it is half of; ``again`` says that a pack around it got no answer.
    """

    def __init__(
        self, packer: Packer, atoms: Sequence[Atom], attempt: str, parent: str = "", *, again: bool = False
    ) -> None:
        self._packer = packer
        self._sender = packer.sender
        self.atoms = atoms
        self._attempt = attempt
        self._parent = parent
        self._again = again

    @property
    def weight(self) -> tuple[int, int]:
        """Its orders, in one request."""
        return len(self.atoms), 1

    def begin(self, orders: int, requests: int) -> Task | None:
        """Compose the batch."""
        if not self._sender.room_for(orders + len(self.atoms), [each.id for each in self.atoms], requests + 1):
            # Those that stood in a refused pack and cannot stand alone any more are not to blame.
            self._set_aside(self._parent)
            return None
        try:
            composed = self._composed()
        except Unmade:
            # Raised before anything of the pack was sent.
            self.atoms = self._packer.made(self.atoms)
            composed = self._composed() if self.atoms else None
        if composed is None:
            return None
        number = self._sender.next_unit()
        return lambda: [self._sender.send(composed, "pack", number)]

    def _composed(self) -> Composed | None:
        self.atoms, self._attempt, composed = self._packer.unclaimed(self.atoms, self._attempt)
        return composed if self.atoms else None

    def done(self, records: list[Record], queue: deque[Unit]) -> bool:
        """Halve a refused pack, with fresh ids, until the culprits stand alone; one without an answer once."""
        [record] = records
        answer = self._sender.answer(record)
        atoms, attempt = self.atoms, self._attempt
        if len(atoms) > 1 and answer in (Answer.REFUSED, Answer.FAILED, Answer.AMBIGUOUS):
            self._halve(queue, record.exchange.id)
        elif answer is Answer.AMBIGUOUS and atoms[0].id in self._packer.suite.by_id:
            self._packer.doubtful.append((self._packer.suite.case(atoms[0].id), 0))
        elif answer is Answer.REFUSED and values.draws_letter(atoms[0].change) and len(attempt) < _LONGEST_ATTEMPT:
            # Perhaps an earlier run used that letter, and the endpoint minds: the next attempt draws another.
            self._next(queue, atoms, f"{attempt:x<{_LONGEST_ATTEMPT - _DRAWS}}x")
        elif len(atoms) > 1 and answer in TROUBLE:
            self._lost(queue, record.exchange.id)
        return answer in TROUBLE

    def _lost(self, queue: deque[Unit], name: str) -> None:
        """Many cases hang on one answer: it is asked for once more in two halves, unless that was in vain before."""
        self._packer.in_vain |= self._again
        if not self._packer.in_vain:
            self._set_aside(name)
            self._again = True
            self._halve(queue, "")

    def _halve(self, queue: deque[Unit], parent: str) -> None:
        half = len(self.atoms) // 2
        # The first half comes first.
        self._next(queue, self.atoms[half:], f"{self._attempt}b", parent)
        self._next(queue, self.atoms[:half], f"{self._attempt}a", parent)

    def _next(self, queue: deque[Unit], atoms: Sequence[Atom], attempt: str, parent: str = "") -> None:
        queue.appendleft(type(self)(self._packer, atoms, attempt, parent, again=self._again))

    def _set_aside(self, name: str) -> None:
        for index, record in enumerate(self._sender.run.records):
            if record.exchange.id == name:
                self._sender.run.records[index] = replace(record, purpose="lost", atoms=())


class FatesPack(Pack):
    """
    Orders of one batch, each with a fate of its own, and a control among them.

    Without the control's acceptance, or without a fate for each, the refusals beside prove
    nothing: then the pack is halved. What was refused and should not be is tried once more alone.
    """

    def _composed(self) -> Composed:
        atoms = [*self.atoms, Atom("control", PLAIN)]
        return self._packer.composer.orders(atoms, self._attempt, self._sender.now())

    @property
    def weight(self) -> tuple[int, int]:
        """Its orders and the control, in one request."""
        return len(self.atoms) + 1, 1

    def done(self, records: list[Record], queue: deque[Unit]) -> bool:
        """Each order's fate; alone again where that is in doubt."""
        [record] = records
        told = fates(self._packer.operation, record.exchange, len(record.atoms))
        if told[-1] is not Answer.ACCEPTED or Answer.UNTOLD in told:
            if len(self.atoms) > 1:
                self._set_aside(record.exchange.id)
                self._halve(queue, "")
            elif told[-1] is not Answer.ACCEPTED and self.atoms[0].id in self._packer.suite.by_id:
                # Perhaps it is the control that the bad order took with it: alone, it is judged by the controls around.
                self._set_aside(record.exchange.id)
                self._alone(queue, self.atoms[0])
            return False
        doubtful = [
            atom
            for atom, fate in zip(self.atoms, told, strict=False)
            if atom.expect is Expect.ACCEPT and fate is not Answer.ACCEPTED and len(self.atoms) > 1
        ]
        for atom in reversed(doubtful):
            self._alone(queue, atom)
        return False

    def _alone(self, queue: deque[Unit], atom: Atom) -> None:
        queue.appendleft(Alone(self._packer, [atom], f"{self._attempt}x"))


class Alone(Pack):
    """One order on its own, judged by the controls around it."""

    def _composed(self) -> Composed:
        return self._packer.composer.orders(self.atoms, self._attempt, self._sender.now())

    def done(self, records: list[Record], _queue: deque[Unit]) -> bool:
        """Whether trouble calls for a control at once."""
        [record] = records
        answer = self._sender.answer(record)
        if answer is Answer.AMBIGUOUS and self.atoms[0].id in self._packer.suite.by_id:
            self._packer.doubtful.append((self._packer.suite.case(self.atoms[0].id), 0))
        return answer in (Answer.NONE, Answer.UNAVAILABLE, Answer.FAILED, Answer.AMBIGUOUS)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
