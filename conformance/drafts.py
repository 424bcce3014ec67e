"""A draft is a realistic order before any provider's format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import TYPE_CHECKING

from conformance import people
from conformance.errors import nearest
from conformance.goods import CATALOGUE, Offer, Product, offers
from conformance.people import Address, Buyer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

__all__ = ["FACTS", "Address", "Buyer", "Draft", "Line", "Product", "Shipment", "draft", "fact"]


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of an order.

    ``price``, ``discount`` and ``weight`` (kilograms) are those of one unit; ``price`` is
    before ``discount``. ``ean`` is an EAN-13; ``hs_code`` has six digits; ``origin`` is alpha-2.
    """

    id: str
    sku: str
    name: str
    variant: str
    description: str
    quantity: int
    price: Decimal
    discount: Decimal
    hs_code: str
    origin: str
    image_url: str
    ean: str
    weight: Decimal

    @property
    def grams(self) -> int:
        """The weight of one unit in grams."""
        return int(self.weight * 1000)

    @property
    def total(self) -> Decimal:
        """Price times quantity, before the discount."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Shipment:
    """How the order left; ``date`` is a day of UTC."""

    carrier: str
    tracking_number: str
    date: date


@dataclass(frozen=True, slots=True)
class Draft:
    """An order: ``currency`` is ISO 4217, all money is in it; ``placed_at`` is UTC; ``spare`` makes one line more."""

    id: str
    number: str
    reference: str
    currency: str
    buyer: Buyer
    address: Address
    lines: tuple[Line, ...]
    shipping: Decimal
    shipment: Shipment
    placed_at: datetime
    spare: Callable[[], Line] | None = field(default=None, compare=False, repr=False)

    @property
    def subtotal(self) -> Decimal:
        """What all units cost before discount and shipping."""
        return sum((line.total for line in self.lines), _NOTHING)

    @property
    def discount(self) -> Decimal:
        """The discounts of all units."""
        return sum((line.discount * line.quantity for line in self.lines), _NOTHING)

    @property
    def total(self) -> Decimal:
        """What the buyer pays: subtotal less discount, with shipping."""
        return self.subtotal - self.discount + self.shipping


_NOTHING = Decimal("0.00")
_CENT = Decimal("0.01")
# The house catalogue is priced in pounds, euros or dollars; a mug for 12 kronor would be odd.
_SCALE = {"SEK": 12, "NOK": 12, "DKK": 8, "PLN": 5}
_SHIPPING = tuple(map(Decimal, ("2.95", "3.99", "4.95", "5.99", "7.50")))
# Amounts and quantities keep clear of the bounds that APIs set (0 and 1), so that an endpoint with a bound
# moved by one stumbles over the cases about that bound and not over every order.
_PERCENT_OFF = (5, 10, 20)
_LEAST_OFF = Decimal("1.00")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(first + second for first in _BASE32 for second in _BASE32)
_MARKS = 2**50
# Odd, and the golden section of 2^50: every number has one multiple, and neighbours lie far apart.
_STRIDE = 695_844_410_359_083


def draft(
    key: str,
    *,
    country: str = "GB",
    currency: str | None = None,
    lines: int = 1,
    now: datetime,
    token: str,
    catalogue: Sequence[Product] | None = None,
    serial: int | None = None,
    free: bool = False,
    discounted: bool = True,
    spare: bool = False,
    drawn: str = "",
) -> Draft:
    """
    An order of ``lines`` lines, placed three days before ``now``.

    It depends on the arguments alone, in any process and any order of calls; names also
    on the version of Faker. ``id`` and ``number`` carry the run's ``token``, ten characters of
    a hash of token and ``key`` (fifty bits: among ten thousand keys two meet once in
    twenty million runs), no capitals but the prefix's, and 13 characters beside the token.
    Where there are more orders than that, each has a ``serial`` number of its own, below 2^50, and then
    ``id``, ``number`` and ``reference`` never repeat under one token.
    With ``spare`` there is a line more, kept apart; where an order is ``free``, so is that line, while one that is not
    ``discounted`` may have a spare line that is. With ``drawn``, all but what names the order (``id``, ``number``,
    ``reference``, line ids, tracking number) is drawn from that text: orders that share it differ in their names alone.
    SKUs are all different while the catalogue has enough of them. ``currency`` is the
    country's own unless given; prices of a given ``catalogue`` are already in it.

    Raises LookupError for a country without addresses, ValueError for a naive ``now``, a
    ``token`` that is not printable ASCII, or an empty catalogue.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f"the token {token!r} is not printable ASCII")
    land = people.country(country)
    currency = currency or land.currency
    # The token cannot hold a line feed, so no two pairs of token and key read the same.
    digest = hashlib.sha256(f"{token}\n{key}".encode()).digest()
    mark = _mark(int.from_bytes(digest[:7]) >> 6 if serial is None else scattered(serial))
    names = Random(int.from_bytes(digest))
    if drawn:
        digest = hashlib.sha256(drawn.encode()).digest()
    random = Random(int.from_bytes(digest)) if drawn else names
    buyer, address = people.household(country, int.from_bytes(digest[:8]), random)
    scale = 1 if catalogue is not None else _SCALE.get(currency, 1)
    yesterday = now.astimezone(UTC) - timedelta(days=1)
    reference = _reference(names.randint(10000, 99999), serial)
    shipping = random.choice(_SHIPPING) * scale
    tracking_number = _tracking_number(names, country)
    chosen = _chosen(random, CATALOGUE if catalogue is None else catalogue, lines + spare)
    made = [
        _line(random, f"L-{mark}-{at}", offer, scale, free=free, discounted=discounted)
        for at, offer in enumerate(chosen[:lines], 1)
    ]
    return Draft(
        id=f"T-{token}-{mark}",
        number=f"N-{token}-{mark}",
        reference=reference,
        currency=currency,
        buyer=buyer,
        address=address,
        shipping=_NOTHING if free else shipping,
        # After the order and before now, in whatever time zone the date is read.
        shipment=Shipment(land.carrier, tracking_number, yesterday.date()),
        placed_at=yesterday - timedelta(days=2),
        lines=tuple(made),
        # Drawn last, so that it makes no difference when, and whether.
        spare=_once(lambda: _line(random, f"L-{mark}-{lines + 1}", chosen[lines], scale, free=free)) if spare else None,
    )


