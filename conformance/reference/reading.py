"""Stored orders read back: lists with filters and pages, single orders, and their deletion."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from conformance.changes import tokens
from conformance.reference.documents import first, members, nested, put
from conformance.reference.refusals import Flaw, Reply
from conformance.reference.shelf import facet, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model import Account, Json, JsonObject
    from conformance.operations import ReadBack
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.refusals import Refusals
    from conformance.reference.store import Store, Stored

_CURSOR = "after:"
# Above every id.
_HIGHEST = 10**17


class Reading:
    """Answers reading and deleting calls as ``read-back`` and ``reference`` of a pack describe them."""

    def __init__(
        self, provider: Provider, account: Account, behaviour: Behaviour, store: Store, refusals: Refusals
    ) -> None:
        assert provider.read_back
        self._form: ReadBack = provider.read_back
        self._behaviour = behaviour
        self._store = store
        self._refusals = refusals
        reference = provider.reference
        outcome = provider.main.outcome
        self._id = outcome.id if outcome else "/id"
        self._page = cast("dict[str, Any]", reference.get("page", {}))
        self._filters = cast("dict[str, str]", reference.get("filters", {}))
        schema = cast("JsonObject", provider.main.request_schema.get("items", {}))
        self._numbers = {name for name, place in self._filters.items() if _type(schema, place) in ("integer", "number")}
        # A filter whose member may only have values of the account asks for one of them.
        rules = cast("list[dict[str, Any]]", reference.get("always", []))
        self._choices = {
            name: cast("list[Json]", account.get(each["fact"]) or [])
            for name, place in self._filters.items()
            for each in rules
            if each["rule"] == "known-value" and each["at"] == place
        }

    def list(self, query: Mapping[str, str], url: str) -> Reply:
        """The orders that a query asks for; ``url`` is that of the call, for the link to the next page."""
        facets: dict[str, Sequence[str]] = {}
        for name in self._filters.keys() & query.keys():
            parts = query[name].split(",") if name in self._numbers else [query[name]]
            values: list[Json] = [number_of(part) if name in self._numbers else part for part in parts]
            if name in self._choices and not all(each in self._choices[name] for each in values):
                return self._bad_parameter(name, "invalid_choice", "is not one of the account's")
            if None in values:
                return self._bad_parameter(name, "invalid", "is a number")
            facets[name] = [facet(each) for each in values]
        facets.pop(self._behaviour.filter_ignored, None)
        size = self._size(query)
        if size is None:
            return self._bad_parameter(str(self._page["parameter"]), "invalid", "is out of range")
        cursor = query.get(str(self._page.get("cursor")))
        after = None if cursor is None else _after(cursor)
        if cursor is not None and after is None:
            return self._refusals.reply(404, [Flaw("no such page", code="not_found")])
        falling = query.get("sort", "pk" if self._behaviour.oldest_first else "-pk") != "pk"
        wanted = {} if self._behaviour.filters_ignored else facets
        found = self._store.page(wanted, time.monotonic(), size + 1, after, falling=falling)
        if self._behaviour.filters_mind_case:
            found = [each for each in found if self._to_the_letter(each, query)]
        shown = [] if self._behaviour.list_empty else found[:size]
        headers: tuple[tuple[str, str], ...] = ()
        if len(found) > size and not self._behaviour.no_paging and "cursor" in self._page:
            more = {**query, self._page["cursor"]: _cursor(found[size - (not self._behaviour.pages_skip)].id)}
            if self._behaviour.next_is_same:
                more[self._page["cursor"]] = cursor or _cursor(_HIGHEST if falling else 0)
            headers = (("link", f'<{url}?{urlencode(more)}>; rel="next"'),)
        return Reply(200, nested(self._form.entries, [self._shown(each) for each in shown]), headers)

    def one(self, text: str) -> Reply:
        """One order by its id."""
        found = self._find(text, deleted=self._behaviour.deleted_readable)
        if found is None or self._behaviour.unreadable_by_id:
            return self._missing()
        return Reply(200, nested(self._form.order, self._shown(found)))

    def delete(self, text: str) -> Reply:
        """Take one order away."""
        found = self._find(text)
        if found is None:
            return self._missing()
        if not self._behaviour.delete_ignored:
            self._store.delete(found.id)
        status = self._behaviour.delete_status
        return Reply(status, {}) if status else Reply(204)

    def _find(self, text: str, *, deleted: bool = False) -> Stored | None:
        number = number_of(text)
        return None if number is None else self._store.one(number, time.monotonic(), deleted=deleted)

    def _to_the_letter(self, stored: Stored, query: Mapping[str, str]) -> bool:
        texts = self._filters.keys() & query.keys() - self._numbers
        return all(first(stored.body, self._filters[name]) == query[name] for name in texts)

    def _shown(self, stored: Stored) -> JsonObject:
        shown: JsonObject = dict(members(stored.body))
        put(shown, self._id, str(stored.id))
        return shown | {"created_at": stored.created_at, "modified_at": stored.modified_at}

    def _size(self, query: Mapping[str, str]) -> int | None:
        standard = self._behaviour.page_default or int(self._page.get("default", 100))
        text = query.get(str(self._page.get("parameter")))
        if text is None or self._behaviour.page_size_ignored:
            return standard
        size = number_of(text)
        return size if size and size <= int(self._page.get("max", standard)) else None

    def _missing(self) -> Reply:
        return self._refusals.reply(404, [Flaw("no such order", code="not_found")])

    def _bad_parameter(self, name: str, code: str, message: str) -> Reply:
        return self._refusals.reply(400, [Flaw(message, code=code, place="parameter", name=name)])


def _type(schema: JsonObject, place: str) -> Json:
    """The type of the member of an order that a JSON Pointer names."""
    node: Any = schema
    for part in tokens(place):
        node = node.get("properties", {}).get(part, {})
    return cast("Json", node.get("type"))


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"{_CURSOR}{number}".encode()).decode()


def _after(cursor: str) -> int | None:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        return None
    return number_of(text.removeprefix(_CURSOR)) if text.startswith(_CURSOR) else None
