"""Standing checks of what is stored after a run, held against the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance import ledger
from conformance.model import Finding
from conformance.standing.whole import Untold, short, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.ledger import Entry, Key
    from conformance.model import Case, Json
    from conformance.standing.whole import Found, Whole


def visibility(_case: Case, whole: Whole) -> Iterator[Found]:
    """Observed: how long the first accepted order took to become readable."""
    for record in some([each for each in whole.records if each.purpose == "watch"], "nothing was read back"):
        if not whole.readable:
            raise Untold(whole.nothing_readable())
        waited = (record.exchange.sent_at - record.earlier[0].sent_at).total_seconds() if record.earlier else 0.0
        # Where the clock stands still, all that is known is that it was not at once.
        got = "at once" if not record.earlier else f"after {waited:.1f} s" if waited else "after a while"
        yield Finding("time until an order is readable", "nothing in particular", got), record.exchange.id


def stored(_case: Case, whole: Whole) -> Iterator[Found]:
    """Every accepted order can be read afterwards."""
    listed = _listed(whole)
    # What can be read by itself is stored: that it is not listed is a fault of the list, where a case is about that.
    asked = whole.alone if any(each.standing == "listed" for each in whole.suite.cases) else {}
    for key, entry in _sure(whole):
        if key not in listed:
            if ledger.is_cut_off(whole.provider, whole.records):
                raise Untold("the listing was not read to its end")
            if not asked.get(key, bool(asked)):
                yield Finding("accepted order", "stored", f"not listed: {', '.join(key)}"), entry.exchange


def listed(_case: Case, whole: Whole) -> Iterator[Found]:
    """Every stored order is listed, wherever pages end."""
    shown = whole.listed
    if shown is None:
        raise Untold(whole.not_listed())
    if not shown and any(True for _ in _sure(whole)) and not any(whole.alone.values()):
        raise Untold(whole.nothing_readable())
    behind = [(key, entry) for key, entry in _sure(whole) if key not in shown and whole.alone.get(key)]
    if behind and ledger.is_cut_off(whole.provider, whole.records):
        raise Untold("the listing was not read to its end")
    places = {key: at for at, key in enumerate(whole.ledger.accepted)}
    newest = max((places[key] for key in shown if key in places), default=-1)
    late = [key for key, _ in behind if places[key] > newest]
    if late and len(late) == len(behind):
        raise Untold("the listing had not caught up when the time was up")
    for key, entry in behind:
        yield Finding("stored order", "listed", f"read by its id, and not listed: {', '.join(key)}"), entry.exchange


def as_sent(_case: Case, whole: Whole) -> Iterator[Found]:
    """What is stored is what was sent last."""
    listed = _listed(whole)
    for key, entry in _sure(whole):
        if stored := listed.get(key):
            found = min((ledger.differences(whole.provider, entry.order, each) for each in stored), key=len)
            for path, sent, kept in found[:1]:
                yield Finding(f"stored {path}", short(sent), short(kept)), entry.exchange


def one_a_key(_case: Case, whole: Whole) -> Iterator[Found]:
    """An order that was sent again is still one order."""
    listed = _listed(whole)
    for key, entry in _sure(whole):
        if len(listed.get(key, ())) > 1:
            got = f"{len(listed[key])} with {', '.join(key)}"
            yield Finding("orders stored under one key", "1", got), entry.exchange


def nothing_refused(_case: Case, whole: Whole) -> Iterator[Found]:
    """Nothing of a refused batch is stored, be it the bad order or a good one beside it."""
    listed = _listed(whole)
    if not whole.ledger.refused:
        raise Untold("nothing was refused")
    for key, entries in whole.ledger.refused.items():
        if key not in whole.ledger.accepted and key in listed:
            sent = whole.sent_for(entries[0].exchange)
            got = f"stored: {', '.join(key)}{', ' if sent else ''}{sent}"
            yield Finding("order of a refused batch", "not stored", got), entries[0].exchange


def nothing_updated(_case: Case, whole: Whole) -> Iterator[Found]:
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
                    why = whole.sent_for(refused.exchange)
                    got = f"{short(sent)}{', ' if why else ''}{why}"
                    yield Finding(f"stored {path} after a refused update", short(old), got), refused.exchange
    if not looked_at:
        raise Untold("no update was refused")


def _listed(whole: Whole) -> dict[Key, list[Json]]:
    if whole.listed is None:
        raise Untold(whole.not_listed())
    if not whole.listed and any(True for _ in _sure(whole)):
        raise Untold(whole.nothing_readable())
    return whole.listed


def _sure(whole: Whole) -> Iterator[tuple[Key, Entry]]:
    for key, entry in whole.ledger.accepted.items():
        if entry.sure:
            yield key, entry
