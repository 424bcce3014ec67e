"""What a careless endpoint makes of the lines and amounts of an order that it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from conformance.reference.documents import members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Json, JsonObject

_AMOUNTS = ("price", "total")


def arranged(known: JsonObject, kind: str) -> list[JsonObject]:
    """The lines as a careless endpoint repeats them."""
    lines = cast("list[JsonObject]", known["lines"])
    if not lines or kind == "first-only":
        return lines[:1]
    if kind == "one-more":
        return [*lines, lines[-1]]
    if kind == "reversed":
        return lines[::-1]
    sent = [members(each["sent"]) for each in lines]
    if kind == "merged":
        return _merged(lines)
    if kind == "quantity-one":
        return [
            each | {"sent": {key: 1 if type(value) is int else value for key, value in one.items()}}
            for each, one in zip(lines, sent, strict=True)
        ]
    # Crossed: every line has what the next one has for numbers.
    following = [*sent[1:], sent[0]]
    return [
        each | {"sent": {key: other.get(key, value) if type(value) is int else value for key, value in one.items()}}
        for each, one, other in zip(lines, sent, following, strict=True)
    ]


def product(sent: Json, rows: Sequence[JsonObject], mistaken_by: str) -> JsonObject:
    """The product that a line names by any member of it; what was sent where it names none."""
    line = members(sent)
    for index, row in enumerate(rows):
        for key, value in (("sku", "sku"), ("sku", "joined_sku"), ("ean", "ean"), ("id", "id")):
            if key in line and line[key] == row.get(value):
                return rows[index - 1] if value == mistaken_by else row
    return line


def _merged(lines: list[JsonObject]) -> list[JsonObject]:
    """One line for each product, whose numbers are the sums."""
    found: dict[str, JsonObject] = {}
    for each in lines:
        sent = members(each["sent"])
        name = str([value for value in sent.values() if isinstance(value, str)])
        if name not in found:
            found[name] = each | {"sent": dict(sent)}
            continue
        known = members(found[name]["sent"])
        for key, value in sent.items():
            before = known.get(key)
            if type(value) is int and type(before) is int:
                known[key] = before + value
    return list(found.values())


def written(known: JsonObject, kind: str) -> JsonObject:
    """The amounts of an order in a form that is not documented."""

    def form(row: JsonObject) -> JsonObject:
        result = dict(row)
        for key in _AMOUNTS:
            if key in row:
                text = str(row[key])
                comma = f"{text},00" if "." not in text else text.replace(",", "").replace(".", ",")
                result[key] = comma if kind == "decimal-comma" else f"{text} {row.get('currency', '')}"
        return result

    lines = [form(each) for each in cast("list[JsonObject]", known["lines"])]
    return form(known) | {"lines": cast("Json", lines)}


def crossed(known: JsonObject, kind: str) -> JsonObject:
    """The currencies of an order that is settled in another one, mixed up."""
    if kind == "first-wallet":
        # It was charged to another wallet, and is told so.
        return {}
    lines = [dict(each) for each in cast("list[JsonObject]", known["lines"])]
    origin = str(cast("list[JsonObject]", known["fx"])[0]["from"])
    for each in lines:
        original = members(each.get("original"))
        if kind == "original-in-settlement":
            each["original"] = original | {"currency": known["currency"]}
        elif kind == "unit-in-product":
            each["price-currency"] = origin
        else:
            each |= {"currency": origin, "price-currency": origin}
    changed: JsonObject = {"lines": cast("Json", lines)}
    return changed if kind in ("original-in-settlement", "unit-in-product") else changed | {"currency": origin}
