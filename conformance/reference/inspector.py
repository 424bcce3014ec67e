"""What is wrong with one order: its schema, then the rules of the pack. For APIs that answer order by order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from conformance import schemas
from conformance.operations import order_schema
from conformance.reference.documents import first, shortened
from conformance.reference.examiner import known_facts
from conformance.reference.refusals import Flaw
from conformance.rules import Context, breaches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Any

    from conformance.model import Account, Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.store import Store


class Inspector:
    """Finds the flaws of single orders, one after the other."""

    def __init__(self, provider: Provider, account: Account, behaviour: Behaviour, store: Store) -> None:
        main = provider.main
        self._account = known_facts(account, behaviour.known_from)
        self._store = store
        schema, documented = _order(main, behaviour.schemas[main.id]), _order(main, main.request_schema)
        self._schema = schemas.validator(schema)
        self._documented = schemas.validator(documented) if schema != documented else None
        self._rules = tuple(each for each in behaviour.rules if holds(each, account))
        if behaviour.number_ignored:
            self._rules = tuple(each for each in self._rules if each["rule"] != "free-number")
        self._looked_at = (main.order.lines if main.order else "", behaviour.lines_looked_at)
        self.unique = tuple(str(each["at"]) for each in behaviour.rules if each["rule"] == "unique")

    def flaws(self, order: Json, index: int, now: datetime) -> list[Flaw]:
        """Everything that speaks against an order: its form, else what the rules say."""
        place, count = self._looked_at
        order = shortened(order, place, count)
        if not self._schema.accepts(order):
            return [
                Flaw(each.message, each.pointer, index, "invalid" if each.pointer else "root", keyword=each.keyword)
                for each in self._schema.mistakes(order)
            ]
        if self._documented and not self._documented.accepts(order):
            # Only a fault let this through. The rules neither hide the fault nor read what they were not written for.
            return []
        return list(self._breaches(order, index, now))

    def _breaches(self, order: Json, index: int, now: datetime) -> Iterator[Flaw]:
        inside: set[tuple[str, str]] = set()

        def seen(place: str, value: Json) -> bool:
            key = (place, json.dumps(value))
            known = key in inside or self._store.seen(place, value)
            inside.add(key)
            return known

        context = Context(now, self._account, seen, self._store.has)
        for each in self._rules:
            for breach in breaches(each, order, context):
                yield Flaw(
                    f"{breach.pointer} {breach.message}",
                    breach.pointer,
                    index,
                    each.get("code", "invalid"),
                    keyword=each["rule"],
                    status=each.get("status", 0),
                    form=each.get("answer"),
                    value=first(order, breach.pointer),
                )


def _order(main: Operation, schema: JsonObject) -> JsonObject:
    return order_schema(main.envelope, main.wrapper, schema)


def holds(rule: dict[str, Any], account: Account) -> bool:
    """Whether a rule is about accounts of this kind."""
    wanted = cast("JsonObject", rule.get("account-is", {}))
    return all(account.get(fact) == value for fact, value in wanted.items())
