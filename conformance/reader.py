"""Reading back: how long storage takes, what is stored in the end, and taking away what this run created."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from conformance import changes, ledger
from conformance.answers import Answer, classify
from conformance.sender import in_flight

if TYPE_CHECKING:
    from conformance.batches import Composed, Composer
    from conformance.model import Exchange, Json, Record
    from conformance.sender import Sender
    from conformance.suite import Suite

# A listing of more pages than this is not read to its end.
_MAX_PAGES = 1000
# Orders of others may stand among ours, and before them where a listing has another order than was asked for.
_MAX_FOREIGN_PAGES = 5


class Reader:
    """Reads back what one run stored. Does nothing where the API documents no reading."""

    def __init__(self, suite: Suite, composer: Composer, sender: Sender, token: str) -> None:
        self._provider = suite.provider
        self._suite = suite
        self._composer = composer
        self._sender = sender
        self._token = token
        self._form = suite.provider.read_back
        self._round = 0
        # Orders of ours that do not carry the token: nobody else had their key when they were sent.
        self._unmarked: list[Json] = []
        self._first: Json = None
        self._believed: bool | None = None

    def watch(self, control: Record) -> None:
        """Wait until the first control can be read, and learn how long that takes."""
        form = self._form
        order = next(iter(ledger.sent_orders(self._provider.main, control.exchange)), None)
        composed = self._reading_of(control, order)
        if form is None or composed is None:
            return
        patience = self._sender.patience
        started = patience.ticks()

        def shown(exchange: Exchange) -> bool:
            found = bool(ledger.stored(self._provider, exchange)) or exchange.operation != form.list
            return found and self._accepted(exchange)

        record = self._sender.send_and_keep(composed, "watch", until=shown)
        if shown(record.exchange):
            patience.saw(patience.ticks() - started if record.earlier else 0.0)
            self._first = order
        else:
            patience.hopeless = True

    def _reading_of(self, control: Record, order: Json) -> Composed | None:
        """How the first control is read: by the vendor's id, or by its own key."""
        form, outcome = self._form, self._provider.main.outcome
        if form is None or outcome is None:
            return None
        entry = next(iter(ledger.entries(self._provider.main, control.exchange)), None)
        name = next((value for _, value in changes.select(entry, outcome.id)), None)
        if form.one and name is not None:
            return self._composer.read(self._provider.operation(form.one), {"id": name})
        return self._finding(order) if form.find and not form.one else None

    def sweep(self) -> None:
        """List what is stored once everything ought to be; again while accepted orders are missing."""
        if self._form is None:
            return
        patience = self._sender.patience
        patience.settle()
        waiting = patience.tries(patience.bound())
        while not self._complete() and waiting.once_more():
            pass

    def clean_up(self) -> None:
        """Delete the stored orders that this run created, and nothing else."""
        form, outcome = self._form, self._provider.main.outcome
        if form is None or outcome is None or not form.delete:
            return
        operation = self._provider.operation(form.delete)
        names = [value for order in self._created() for _, value in changes.select(order, outcome.id)]
        composed = [self._composer.read(operation, {"id": name}) for name in names]
        tasks = [partial(self._sender.send, each, "clean-up", self._sender.next_unit()) for each in composed]
        records = in_flight(tasks, self._sender.width) if tasks else []
        self._sender.keep(records)
        gone = {str(name) for name, each in zip(names, records, strict=True) if self._accepted(each.exchange)}
        known = ledger.write(self._suite, self._sender.run.records, self._token).created
        self._sender.run.left = sorted({*known, *map(str, names)} - gone)

    def _created(self) -> list[Json]:
        """Our orders as the endpoint lists them: by the run's token, or by a key that was nobody's before."""
        main = self._provider.main
        listed = ledger.listed(self._provider, self._sender.run.records, self._token) or {}
        created = [each for orders in listed.values() for each in orders]
        for order in self._unmarked:
            key = ledger.key_of(main, order)
            found = ledger.stored(self._provider, self._look_up(order).exchange)
            created += [each for each in found if ledger.key_of(main, each) == key]
        return created

    def is_free(self, order: Json) -> bool:
        """
        Whether nobody else's order has the key of ``order``: its members are no chance of this run's own.

        An order that the listing finds is left alone, by whoever it is; a listing that does
        not find the order of the first control, or others than were asked for, is not believed.
        """
        if self._form is None or not self._form.find:
            return True
        if self._first is None:
            return False
        if self._believed is None:
            self._believed = self._found(self._first) == 1
        free = self._believed and self._found(order) == 0
        if free:
            self._unmarked.append(order)
        return free

    def _found(self, order: Json) -> int:
        """How many orders the listing finds by the key of one; -1 where its answer cannot be believed."""
        main = self._provider.main

        def key(each: Json) -> list[str]:
            # Whether letter case matters to the endpoint is not for this to find out.
            return [part.casefold() for part in ledger.key_of(main, each)]

        record = self._look_up(order)
        found = ledger.stored(self._provider, record.exchange)
        if not self._accepted(record.exchange) or any(key(each) != key(order) for each in found):
            return -1
        return len(found)

    def _look_up(self, order: Json) -> Record:
        return self._sender.send_and_keep(self._finding(order), "lookup")

    def _finding(self, order: Json) -> Composed:
        assert self._form is not None
        find = self._form.find
        query = {name: next((value for _, value in changes.select(order, path)), None) for name, path in find}
        return self._composer.read(self._provider.operation(self._form.list), {}, query)

    def _complete(self) -> bool:
        """One sweep; whether it shows every order that must be there (or cannot show more)."""
        assert self._form is not None
        run = self._sender.run
        written = ledger.write(self._suite, run.records, self._token).accepted
        sure = {key: entry for key, entry in written.items() if entry.sure}
        expected = len(sure)
        operation = self._provider.operation(self._form.list)
        query, ours, foreign = self._form.query, 0, 0
        before: list[Json] = []
        self._round += 1
        for _ in range(_MAX_PAGES):
            record = self._sender.send_and_keep(self._composer.read(operation, {}, query), "sweep", self._round)
            page = ledger.stored(self._provider, record.exchange)
            mine = sum(ledger.is_ours(self._provider.main, each, self._token) for each in page)
            ours += mine
            foreign = 0 if mine else foreign + 1
            query = ledger.further(self._form, record.exchange, page)
            # A link that leads back to its own page would be followed for ever.
            if not query or (page and page == before) or (foreign > _MAX_FOREIGN_PAGES and ours >= expected):
                break
            before = page
        listed = ledger.listed(self._provider, run.records, self._token)
        return listed is None or all(
            any(not ledger.differences(self._provider, entry.order, each) for each in listed.get(key, ()))
            for key, entry in sure.items()
        )

    def _accepted(self, exchange: Exchange) -> bool:
        return classify(self._provider.operation(exchange.operation), exchange) is Answer.ACCEPTED
