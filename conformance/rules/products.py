"""Rules on what an order buys: products of the account, their currencies and how they are paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from conformance.changes import exists, read, select
from conformance.rules.registry import Breach, Context, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Json, JsonObject


def _rows(context: Context, fact: str) -> list[JsonObject]:
    return cast("list[JsonObject]", context.account.get(fact) or [])


def _currencies(order: Json, context: Context, at: str, fact: str) -> list[tuple[str, Json]]:
    """Where products stand in an order, and the currency of each."""
    rows = _rows(context, fact)
    return [(pointer, row["currency"]) for pointer, sku in select(order, at) for row in rows if row["sku"] == sku]


@rule("known-product")
def known_product(
    order: Json, context: Context, *, at: str, fact: str = "", by: dict[str, list[str]] | None = None, unless: str = ""
) -> Iterator[Breach]:
    """
    A product is in the list of an account fact; what is no text names none.

    With ``by``, ``at`` leads to lines, and each member named there holds the value of one
    of some facts, or that of a row of ``fact``. Nothing is asked where ``unless`` is true.
    """
    if unless and exists(order, unless) and read(order, unless) is True:
        return
    for pointer, value in select(order, at):
        if by is None:
            if isinstance(value, str) and all(row["sku"] != value for row in _rows(context, fact)):
                yield Breach(pointer, "is no product of this account")
            continue
        for member, facts in by.items():
            known = [context.account.get(each) for each in facts] + [row.get(member) for row in _rows(context, fact)]
            sent = value.get(member) if isinstance(value, dict) else None
            if sent is not None and sent not in known:
                yield Breach(f"{pointer}/{member}", "is no product of this account")


@rule("one-product-currency")
def one_product_currency(order: Json, context: Context, *, at: str, fact: str) -> Iterator[Breach]:
    """All products of an order have one currency."""
    found = _currencies(order, context, at, fact)
    for pointer, currency in found[1:]:
        if currency != found[0][1]:
            yield Breach(pointer, "has another currency than the first product")


@rule("product-currency")
def product_currency(
    order: Json, context: Context, *, at: str, fact: str, among: str = "", only: list[Json] | None = None
) -> Iterator[Breach]:
    """The currency of every product is one of a few, or of those that an account fact lists."""
    held = cast("list[Json]", context.account.get(among) or []) if only is None else only
    for pointer, currency in _currencies(order, context, at, fact):
        if currency not in held:
            yield Breach(pointer, "is sold in a currency that the account does not hold")


@rule("settlement-needed")
def settlement_needed(order: Json, context: Context, *, at: str, sku: str, fact: str, held: str) -> Iterator[Breach]:
    """An order of products in a currency that the account does not hold says how it is settled."""
    if select(order, at):
        return
    if any(product_currency(order, context, at=sku, fact=fact, among=held)):
        yield Breach(at, "is needed for products in this currency")


@rule("settlement-held")
def settlement_held(order: Json, context: Context, *, at: str, held: str) -> Iterator[Breach]:
    """The currency that an order is settled in is one that the account holds."""
    for pointer, value in select(order, at):
        if value not in cast("list[Json]", context.account.get(held) or []):
            yield Breach(pointer, "is not one of the account's balance currencies")


@rule("settlement-differs")
def settlement_differs(order: Json, context: Context, *, at: str, sku: str, fact: str) -> Iterator[Breach]:
    """The currency that an order is settled in is another than that of its products."""
    own = [currency for _, currency in _currencies(order, context, sku, fact)]
    for pointer, value in select(order, at):
        if value in own:
            yield Breach(pointer, "is the currency of the products")


@rule("in-stock")
def in_stock(
    order: Json,
    context: Context,
    *,
    at: str,
    sku: str,
    quantity: str,
    short: list[str],
    most: int,
    unless_not: str = "",
) -> Iterator[Breach]:
    """
    No line asks for more than there is: nothing of the products that ``short`` facts name, else ``most`` of each.

    Where the member at ``unless_not`` is false, stock does not matter.
    """
    if unless_not and exists(order, unless_not) and read(order, unless_not) is False:
        return
    gone = [value for each in short if (value := context.account.get(each)) is not None]
    for pointer, line in select(order, at):
        wanted = next((value for _, value in select(line, quantity)), 0)
        there = 0 if any(value in gone for _, value in select(line, sku)) else most
        if isinstance(wanted, int | float) and wanted > there:
            yield Breach(pointer, "is not in stock")


@rule("as-known")
def as_known(
    order: Json, context: Context, *, lines: str, name: str, value: str, fact: str, fact_name: str, fact_value: str
) -> Iterator[Breach]:
    """
    What a line shows of its product is what an account fact has under the line's name.

    Lines without that value pass, and so do products that are not in the list.
    """
    for pointer, line in select(order, lines):
        names = [each for _, each in select(line, name)]
        known = [row[fact_value] for row in _rows(context, fact) if fact_value in row and row.get(fact_name) in names]
        for place, shown in select(line, value):
            if known and shown not in known:
                yield Breach(f"{pointer}{place}", f"should be {known[0]}")
