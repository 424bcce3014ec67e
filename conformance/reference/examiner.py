"""What is wrong with a batch: its root, its schema, the rules of the pack and the headers it came with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from conformance import envelope, schemas
from conformance.changes import pointer as joined
from conformance.changes import tokens
from conformance.reference.documents import first, shortened
from conformance.reference.refusals import Flaw
from conformance.rules import Context, breaches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from conformance.model import Account, Json
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.schemas import Mistake

_MISSING = " is a required property"


class Examiner:
    """Finds the flaws of batches; with ``every`` all of them at once, else it may stop at the first."""

    def __init__(self, provider: Provider, account: Account, behaviour: Behaviour, *, every: bool) -> None:
        self._main = provider.main
        self._account = known_facts(account, behaviour.known_from)
        self._behaviour = behaviour
        self._every = every
        self._headers = cast("list[dict[str, str]]", provider.reference.get("headers", []))
        # Compiled once: what a batch is held against here, and what is documented where that differs.
        self._schema = schemas.validator(behaviour.schemas[self._main.id])
        changed = behaviour.schemas[self._main.id] != self._main.request_schema
        self._documented = schemas.validator(self._main.request_schema) if changed else None

    def orders(self, body: Json) -> list[Json]:
        """The orders of a body; none when it has not the form of a batch."""
        try:
            orders = envelope.unwrap(self._main, body)
        except (KeyError, TypeError):
            return []
        return orders if isinstance(orders, list) else []  # pyright: ignore[reportUnnecessaryIsInstance]  # a fault may let anything in

    def taken(self, body: Json) -> Json:
        """The batch that a careless endpoint sees in a body of another form."""
        kind = self._behaviour.root_taken
        if isinstance(body, dict) and body and kind == "order":
            return envelope.wrap(self._main, [body])
        if isinstance(body, dict) and kind == "wrapped":
            inner = next((each for each in body.values() if isinstance(each, list)), None)
            return body if inner is None else envelope.wrap(self._main, inner)
        if (body == {} and kind == "empty") or (isinstance(body, str) and kind == "text"):
            return envelope.wrap(self._main, [])
        if self._behaviour.skip_non_objects and self.orders(body):
            return envelope.wrap(self._main, [each for each in self.orders(body) if isinstance(each, dict)])
        return body

    def flaws(
        self, body: Json, headers: Mapping[str, str], now: datetime, seen: Callable[[str, Json], bool]
    ) -> list[Flaw]:
        """What is wrong with a batch and the headers it came with."""
        behaviour = self._behaviour
        found = [*self.header_flaws(headers)]
        if body is None and (behaviour.empty_body or behaviour.not_json):
            return found
        if behaviour.lone_orders_only and len(self.orders(body)) > 1:
            return found
        judged = self._visible(body)
        spoilt: set[int | None] = set()
        if not self._schema.accepts(judged):
            mistakes = self._schema.mistakes(judged)
            made = [self._flaw(each, judged) for mistake in mistakes for each in self._places(mistake)]
            found += dict.fromkeys(made)
            spoilt |= {each.index for each in made}
            if not self._every:
                return found
        if self._documented and not self._documented.accepts(judged):
            # Only a fault let this through. The rules neither hide the fault nor read what they were not written for.
            spoilt |= {self._flaw(each, judged).index for each in self._documented.mistakes(judged)}
        if None not in spoilt and (self._every or not spoilt):
            found += self._breaches(judged, spoilt, now, seen)
        return found

    def _breaches(
        self, judged: Json, spoilt: set[int | None], now: datetime, seen: Callable[[str, Json], bool]
    ) -> Iterator[Flaw]:
        batch: set[tuple[str, str]] = set()

        def used(place: str, value: Json) -> bool:
            key = (place, json.dumps(value))
            known = key in batch or seen(place, value)
            batch.add(key)
            return known

        context = Context(now, self._account, used)
        orders = self.orders(judged)
        for index, order in enumerate(orders):
            if index not in spoilt:
                for settings in self._behaviour.rules:
                    for breach in breaches(settings, order, context):
                        yield Flaw(breach.message, breach.pointer, index)
                alike = self._behaviour.alike_in_batch
                if alike and first(order, alike) != first(orders[0], alike):
                    yield Flaw("differs from that of the first order", alike, index)

    def header_flaws(self, headers: Mapping[str, str]) -> Iterator[Flaw]:
        """What is wrong with the headers of a request."""
        behaviour = self._behaviour
        if behaviour.header_demanded and behaviour.header_demanded not in headers:
            yield Flaw("is needed", place="header", name=behaviour.header_demanded)
        for each in () if behaviour.headers_unchecked else self._headers:
            given = headers.get(each["name"])
            if given is not None and given != self._account.get(each["fact"]):
                yield Flaw("is not known", place="header", name=each["name"])

    def _visible(self, body: Json) -> Json:
        """The part of a batch that a careless endpoint looks at."""
        orders = self.orders(body)
        if self._behaviour.lines_looked_at and self._main.order and orders:
            place, count = self._main.order.lines, self._behaviour.lines_looked_at
            return envelope.wrap(self._main, [shortened(each, place, count) for each in orders])
        if self._behaviour.look_at_first:
            return envelope.wrap(self._main, orders[: self._behaviour.look_at_first]) if orders else body
        if self._behaviour.skip_last and len(orders) > 1:
            return envelope.wrap(self._main, orders[:-1])
        return body

    def _places(self, mistake: Mistake) -> Iterator[Mistake]:
        """One mistake for each member that it is about: the missing or the unexpected ones."""
        names: list[str] = []
        if self._every and mistake.keyword == "required" and mistake.message.endswith(_MISSING):
            names = [json.loads(mistake.message.removesuffix(_MISSING))]
        elif self._every:
            names = list(mistake.unexpected)
        for name in names:
            yield type(mistake)(mistake.pointer + joined([name]), mistake.keyword, mistake.message, mistake.rule)
        if not names:
            yield mistake

    def _flaw(self, mistake: Mistake, body: Json) -> Flaw:
        """A mistake in a body as a flaw of one order, of the batch or of the root."""
        parts = tokens(mistake.pointer)
        depth = len(tokens(envelope.place(self._main, 0)))
        if len(parts) >= depth and parts[depth - 1].isdigit():
            return Flaw(mistake.message, joined(parts[depth:]), int(parts[depth - 1]))
        if mistake.keyword in ("minItems", "maxItems"):
            # The library's sentence repeats the whole batch.
            counted = f"{len(self.orders(body))} orders are too many or too few for one batch"
            return Flaw(counted if self._every else mistake.message, mistake.pointer, place="batch")
        return Flaw(mistake.message, mistake.pointer, code="invalid" if parts else "root")


def known_facts(account: Account, known_from: dict[str, int]) -> Account:
    """The facts that a forgetful endpoint knows."""
    if not known_from:
        return account
    cut: dict[str, Any] = {
        name: cast("list[Json]", account.facts.get(name, []))[count:] for name, count in known_from.items()
    }
    return type(account)(account.facts | cut)
