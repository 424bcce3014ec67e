"""Reading back: how long storage takes, what is stored in the end, and taking away what this run created."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from conformance import bodies, changes, ledger
from conformance.answers import TROUBLE, Answer, classify
from conformance.lanes import in_flight
from conformance.sender import status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.batches import Composed, Composer
    from conformance.ledger import Entry
    from conformance.model import Exchange, Json, Record
    from conformance.sender import Sender
    from conformance.suite import Suite

# A listing of more pages than this is not read to its end.
_MAX_PAGES = 1000
# Orders of others may stand among ours, and before them where a listing has another order than was asked for.
_MAX_FOREIGN_PAGES = 5
_AT_ONCE_S = 0.5
# RFC 9110, 15.5.5 and 15.5.11.
_NOT_THERE = (404, 410)
# A page that got no answer to go by is asked for so often.
_TRIES = 3
# So many of the orders that a listing lacks tell whether they are lost.
_MOST_ASKED = 20


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
            # Lost answers say nothing about how long storage takes.
            patience.hopeless = self._sender.answer(record) not in TROUBLE

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
        """
        List what is stored once everything ought to be; again while accepted orders are missing.

        Only the last listing is kept. Until the newest order that is missing can be looked up, no other one is made,
        and each after twice the time of the one before.
        """
        form = self._form
        if form is None:
            return
        patience = self._sender.patience
        patience.settle()
        waiting = patience.tries(patience.bound())
        pages, missing = self._listing()
        listed_at = 0.0
        try:
            while missing and waiting.once_more():
                if waiting.left() and (waiting.waited() < 2 * listed_at or not self._shows(missing[-1])):
                    continue
                listed_at = waiting.waited()
                pages, missing = self._listing()
            if not missing and listed_at >= _AT_ONCE_S:
                # What comes late may be something that was refused.
                patience.saw(listed_at)
                patience.pause(listed_at)
                pages, missing = self._listing()
        finally:
            self._sender.keep(pages)
        self._ask_for([each for each in missing if not self._is_in(each, pages)])

    def _shows(self, entry: Entry) -> bool:
        """Whether an order that was missing can be looked up now, as it was sent."""
        if self._form is None or not self._form.find:
            return True
        record = self._sender.send(self._finding(entry.order), "lookup", self._sender.next_unit())
        return self._is_in(entry, [record], as_sent=True)

    def _is_in(self, entry: Entry, records: Sequence[Record], *, as_sent: bool = False) -> bool:
        key = ledger.key_of(self._provider.main, entry.order)
        return any(
            ledger.key_of(self._provider.main, each) == key
            and not (as_sent and ledger.differences(self._provider, entry.order, each))
            for record in records
            for each in ledger.stored(self._provider, record.exchange)
        )

    def _ask_for(self, missing: Sequence[Entry]) -> None:
        """Read some of the orders by the vendor's id that the listing lacks: lost they are only if they are not there."""
        form = self._form
        if form is None or not form.one or not missing:
            return
        main, written = self._provider.main, ledger.write(self._suite, self._sender.run.records, self._token)
        names = {key: name for name, key in written.created.items()}
        known = [names[key] for each in missing if (key := ledger.key_of(main, each.order)) in names]
        operation = self._provider.operation(form.one)
        for name in known[:: -(-len(known) // _MOST_ASKED) or 1]:
            self._sender.send_and_keep(self._composer.read(operation, {"id": name}), "lookup")

    def clean_up(self) -> None:
        """Delete the stored orders that this run created, and nothing else."""
        form, outcome = self._form, self._provider.main.outcome
        if form is None or outcome is None or not form.delete:
            return
        found = (value for order in self._created() for _, value in changes.select(order, outcome.id))
        names = list(dict.fromkeys(map(str, found)))
        records = self._delete(form.delete, names)
        unclear = [name for name in names if self._sender.answer(records[name]) in ledger.UNCLEAR]
        if len(unclear) < len(names):
            # Deleting twice does no harm; what is not found then was deleted the first time.
            records |= self._delete(form.delete, unclear)
        gone = {name for name, each in records.items() if self._accepted(each.exchange)}
        gone |= {name for name in unclear if status(records[name]) in _NOT_THERE}
        known = ledger.write(self._suite, self._sender.run.records, self._token).created
        self._sender.run.left = sorted({*known, *names} - gone)

    def _delete(self, operation: str, names: Sequence[str]) -> dict[str, Record]:
        """Delete stored orders by the vendor's ids; what came of each."""
        form = self._provider.operation(operation)
        composed = [self._composer.read(form, {"id": name}) for name in names]
        tasks = [partial(self._sender.send, each, "clean-up", self._sender.next_unit()) for each in composed]
        records = in_flight(tasks, self._sender.lanes.width) if tasks else []
        self._sender.keep(records)
        return dict(zip(names, records, strict=True))

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
            self._believed = self._is_found(self._first)
        free = self._believed and self._found(order) == 0
        if free:
            self._unmarked.append(order)
        return free

    def _is_found(self, order: Json) -> bool:
        """Whether the listing comes to find one order by its key: lists may lag behind other readings."""
        patience = self._sender.patience
        started = patience.ticks()
        once = partial(self._count, order)
        record = self._sender.send_and_keep(self._finding(order), "lookup", until=lambda each: once(each) != 0)
        found = once(record.exchange) == 1
        if found and record.earlier:
            patience.saw(patience.ticks() - started)
        return found

    @property
    def doubt(self) -> str:
        """Why nobody knows which keys are free; empty where it is known."""
        if self._first is None:
            return "the first order never became readable"
        return "" if self._believed is not False else "the listing does not find an order that is stored"

    def _found(self, order: Json) -> int:
        """How many orders the listing finds by the key of one; -1 where its answer cannot be believed."""
        return self._count(order, self._look_up(order).exchange)

    def _count(self, order: Json, exchange: Exchange) -> int:
        main = self._provider.main

        def key(each: Json) -> list[str]:
            # Whether letter case matters to the endpoint is not for this to find out.
            return [part.casefold() for part in ledger.key_of(main, each)]

        found = ledger.stored(self._provider, exchange)
        believed = self._accepted(exchange) and not bodies.cut(exchange)
        return len(found) if believed and all(key(each) == key(order) for each in found) else -1

    def _look_up(self, order: Json) -> Record:
        return self._sender.send_and_keep(self._finding(order), "lookup")

    def _finding(self, order: Json) -> Composed:
        assert self._form is not None
        find = self._form.find
        query = {name: next((value for _, value in changes.select(order, path)), None) for name, path in find}
        return self._composer.read(self._provider.operation(self._form.list), {}, query)

    def _listing(self) -> tuple[list[Record], list[Entry]]:
        """One listing to its end, and the accepted orders that it does not show as they were sent, oldest first."""
        assert self._form is not None
        run = self._sender.run
        written = ledger.write(self._suite, run.records, self._token).accepted
        sure = {key: entry for key, entry in written.items() if entry.sure}
        operation = self._provider.operation(self._form.list)
        query, ours, foreign = self._form.query, 0, 0
        pages: list[Record] = []
        before: list[Json] = []
        self._round += 1
        self._sender.begin_listing()
        for _ in range(_MAX_PAGES):
            pages += self._page(self._composer.read(operation, {}, query))
            page = ledger.stored(self._provider, pages[-1].exchange)
            mine = sum(ledger.is_ours(self._provider.main, each, self._token) for each in page)
            ours += mine
            foreign = 0 if mine else foreign + 1
            query = ledger.further(self._form, pages[-1].exchange, page)
            # A link that leads back to its own page would be followed for ever.
            if not query or (page and page == before) or (foreign > _MAX_FOREIGN_PAGES and ours >= len(sure)):
                break
            before = page
        listed = ledger.listed(self._provider, pages, self._token)
        if listed is None:
            return pages, []
        return pages, [
            entry
            for key, entry in sure.items()
            if all(ledger.differences(self._provider, entry.order, each) for each in listed.get(key, ()))
        ]

    def _page(self, composed: Composed) -> list[Record]:
        """One page of a listing, behind those tries that are set aside: reading it twice does no harm."""
        tries: list[Record] = []
        for _ in range(_TRIES):
            tries.append(self._sender.send(composed, "sweep", self._sender.next_unit(), self._round))
            if self._sender.answer(tries[-1]) not in TROUBLE:
                break
            self._sender.patience.pause(_AT_ONCE_S)
        return [*(replace(each, purpose="lost") for each in tries[:-1]), tries[-1]]

    def _accepted(self, exchange: Exchange) -> bool:
        return classify(self._provider.operation(exchange.operation), exchange) is Answer.ACCEPTED
