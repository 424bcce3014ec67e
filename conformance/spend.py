"""Money: what orders cost by the account's own price list, and a purse that never holds more than the account allows."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, cast

from conformance import bodies, changes
from conformance.batches import Composer, Unmade
from conformance.errors import UserError
from conformance.model import Expect
from conformance.rules.answers import amount
from conformance.values import NotSaid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.model import Account, Exchange, Json, JsonObject
    from conformance.operations import Operation
    from conformance.plan import Plan
    from conformance.suite import Suite

_LIMIT = "max_spend"


def cost(operation: Operation, account: Account, orders: Iterable[Json]) -> Counter[str]:
    """
    What orders cost if they are accepted: amounts by currency, in hundredths of a cent.

    Only products of the account's list have a price; what else an order names is not
    known to cost anything.
    """
    form = operation.order.cost if operation.order else {}
    total: Counter[str] = Counter()
    if not form:
        return total
    prices = {str(row.get("sku")): row for row in cast("list[JsonObject]", account.get("products") or [])}
    for order in orders:
        for _, line in changes.select(order, f"{form['lines']}/*"):
            sku = [str(value) for _, value in changes.select(line, form["sku"])]
            quantity = next((_units(value) for _, value in changes.select(line, form["quantity"])), Decimal())
            row = prices.get(sku[0]) if sku else None
            if row and quantity > 0:
                total[str(row.get("currency", ""))] += int(_exact(row.get("unit_price", 0)) * quantity * _SCALE)
    return total


def limit(account: Account) -> int | None:
    """What the account's ``max_spend`` allows, in hundredths of a cent; None where it sets no limit. Raises UserError."""
    most = account.get(_LIMIT)
    return None if most is None else int(_exact(most) * _SCALE)


def check(account: Account) -> None:
    """Raise UserError for a price or a limit in the account file that is no amount."""
    Purse(account)
    for row in cast("list[JsonObject]", account.get("products") or []):
        _exact(row.get("unit_price", 0))


def charged(operation: Operation, exchange: Exchange) -> Counter[str] | None:
    """What an answer says that was charged; None where it does not say."""
    place = (operation.order.cost if operation.order else {}).get("charged", "")
    found = next((value for _, value in changes.select(bodies.answered(exchange), place)), None) if place else None
    known = amount(found.get("amount")) if isinstance(found, dict) else None
    if known is None or not isinstance(found, dict):
        return None
    return Counter({str(found.get("currency", "")): int(known * _SCALE)})


def _units(value: Json) -> Decimal:
    """A quantity, as lenient parsers may read it too: they would be paid for."""
    try:
        return max(Decimal(int(Decimal(str(int(value) if isinstance(value, bool) else value)))), Decimal())
    except (InvalidOperation, ValueError, OverflowError):
        return Decimal()


_SCALE = 10_000


def _exact(value: Json) -> Decimal:
    """An amount in an account file, text or number, as an exact decimal."""
    try:
        return Decimal(str(value).replace(",", ""))
    except InvalidOperation:
        raise UserError(f'account: {value!r} is no amount; write for example unit_price = "9.70"') from None


def told(amounts: Counter[str]) -> dict[str, str]:
    """Amounts by currency as decimal texts."""
    return {currency: f"{Decimal(amount) / _SCALE:.2f}" for currency, amount in sorted(amounts.items()) if amount}


class Purse:
    """
    Counts the money of a run. Safe to use from several threads.

    ``max_spend`` of the account bounds the sum over all currencies, taken as if they were one.
    Raises UserError for a limit that is no amount.
    """

    def __init__(self, account: Account) -> None:
        self._limit = limit(account)
        self._lock = threading.Lock()
        self.spent: Counter[str] = Counter()

    def take(self, amounts: Counter[str]) -> bool:
        """Set money aside for a request; False when that would be more than is allowed."""
        with self._lock:
            if self._limit is not None and self.spent.total() + amounts.total() > self._limit:
                return not amounts
            self.spent += amounts
            return True

    def settle(self, set_aside: Counter[str], charge: Counter[str]) -> None:
        """Put what was charged in the place of what had been set aside."""
        with self._lock:
            self.spent = self.spent - set_aside + charge


def planned(suite: Suite, todo: Plan) -> dict[str, str]:
    """What the orders of a plan cost if every one of them is accepted, by currency; controls apart."""
    composer = Composer(suite, 0, "")
    operation, now = suite.provider.main, datetime.now(UTC)
    total: Counter[str] = Counter()
    if not (operation.order and operation.order.cost):
        return {}
    for atom in todo.atoms:
        if atom.expect is not Expect.REFUSE:
            try:
                total += cost(operation, suite.account, composer.orders([atom], "", now).orders)
            except Unmade:
                continue
    for case in todo.singles:
        first: Json = None
        for index in range(len(case.steps)):
            try:
                composed = composer.step(case, index, "", now, first=first)
            except (NotSaid, Unmade):
                continue
            first = composed.orders[0] if first is None and composed.orders else first
            if composed.operation == operation.id and case.wanted(index) not in (Expect.REFUSE, Expect.DENY):
                total += cost(operation, suite.account, composed.orders)
    return told(total)
