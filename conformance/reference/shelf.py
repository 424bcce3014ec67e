"""Orders with an identity: recognised by their key or id, updated, and readable after a while."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from conformance.changes import select
from conformance.reference import documents
from conformance.reference.refusals import Flaw
from conformance.reference.store import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from conformance.model import Json
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.store import Store


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one order of an accepted batch."""

    id: int
    order: Json
    updated: bool


class Shelf:
    """
    The orders of an endpoint that has ids for them.

    Without ``reference.upsert`` every order is a new one; with it, ``order.key`` and the
    id address what is there already. Identity holds at once, reading waits for the delay.
    """

    def __init__(self, provider: Provider, behaviour: Behaviour, store: Store) -> None:
        main = provider.main
        self._behaviour = behaviour
        self._store = store
        self._upsert = bool(provider.reference.get("upsert"))
        self._key: tuple[str, ...] = main.order.key if main.order and self._upsert else ()
        self._lines = main.order.lines if main.order else ""
        self._id = main.outcome.id if main.outcome and self._upsert else ""
        self._filters = cast("dict[str, str]", provider.reference.get("filters", {}))
        self._refused: set[str] = set()

    # Before a batch is taken

    def flaws(self, index: int, order: Json) -> Iterator[Flaw]:
        """What is wrong with the identity of an order that is well-formed otherwise."""
        if not self._upsert:
            return
        how, sent = self._behaviour.on_id, documents.first(order, self._id)
        if sent is None:
            if self._behaviour.on_known_key == "refuse" and self._by_key(order):
                yield Flaw("is used by another order", self._key[0], index)
            return
        if how:
            if how == "refuse":
                yield Flaw("does not belong here", self._id, index)
            return
        known = self._by_id(order)
        if known is None:
            if self._behaviour.strict:
                yield Flaw("no such order", self._id, index)
            return
        stored = self._store.latest(known)
        # Only the first member of a key is documented to be fixed.
        for place in self._key if self._behaviour.strict else self._key[:1]:
            # One that is left out, which only a fault lets through, is not another one.
            given = documents.first(order, place)
            if given not in (None, documents.first(stored, place)) and self._behaviour.rename != "taken":
                yield Flaw(f"the order {known} has another one, which cannot change", place, index, place="fixed")

    def busy(self, orders: Sequence[Json]) -> bool:
        """Whether an order of a batch is still being stored."""
        known = {self._by_id(order) or self._by_key(order) for order in orders}
        return any(each and self._store.storing(each, time.monotonic()) for each in known)

    def resent(self, orders: Sequence[Json]) -> bool:
        """Whether a batch of these orders was refused once, and is remembered for it."""
        return len(orders) > 1 and self._names(orders) in self._refused

    def known(self, order: Json) -> bool:
        """Whether an order would be an update."""
        return (self._by_id(order) or self._by_key(order)) is not None

    def remember_refused(self, orders: Sequence[Json]) -> None:
        """Bear a refused batch in mind."""
        self._refused.add(self._names(orders))

    # A batch that is taken

    def put(self, orders: Sequence[Json], now: datetime, delay: float) -> list[Taken]:
        """Store orders one after the other, all or none of them."""
        with self._store.together():
            return [self._put(order, now, time.monotonic() + delay if delay else 0.0) for order in orders]

    def _put(self, order: Json, now: datetime, visible_at: float) -> Taken:
        how = self._behaviour
        known = None if how.on_id else self._by_id(order)
        if known is None and how.on_known_key != "add" and not (how.on_id == "add" and self._sent(order)):
            known = self._by_key(order)
        if known is not None and how.on_known_key == "ignore":
            return Taken(known, order, updated=True)
        key = self._key_of(order)
        number = self._store.open(key, now) if known is None else known
        if known is not None:
            self._store.rename(known, key)
        body = self._body(order, known)
        if how.never_stored or (how.loses_every and number % how.loses_every == 0):
            visible_at = NEVER
        self._store.write(number, body, self._facets(body), now, visible_at=visible_at)
        return Taken(number, order, updated=known is not None)

    def _body(self, order: Json, known: int | None) -> Json:
        """What is stored of an order."""
        how = self._behaviour
        if not (how.stored_edits or (how.lines_on_update and known)):
            return order
        body = copy.deepcopy(order)
        if known and how.lines_on_update:
            new, old = (documents.first(each, self._lines) for each in (order, self._store.latest(known)))
            if isinstance(new, list) and isinstance(old, list):
                kept = old + new if how.lines_on_update == "append" else new + old[len(new) :]
                documents.replace(body, self._lines, kept)
        for edit in how.stored_edits:
            documents.replace(body, edit["at"], edit["value"])
        return body

    # Identity

    def _key_of(self, order: Json) -> str:
        """The key of an order as text, or nothing for one that cannot be recognised."""
        parts = [documents.first(order, each) for each in self._key[: self._behaviour.key_length or None]]
        return json.dumps(parts) if parts and None not in parts else ""

    def _by_key(self, order: Json) -> int | None:
        key = self._key_of(order)
        return self._store.find(key) if key else None

    def _sent(self, order: Json) -> str:
        sent = documents.first(order, self._id) if self._id else None
        return str(sent) if isinstance(sent, str | int) else ""

    def _by_id(self, order: Json) -> int | None:
        number = number_of(self._sent(order))
        return number if number and self._store.latest(number) is not None else None

    def _names(self, orders: Sequence[Json]) -> str:
        return json.dumps([documents.first(order, each) for order in orders for each in self._key[:1]])

    def _facets(self, body: Json) -> list[tuple[str, str]]:
        """What an order can be found by."""
        return [(name, facet(value)) for name, place in self._filters.items() for _, value in select(body, place)]


def facet(value: Json) -> str:
    """A value as filters know it: texts without regard to letter case."""
    return json.dumps(value.lower() if isinstance(value, str) else value)


def number_of(text: str) -> int | None:
    """The id that a text writes, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
