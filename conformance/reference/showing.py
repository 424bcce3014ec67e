"""Orders as they are shown: what an endpoint knows of one, put into the templates of a pack."""

from __future__ import annotations

import copy
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, cast

from conformance.changes import select
from conformance.reference.distortions import arranged, crossed, product, written
from conformance.reference.documents import first, members, put, replace
from conformance.reference.pricing import Pricing
from conformance.reference.templates import fill

if TYPE_CHECKING:
    from conformance.model import Account, Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.store import Stored

_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Showing:
    """
    Writes orders down as ``reference`` of a pack says: ``answer`` to the request that brought one, ``shown`` in lists.

    Templates see ``id``, ``ids`` (more than one where an order was split), ``order`` as sent,
    ``prepared``, ``created``, ``modified``, ``status``, ``request`` (an id) and what ``Pricing`` says of it.
    So many requests as ``earlier`` says had their ids before.
    """

    def __init__(self, provider: Provider, account: Account, behaviour: Behaviour, earlier: int = 0) -> None:
        reference = provider.reference
        self._revision = provider.revision
        self._how = behaviour
        self._templates = reference
        self._time = str(reference.get("time", _TIME))
        words = cast("dict[str, str]", reference.get("status", {}))
        self._words = (
            behaviour.first_status or words.get("first", ""),
            behaviour.later_status or words.get("later", ""),
        )
        self._start = words.get("first", "")
        self._unfinished = str(reference.get("unfinished", ""))
        self._pricing = Pricing(
            provider.main.order, cast("JsonObject", reference.get("pricing", {})), account, behaviour
        )
        self._filters = cast("dict[str, str]", reference.get("filters", {}))
        self._account = account
        self._products = cast("list[JsonObject]", account.get("products") or [])
        self._keys = provider.main.order.key if provider.main.order else ()
        self._requests = self._earlier = earlier

    @property
    def at_once(self) -> bool:
        """Whether orders are shown as soon as they were taken, and merely change their status later."""
        return bool(self._words[0])

    def prepared(self, order: Json) -> bool:
        """Whether an order waits for being finished by another call."""
        return bool(self._unfinished) and first(members(order), self._unfinished) is True

    def request_id(self) -> str:
        """An id of a request, never the same twice in one endpoint."""
        self._requests += 0 if self._how.one_request_id and self._requests > self._earlier else 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._requests)))

    # What is known of an order

    def new(self, ids: list[int], order: Json, now: datetime, *, prepared: bool) -> JsonObject:
        """An order that is being taken."""
        return self._known(ids, order, (now, now), prepared=prepared, status=self._words[0])

    def stored(self, found: Stored, *, units: bool = False) -> JsonObject:
        """An order that is read; with ``units`` every unit of its lines."""
        times = (datetime.fromisoformat(found.created_at), datetime.fromisoformat(found.modified_at))
        ready = found.ready_at <= time.monotonic()
        status = self._words[1] if ready else self._start
        known = self._known([found.id], found.body, times, prepared=False, status=status, units=units)
        return known | {"ready": ready}

    def _known(
        self,
        ids: list[int],
        order: Json,
        times: tuple[datetime, datetime],
        *,
        prepared: bool,
        status: str,
        units: bool = False,
    ) -> JsonObject:
        lines = self._pricing.worth(order, units=units)
        created = times[0].strftime(self._time)
        for each in cast("list[JsonObject]", lines["lines"]):
            each["status"] = status
            each["product"] = product(each["sent"], self._products, self._how.mistaken_by)
            for unit in cast("list[JsonObject]", each.get("units", [])):
                unit["status"] = status
                if status != self._start:
                    unit["code"] = unit["pin"] = f"MADE-UP-{unit['number']}"
        for each in cast("list[JsonObject]", lines.get("fx", [])):
            each["as-of"] = created
        return {
            "id": ids[0],
            "ids": cast("Json", list(ids)),
            "order": order,
            "prepared": prepared,
            "created": created,
            "modified": times[1].strftime(self._time),
            "status": status,
            **lines,
        }

    # How it is written

    def answer(self, known: JsonObject) -> Json:
        """The answer about an order that was taken."""
        if self._how.cross_currency and known.get("fx"):
            known = known | crossed(known, self._how.cross_currency)
        if self._how.amount_form:
            known = known | written(known, self._how.amount_form)
        if self._how.lines_shown:
            known = known | {"lines": cast("Json", arranged(known, self._how.lines_shown))}
        if self._how.digits_as_number:
            known = known | {"order": self._with_numbers(known["order"])}
        return self.filled(self._templates.get("answer", {}), known | {"request": self.request_id()})

    def _with_numbers(self, order: Json) -> Json:
        made = copy.deepcopy(order)
        for place in self._keys:
            text = first(members(made), place)
            if isinstance(text, str) and text.isdecimal():
                replace(made, place, int(text))
        return made

    def refused(self, known: JsonObject) -> Json:
        """The entry of an order that was refused, by its ``code`` and ``message``."""
        return self.filled(self._templates.get("refused", {}), known)

    def shown(self, known: JsonObject) -> Json:
        """An order as lists have it."""
        if self._how.lines_listed and isinstance(known.get("lines"), list):
            known = known | {"lines": cast("list[Json]", known["lines"])[: self._how.lines_listed]}
        shown = self.filled(self._templates.get("shown", {}), known)
        if self._how.number_shown_as == "number":
            for place in self._filters.values():
                if first(shown, place) == str(known["id"]):
                    put(cast("JsonObject", shown), place, known["id"])
        return shown

    def filled(self, template: Json, known: JsonObject) -> Json:
        """Any other template of the pack."""
        return fill(template, known, self._revision)

    def facets(self, known: JsonObject) -> list[tuple[str, str]]:
        """What an order can be found by: a filter and the text that it has to be."""
        if not self._filters:
            return []
        shown = self.shown(known)
        found = [(name, each) for name, place in self._filters.items() for _, each in select(shown, place)]
        return [(name, str(each)) for name, each in found if each is not None]

    def facts(self) -> JsonObject:
        """What templates that are about no order see."""
        return {"account": self._account.facts, "request": self.request_id()}
