"""Answers: what an exchange says, before anybody asks what was expected."""

from __future__ import annotations

from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from conformance import bodies, changes, envelope

if TYPE_CHECKING:
    from datetime import datetime

    from conformance.model import Exchange, Json
    from conformance.operations import Operation, Outcome

_EXCERPT = 200


class Answer(StrEnum):
    """What an exchange says, before anybody asks what was expected."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    # Statuses that may speak of the caller or the address and not of the body.
    AMBIGUOUS = "ambiguous"
    THROTTLED = "throttled"
    FAILED = "failed"
    # An answer that has an entry for each order, and none for this one, or one that says neither yes nor no.
    UNTOLD = "untold"
    UNAVAILABLE = "unavailable"
    NONE = "no answer"


# Answers that prove nothing, and may be another the next time.
TROUBLE = frozenset({Answer.NONE, Answer.UNAVAILABLE, Answer.THROTTLED})

_AMBIGUOUS = frozenset({401, 403, 404, 405, 407, 408})
_UNAVAILABLE = frozenset({502, 503, 504})


def classify(operation: Operation, exchange: Exchange) -> Answer:
    """
    What the answer of an operation means.

    Any 2xx is an acceptance: whether it is the documented one is a requirement of its own.
    Where answers tell the fate of each order, one that was taken is enough: something was created.
    """
    response = exchange.response
    if response is None:
        return Answer.NONE
    status = response.status
    if 200 <= status < 300:
        outcome = operation.outcome
        if outcome is None or not outcome.by_name:
            return Answer.ACCEPTED
        told = bodies.answered(exchange)
        found = {_fate(outcome, each) for each in told.values()} if isinstance(told, dict) else set[Answer]()
        if Answer.ACCEPTED in found:
            return Answer.ACCEPTED
        return Answer.REFUSED if found == {Answer.REFUSED} else Answer.UNTOLD
    if status == 429:
        return Answer.THROTTLED
    if status < 400 or (status in _AMBIGUOUS and status not in operation.refusals):
        return Answer.AMBIGUOUS
    if 400 <= status < 500:
        return Answer.REFUSED
    if status in _UNAVAILABLE:
        return Answer.UNAVAILABLE
    return Answer.FAILED


def claims(operation: Operation, exchange: Exchange) -> bool:
    """Whether an answer without an entry for each order tells of a success, or of an order, all the same."""
    outcome, told = operation.outcome, bodies.answered(exchange)
    if outcome is None or not outcome.by_name or not isinstance(told, dict):
        return False
    if any(value is not None for path in outcome.ids for _, value in changes.select(told, path)):
        return True
    return _fate(outcome, told) is Answer.ACCEPTED


def fates(operation: Operation, exchange: Exchange, count: int) -> list[Answer]:
    """What became of each of ``count`` orders of a request, in the order of its body."""
    whole = classify(operation, exchange)
    outcome, response = operation.outcome, exchange.response
    if outcome is None or not outcome.by_name or response is None or not 200 <= response.status < 300:
        return [whole] * count
    told = bodies.answered(exchange)
    names = envelope.names(operation, bodies.sent(exchange))
    if len(names) != count:
        return [whole] * count
    entries = told if isinstance(told, dict) else {}
    return [_fate(outcome, entries.get(name)) for name in names]


def _fate(outcome: Outcome, entry: Json) -> Answer:
    said = next((value for _, value in changes.select(entry, outcome.status)), None)
    return {outcome.accepted: Answer.ACCEPTED, outcome.refused: Answer.REFUSED}.get(str(said), Answer.UNTOLD)


def describe(exchange: Exchange) -> str:
    """An answer in a few words: status, media type and the beginning of the body."""
    if exchange.response is None:
        return f"no answer: {exchange.trouble.detail}" if exchange.trouble else "no answer"
    response = exchange.response
    parts = [str(response.status), response.header("content-type").partition(";")[0]]
    text = response.body[:_EXCERPT].decode("utf-8", "replace")
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    parts.append(words + ("…" if len(response.body) > _EXCERPT else "") if words else "(empty body)")
    return " ".join(part for part in parts if part)


def in_a_word(answer: Answer, exchange: Exchange) -> str:
    """For a table of what was found: ``accepted (201)``, ``refused (422)``, ``redirected (307)``."""
    if exchange.response is None:
        return answer.value
    status = exchange.response.status
    word = answer.value
    if answer is Answer.AMBIGUOUS:
        word = "refused" if status >= 400 else "redirected"
    return f"{word} ({status})"


def clock_skew(exchange: Exchange) -> timedelta:
    """How far the endpoint's clock, by its Date header, is from ours; nothing without one."""
    stated = exchange.response.header("date") if exchange.response else ""
    try:
        theirs: datetime = parsedate_to_datetime(stated)
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        return abs(theirs - exchange.sent_at - timedelta(milliseconds=exchange.duration_ms))
    except (ValueError, TypeError, OverflowError):
        return timedelta()
