"""Standing checks of answers: their status, their form, and what they say of each order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from conformance import bodies, changes, ledger, refusals, schemas
from conformance.answers import Answer, describe, in_a_word
from conformance.model import Finding
from conformance.standing.whole import Untold, some, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.catalogue import AnswerSite
    from conformance.ledger import Key
    from conformance.model import Case, Exchange, Json, Record
    from conformance.standing.whole import Found, Whole


def success_status(_case: Case, whole: Whole) -> Iterator[Found]:
    """Every acceptance has a documented status."""
    operation = whole.operation
    allowed = (*operation.success, *operation.tolerated)
    wanted = " or ".join(map(str, operation.success))
    for record in some(whole.taken, "nothing was accepted"):
        if status(record.exchange) not in allowed:
            yield Finding("response status", wanted, describe(record.exchange)), record.exchange.id


def accepted_with(_case: Case, whole: Whole) -> Iterator[Found]:
    """Observed: the statuses of acceptance."""
    for record in some(whole.taken, "nothing was accepted"):
        word = in_a_word(Answer.ACCEPTED, record.exchange)
        yield Finding("response status", "nothing in particular", word), record.exchange.id


def refusal_status(_case: Case, whole: Whole) -> Iterator[Found]:
    """Every refusal has the documented status."""
    wanted = whole.operation.refusal_status
    for record in some([*whole.refused, *whole.confirmed, *whole.disguised], "nothing was refused"):
        if status(record.exchange) != wanted:
            yield Finding("status of a refusal", str(wanted), describe(record.exchange)), record.exchange.id


def _form(records: list[Record], sites: list[AnswerSite], media: str) -> Iterator[Found]:
    for record in records:
        exchange = record.exchange
        if any(each.site.path == "$" for each in sites) and (found := _not_json(exchange, media)):
            yield found, exchange.id
            continue
        for each in sites:
            if found := _breach(bodies.answered(exchange), each):
                yield found, exchange.id


def success_form(case: Case, whole: Whole) -> Iterator[Found]:
    """Every acceptance has what the requirement demands of its body."""
    yield from _form(
        some(whole.processed, "nothing was accepted"), _sites(case, whole, "success"), whole.operation.answers_as
    )


def refusal_form(case: Case, whole: Whole) -> Iterator[Found]:
    """Every refusal has what the requirement demands of its body."""
    yield from _form(
        some(whole.refused, "nothing was refused"), _sites(case, whole, "refusal"), whole.operation.answers_as
    )


def _sites(case: Case, whole: Whole, answer: str) -> list[AnswerSite]:
    known = whole.suite.catalogue.answers
    return [each for each in known if each.requirement.id == case.requirement.id and each.answer == answer]


def _not_json(exchange: Exchange, media: str) -> Finding | None:
    kind = exchange.response.header("content-type").partition(";")[0].strip().lower() if exchange.response else ""
    # Where a page names the type itself, others of JSON are not it.
    other = kind != "application/json" and not (media == "json" and kind.endswith("+json"))
    if media != "silent" and other:
        return Finding("media type of the answer", "application/json", describe(exchange))
    try:
        bodies.read(exchange.response.body if exchange.response else b"")
    except (ValueError, RecursionError):
        return Finding("response body", "JSON", describe(exchange))
    return None


def _breach(body: Json, owned: AnswerSite) -> Finding | None:
    """The first place at which an answer breaks one constraint."""
    site = owned.site
    path = "" if site.path == "$" else "/" + site.path.replace("[]", "/*").replace(".", "/").lstrip("/")
    where = f"response body {site.path}"
    if site.keyword == "required":
        parent, _, name = path.rpartition("/")
        for _, value in changes.select(body, parent):
            if isinstance(value, dict) and name not in value:
                return Finding(where, "present", "left out")
        return None
    rule = schemas.validator({site.keyword: site.value})
    for _, value in changes.select(body, path):
        if not rule.accepts(value):
            return Finding(
                where, f"{site.keyword} {json.dumps(site.value)}", json.dumps(value, ensure_ascii=False)[:120]
            )
    return None


def pointers(_case: Case, whole: Whole) -> Iterator[Found]:
    """Every refusal of an order with one change names that order and that member."""
    yield from _places(whole, ("nothing", "order"))


def positions(_case: Case, whole: Whole) -> Iterator[Found]:
    """Where a refusal names the right member, positions in arrays are plain numbers."""
    yield from _places(whole, ("positions",))


def _places(whole: Whole, wrong: tuple[str, ...]) -> Iterator[Found]:
    """Refusals of an order with one change that name another place than the changed one."""
    operation = whole.operation
    looked_at = 0
    for record in whole.refused:
        pointers = [str(each["path"]) for each in record.changes.get(record.case, ())]
        wanted = [each for each in pointers if refusals.expected(operation, each)] if record.change_of == "body" else []
        if not wanted or len(wanted) != len(pointers) or not whole.suite.case(record.case).steps[record.step].change:
            continue
        looked_at += 1
        named = refusals.places(operation, record.exchange)
        best = [refusals.match(operation, named, each) for each in wanted]
        if all(each in wrong for each in best):
            order, path = refusals.expected(operation, wanted[0]) or ("", [])
            got = ", ".join(named) or describe(record.exchange)
            yield Finding("place named in the refusal", "/".join([order, *path]), got), record.exchange.id
    if not looked_at:
        raise Untold("no order with one change was refused")


def correlation(_case: Case, whole: Whole) -> Iterator[Found]:
    """One entry for each order sent, that repeats what identifies it."""
    operation = whole.operation
    for record in some(whole.taken, "nothing was accepted"):
        if record.change_of == "request" and record.changes:
            continue
        orders = ledger.sent_orders(operation, record.exchange)
        entries = ledger.entries(operation, record.exchange)
        keys = [ledger.key_of(operation, each) for each in orders]
        if len(set(keys)) < len(keys) or not all(keys):
            # Whether an order sent twice in a batch has one entry or two is not documented.
            continue
        paired = ledger.paired(operation, entries, orders)
        met = {ledger.key_of(operation, order) for _, order in paired}
        if not len(met) == len(paired) == len(entries) == len(orders):
            wanted = f"one for each of {len(orders)} orders"
            got = f"{len(entries)}, for {len(met)} of the orders: {describe(record.exchange)}"
            yield Finding("entries of the answer", wanted, got), record.exchange.id


def entry_order(_case: Case, whole: Whole) -> Iterator[Found]:
    """Observed: whether entries stand in the order of the batch, and what else is in them."""
    operation, outcome = whole.operation, whole.operation.outcome
    for record in some([each for each in whole.taken if each.orders > 1], "no batch of several orders was accepted"):
        orders = ledger.sent_orders(operation, record.exchange)
        entries = ledger.entries(operation, record.exchange)
        lined_up = [order for _, order in ledger.paired(operation, entries, orders)] == orders
        known = {changes.tokens(path)[0] for path in (outcome.id, *outcome.echo)} if outcome else set[str]()
        more = sorted({str(key) for each in entries if isinstance(each, dict) for key in each} - known)
        word = "in the order of the batch" if lined_up else "in another order than the batch"
        got = f"{word}, with {', '.join(more)}" if more else word
        yield Finding("entries of the answer", "nothing in particular", got), record.exchange.id


def same_ids(_case: Case, whole: Whole) -> Iterator[Found]:
    """An order has the same id in every answer."""
    first: dict[Key, tuple[Json, str]] = {}
    for key, name, exchange in _named(whole):
        known = first.setdefault(key, (name, exchange))
        if known[0] != name:
            yield Finding("id of one order in two answers", str(known[0]), str(name)), exchange


def new_ids(_case: Case, whole: Whole) -> Iterator[Found]:
    """Two orders never have the same id."""
    owner: dict[str, Key] = {}
    for key, name, exchange in _named(whole):
        if owner.setdefault(str(name), key) != key:
            yield Finding("id of a new order", "one that no other order has", str(name)), exchange


def _named(whole: Whole) -> Iterator[tuple[Key, Json, str]]:
    outcome = whole.operation.outcome
    count = 0
    for record in whole.taken:
        orders = ledger.sent_orders(whole.operation, record.exchange)
        entries = ledger.entries(whole.operation, record.exchange)
        for entry, order in ledger.paired(whole.operation, entries, orders):
            # Who sends an id asks for that order, whatever its key.
            if outcome and not changes.select(order, outcome.id):
                for _, name in changes.select(entry, outcome.id):
                    count += 1
                    yield ledger.key_of(whole.operation, order), name, record.exchange.id
    if not count:
        raise Untold("no answer names an order's id")
