"""Expressions: the texts beginning with ``@`` in packs, filled in when an order is made."""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import parse_qsl

from conformance import changes, drafts
from conformance.errors import PackError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model import Account, Json, JsonObject, Operations

# A member whose account fact is missing is left out of the order; so is an object that names one under this key.
ABSENT = object()
NEEDS = "@needs"
_MOMENT = re.compile(r"^(now|today|date)((?:[+-]\d+[dhms])*)$")
_SHIFT = re.compile(r"([+-]\d+)([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
# Facts that are amounts of money: an order can be made in which all of them are zero.
MONEY = frozenset(
    {"order.subtotal", "order.discount", "order.shipping", "order.total", "line.price", "line.discount", "line.total"}
)


@dataclass(frozen=True, slots=True)
class Past:
    """What the steps of a case sent and were answered so far: JSON bodies, None for any other body."""

    sent: tuple[Json, ...] = ()
    answers: tuple[Json, ...] = ()
    # The query of the link to the next page in each answer, empty without one.
    links: tuple[str, ...] = ()


class NotSaid(LookupError):  # noqa: N818  # what an endpoint left out is no error of ours
    """A step recalls what no earlier step said."""


_RECALLED = re.compile(r"@(answer|answer-text|answer-number|sent) ([0-9]{1,3})(?: (/.*)?)?")


def recall(value: Json, past: Past) -> Json:
    """
    ``value``, or what ``@answer 1 /pointer``, ``@answer-text …``, ``@answer-number …`` or ``@sent 1 /pointer`` remember of a step.

    Steps count from 1. Raises NotSaid when that step had nothing there.
    """
    found = _RECALLED.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    word, number, pointer = found.groups()
    bodies = past.sent if word == "sent" else past.answers
    if not 0 < int(number) <= len(bodies):
        raise NotSaid(f"{value}: no such step so far")
    try:
        recalled = changes.read(bodies[int(number) - 1], pointer or "")
    except LookupError as error:
        raise NotSaid(f"{value}: {error}") from None
    if word == "answer-number":
        if not str(recalled).isdecimal():
            raise NotSaid(f"{value}: {recalled!r} is no number")
        return int(str(recalled))
    return str(recalled) if word == "answer-text" else recalled


@dataclass(frozen=True, slots=True)
class Scope:
    """
    What expressions may speak of: one order in the making.

    ``same`` is the first order of the case, ``spare`` makes one line more than the order has,
    ``past`` what earlier steps of the case sent and were answered, ``serial`` the number of one order of very many.
    """

    draft: drafts.Draft
    now: datetime
    account: Account
    key: str
    line: drafts.Line | None = None
    same: Json = None
    spare: Callable[[], Json] | None = None
    past: Past = Past()
    serial: int | None = None


# Evaluates a template, or one expression, in a scope; ABSENT for a member that is to be left out.
Filler: TypeAlias = "Callable[[Scope], object]"


def fill(value: Json, scope: Scope) -> Json:
    """A copy of ``value`` with every expression evaluated. Raises PackError for one that is not known."""
    filled = filler(value)(scope)
    return None if filled is ABSENT else cast("Json", filled)


def filled_operations(operations: Operations, scope: Scope) -> Operations:
    """The operations with expressions in their values evaluated."""
    return tuple({**each, "value": fill(each["value"], scope)} if "value" in each else each for each in operations)


def mentions_time(value: Json) -> bool:
    """Whether a value depends on the instant of sending."""
    if isinstance(value, dict):
        return any(mentions_time(each) for each in value.values())
    if isinstance(value, list):
        return any(mentions_time(each) for each in value)
    return isinstance(value, str) and bool(re.match(r"@(now|today|date)\b", value))


def draws_letter(operations: Operations) -> bool:
    """Whether a change holds a drawn character, which an earlier run may have used too."""
    return any(each.get("value") == "@letter" for each in operations)


def filler(value: Json) -> Filler:
    """What evaluates ``value``: for templates that are filled again and again. Each time gives a copy of its own."""
    if isinstance(value, dict):
        return _members(value)
    if isinstance(value, list):
        elements = [filler(each) for each in value]
        return lambda scope: [made for each in elements if (made := each(scope)) is not ABSENT]
    if isinstance(value, str) and value.startswith("@"):
        return _evaluated(value)
    return lambda _scope: value


def _members(value: JsonObject) -> Filler:
    need = str(value.get(NEEDS, ""))
    members = [(key, filler(each)) for key, each in value.items() if key != NEEDS]

    def filled(scope: Scope) -> object:
        if need and scope.account.get(need) is None:
            return ABSENT
        return {key: made for key, each in members if (made := each(scope)) is not ABSENT}

    return filled


@lru_cache(maxsize=1024)
def _evaluated(text: str) -> Filler:
    """What evaluates one expression; what is wrong with it is told when it is evaluated."""
    if text.startswith("@@"):
        return lambda _scope: text[1:]
    word, _, rest = text[1:].partition(" ")
    if found := _MOMENT.match(word):
        return lambda scope: _moment(found[1], found[2], rest, scope.now)
    if word in drafts.FACTS:
        return _fact(word)
    if word not in _WORDS:
        return lambda _scope: _unknown(text, word)
    evaluate = _WORDS[word]

    def evaluated(scope: Scope) -> object:
        try:
            return evaluate(rest, scope)
        except NotSaid:
            raise
        except (LookupError, ValueError) as error:
            raise PackError(f"{text}: {error}") from error

    return evaluated


def _unknown(text: str, word: str) -> object:
    raise PackError(f"{text}: no such expression; {nearest(word, [*_WORDS, *drafts.FACTS, 'now', 'today'])}")


def _fact(name: str) -> Filler:
    part, member = name.split(".")
    found = attrgetter({"order": f"draft.{member}", "line": f"line.{member}"}.get(part, f"draft.{part}.{member}"))

    def fact(scope: Scope) -> object:
        if part == "line" and scope.line is None:
            raise PackError(f"@{name}: {name} is a fact of a line, and there is no line here")
        value = found(scope)
        return value if type(value) is str else _json(value)

    return fact


@lru_cache(maxsize=64)
def _moment(word: str, shifts: str, form: str, now: datetime) -> str:
    moment = now.astimezone(UTC) + sum(
        (timedelta(**{_UNITS[unit]: int(amount)}) for amount, unit in _SHIFT.findall(shifts)), timedelta()
    )
    default = "%Y-%m-%dT%H:%M:%SZ" if word == "now" else "%Y-%m-%d"
    return moment.strftime(form or default)


def _json(value: str | int | Decimal | date) -> Json:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value


def _account(rest: str, scope: Scope) -> object:
    value = scope.account.get(rest)
    return ABSENT if value is None else value


def _account_else(rest: str, scope: Scope) -> object:
    """An account fact, or what another expression gives where the account has none."""
    key, _, other = rest.partition(" ")
    value = scope.account.get(key)
    return filler(other)(scope) if value is None else value


def _number(scope: Scope) -> int:
    if scope.serial is None:
        return random.Random(scope.key).randrange(10**11, 10**12)
    # One of as many, and each once: the stride has no factor in common with their number.
    return 10**11 + scope.serial * 556_230_589_877 % (9 * 10**11)


def _text(rest: str, _: Scope) -> str:
    count, _space, unit = rest.partition(" ")
    return unit * int(count)


def _recalled(word: str) -> Callable[[str, Scope], object]:
    def recalled(rest: str, scope: Scope) -> Json:
        expression = f"@{word} {rest}"
        if not _RECALLED.fullmatch(expression):
            raise ValueError("names no step and place; write @answer 1 /data/0/id")
        return recall(expression, scope.past)

    return recalled


def _next(rest: str, scope: Scope) -> str:
    """A parameter of the link to the next page that a step was answered."""
    number, _, name = rest.partition(" ")
    if not number.isdecimal() or not name:
        raise ValueError("names no step and parameter; write @next 2 cursor")
    links = scope.past.links
    found = dict(parse_qsl(links[int(number) - 1])) if 0 < int(number) <= len(links) else {}
    if name not in found:
        raise NotSaid(f"@next {rest}: no link to a next page has it")
    return found[name]


_WORDS: dict[str, Callable[[str, Scope], object]] = {
    "null": lambda _rest, _scope: None,
    "account": _account,
    "account-else": _account_else,
    "account-more": lambda rest, scope: ABSENT if (count := _account(rest, scope)) is ABSENT else int(str(count)) + 1,
    "account-or-null": lambda rest, scope: scope.account.get(rest),
    "answer": _recalled("answer"),
    "answer-text": _recalled("answer-text"),
    "answer-number": _recalled("answer-number"),
    "sent": _recalled("sent"),
    "next": _next,
    # Sent and answered texts in another letter case.
    "swapped": lambda rest, scope: str(recall(f"@sent {rest}", scope.past)).swapcase(),
    "text": _text,
    "float": lambda rest, _scope: float(rest),
    # One character cannot carry the run's token, so it is drawn: repeating one is harmless but rare enough.
    "letter": lambda _rest, scope: random.Random(scope.key).choice(string.ascii_letters + string.digits),
    # A number that no order of the account goes by.
    "number": lambda _rest, scope: _number(scope),
    # The same as a text.
    "digits": lambda _rest, scope: str(_number(scope)),
    "lower": lambda rest, scope: str(changes.read(scope.same, rest)).lower(),
    "spare-line": lambda _rest, scope: scope.spare() if scope.spare else None,
    "same": lambda rest, scope: changes.read(scope.same, rest),
}


def check(value: Json) -> None:
    """Raise PackError for an expression in a value of a pack that nobody can evaluate, however deep it lies."""
    if isinstance(value, dict):
        for each in value.values():
            check(each)
    elif isinstance(value, list):
        for each in value:
            check(each)
    elif isinstance(value, str) and value.startswith("@") and not value.startswith(("@@", "@body.")):
        word = value[1:].partition(" ")[0]
        if word not in _WORDS and word not in drafts.FACTS and not _MOMENT.match(word):
            known = [*_WORDS, *drafts.FACTS, "now", "today"]
            raise PackError(f"{value}: no such expression; {nearest(word, known)}")
