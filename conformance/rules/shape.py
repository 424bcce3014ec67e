"""Rules on the members of an order: which have to be there together, how many, and whether numbers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance import schemas
from conformance.changes import select
from conformance.rules.registry import Breach, Context, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Json, JsonObject


@rule("not-empty")
def not_empty(order: Json, _context: Context, *, at: str) -> Iterator[Breach]:
    """A list has elements."""
    for pointer, value in select(order, at):
        if value == []:
            yield Breach(pointer, "is empty")


@rule("at-least")
def at_least(order: Json, _context: Context, *, at: str, least: float) -> Iterator[Breach]:
    """A number is not below another."""
    for pointer, value in select(order, at):
        if isinstance(value, int | float) and value < least:
            yield Breach(pointer, f"is below {least}")


@rule("one-of")
def one_of(order: Json, _context: Context, *, at: str, members: list[str]) -> Iterator[Breach]:
    """An object has one of some members at least."""
    for pointer, value in select(order, at):
        if isinstance(value, dict) and not any(each in value for each in members):
            yield Breach(pointer, f"needs one of {', '.join(members)}")


@rule("members")
def needed_members(order: Json, _context: Context, *, at: str, members: list[str]) -> Iterator[Breach]:
    """An object, if it is there, has some members."""
    for pointer, value in select(order, at):
        for each in members if isinstance(value, dict) else ():
            if isinstance(value, dict) and each not in value:
                yield Breach(f"{pointer}/{each}", "is missing")


@rule("one-among")
def one_among(order: Json, _context: Context, *, at: str, values: list[Json]) -> Iterator[Breach]:
    """A value is one of a few."""
    for pointer, value in select(order, at):
        if value not in values:
            yield Breach(pointer, f"is not one of {', '.join(map(str, values))}")


@rule("fits")
def fits(order: Json, _context: Context, *, at: str, schema: JsonObject, message: str) -> Iterator[Breach]:
    """A value satisfies a JSON Schema."""
    known = schemas.validator(schema)
    for pointer, value in select(order, at):
        if not known.accepts(value):
            yield Breach(pointer, message)


def _known(context: Context, value: Json, facts: list[str]) -> bool:
    if any(context.account.get(each) == value for each in facts):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and context.stored(value)


@rule("existing-number")
def existing_number(
    order: Json, context: Context, *, at: str, facts: list[str], when: str = "", values: list[Json] | None = None
) -> Iterator[Breach]:
    """A number is that of an order; asked only where the member at ``when`` has one of some values."""
    if when and not any(value in (values or []) for _, value in select(order, when)):
        return
    for pointer, value in select(order, at):
        if not _known(context, value, facts):
            yield Breach(pointer, "does not exist")


@rule("free-number")
def free_number(order: Json, context: Context, *, at: str, facts: list[str]) -> Iterator[Breach]:
    """A number is not that of another order."""
    for pointer, value in select(order, at):
        if _known(context, value, facts):
            yield Breach(pointer, "is already taken")
