"""The ledger: which orders ought to be stored after a run, from what was sent and answered, held against a listing."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, urlencode

from conformance import bodies, changes, envelope, links
from conformance.answers import Answer, classify
from conformance.model import Expect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model import Exchange, Json, Record
    from conformance.operations import Operation, ReadBack
    from conformance.providers import Provider
    from conformance.suite import Suite

# The members that identify an order, as texts.
Key: TypeAlias = "tuple[str, ...]"

# After these a request may have done what it was to do, or not.
UNCLEAR = frozenset({Answer.FAILED, Answer.UNAVAILABLE, Answer.NONE})


@dataclass(slots=True)
class Entry:
    """One order as the documentation says it is stored: the last accepted version, and in which exchange."""

    order: Json
    exchange: str
    # Whether it must be stored just so: not where an observation or several requests at once decided.
    sure: bool = True


@dataclass(slots=True)
class Ledger:
    """
    ``accepted`` are the orders that ought to be stored, by key; ``refused`` the versions that were turned down.

    ``created`` are the vendor's ids of orders that were not deleted again, with their keys.
    ``ids`` are all ids that the vendor told. Only orders that carry the run's token are in it.
    """

    accepted: dict[Key, Entry] = field(default_factory=dict["Key", "Entry"])
    created: dict[str, Key] = field(default_factory=dict["str", "Key"])
    ids: dict[str, Key] = field(default_factory=dict["str", "Key"])
    refused: dict[Key, list[Entry]] = field(default_factory=lambda: defaultdict[Key, list[Entry]](list))


def key_of(operation: Operation, order: Json) -> Key:
    """What identifies an order, as texts; empty when it lacks one of the members."""
    form = operation.order
    found = [changes.select(order, path) for path in form.key] if form else []
    return tuple(str(each[0][1]) for each in found) if all(found) else ()


def is_ours(operation: Operation, order: Json, token: str) -> bool:
    """Whether an order carries the run's token where this API's orders carry it."""
    form = operation.order
    found = changes.select(order, form.token) if form and form.token else []
    return bool(found and token) and f"-{token}-" in str(found[0][1])


def sent_orders(operation: Operation, exchange: Exchange) -> list[Json]:
    """The orders in the body of a request; none in a body that has another form."""
    return orders_in(operation, exchange.request.body or b"")


def orders_in(operation: Operation, body: bytes) -> list[Json]:
    """The orders in a body; none in one that has another form."""
    if not operation.order:
        return []
    try:
        orders = envelope.unwrap(operation, bodies.parsed(body))
    except (KeyError, TypeError, AttributeError):
        return []
    return orders if isinstance(orders, list) else []  # pyright: ignore[reportUnnecessaryIsInstance]  # cases send anything


def write(suite: Suite, records: Iterable[Record], token: str) -> Ledger:
    """The ledger of a run."""
    operation = suite.provider.main
    ledger = Ledger()
    ids = ledger.ids
    taken: list[tuple[str, Answer]] = []
    for record in records:
        exchange = record.exchange
        if record.purpose != "clean-up":
            # What an earlier part of the run took away in its end cannot be there any more.
            for name, gone in taken:
                _take_away(ledger, ids.get(name, ()), gone)
            taken.clear()
        answer = classify(suite.provider.operation(exchange.operation), exchange)
        if exchange.operation == operation.id:
            orders = [each for each in sent_orders(operation, exchange) if is_ours(operation, each, token)]
            _enter(ledger, suite, record, answer, orders)
            if answer is Answer.ACCEPTED:
                found = _ids(operation, exchange, orders)
                ids.update(found)
                ledger.created |= found
        elif exchange.request.method == "DELETE" and answer in UNCLEAR | {Answer.ACCEPTED}:
            name = exchange.request.path.rpartition("/")[2]
            ledger.created.pop(name, None)
            # What the run takes away in the end was stored all the same.
            if record.purpose == "clean-up":
                taken.append((name, answer))
            else:
                _take_away(ledger, ids.get(name, ()), answer)
    return ledger


def _take_away(ledger: Ledger, key: Key, answer: Answer) -> None:
    """Enter what a deletion did to the store; without a clear answer the order may be there or not."""
    if answer is Answer.ACCEPTED:
        ledger.accepted.pop(key, None)
    elif key in ledger.accepted:
        ledger.accepted[key] = replace(ledger.accepted[key], sure=False)


def _enter(ledger: Ledger, suite: Suite, record: Record, answer: Answer, orders: list[Json]) -> None:
    """Enter what one batch should have done to the store."""
    case = suite.by_id.get(record.case)
    # What was observed, sent several times at once, broken off, or beside a bad order may have ended either way.
    sure = record.purpose not in ("lost", "probe") and (
        case is None or (case.expect is not Expect.OBSERVE and not case.parallel)
    )
    wanted = case is None or case.wanted(record.step) is Expect.ACCEPT
    for order in orders:
        key = key_of(suite.provider.main, order)
        if not key:
            continue
        if answer in (Answer.REFUSED, Answer.AMBIGUOUS):
            ledger.refused[key].append(Entry(order, record.exchange.id, sure))
        else:
            # Without an answer nobody knows what became of it.
            ledger.accepted[key] = Entry(order, record.exchange.id, sure and wanted and answer is Answer.ACCEPTED)


def _ids(operation: Operation, exchange: Exchange, orders: Sequence[Json]) -> dict[str, Key]:
    """The vendor's ids of accepted orders, as texts, by what the entries of the answer repeat."""
    outcome = operation.outcome
    if outcome is None:
        return {}
    return {
        str(value): key_of(operation, order)
        for entry, order in paired(operation, entries(operation, exchange), orders)
        for _, value in changes.select(entry, outcome.id)
    }


