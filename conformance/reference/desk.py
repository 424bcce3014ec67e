"""Taking orders that are answered one by one: the one order of a request, or each under its name."""

from __future__ import annotations

import copy
import json
import time
from typing import TYPE_CHECKING, cast

from conformance import schemas
from conformance.reference.documents import first, members, put, replace
from conformance.reference.inspector import Inspector
from conformance.reference.named import arranged
from conformance.reference.refusals import Flaw, Reply
from conformance.reference.store import NEVER
from conformance.reference.templates import value

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from conformance.model import Account, Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.refusals import Refusals
    from conformance.reference.showing import Showing
    from conformance.reference.store import Store


class Desk:
    """Examines orders, stores the good ones and answers in the templates of the pack."""

    def __init__(
        self,
        provider: Provider,
        account: Account,
        behaviour: Behaviour,
        store: Store,
        *,
        refusals: Refusals,
        showing: Showing,
        clock: Callable[[], datetime],
    ) -> None:
        self._main = provider.main
        self._how = behaviour
        self._store = store
        self._refusals = refusals
        self._showing = showing
        self._clock = clock
        self._inspector = Inspector(provider, account, behaviour, store)
        numbers = cast("dict[str, Json]", provider.reference.get("numbers", {}))
        self._own, self._first = str(numbers.get("at", "")), cast("int", numbers.get("first", 1))
        root: JsonObject = {**behaviour.schemas[self._main.id]}
        root.pop("additionalProperties", None)
        self._root = schemas.validator(root)
        self._only_ids: list[int] = []
        self._latest = 0

    def reply(self, body: Json, delay: float) -> Reply:
        """The answer to a request."""
        with self._store.together():
            return self._single(body, delay) if self._main.envelope == "single" else self._named(body, delay)

    # One order

    def _single(self, body: Json, delay: float) -> Reply:
        kind = self._how.root_taken
        if kind == "encoded" and isinstance(body, str):
            body = _decoded(body)
        if isinstance(body, list) and ((kind == "array" and body) or (kind == "empty" and not body)):
            body = body[0] if body else {}
            careless = not body
        else:
            careless = (body is None and (self._how.empty_body or self._how.not_json)) or (
                kind == "text" and not isinstance(body, dict | list)
            )
        flaws = [] if careless else self._inspector.flaws(body, 0, self._clock())
        if flaws:
            if self._how.kept_when_refused:
                self._take(body, delay)
            if self._how.remembers_refused:
                self._remember(body)
            return self._refusals.reply(self._main.refusal_status or 400, flaws, 1)
        known = self._earlier(body) if self._how.on_known_key == "ignore" else None
        return Reply(self._how.status, self._showing.answer(known or self._take(body, delay)))

    def _earlier(self, order: Json) -> JsonObject | None:
        """The order that a careless endpoint takes this one for, as it was answered."""
        key = self._key(order)
        number = self._store.find(key) if key else None
        if number is None:
            return None
        return self._showing.new([number], self._store.latest(number), self._clock(), prepared=False)

    def _key(self, order: Json) -> str:
        parts = [first(members(order), each) for each in self._main.order.key] if self._main.order else []
        return json.dumps(parts) if parts and None not in parts else ""

    # Orders by name

    def _named(self, body: Json, delay: float) -> Reply:
        how = self._how
        flaws: list[Flaw] = []
        if isinstance(body, list) and how.root_taken == "array":
            body = {str(index): each for index, each in enumerate(body)}
        elif not (body is None and (how.empty_body or how.not_json)) and how.root_taken not in ("anything", "sole"):
            flaws = [Flaw(each.message, each.pointer, code="root") for each in self._root.mistakes(body)]
        if flaws:
            return self._refusals.reply(self._main.refusal_status or 400, flaws)
        # A root that only a fault let through stands for one order.
        careless = not isinstance(body, dict)
        orders = body if isinstance(body, dict) else {"0": {}}
        entries: list[tuple[str, Json]] = []
        bad = 0
        spoilt = self._how.stopped_by_bad == "all" and any(
            self._flaws(each, index, orders) for index, each in enumerate(orders.values())
        )
        for index, (name, order) in enumerate(orders.items()):
            found = [] if careless else self._flaws(order, index, orders)
            if not found and (spoilt or (bad and self._how.stopped_by_bad == "after")):
                found = [Flaw("not looked at because of another order", index=index)]
            bad += bool(found)
            if not found:
                entries.append((name, self._showing.answer(self._take(order, delay, self._judged(order, orders)))))
            elif not self._how.refused_left_out:
                entries.append((name, self._refused(order, found[0], delay)))
        status = self._how.status
        if (how.one_failure_for_all and bad == len(orders) > 0) or (careless and how.root_taken == "sole"):
            return Reply(status, entries[0][1] if entries else {})
        if bad:
            status = (self._how.all_refused_status if bad == len(orders) else 0) or self._how.mixed_status or status
        return Reply(status, arranged(entries, self._how))

    def _flaws(self, order: Json, index: int, orders: JsonObject) -> list[Flaw]:
        how, count = self._how, len(orders)
        unseen = (
            (how.look_at_first and index >= how.look_at_first)
            or (how.skip_last and index == count - 1 > 0)
            or (how.lone_orders_only and count > 1)
            or (how.skip_non_objects and not isinstance(order, dict))
        )
        return [] if unseen else self._inspector.flaws(order, index, self._clock())

    def _judged(self, order: Json, orders: JsonObject) -> bool:
        """Whether an order is only prepared."""
        kind = self._how.prepared
        if kind == "first":
            return self._showing.prepared(next(iter(orders.values())))
        return kind == "always" or (kind != "never" and self._showing.prepared(order))

    def _refused(self, order: Json, flaw: Flaw, delay: float) -> Json:
        known: JsonObject = {"code": self._refusals.code(flaw), "message": flaw.message, "order": order}
        entry = self._showing.refused(known)
        if self._how.refused_word and isinstance(entry, dict) and self._main.outcome:
            put(entry, self._main.outcome.status, self._how.refused_word)
        if self._how.kept_when_refused or self._how.numbers_of_refused:
            taken = self._showing.answer(self._take(order, delay, self._showing.prepared(order)))
            if self._how.numbers_of_refused:
                entry = members(taken) | members(entry)
        return entry

    # What is taken

    def _take(self, order: Json, delay: float, prepared: bool = False) -> JsonObject:  # noqa: FBT001, FBT002  # of the order
        now = self._clock()
        self._remember(order)
        split = self._how.split_orders and len(cast("list[Json]", self._lines(order))) > 1
        if self._how.overwrites and (known_before := self._store.find(self._key(order))) is not None:
            self._store.delete(known_before)
        ids = [self._open(order, now), *([self._store.open("", now)] if split else [])]
        known = self._showing.new(ids, order, now, prepared=prepared)
        for number in ids:
            one = self._showing.new([number], order, now, prepared=prepared) if split else known
            self._write(number, one, now, NEVER if prepared else self._ready(number, delay))
        self._latest = ids[0] if prepared else self._latest
        self._only_ids = self._only_ids or ids
        if self._how.one_id:
            return known | {"id": self._only_ids[0], "ids": cast("Json", self._only_ids)}
        return known

    def _remember(self, order: Json) -> None:
        self._store.remember([(at, found) for at in self._inspector.unique if (found := value(order, at)) is not None])

    def _open(self, order: Json, now: datetime) -> int:
        key = self._key(order)
        own = first(members(order), self._own) if self._own and not self._how.number_ignored else None
        if isinstance(own, int) and 0 < own < 2**63 and not isinstance(own, bool) and not self._store.has(own):
            return self._store.open(key, now, own)
        return self._store.open(key, now, self._first if self._store.empty else None)

    def _ready(self, number: int, delay: float) -> float:
        how = self._how
        if how.never_stored or (how.loses_every and number % how.loses_every == 0):
            return NEVER
        return time.monotonic() + delay if delay else 0.0

    def _write(self, number: int, known: JsonObject, now: datetime, ready: float) -> None:
        order = known["order"]
        if self._how.stored_edits:
            order = copy.deepcopy(order)
            for edit in self._how.stored_edits:
                replace(order, edit["at"], edit["value"])
            known = self._showing.new([number], order, now, prepared=bool(known["prepared"]))
        self._store.write(number, order, self._showing.facets(known), now, visible_at=ready)

    def _lines(self, order: Json) -> Json:
        lines = first(members(order), self._main.order.lines) if self._main.order else None
        return lines if isinstance(lines, list) else []

    def put(self, orders: list[Json], delay: float) -> list[int]:
        """Take orders that nobody examines; gives their ids."""
        with self._store.together():
            return [cast("int", self._take(each, delay)["id"]) for each in orders]

    # What is finished later

    def complete(self, text: str, template: JsonObject, delay: float) -> Reply:
        """Finish an order that was only prepared; one that is finished already stays so."""
        how = self._how
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        with self._store.together():
            if how.completing == "latest":
                number = self._latest or number
            order = self._store.latest(number)
            again = how.completing == "once" and self._store.readable(number)
            if order is None or how.complete_refused or again:
                flaw = Flaw("there is no such order")
                return Reply(200, self._showing.refused({"code": self._refusals.code(flaw), "message": flaw.message}))
            now = self._clock()
            known = self._showing.new([number], order, now, prepared=False)
            if how.completing == "first-line" and isinstance(lines := self._lines(order), list):
                order = members(order) | {self._main.order.lines.strip("/"): lines[:1]} if self._main.order else order
                known = self._showing.new([number], order, now, prepared=False)
            if not how.complete_ignored and not self._store.readable(number):
                self._write(number, known, now, self._ready(number, delay))
            answer = self._showing.filled(template, known)
            if how.completing == "numbers" and isinstance(answer, dict):
                answer |= {"orders": [number]}
            return Reply(200, answer)


def _decoded(text: str) -> Json:
    """What a text says as JSON; the text itself where that is none."""
    try:
        return cast("Json", json.loads(text))
    except ValueError:
        return text
