"""
Orders that add up on both sides of a change to one of their numbers.

An endpoint may well check sums. Were they wrong after the change, it would refuse the order for that, and nobody
would know what it makes of the number itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from conformance import changes, values
from conformance.model import Recipe
from conformance.operations import order_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Json, JsonObject, Operations
    from conformance.operations import Operation, OrderForm

_QUANTITY = "line.quantity"
# Two lines; all far from the bounds that APIs set, so that a change goes to one bound alone.
_PRICE = 100.0
_SHIPPING = 5.0


def counted(operation: Operation, pointer: str) -> bool:
    """Whether what stands at a place of an order takes part in a sum: an amount, a quantity, or what has them."""
    form = operation.order
    if form is None or not pointer or not changes.exists(form.template, pointer):
        return False
    facts = {fact for fact, _ in _facts(changes.read(form.template, pointer), "")}
    return bool(facts & {*values.MONEY, _QUANTITY}) and _may_be_free(operation, form)


def around(operation: Operation, pointer: str, value: float) -> tuple[Recipe, Operations] | None:
    """
    An order, and a change after which ``value`` stands at a place of it and its sums hold as far as they can.

    None where the order has no such sums, so that nothing needs to be made up for. The changed line is the last of two.
    """
    form = operation.order
    at = _places(form)
    if form is None or not {"order.subtotal", "order.total", "line.price"} <= at.keys():
        return None
    fact = next((each for each, place in at.items() if place == pointer), "")
    if fact == _QUANTITY:
        pair = _Amounts(quantities=(3, 2)), _Amounts(quantities=(3, int(value)))
    elif fact == "line.price":
        pair = _Amounts(), _Amounts(prices=(2 * _PRICE - value, value))
    elif fact == "line.discount":
        pair = _Amounts(discounts=(1, 1)), _Amounts(discounts=(2 - value, value))
    elif fact == "order.shipping":
        pair = _Amounts(), _Amounts(shipping=value)
    elif fact == "order.discount":
        pair = _Amounts(discount=0 if value else 2), _Amounts(discount=value)
    elif fact == "order.subtotal":
        # No line can cost less than nothing, so for a subtotal that does the total alone can agree with it.
        free = _Amounts(prices=(0, 0))
        pair = (free, _Amounts(prices=(0, 0), subtotal=value)) if value else (_Amounts(), free)
    elif fact == "order.total" and value and "order.discount" in at:
        pair = _Amounts((0, 0), shipping=0, discount=0), _Amounts((0, 0), shipping=0, discount=-value)
    elif fact == "order.total":
        pair = _Amounts(), _Amounts((0, 0), shipping=0, total=value)
    else:
        return None
    before, after = (each.told(form.lines, at) for each in pair)
    first = _of_line(form.lines, pointer, 1)
    ordered = sorted(after, key=lambda place: place != first)
    given = tuple(_put(place, amount) for place, amount in before.items())
    change = tuple(_put(place, after[place]) for place in ordered if after[place] != before[place])
    carry = tuple(dict.fromkeys(_of_line(form.lines, place, 0) for place in before))
    return Recipe(lines=2, given=given, carry=carry), change


class _Amounts:
    """The amounts of an order of two lines; what is not given follows from the rest."""

    def __init__(
        self,
        prices: tuple[float, float] = (_PRICE, _PRICE),
        *,
        quantities: tuple[int, int] = (1, 1),
        discounts: tuple[float, float] | None = None,
        discount: float | None = None,
        shipping: float = _SHIPPING,
        subtotal: float | None = None,
        total: float | None = None,
    ) -> None:
        self.lines: dict[str, tuple[float, float]] = {
            "line.price": prices,
            "line.quantity": quantities,
            "line.total": (prices[0] * quantities[0], prices[1] * quantities[1]),
        }
        whole = sum(self.lines["line.total"]) if subtotal is None else subtotal
        if discounts is not None:
            self.lines["line.discount"] = discounts
            discount = discounts[0] * quantities[0] + discounts[1] * quantities[1]
        due = whole - (discount or 0) + shipping if total is None else total
        self.order = {"order.subtotal": whole, "order.shipping": shipping, "order.total": due}
        if discount is not None:
            self.order["order.discount"] = discount

    def told(self, lines: str, at: dict[str, str]) -> dict[str, float]:
        """The amounts that an order has places for, by place."""
        found = {at[fact]: amount for fact, amount in self.order.items() if fact in at}
        for fact, both in self.lines.items():
            if fact in at:
                found |= {_of_line(lines, at[fact], index): amount for index, amount in enumerate(both)}
        return found


def _put(place: str, amount: float) -> JsonObject:
    exact = round(amount, 4)
    return {"op": "replace", "path": place, "value": int(exact) if exact == int(exact) else exact}


def _of_line(lines: str, place: str, index: int) -> str:
    """The same place in another line."""
    begin = f"{lines}/"
    if not place.startswith(begin):
        return place
    return f"{begin}{index}/{place[len(begin) :].partition('/')[2]}"


def _places(form: OrderForm | None) -> dict[str, str]:
    """Where each number of a sum stands; nothing where one of them stands twice, so that it is not clear what adds up."""
    found: dict[str, str] = {}
    for fact, place in _facts(cast("Json", form.template) if form else None, ""):
        if fact in found:
            return {}
        if fact in values.MONEY or fact == _QUANTITY:
            found[fact] = place
    return found


def _facts(template: Json, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(template, dict):
        for name, each in template.items():
            yield from _facts(each, f"{place}{changes.pointer([name])}")
    elif isinstance(template, list):
        for index, each in enumerate(template):
            yield from _facts(each, f"{place}/{index}")
    elif isinstance(template, str) and template.startswith("@"):
        yield template[1:], place


def _may_be_free(operation: Operation, form: OrderForm) -> bool:
    """Whether the documentation lets every amount be zero; otherwise an order for nothing is no valid order."""
    money = [place for fact, place in _facts(cast("Json", form.template), "") if fact in values.MONEY]
    return bool(money) and all(_takes_zero(order_node(operation, place)) for place in money)


def _takes_zero(node: JsonObject) -> bool:
    least, above = node.get("minimum", 0), node.get("exclusiveMinimum", -1)
    return cast("float", least) <= 0 and cast("float", above) < 0


def order_node(operation: Operation, place: str) -> JsonObject:
    """The schema of a place of an order; nothing where the schema does not name it."""
    node = order_schema(operation.envelope, operation.wrapper, operation.request_schema)
    for token in changes.tokens(place):
        inside = (
            node.get("items", {}) if token.isdigit() else cast("dict[str, Json]", node.get("properties", {})).get(token)
        )
        node = inside if isinstance(inside, dict) else {}
    return node