def scattered(serial: int) -> int:
    """A number below 2^50 for each other one, so that neighbours look unlike each other and none comes twice."""
    return (serial + 1) * _STRIDE % _MARKS


def _once(make: Callable[[], Line]) -> Callable[[], Line]:
    kept: list[Line] = []

    def made() -> Line:
        if not kept:
            kept.append(make())
        return kept[0]

    return made


class Outline:
    """A draft of which nobody has wanted more than its ids so far; the rest is drawn for the first who does."""

    __slots__ = ("_draft", "_rest", "id", "number")

    def __init__(self, token: str, serial: int, rest: Callable[[], Draft]) -> None:
        mark = _mark(scattered(serial))
        self.id = f"T-{token}-{mark}"
        self.number = f"N-{token}-{mark}"
        self._rest = rest
        self._draft: Draft | None = None

    def __getattr__(self, name: str) -> object:
        if self._draft is None:
            self._draft = self._rest()
        return getattr(self._draft, name)


# Facts that an outline has.
OUTLINED = frozenset(("order.id", "order.number"))


def _mark(number: int) -> str:
    """Ten characters for a number of fifty bits, in the small letters and digits of RFC 4648's base32."""
    pairs = _PAIRS
    return (
        f"{pairs[number >> 40]}{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}"
        f"{pairs[number & 1023]}"
    )


def _reference(drawn: int, serial: int | None) -> str:
    return f"PO-{drawn if serial is None else 10000 + serial}"


def _chosen(random: Random, catalogue: Sequence[Product], count: int) -> list[Offer]:
    known = offers(catalogue)
    if not known:
        raise ValueError("the catalogue is empty")
    mixed = random.sample(known, min(count, len(known)))
    return [mixed[index % len(mixed)] for index in range(count)]


def _line(
    random: Random, line_id: str, offer: Offer, scale: int, *, free: bool = False, discounted: bool = True
) -> Line:
    product = offer.product
    price = product.lowest
    if product.highest > product.lowest:
        steps = int((product.highest - product.lowest) / _CENT) // 5
        price = (product.lowest + _CENT * (5 * random.randint(0, steps))).quantize(_CENT)
    price *= scale
    quantity = random.randint(2, 3)
    # Rounded down: never more than the price, however small.
    discount = min(price, max((price * random.choice(_PERCENT_OFF) / 100).quantize(_CENT, ROUND_DOWN), _LEAST_OFF))
    return Line(
        id=line_id,
        sku=offer.sku,
        name=product.name,
        variant=offer.variant,
        description=product.description,
        quantity=quantity,
        price=_NOTHING if free else price,
        discount=discount if discounted and not free else _NOTHING,
        hs_code=product.hs_code,
        origin=product.origin,
        image_url=offer.image_url,
        ean=offer.ean,
        weight=product.weight,
    )


def _tracking_number(random: Random, country: str) -> str:
    """An item number of UPU standard S10: service, eight digits, check digit, country."""
    serial = f"{random.randrange(10**8):08d}"
    total = sum(int(digit) * weight for digit, weight in zip(serial, (8, 6, 4, 2, 3, 5, 9, 7), strict=True))
    check = "50987654321"[total % 11]
    return f"CP{serial}{check}{country}"


_PARTS = {
    "order": "id number reference currency subtotal discount shipping total",
    "buyer": "first_name last_name name email phone company",
    "address": "street street_name house_number unit building city postal_code country province subdivision",
    "line": "id sku name variant description quantity price discount total hs_code origin image_url ean weight grams",
    "shipment": "carrier tracking_number date",
}
_MEMBERS = {f"{part}.{member}": (part, member) for part, members in _PARTS.items() for member in members.split()}

FACTS: tuple[str, ...] = tuple(_MEMBERS)


def fact(draft: Draft, line: Line | None, name: str) -> str | int | Decimal:
    """
    One fact of a draft by its dotted name, ``order.total`` or ``line.price``; a date as ``2026-11-20``.

    Raises LookupError for a name that is not one of ``FACTS``, with the nearest that is, and
    for a fact of a line where there is no ``line``.
    """
    try:
        part, member = _MEMBERS[name]
    except KeyError:
        raise LookupError(f"no fact {name!r}: {nearest(name, FACTS)}") from None
    owner: object = {"order": draft, "line": line}.get(part) if part in ("order", "line") else getattr(draft, part)
    if owner is None:
        raise LookupError(f"{name} is a fact of a line, and there is no line here")
    value: str | int | Decimal | date = getattr(owner, member)
    return value.isoformat() if isinstance(value, date) else value
