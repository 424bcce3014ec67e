"""Taking batches in, where one answer speaks of many orders: what speaks against a batch, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.changes import select
from conformance.reference.outcomes import Outcomes
from conformance.reference.refusals import Flaw, Refusals, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from conformance.model import Json
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.examiner import Examiner
    from conformance.reference.shelf import Shelf
    from conformance.reference.store import Store


class Intake:
    """Answers the main operation where orders come in batches."""

    def __init__(
        self,
        provider: Provider,
        behaviour: Behaviour,
        store: Store,
        *,
        refusals: Refusals,
        examiner: Examiner,
        shelf: Shelf,
        clock: Callable[[], datetime],
    ) -> None:
        self._provider = provider
        self._behaviour = behaviour
        self._store = store
        self._refusals = refusals
        self._examiner = examiner
        self._shelf = shelf
        self._clock = clock
        self._outcomes = Outcomes(provider.main.outcome, behaviour)

    def reply(self, body: Json, headers: Mapping[str, str], delay: float) -> Reply:
        """The answer to a parsed body; its orders can be read ``delay`` seconds later."""
        body = self._examiner.taken(body)
        orders = self._examiner.orders(body)
        with self._store.together():
            flaws = self._flaws(headers, body, orders)
            if flaws:
                self._keep_of_refused(orders, flaws, delay)
                return self._refusals.reply(self._provider.main.refusal_status or 400, flaws, len(orders))
            return self._take(orders, delay)

    def _flaws(self, headers: Mapping[str, str], body: Json, orders: list[Json]) -> list[Flaw]:
        """Everything that speaks against a batch: its form first, then what is stored already."""
        flaws = self._examiner.flaws(body, headers, self._clock(), self._store.seen)
        spoilt = {each.index for each in flaws}
        for index, order in enumerate(orders):
            if index not in spoilt and not (flaws and not self._refusals.all_at_once):
                flaws += self._shelf.flaws(index, order)
        if not flaws and self._behaviour.remembers_refused and self._shelf.resent(orders):
            flaws.append(Flaw("this batch was refused before"))
        if not flaws and self._behaviour.busy_while_storing and self._shelf.busy(orders):
            flaws.append(Flaw("an order of this batch is being stored; try again later", place="temporary"))
        return flaws

    def _take(self, orders: list[Json], delay: float) -> Reply:
        places = [str(each["at"]) for each in self._behaviour.rules if each["rule"] == "unique"]
        self._store.remember([(at, value) for order in orders for at in places for _, value in select(order, at)])
        if self._provider.main.outcome:
            return self._outcomes.reply(self._shelf.put(orders, self._clock(), delay))
        self._store.add(orders, self._clock())
        return Reply(self._behaviour.status, headers=(("x-stored", str(len(orders))),))

    def _keep_of_refused(self, orders: list[Json], flaws: list[Flaw], delay: float) -> None:
        """Store what a careless endpoint keeps of a batch that it refuses."""
        how, bad = self._behaviour.kept_when_refused, {each.index for each in flaws} - {None}
        if self._behaviour.remembers_refused:
            self._shelf.remember_refused(orders)
        kept: list[Json] = []
        if how == "lone" and len(orders) == 1:
            kept = [each for each in orders if isinstance(each, dict)]
        elif how in ("good", "before", "updates") and bad:
            good = [each for index, each in enumerate(orders) if index not in bad]
            ahead = orders[: min(index for index in bad if index is not None)]
            kept = {"good": good, "before": ahead}.get(how, [each for each in good if self._shelf.known(each)])
        if self._behaviour.rename == "refused-but-done":
            kept = [orders[each.index] for each in flaws if each.place == "fixed" and each.index is not None]
        if kept:
            self._shelf.put(kept, self._clock(), delay)