def entries(operation: Operation, exchange: Exchange) -> list[Json]:
    """The entries for accepted orders in an answer; none where it has another form."""
    outcome = operation.outcome
    if outcome is None or outcome.by_name:
        return []
    found = changes.select(bodies.answered(exchange), outcome.entries)
    if not found:
        return []
    return found[0][1] if isinstance(found[0][1], list) else [found[0][1]]


def paired(operation: Operation, entries: Sequence[Json], orders: Sequence[Json]) -> list[tuple[Json, Json]]:
    """Each entry that repeats what identifies one of the orders, with that order."""
    by_echo = {echo: order for order in orders if (echo := _echo(operation, order))}
    return [(entry, by_echo[echo]) for entry in entries if (echo := _echo(operation, entry)) in by_echo]


def _echo(operation: Operation, value: Json) -> str:
    """What an entry repeats of its order, as one text; empty where something of it is missing."""
    found = [changes.select(value, path) for path in (operation.outcome.echo if operation.outcome else ())]
    return json.dumps([each[0][1] for each in found]) if found and all(found) else ""


def listed(provider: Provider, records: Iterable[Record], token: str) -> dict[Key, list[Json]] | None:
    """Our stored orders by key, from the last complete sweep; None when there was none."""
    form = provider.read_back
    sweeps = [each for each in records if each.purpose == "sweep"]
    if form is None or not sweeps:
        return None
    last = max(each.step for each in sweeps)
    found: dict[Key, list[Json]] = defaultdict(list)
    for record in sweeps:
        if record.step != last:
            continue
        if classify(provider.operation(record.exchange.operation), record.exchange) is not Answer.ACCEPTED:
            return None
        if bodies.cut(record.exchange):
            # Its beginning proves nothing about what stands behind it.
            return None
        for order in stored(provider, record.exchange):
            if is_ours(provider.main, order, token):
                found[key_of(provider.main, order)].append(order)
    return found


def alone(provider: Provider, records: Iterable[Record], ids: Mapping[str, Key]) -> dict[Key, bool]:
    """Which of our orders were there when they were read by the vendor's id, because the listing lacked them."""
    form = provider.read_back
    found: dict[Key, bool] = {}
    for record in records:
        key = ids.get(record.exchange.request.path.rpartition("/")[2])
        if form is None or key is None or record.purpose != "lookup" or record.exchange.operation != form.one:
            continue
        answer = classify(provider.operation(form.one), record.exchange)
        if answer is Answer.REFUSED:
            found[key] = False
        elif answer is Answer.ACCEPTED:
            shown = changes.select(bodies.answered(record.exchange), form.order)
            found[key] = any(key_of(provider.main, each) == key for _, each in shown)
    return found


def is_cut_off(provider: Provider, records: Sequence[Record]) -> bool:
    """Whether the last sweep ended before the listing did."""
    sweeps = [each for each in records if each.purpose == "sweep"]
    if not sweeps or provider.read_back is None:
        return True
    return bool(further(provider.read_back, sweeps[-1].exchange, stored(provider, sweeps[-1].exchange)))


def further(form: ReadBack, exchange: Exchange, page: Sequence[Json]) -> str:
    """The query of the page behind one of a listing; empty behind the last."""
    if not form.page:
        return links.query(exchange, "next")
    query = dict(parse_qsl(exchange.request.query))
    number = int(query.get(form.page, "1"))
    return urlencode({**query, form.page: number + 1}) if page else ""


def stored(provider: Provider, exchange: Exchange) -> list[Json]:
    """The orders in one page of a listing."""
    form = provider.read_back
    found = changes.select(bodies.answered(exchange), form.entries) if form else []
    return found[0][1] if found and isinstance(found[0][1], list) else []


def differences(provider: Provider, sent: Json, kept: Json) -> list[tuple[str, Json, Json]]:
    """Where a stored order shows something else than was sent: (path, sent, stored)."""
    result: list[tuple[str, Json, Json]] = []
    for path in provider.read_back.compare if provider.read_back else ():
        # In which order a listing shows the lines of an order is nowhere promised.
        mine = sorted((value for _, value in changes.select(sent, path)), key=str)
        theirs = sorted((value for _, value in changes.select(kept, path)), key=str)
        if mine != theirs:
            result.append((path, mine[0] if len(mine) == 1 else mine, theirs[0] if len(theirs) == 1 else theirs))
    return result
