"""Standing checks: what is held against all exchanges of a run at once. One finding a check, however often it shows."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from conformance import changes, ledger, refusals, schemas
from conformance.answers import Answer, describe, in_a_word
from conformance.model import Expect, Finding, Judgement, Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conformance.catalogue import AnswerSite
    from conformance.ledger import Entry, Key
    from conformance.model import Case, Exchange, Json, Record
    from conformance.suite import Suite

# A judgement before its level is known: findings with the exchanges they rest on, and how much was looked at.
_MORE = " and {count} more like it"


class Whole:
    """All exchanges of a run with the orders in them."""

    def __init__(self, suite: Suite, records: Sequence[Record], answers: Sequence[Answer], token: str) -> None:
        self.suite = suite
        self.provider = suite.provider
        self.operation = suite.provider.main
        self.records = records
        self.answers = answers
        self.token = token

    @cached_property
    def taken(self) -> list[Record]:
        """Accepted batches."""
        return [each for each, answer in self._main() if answer is Answer.ACCEPTED]

    @cached_property
    def refused(self) -> list[Record]:
        """Refusals of cases that had to be refused for their body."""
        cases = self.suite.by_id
        return [
            record
            for record, answer in self._main()
            if answer is Answer.REFUSED
            and (case := cases.get(record.case)) is not None
            and case.wanted(record.step) is Expect.REFUSE
        ]

    @cached_property
    def disguised(self) -> list[Record]:
        """What looks like a success by its status, and has the body of a refusal."""
        form = self.operation.refusal
        return [each for each in self.taken if form and any(value for _, value in self._errors(each, form.errors))]

    def _errors(self, record: Record, path: str) -> list[tuple[str, Json]]:
        return changes.select(refusals.body(record.exchange), path)

    @cached_property
    def confirmed(self) -> list[Record]:
        """Refusals with a status that may speak of something else, met twice between accepted controls."""
        return [each for each, answer in self._main() if answer is Answer.AMBIGUOUS and each.purpose == "confirm"]

    @cached_property
    def ledger(self) -> ledger.Ledger:
        """What ought to be stored."""
        return ledger.write(self.suite, self.records, self.token)

    @cached_property
    def listed(self) -> dict[Key, list[Json]] | None:
        """What is stored, by the final sweep."""
        return ledger.listed(self.provider, self.records, self.token)

    @cached_property
    def readable(self) -> bool:
        """Whether anything accepted became readable at all."""
        form = self.provider.read_back
        one = form is not None and any(
            answer is Answer.ACCEPTED and record.exchange.operation == form.one
            for record, answer in zip(self.records, self.answers, strict=True)
        )
        return one or bool(self.listed)

    def nothing_readable(self) -> str:
        """Why nothing can be said about storage."""
        return "nothing that was accepted became readable"

    def accepted(self, answer: Answer, _operation: str) -> bool:
        """Whether a reading was answered with what it asked for."""
        return answer is Answer.ACCEPTED

    def _main(self) -> Iterator[tuple[Record, Answer]]:
        for record, answer in zip(self.records, self.answers, strict=True):
            if record.exchange.operation == self.operation.id and record.purpose != "lost":
                yield record, answer


class _Untold(Exception):  # noqa: N818  # not an error: there is nothing to judge by
    """Why a check cannot say anything."""


def judge(case: Case, whole: Whole) -> Judgement:
    """The judgement of a standing case. Raises KeyError for a check that does not exist."""
    try:
        found = list(_CHECKS[case.standing](case, whole))
    except _Untold as reason:
        return Judgement(Verdict.INCONCLUSIVE, reason=str(reason))
    ids = tuple(dict.fromkeys(name for _, name in found if name))
    if case.expect is Expect.OBSERVE:
        policy = ", ".join(dict.fromkeys(each.got for each, _ in found))
        return Judgement(Verdict.OBSERVED, tuple(each for each, _ in found[:1]), ids[:1], policy=policy)
    if not found:
        return Judgement(Verdict.CONFORMANT)
    grouped: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for each, _ in found:
        grouped[each.where, each.expected].append(each)
    findings = tuple(
        Finding(where, expected, same[0].got + (_MORE.format(count=len(same) - 1) if len(same) > 1 else ""))
        for (where, expected), same in grouped.items()
    )
    failed = Verdict.VIOLATION if case.requirement.level is Level.MUST else Verdict.ADVISORY
    return Judgement(failed, findings, ids)


_Found = tuple[Finding, str]


def _success_status(_case: Case, whole: Whole) -> Iterator[_Found]:
    operation = whole.operation
    allowed = (*operation.success, *operation.tolerated)
    wanted = " or ".join(map(str, operation.success))
    for record in _some(whole.taken, "nothing was accepted"):
        if _status(record.exchange) not in allowed:
            yield Finding("response status", wanted, describe(record.exchange)), record.exchange.id


def _accepted_with(_case: Case, whole: Whole) -> Iterator[_Found]:
    """Observed: the statuses of acceptance."""
    for record in _some(whole.taken, "nothing was accepted"):
        word = in_a_word(Answer.ACCEPTED, record.exchange)
        yield Finding("response status", "nothing in particular", word), record.exchange.id


def _refusal_status(_case: Case, whole: Whole) -> Iterator[_Found]:
    wanted = whole.operation.refusal_status
    for record in _some([*whole.refused, *whole.confirmed, *whole.disguised], "nothing was refused"):
        if _status(record.exchange) != wanted:
            yield Finding("status of a refusal", str(wanted), describe(record.exchange)), record.exchange.id


def _form(records: list[Record], sites: list[AnswerSite]) -> Iterator[_Found]:
    for record in records:
        exchange = record.exchange
        if any(each.site.path == "$" for each in sites) and (found := _not_json(exchange)):
            yield found, exchange.id
            continue
        for each in sites:
            if found := _breach(refusals.body(exchange), each):
                yield found, exchange.id


def _success_form(case: Case, whole: Whole) -> Iterator[_Found]:
    yield from _form(_some(whole.taken, "nothing was accepted"), _sites(case, whole, "success"))


def _refusal_form(case: Case, whole: Whole) -> Iterator[_Found]:
    yield from _form(_some(whole.refused, "nothing was refused"), _sites(case, whole, "refusal"))


def _sites(case: Case, whole: Whole, answer: str) -> list[AnswerSite]:
    known = whole.suite.catalogue.answers
    return [each for each in known if each.requirement.id == case.requirement.id and each.answer == answer]


def _not_json(exchange: Exchange) -> Finding | None:
    kind = exchange.response.header("content-type").partition(";")[0].strip().lower() if exchange.response else ""
    if kind != "application/json" and not kind.endswith("+json"):
        return Finding("media type of the answer", "application/json", describe(exchange))
    try:
        json.loads(exchange.response.body if exchange.response else b"")
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


def _pointers(_case: Case, whole: Whole) -> Iterator[_Found]:
    yield from _places(whole, ("nothing", "order"))


def _positions(_case: Case, whole: Whole) -> Iterator[_Found]:
    yield from _places(whole, ("positions",))


def _places(whole: Whole, wrong: tuple[str, ...]) -> Iterator[_Found]:
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
        raise _Untold("no order with one change was refused")


def _correlation(_case: Case, whole: Whole) -> Iterator[_Found]:
    """One entry for each order sent, that repeats what identifies it."""
    operation = whole.operation
    for record in _some(whole.taken, "nothing was accepted"):
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


def _entry_order(_case: Case, whole: Whole) -> Iterator[_Found]:
    """Observed: whether entries stand in the order of the batch, and what else is in them."""
    operation, outcome = whole.operation, whole.operation.outcome
    for record in _some([each for each in whole.taken if each.orders > 1], "no batch of several orders was accepted"):
        orders = ledger.sent_orders(operation, record.exchange)
        entries = ledger.entries(operation, record.exchange)
        lined_up = [order for _, order in ledger.paired(operation, entries, orders)] == orders
        known = {changes.tokens(path)[0] for path in (outcome.id, *outcome.echo)} if outcome else set[str]()
        more = sorted({str(key) for each in entries if isinstance(each, dict) for key in each} - known)
        word = "in the order of the batch" if lined_up else "in another order than the batch"
        got = f"{word}, with {', '.join(more)}" if more else word
        yield Finding("entries of the answer", "nothing in particular", got), record.exchange.id


def _visibility(_case: Case, whole: Whole) -> Iterator[_Found]:
    """Observed: how long the first accepted order took to become readable."""
    for record in _some([each for each in whole.records if each.purpose == "watch"], "nothing was read back"):
        if not whole.readable:
            raise _Untold(whole.nothing_readable())
        waited = (record.exchange.sent_at - record.earlier[0].sent_at).total_seconds() if record.earlier else 0.0
        # Where the clock stands still, all that is known is that it was not at once.
        got = "at once" if not record.earlier else f"after {waited:.1f} s" if waited else "after a while"
        yield Finding("time until an order is readable", "nothing in particular", got), record.exchange.id


def _same_ids(_case: Case, whole: Whole) -> Iterator[_Found]:
    """An order has the same id in every answer."""
    first: dict[Key, tuple[Json, str]] = {}
    for key, name, exchange in _named(whole):
        known = first.setdefault(key, (name, exchange))
        if known[0] != name:
            yield Finding("id of one order in two answers", str(known[0]), str(name)), exchange


def _new_ids(_case: Case, whole: Whole) -> Iterator[_Found]:
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
        raise _Untold("no answer names an order's id")


def _stored(_case: Case, whole: Whole) -> Iterator[_Found]:
    """Every accepted order can be read afterwards."""
    listed = _listed(whole)
    for key, entry in _sure(whole):
        if key not in listed:
            yield Finding("accepted order", "stored", f"not listed: {', '.join(key)}"), entry.exchange


def _as_sent(_case: Case, whole: Whole) -> Iterator[_Found]:
    """What is stored is what was sent last."""
    listed = _listed(whole)
    for key, entry in _sure(whole):
        if stored := listed.get(key):
            found = min((ledger.differences(whole.provider, entry.order, each) for each in stored), key=len)
            for path, sent, kept in found[:1]:
                yield Finding(f"stored {path}", _short(sent), _short(kept)), entry.exchange


def _one_a_key(_case: Case, whole: Whole) -> Iterator[_Found]:
    """An order that was sent again is still one order."""
    listed = _listed(whole)
    for key, entry in _sure(whole):
        if len(listed.get(key, ())) > 1:
            got = f"{len(listed[key])} with {', '.join(key)}"
            yield Finding("orders stored under one key", "1", got), entry.exchange


def _nothing_refused(_case: Case, whole: Whole) -> Iterator[_Found]:
    """Nothing of a refused batch is stored, be it the bad order or a good one beside it."""
    listed = _listed(whole)
    if not whole.ledger.refused:
        raise _Untold("nothing was refused")
    for key, entries in whole.ledger.refused.items():
        if key not in whole.ledger.accepted and key in listed:
            yield Finding("order of a refused batch", "not stored", f"stored: {', '.join(key)}"), entries[0].exchange


def _nothing_updated(_case: Case, whole: Whole) -> Iterator[_Found]:
    """A refused batch leaves orders that were stored before as they were."""
    listed = _listed(whole)
    looked_at = False
    for key, entry in _sure(whole):
        for refused in whole.ledger.refused.get(key, ()):
            changed = ledger.differences(whole.provider, refused.order, entry.order)
            looked_at |= bool(changed)
            for kept in listed.get(key, ()):
                if changed and not ledger.differences(whole.provider, refused.order, kept):
                    path, sent, old = changed[0]
                    yield Finding(f"stored {path} after a refused update", _short(old), _short(sent)), refused.exchange
    if not looked_at:
        raise _Untold("no update was refused")


def _listed(whole: Whole) -> dict[Key, list[Json]]:
    if whole.listed is None:
        raise _Untold("the stored orders could not be listed")
    if not whole.listed and any(True for _ in _sure(whole)):
        raise _Untold(whole.nothing_readable())
    return whole.listed


def _sure(whole: Whole) -> Iterator[tuple[Key, Entry]]:
    for key, entry in whole.ledger.accepted.items():
        if entry.sure:
            yield key, entry


def _some(records: list[Record], otherwise: str) -> list[Record]:
    if not records:
        raise _Untold(otherwise)
    return records


def _status(exchange: Exchange) -> int:
    return exchange.response.status if exchange.response else 0


def _short(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)[:120]


_CHECKS: dict[str, Callable[[Case, Whole], Iterator[_Found]]] = {
    "success-status": _success_status,
    "accepted-with": _accepted_with,
    "refusal-status": _refusal_status,
    "success-form": _success_form,
    "refusal-form": _refusal_form,
    "pointers": _pointers,
    "pointer-positions": _positions,
    "correlation": _correlation,
    "entry-order": _entry_order,
    "visibility": _visibility,
    "same-ids": _same_ids,
    "new-ids": _new_ids,
    "stored": _stored,
    "stored-as-sent": _as_sent,
    "one-a-key": _one_a_key,
    "nothing-of-refused-batches": _nothing_refused,
    "nothing-of-refused-updates": _nothing_updated,
}
NAMES = tuple(_CHECKS)
# Those that look at refusals need at least one.
ABOUT_REFUSALS = frozenset(
    {"refusal-status", "refusal-form", "pointers", "pointer-positions", "nothing-of-refused-batches"}
)
