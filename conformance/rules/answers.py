"""Rules on answers: amounts that have to agree with each other, in exact decimals."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from conformance.changes import select
from conformance.rules.registry import Breach, Context, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Json


def amount(value: Json) -> Decimal | None:
    """An amount as it is written: a number, or a decimal text in which commas may group thousands."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(str(value).replace(",", ""))
    except InvalidOperation:
        return None


def _amounts(value: Json, path: str) -> list[Decimal | None]:
    return [amount(each) for _, each in select(value, path)]


@rule("product")
def product(body: Json, _context: Context, *, lines: str, total: str, factors: list[str]) -> Iterator[Breach]:
    """In every line one amount is the product of others."""
    for place, line in select(body, lines):
        expected = Decimal(1)
        known = [each for path in factors for each in _amounts(line, path)]
        for each in known:
            expected *= each if each is not None else Decimal("NaN")
        found = _amounts(line, total)
        if len(known) != len(factors) or len(found) != 1 or found[0] != expected:
            yield Breach(f"{place}{total}", f"should be {expected}")


@rule("sum")
def total_of(body: Json, _context: Context, *, total: str, of: str) -> Iterator[Breach]:
    """One amount is the sum of others."""
    parts = _amounts(body, of)
    expected = sum((each if each is not None else Decimal("NaN") for each in parts), Decimal())
    found = _amounts(body, total)
    if len(found) != 1 or found[0] != expected:
        yield Breach(total, f"should be {expected}")
