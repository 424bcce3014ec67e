"""Memory: what an interrupted run had sent and was answered, and where this run's own is noted as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance.model import Json, Record

# The trouble of a request of which nobody knows whether it arrived: the run ended while it was under way.
INTERRUPTED = "interrupted"


class Memory:
    """
    Recalls records by the names of their exchanges, and notes what happens now.

    ``begun`` names requests that had been begun and never got a record. ``saw`` is the time in
    seconds that an order took to become readable, where that was learned. ``note`` takes each
    event of this run: ``("begin", name)``, ``("record", record)`` and ``("saw", seconds)``.
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        begun: Iterable[str] = (),
        saw: float | None = None,
        note: Callable[[str, Record | Json], None] | None = None,
    ) -> None:
        self.records = {each.exchange.id: each for each in records}
        self._begun = set(begun)
        self.saw = saw
        self._note = note

    def recall(self, name: str) -> Record | None:
        """What came of a request in the interrupted run."""
        return self.records.get(name)

    def broken_off(self, name: str) -> bool:
        """Whether a request was under way when the run was interrupted."""
        return name in self._begun

    def begin(self, name: str) -> None:
        """A request is about to be sent."""
        if self._note:
            self._note("begin", name)

    def keep(self, record: Record) -> None:
        """A request has come to its end."""
        if self._note:
            self._note("record", record)

    def learned(self, seconds: float) -> None:
        """An order became readable after so long."""
        if self._note:
            self._note("saw", seconds)
