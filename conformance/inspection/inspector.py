"""Everything that the documentation has against the body and the headers of a request, all of it at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from conformance import envelope, schemas
from conformance.changes import exists, read, tokens
from conformance.changes import pointer as joined
from conformance.inspection import texts, words
from conformance.inspection.grounds import Grounds
from conformance.inspection.headers import Headers
from conformance.inspection.objections import Objection, objection, weigh
from conformance.inspection.settings import documented, rules
from conformance.model import Account, Expect, Verdict
from conformance.rules import Context, breaches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from conformance.inspection.settings import Rules
    from conformance.model import Json, JsonObject, Requirement
    from conformance.providers import Provider
    from conformance.schemas import Mistake

# What a broken body is told of.
_DEEP = "nested too deep to be looked into"


def _never(_place: str, _value: Json) -> bool:
    return False


class Inspector:
    """
    Looks at the requests of one provider, as one revision of its documentation has them.

    Without an ``account`` nothing is said of what only the account decides, such as which products
    there are. With ``strict`` those objections are told too that have no more ground than that the
    documentation is silent.
    """

    def __init__(self, provider: Provider, account: Account | None = None, *, strict: bool = False) -> None:
        self._main = provider.main
        self._account = account
        self._strict = strict
        self._grounds = Grounds(provider, account)
        schema = schemas.closed(self._main.request_schema) if strict else self._main.request_schema
        self._schema = schema
        self._whole = schemas.validator(schema)
        # Most rules are choices of strict endpoints; nobody else is told of them.
        self._rules = [each for each in rules(provider, account) if strict or self._weight(each) != Verdict.OBSERVED]
        self._headers = Headers(provider, account, self._grounds)

    def body(
        self,
        raw: bytes | Json,
        *,
        now: datetime,
        headers: Mapping[str, str] | None = None,
        seen: Callable[[str, Json], bool] = _never,
    ) -> list[Objection]:
        """
        The objections to a request body, given as its bytes or as the JSON that it says, in document order.

        ``now`` is the instant of sending; ``headers`` are looked at where they are given; ``seen(place, value)`` tells
        whether an earlier order had this value there, for what has to be unique.
        """
        found = [] if headers is None else list(self._headers.objections(headers))
        if isinstance(raw, bytes):
            text = texts.read(raw)
            found += [self._odd(word, what) for word, what in text.oddities]
            if not raw.strip():
                return [*self._told(found), *self._empty()]
            if text.broken:
                return self._told([*found, self.broken(text.broken)])
            raw = text.value
        return self._told(found) + self._body(raw, now, seen)

    def order(
        self, order: Json, *, now: datetime, seen: Callable[[str, Json], bool] = _never, index: int = 0
    ) -> list[Objection]:
        """The objections to one order by itself; their pointers lead into the order."""
        name = envelope.name(0)
        prefix = envelope.place(self._main, 0, [name])
        found = self._body(envelope.wrap(self._main, [order], [name]), now, seen)
        return [replace(each, pointer=each.pointer.removeprefix(prefix), order=index) for each in found]

    def broken(self, why: str) -> Objection:
        """The objection to bytes that are not JSON."""
        return objection(self._grounds.body, weigh(self._grounds.body), "JSON (RFC 8259)", why)

    def odd(self, word: str, what: str) -> list[Objection]:
        """The objection to something odd about the bytes, if there is one."""
        return self._told([self._odd(word, what)])

    def orders(self, body: Json) -> int:
        """How many orders a body has."""
        try:
            return len(envelope.unwrap(self._main, body))
        except (KeyError, TypeError, AttributeError):
            return 0

    def _told(self, found: list[Objection]) -> list[Objection]:
        """What is told of what was found: where the documentation is silent, only to who is strict."""
        return [each for each in dict.fromkeys(found) if self._strict or each.verdict != Verdict.OBSERVED]

    def _empty(self) -> Iterator[Objection]:
        """The objection to no body at all."""
        cases = [case for value, case in self._grounds.request_cases("/body") if value in (None, "")]
        case = next(iter(cases), None)
        requirement = case.requirement if case else self._grounds.body
        observed = case is not None and case.expect is Expect.OBSERVE
        yield objection(requirement, weigh(requirement, observed=observed), "a body", "nothing")

    def _odd(self, word: str, what: str) -> Objection:
        cases = [case for value, case in self._grounds.request_cases("/body") if value == f"@body.{word}"]
        if cases:
            verdict = weigh(cases[0].requirement, observed=cases[0].expect is Expect.OBSERVE)
            return objection(cases[0].requirement, verdict, "JSON in UTF-8, each member once", what)
        # RFC 8259 advises against repeated members and a byte order mark; other encodings are no JSON.
        return objection(
            self._grounds.body,
            weigh(self._grounds.body, reading=word != texts.LATIN),
            "JSON in UTF-8, each member once",
            what,
        )

    def _body(self, body: Json, now: datetime, seen: Callable[[str, Json], bool]) -> list[Objection]:
        try:
            mistakes = [] if self._whole.accepts(body) else self._whole.mistakes(body)
        except (ValueError, RecursionError):
            return [self.broken(_DEEP)]
        # What has a wrong type breaks every other rule on its value too.
        wrong = {each.pointer for each in mistakes if each.keyword == "type"}
        mistakes = [each for each in mistakes if each.keyword == "type" or each.pointer not in wrong]
        named = {name: index for index, name in enumerate(envelope.names(self._main, body))}
        found = [each for mistake in mistakes for each in self._mistaken(mistake, body, named)]
        # No order was looked at in a body of another form: even where that is not spoken of, nobody takes silence for praise.
        if found and all(not each.pointer for each in found):
            return found
        return self._told([*found, *self._breaches(body, found, now, seen)])

    def _mistaken(self, mistake: Mistake, body: Json, named: Mapping[str, int]) -> Iterator[Objection]:
        """The objections to one mistake: one for each member that nobody knows."""
        node = documented(self._schema, mistake.rule[:-1])
        known = list(cast("JsonObject", node.get("properties", {})))
        for name in mistake.unexpected or (mistake.missing,):
            place = mistake.pointer + (joined([name]) if name or mistake.unexpected else "")
            there = exists(body, place)
            value = read(body, place) if there else None
            ground = self._grounds.of(mistake, value)
            yield objection(
                ground.requirement,
                ground.verdict,
                words.expected(mistake.keyword, node, mistake.missing),
                words.got(mistake.keyword, value, there=there, known=known, name=name),
                pointer=place,
                order=self._index(place, body, named),
            )

    def _breaches(
        self, body: Json, mistaken: list[Objection], now: datetime, seen: Callable[[str, Json], bool]
    ) -> Iterator[Objection]:
        """The objections of the rules to each order, but not at places that the schema objects to already."""
        used: set[tuple[str, str]] = set()
        spoilt: dict[int | None, list[str]] = {}
        for each in mistaken:
            spoilt.setdefault(each.order, []).append(each.pointer)

        def known(place: str, value: Json) -> bool:
            key = (place, json.dumps(value))
            found = key in used or seen(place, value)
            used.add(key)
            return found

        context = Context(now, self._account or Account(), known)
        names = envelope.names(self._main, body)
        for index, order in enumerate(self._listed(body)):
            prefix = envelope.place(self._main, index, names)
            wrong = spoilt.get(index, [])
            for rule in self._rules:
                # What a rule reads has to be as the schema wants it.
                if any(rule.reads(each.removeprefix(prefix)) for each in wrong):
                    continue
                for breach in _broken(rule.settings, order, context, lenient=bool(wrong)):
                    place = prefix + breach.pointer
                    requirement = self._owner(rule, place)
                    verdict = weigh(requirement, observed=not rule.speaks_of(order))
                    got = f"{words.found(body, place)}, which {breach.message}"
                    asked = f"“{requirement.title.removesuffix('.')}”"
                    yield objection(requirement, verdict, asked, got, pointer=place, order=index)

    def _weight(self, rule: Rules) -> Verdict:
        """The most that a breach of a rule can weigh."""
        return weigh(self._owner(rule, ""), observed=rule.silent or not rule.requirement)

    def _owner(self, rule: Rules, place: str) -> Requirement:
        known = self._grounds
        return known.catalogue.requirement(rule.requirement) if rule.requirement else known.at(place)

    def _listed(self, body: Json) -> list[Json]:
        try:
            orders = envelope.unwrap(self._main, body)
        except (KeyError, TypeError, AttributeError):
            return []
        return orders if isinstance(orders, list) else []  # pyright: ignore[reportUnnecessaryIsInstance]  # of anybody's body

    def _index(self, place: str, body: Json, named: Mapping[str, int]) -> int | None:
        """Which order of a body a place lies in."""
        depth, parts = len(tokens(envelope.place(self._main, 0))), tokens(place)
        if self._main.envelope == "single":
            return 0 if isinstance(body, dict) else None
        if len(parts) < depth:
            return None
        if self._main.envelope == "named":
            return named.get(parts[0])
        return int(parts[depth - 1]) if parts[depth - 1].isdigit() else None


def _broken(settings: dict[str, Any], order: Json, context: Context, *, lenient: bool) -> list[Any]:
    """The breaches of a rule; none where the order is of a form that the rule was not written for."""
    try:
        return list(breaches(settings, order, context))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        if lenient:
            return []
        raise
