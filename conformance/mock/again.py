"""Batches that are sent again although nobody knows what became of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from conformance import changes, ledger

if TYPE_CHECKING:
    from conformance.mock.received import Call
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider


@dataclass(slots=True)
class Lost:
    """What is known of requests whose answers were lost: their orders by what would tell them again."""

    provider: Provider
    safe_with: tuple[str, ...]
    # The operations that show stored orders.
    reading: frozenset[str]
    _known: dict[str, Call] = field(default_factory=dict["str", "Call"])

    def put(self, call: Call) -> None:
        """The answer to this request did not arrive."""
        self._known |= dict.fromkeys((self._mark(each) for each in call.orders), call)

    def holds(self, call: Call) -> bool:
        """Whether a request carries an order again that was lost."""
        return bool(self._known) and any(self._mark(each) in self._known for each in call.orders)

    def earlier(self, call: Call) -> Call | None:
        """The lost request of which this one carries orders again that can be doubled; it is then done with."""
        if not self._known:
            return None
        marks = [self._mark(each) for each in call.orders if not self._safe(each)]
        found = [self._known[each] for each in marks if each in self._known]
        if not found:
            return None
        gone = {each.number for each in found}
        self._known = {mark: each for mark, each in self._known.items() if each.number not in gone}
        return found[0]

    def looked_up(self, call: Call, status: int) -> None:
        """A client that reads orders can see what became of them."""
        if call.operation and call.operation.id in self.reading and 200 <= status < 300:
            self._known = {}

    def clear(self) -> None:
        """Nothing is lost any more."""
        self._known = {}

    def _mark(self, order: Json) -> str:
        """What an order is told again by: its identity where it has one, else all it says."""
        return json.dumps(ledger.key_of(self.provider.main, order) or [order], sort_keys=True)

    def _safe(self, order: Json) -> bool:
        """Whether an order cannot be doubled, by members of its own."""
        return bool(self.safe_with) and all(
            any(value not in (None, False, "") for _, value in changes.select(order, each)) for each in self.safe_with
        )


def lost(provider: Provider, again: JsonObject) -> Lost:
    """Nothing lost yet."""
    form = provider.read_back
    reading = {str(provider.reference.get("lists", "")), *((form.list, form.one) if form else ())}
    return Lost(provider, tuple(cast("list[str]", again.get("safe-with", []))), frozenset(reading - {""}))
