"""What an order costs: exact decimals from the account's list of products, in the currency that it is settled in."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, cast

from conformance.reference.documents import first

if TYPE_CHECKING:
    from conformance.model import Account, Json, JsonObject
    from conformance.operations import OrderForm
    from conformance.reference.behaviour import Behaviour

_CENT = Decimal("0.01")
_ONE = Decimal(1)
_DEARER = Decimal("1.02")
# Codes of a line that are shown; nobody reads more.
_MOST_UNITS = 100


class Pricing:
    """
    Prices orders as ``reference.pricing`` of a pack describes it; without that, lines are merely what was sent.

    ``products`` is the account fact with the products, whose members ``sku``, ``price`` and ``currency`` name;
    ``settle`` is the member of an order that names another currency, which costs ``rate`` times as much; what nobody
    knows costs 1 in the first currency of the account fact ``held``.
    """

    def __init__(self, form: OrderForm | None, settings: JsonObject, account: Account, behaviour: Behaviour) -> None:
        self._lines = form.lines if form else ""
        self._cost = form.cost if form else {}
        self._settings = cast("dict[str, str]", settings)
        rows = cast("list[JsonObject]", account.get(str(settings.get("products", ""))) or [])
        self._products = rows
        held = cast("list[str]", account.get(str(settings.get("held", ""))) or [""])
        self._held = held[0]
        self._how = behaviour

    def worth(self, order: Json, *, units: bool = False) -> JsonObject:
        """
        The lines of an order, and its total.

        A line is ``sent`` and has a ``number``, its product's ``row``, ``price``, ``total``, ``currency`` and
        ``price-currency``; ``original`` is the product's own price where the order is settled in another currency, and
        ``fx`` the list of conversions then. Amounts are texts with separators of thousands.
        """
        found = first(order, self._lines) if isinstance(order, dict) else None
        sent = found if isinstance(found, list) else []
        lines: list[JsonObject] = [{"sent": each, "number": index + 1} for index, each in enumerate(sent)]
        if not self._settings:
            return {"lines": cast("Json", lines)}
        rows = [self._row(each) for each in sent]
        origin, currency, named = self._currencies(order, rows)
        # A currency that only a fault lets through is worth the same.
        crossed = currency != origin
        rate = Decimal(self._settings.get("rate", "1")) if crossed else _ONE
        total = Decimal(0)
        for line, row in zip(lines, rows, strict=True):
            original = _decimal(row.get(self._settings["price"]))
            price = (original * rate).quantize(_CENT, ROUND_HALF_UP) if crossed else original
            price *= _DEARER if self._how.totals == "own-currency" and named and not crossed else _ONE
            quantity = _decimal(first(line["sent"], self._cost.get("quantity", "")))
            worth = price * (_ONE if self._how.totals == "without-quantity" else quantity)
            if self._how.totals == "line-a-cent-more":
                worth += _CENT
            total += worth
            line |= {
                "row": row,
                "price": _amount(price),
                "total": _amount(worth),
                "currency": currency,
                "price-currency": currency,
            }
            if crossed:
                line["original"] = {"amount": _amount(original), "currency": origin}
            if units:
                count = min(int(quantity), _MOST_UNITS)
                start = cast("int", line["number"]) * 1000
                line["units"] = [{"number": start + unit} for unit in range(count)]
        if self._how.totals == "first-line" and lines:
            total = Decimal(str(lines[0]["total"]).replace(",", ""))
        elif self._how.totals == "a-cent-more":
            total += _CENT
        made: JsonObject = {"lines": cast("Json", lines), "total": _amount(total), "currency": currency}
        if crossed:
            made["fx"] = [{"from": origin, "pair": f"{origin}/{currency}", "rate": float(rate)}]
        return made

    def _currencies(self, order: Json, rows: list[JsonObject]) -> tuple[str, str, bool]:
        """The currency of the products, the one that is charged, and whether the order names one."""
        own = [str(row.get(self._settings["currency"])) for row in rows if row]
        origin = (own[0] if own else "") or self._held
        chosen = first(order, self._settings.get("settle", "")) if isinstance(order, dict) else None
        if not isinstance(chosen, str) or "settle" not in self._settings:
            return origin, origin, False
        astray = self._how.cross_currency == "first-wallet" and chosen != origin
        return origin, self._held if astray else chosen, True

    def _row(self, line: Json) -> JsonObject:
        sku = first(line, self._cost.get("sku", ""))
        return next((row for row in self._products if row.get(self._settings["sku"]) == sku), {})


def _decimal(value: Any) -> Decimal:
    """A number or a text that writes one; 1 for anything else, which only a careless endpoint gets to see."""
    try:
        made = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else _ONE
    except ArithmeticError:
        return _ONE
    return made if made.is_finite() and abs(made.adjusted()) < 30 else _ONE


def _amount(value: Decimal) -> str:
    return f"{value:,f}"
