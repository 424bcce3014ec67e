"""Rules on one order: dates, money, places and identity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from conformance.changes import select
from conformance.rules.registry import Breach, Context, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Json

# The codes that the packs' currencies are checked against where a strict endpoint asks for real ones.
_CURRENCIES = frozenset(
    (
        "AED", "AUD", "BGN", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS",
        "INR", "ISK", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SEK", "SGD", "THB", "TRY",
        "TWD", "USD", "ZAR",
    )
)  # fmt: skip


def _moment(value: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@rule("max-age")
def max_age(order: Json, context: Context, *, at: str, days: int, hours: int = 0) -> Iterator[Breach]:
    """A date-time lies at most so many UTC calendar days before the day of the push, or so many ``hours`` before it."""
    for pointer, value in select(order, at):
        moment = _moment(value)
        if moment is None:
            continue
        if hours and context.now - moment <= timedelta(hours=hours):
            continue
        if (context.now.astimezone(UTC).date() - moment.astimezone(UTC).date()).days > days:
            yield Breach(pointer, f"is more than {days} days old")


@rule("not-in-future")
def not_in_future(order: Json, context: Context, *, at: str) -> Iterator[Breach]:
    """A date-time lies not after the push, give or take a minute."""
    for pointer, value in select(order, at):
        moment = _moment(value)
        if moment and moment > context.now + timedelta(minutes=1):
            yield Breach(pointer, "lies in the future")


@rule("currency-code")
def currency_code(order: Json, _context: Context, *, at: list[str]) -> Iterator[Breach]:
    """A currency is an ISO 4217 code in capitals."""
    for path in at:
        for pointer, value in select(order, path):
            if value not in _CURRENCIES:
                yield Breach(pointer, "is not an ISO 4217 currency code")


@rule("one-currency")
def one_currency(order: Json, _context: Context, *, at: list[str]) -> Iterator[Breach]:
    """All money of an order is in one currency."""
    found = [each for path in at for each in select(order, path)]
    for pointer, value in found[1:]:
        if value != found[0][1]:
            yield Breach(pointer, "differs from the currency of the order")


@rule("known-value")
def known_value(order: Json, context: Context, *, at: str, fact: str) -> Iterator[Breach]:
    """A value is one of those that an account fact lists."""
    known = context.account.get(fact)
    if isinstance(known, list):
        for pointer, value in select(order, at):
            if value not in known:
                yield Breach(pointer, "is not known to this account")


@rule("needed-for")
def needed_for(order: Json, _context: Context, *, at: str, when: str, values: list[str]) -> Iterator[Breach]:
    """A member is present when another one has one of some values."""
    if any(value in values for _, value in select(order, when)) and not list(select(order, at)):
        yield Breach(at, "is needed for this country")


@rule("unique")
def unique(order: Json, context: Context, *, at: str, only_when: str = "", default: bool = False) -> Iterator[Breach]:
    """
    A value was not seen before, neither in this batch nor in an earlier one.

    With ``only_when`` that is asked only where the member there is true, or left out and true by ``default``.
    """
    if only_when and next((value for _, value in select(order, only_when)), default) is not True:
        return
    for pointer, value in select(order, at):
        if context.seen(at, value):
            yield Breach(pointer, "was used before")


@rule("distinct")
def distinct(order: Json, _context: Context, *, at: str) -> Iterator[Breach]:
    """Values inside one order differ from each other."""
    seen: list[Json] = []
    for pointer, value in select(order, at):
        if value in seen:
            yield Breach(pointer, "repeats inside the order")
        seen.append(value)


@rule("not-above")
def not_above(order: Json, _context: Context, *, at: str, limit: str) -> Iterator[Breach]:
    """An amount is not above another one of the same line."""
    limits = {pointer.rsplit("/", 2)[0]: value for pointer, value in select(order, limit)}
    for pointer, value in select(order, at):
        other = limits.get(pointer.rsplit("/", 2)[0])
        if isinstance(value, int | float) and isinstance(other, int | float) and value > other:
            yield Breach(pointer, "is above the price")


@rule("totals-add-up")
def totals_add_up(order: Json, _context: Context, *, total: str, plus: list[str], minus: list[str]) -> Iterator[Breach]:
    """A total is the sum of its parts, in exact decimals."""

    def amount(path: str) -> Decimal:
        return sum((Decimal(str(value)) for _, value in select(order, path)), Decimal())

    expected = sum(map(amount, plus), Decimal()) - sum(map(amount, minus), Decimal())
    if amount(total) != expected:
        yield Breach(total, f"should be {expected}")


@rule("lines-add-up")
def lines_add_up(
    order: Json, _context: Context, *, total: str, lines: str, price: str, quantity: str
) -> Iterator[Breach]:
    """A subtotal is the sum of price times quantity over the lines, in exact decimals."""
    rows = [row for _, row in select(order, lines)]
    sums = [Decimal(str(select(row, price)[0][1])) * Decimal(str(select(row, quantity)[0][1])) for row in rows]
    for pointer, value in select(order, total):
        if Decimal(str(value)) != sum(sums, Decimal()):
            yield Breach(pointer, f"should be {sum(sums, Decimal())}")


@rule("not-before")
def not_before(order: Json, _context: Context, *, at: str, start: str) -> Iterator[Breach]:
    """A day is not before the day of another moment of the order."""
    starts = [moment for _, value in select(order, start) if (moment := _moment(value))]
    for pointer, value in select(order, at):
        moment = _moment(value)
        if moment and starts and moment.date() < starts[0].astimezone(UTC).date():
            yield Breach(pointer, "lies before the order")


@rule("printable")
def printable(order: Json, _context: Context, *, longest: int) -> Iterator[Breach]:
    """Texts hold something to read, nothing beyond the basic plane, and no more than so many characters."""
    yield from _texts(order, "", longest)


def _texts(value: Json, pointer: str, longest: int) -> Iterator[Breach]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{pointer}/{key}", longest)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{pointer}/{index}", longest)
    elif isinstance(value, str):
        readable = value.strip() and value.isprintable() and all(ord(letter) < 0x10000 for letter in value)
        if len(value) > longest or not readable:
            yield Breach(pointer, f"is not a readable text of at most {longest} characters")
