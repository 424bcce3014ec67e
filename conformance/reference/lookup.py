"""Reading calls that are answered from templates of the pack: lists of orders in pages, single orders, account facts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from conformance.changes import select
from conformance.reference.documents import replace
from conformance.reference.refusals import Flaw, Reply
from conformance.reference.shelf import number_of
from conformance.reference.store import SOME_DAY
from conformance.reference.templates import value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.refusals import Refusals
    from conformance.reference.showing import Showing
    from conformance.reference.store import Store

# More orders than any run makes.
_ALL = 1_000_000


class Lookup:
    """
    Answers reading calls as ``reference.listed``, ``filters``, ``page`` and ``reads`` of a pack describe them.

    Pages are counted from 1 by the parameter that ``read-back`` names, or begin at ``page.offset``.
    """

    def __init__(
        self, provider: Provider, behaviour: Behaviour, store: Store, refusals: Refusals, showing: Showing
    ) -> None:
        reference = provider.reference
        self._how = behaviour
        self._store = store
        self._refusals = refusals
        self._showing = showing
        self._listed = reference.get("listed", {})
        self._reads = cast("dict[str, JsonObject]", reference.get("reads", {}))
        self._filters = cast("dict[str, str]", reference.get("filters", {}))
        self._page = cast("dict[str, Any]", reference.get("page", {}))
        self._default = behaviour.page_default or int(self._page.get("default", 100))
        self._pages = provider.read_back.page if provider.read_back else ""

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that the pack has a template for, beside the list."""
        return tuple(self._reads)

    def list(self, query: Mapping[str, str]) -> Reply:
        """A page of the orders that a query asks for, the newest first."""
        page = self._page
        size = self._number(query, str(page.get("parameter", "")), self._default)
        number = self._number(query, self._pages, 1)
        offset = self._number(query, str(page.get("offset", "")), 0)
        if size is None or number is None or offset is None or not 0 < size <= int(page.get("max", size)) or not number:
            return self._refusals.reply(400, [Flaw("this page cannot be asked for", code="invalid")])
        if self._how.page_size_ignored:
            size = self._default
        if self._how.first_page_always:
            number = 1
        wanted: dict[str, Sequence[str]] = {
            name: [query[name]] for name in self._filters if name in query and not self._how.filters_ignored
        }
        # Without its filter, the newest order should not come first by chance.
        unfiltered = self._how.filters_ignored and any(name in query for name in self._filters)
        start = 0 if self._how.no_paging else (number - 1) * size + offset
        shown = _ALL if self._how.pages_uncut else size
        count, found = (
            self._store.slice(wanted, self._instant(), shown, start, falling=not unfiltered)
            if start < 2**63
            else (0, [])
        )
        if self._how.list_empty:
            count, found = 0, []
        if self._how.newest_only and wanted:
            count, found = min(count, 1), found[:1]
        known: JsonObject = {
            "count": count,
            "page": number - 1 + self._how.first_page,
            "size": size,
            "pages": -(-count // size),
            "orders": [self._showing.shown(self._showing.stored(each)) for each in found],
        }
        return Reply(200, self._showing.filled(self._listed, self._showing.facts() | known))

    def read(self, operation: str, path: Mapping[str, str], query: Mapping[str, str]) -> Reply:
        """The answer of another reading operation: about the order that its path names, or about the account."""
        form = self._reads[operation]
        known = self._showing.facts() | {"query": cast("Json", dict(query))}
        if path:
            _, found = self._store.slice({name: [text] for name, text in path.items()}, self._instant(), 1, 0)
            if not found or self._how.unreadable_by_id or self._how.codes_missing:
                return self._refusals.reply(404, [Flaw("no such order", code="not_found")])
            known |= self._showing.stored(found[0], units=True)
        body = self._showing.filled(form["answer"], known)
        for each in cast("list[dict[str, str]]", form.get("choose", [])):
            if each["parameter"] in query:
                _choose(body, each["list"], each["by"], query[each["parameter"]].split(","))
        return Reply(200, body)

    def _instant(self) -> float:
        """Orders are shown at once where their status tells how far they are, else when they are ready."""
        return SOME_DAY if self._showing.at_once else time.monotonic()

    def _number(self, query: Mapping[str, str], name: str, default: int) -> int | None:
        return number_of(query[name]) if name in query else default


def _choose(body: Json, place: str, by: str, wanted: list[str]) -> None:
    """Keep those elements of a list that have one of the values."""
    for _, rows in select(body, place):
        if isinstance(rows, list):
            replace(body, place, [each for each in rows if str(value(each, by)) in wanted])
