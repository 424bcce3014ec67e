"""The answer to an accepted batch: one entry an order, as the pack's ``outcome`` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.changes import select
from conformance.reference.documents import nested, put
from conformance.reference.refusals import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Json, JsonObject
    from conformance.operations import Outcome
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.shelf import Taken

# Far from ids that orders really have.
_OTHER_IDS = 900_000_000


class Outcomes:
    """Writes answers for accepted batches, and remembers what a forgetful endpoint needs for that."""

    def __init__(self, outcome: Outcome | None, behaviour: Behaviour) -> None:
        self._outcome = outcome
        self._behaviour = behaviour
        self._only_id = 0
        self._invented = _OTHER_IDS

    def reply(self, taken: Sequence[Taken]) -> Reply:
        """The answer that says what became of each order."""
        assert self._outcome
        updated = any(each.updated for each in taken)
        status = self._behaviour.update_status if updated and self._behaviour.update_status else self._behaviour.status
        entries = [self._entry(each) for each in taken]
        return Reply(status, nested(self._outcome.entries, [*self._arranged(entries)]))

    def _entry(self, taken: Taken) -> JsonObject:
        assert self._outcome
        entry: JsonObject = nested(self._outcome.id, self._id(taken))
        for place in self._outcome.echo:
            for _, value in select(taken.order, place):
                put(entry, place, value)
        return entry

    def _id(self, taken: Taken) -> int:
        self._only_id = self._only_id or taken.id
        if self._behaviour.one_id:
            return self._only_id
        if self._behaviour.new_ids and taken.updated:
            self._invented += 1
            return self._invented
        return taken.id

    def _arranged(self, entries: list[JsonObject]) -> list[JsonObject]:
        """The entries as a careless endpoint lists them."""
        kind = self._behaviour.outcomes
        if not kind or not entries or not self._outcome:
            return entries
        if kind == "first-only":
            return entries[:1]
        if kind == "one-more":
            return [*entries, dict(entries[-1])]
        last = self._outcome.echo[-1]
        numbers: list[Json] = [next((value for _, value in select(each, last)), None) for each in entries]
        numbers = [*numbers[1:], numbers[0]] if kind == "crossed" else numbers[:1] * len(numbers)
        for entry, number in zip(entries, numbers, strict=True):
            put(entry, last, number)
        return entries
