"""Standing checks of what accepted answers say: rules on their amounts, and that everything sent comes back in them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from conformance import bodies, changes, envelope, ledger
from conformance.answers import describe
from conformance.model import Finding
from conformance.rules import Context, breaches
from conformance.standing.whole import Untold, short, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Case, Json
    from conformance.standing.whole import Found, Whole


def rule(case: Case, whole: Whole) -> Iterator[Found]:
    """Every accepted answer obeys a rule of the registry, whose places lead into the answer."""
    settings = dict(case.rule or {})
    unless = cast("dict[str, Any]", settings.pop("unless", {}))
    looked_at = False
    for record in some(whole.taken, "nothing was accepted"):
        body = bodies.answered(record.exchange)
        if unless and any(isinstance(each, dict) for _, each in changes.select(body, str(unless["at"]))):
            continue
        looked_at = True
        context = Context(record.exchange.sent_at, whole.suite.account, lambda _place, _value: False)
        for breach in breaches(settings, body, context):
            found = [value for _, value in changes.select(body, breach.pointer)]
            got = f"{short(found[0]) if found else 'nothing'} {breach.message}"
            yield (
                Finding(f"response body {breach.pointer}", "what the rest of the answer adds up to", got),
                record.exchange.id,
            )
    if not looked_at:
        raise Untold("no answer of that kind was accepted")


def distinct(case: Case, whole: Whole) -> Iterator[Found]:
    """No two accepted answers show the same value at a place."""
    seen: dict[str, str] = {}
    for record in some(whole.taken, "nothing was accepted"):
        for _, value in changes.select(bodies.answered(record.exchange), case.value_at):
            text = json.dumps(value)
            if seen.setdefault(text, record.exchange.id) != record.exchange.id:
                yield (
                    Finding(f"response body {case.value_at}", "another value in each answer", text),
                    record.exchange.id,
                )
    if not seen:
        raise Untold(f"no answer has anything at {case.value_at}")


def numbers(_case: Case, whole: Whole) -> Iterator[Found]:
    """No two orders have the same number, wherever an entry tells one or several."""
    outcome = whole.operation.outcome
    seen: dict[str, tuple[str, str]] = {}
    for record in some(whole.taken, "nothing was accepted"):
        told = bodies.answered(record.exchange)
        for name, entry in told.items() if isinstance(told, dict) else ():
            for path in outcome.ids if outcome else ():
                for _, value in changes.select(entry, path):
                    if not _is_number(value):
                        continue
                    here = (record.exchange.id, name)
                    if seen.setdefault(str(value), here) != here:
                        yield (
                            Finding("number of an order", "one that no other order has", str(value)),
                            record.exchange.id,
                        )
    if not seen:
        raise Untold("no answer names an order's number")


def _is_number(value: Json) -> bool:
    """Whether a value is a number, as JSON or as text: null and other words stand where there is none."""
    return str(value).isdecimal() if isinstance(value, str) else type(value) is int


def lines(_case: Case, whole: Whole) -> Iterator[Found]:
    """Each line that was sent comes back exactly once, and nothing else does."""
    operation, outcome = whole.operation, whole.operation.outcome
    form = cast("dict[str, Any]", outcome.lines if outcome else {})
    for record in some(whole.taken, "nothing was accepted"):
        orders = ledger.sent_orders(operation, record.exchange)
        entries = ledger.entries(operation, record.exchange)
        for order, entry in zip(orders, entries, strict=False):
            sent = _lines(order, form["sent"], form["echo"])
            back = _lines(entry, form["answered"], form["echo"])
            if sent != back:
                missing, more = list((sent - back).elements()), list((back - sent).elements())
                got = "; ".join(
                    f"{word} {', '.join(each)}" for word, each in (("without", missing), ("with", more)) if each
                )
                yield Finding("lines of the answer", "those that were sent", got), record.exchange.id


def _lines(order: Json, at: str, echo: Sequence[str]) -> Counter[str]:
    rows = [row for _, row in changes.select(order, f"{at}/*")]
    return Counter(json.dumps([[value for _, value in changes.select(row, path)] for path in echo]) for row in rows)


def names(_case: Case, whole: Whole) -> Iterator[Found]:
    """The answer to a batch has exactly the names that were sent."""
    for record in some(whole.processed, "no batch was answered"):
        sent = envelope.names(whole.operation, bodies.sent(record.exchange))
        told = bodies.answered(record.exchange)
        if not isinstance(told, dict):
            yield Finding("names of the answer", short(list(sent)), describe(record.exchange)), record.exchange.id
        elif set(sent) != set(told):
            missing, more = sorted(set(sent) - set(told)), sorted(set(told) - set(sent))
            got = f"without {short(list(missing))}" if missing else f"with {short(list(more))} besides"
            yield Finding("names of the answer", short(list(sent)), got), record.exchange.id
