"""Orders in a provider's own form: its template, cut down to a recipe and filled with a draft."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from conformance import changes, drafts, people, values
from conformance.errors import UserError, nearest
from conformance.operations import order_schema
from conformance.values import Scope

if TYPE_CHECKING:
    from datetime import datetime

    from conformance.drafts import Draft, Line
    from conformance.model import Account, Json, JsonObject, Operations, Recipe
    from conformance.operations import Operation, OrderForm
    from conformance.values import Filler

# A fact of the draft, wherever in an expression it stands.
_FACT = re.compile(r"@([a-z]+\.[a-z_]+)")


@dataclass(frozen=True, slots=True)
class Plain:
    """
    What a plain order is in a run: the plain form with one line, unless the endpoint refuses those.

    ``fillers`` good orders stand beside one that would be alone.
    """

    name: str = "plain"
    start: str = "plain"
    lines: int = 1
    fillers: int = 0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class _Form:
    """
    What fills a shape: all of it but its lines, and one line, where it has any; ``place`` leads to them.

    ``discounted`` tells whether both discounts are told; otherwise an order with a discount would not add up for
    its reader; ``outlined`` whether nothing is told that takes drawing; ``named`` whether an id or a number is told.
    """

    whole: Filler
    line: Filler
    lines: bool
    place: tuple[str, ...]
    discounted: bool
    outlined: bool
    named: bool


class OrderMaker:
    """
    Makes the orders of one operation.

    An order depends on (seed, token, key, drawn, instant) and what is ``plain`` in this run, never
    on what was made before.
    """

    def __init__(self, operation: Operation, account: Account, seed: int, token: str) -> None:
        if operation.order is None:
            raise ValueError(f"{operation.id}: not an operation on orders")
        self._form: OrderForm = operation.order
        self._account = account
        self._seed = seed
        self._token = token
        self._schema = order_schema(operation.envelope, operation.wrapper, operation.request_schema)
        self._shapes: dict[tuple[object, ...], JsonObject] = {}
        # Of each shape, by its identity.
        self._forms: dict[int, _Form] = {}
        kinds = [each for each in self._form.variants if account.get(each[0]) == each[1]]
        self._plain, self._least = kinds[0][2:] if kinds else (self._form.plain, self._form.minimal)
        self._country = self._home()
        self.plain = Plain()

    def make(
        self, recipe: Recipe, key: str, now: datetime, serial: int | None = None, drawn: str = ""
    ) -> tuple[Json, Scope]:
        """
        The order of a recipe before its change, and the scope in which the change is filled.

        Orders of one recipe and ``drawn`` differ in their names alone, in every run with one seed.
        Where there are very many, ``serial`` is a number of its own that makes the order's ids unique.
        """
        form = self._form_of(self.shape(recipe))
        # An order that has no name of its own is told from others by its data.
        drawn = drawn if form.named else ""
        if serial is not None and form.outlined:
            outline = drafts.Outline(
                self._token, serial, lambda: self._draft(form, recipe, key, now, serial=serial, drawn=drawn)
            )
            draft = cast("Draft", outline)
        else:
            draft = self._draft(form, recipe, key, now, serial=serial, drawn=drawn)
        scope = Scope(
            draft,
            now,
            self._account,
            f"{self._seed}/{self._token}/{key}",
            spare=lambda: self._line(form, scope, draft.spare() if draft.spare else None),
            serial=serial,
        )
        order = cast("Json", form.whole(scope))
        if form.lines:
            rows: Any = order
            for part in form.place:
                rows = rows[part]
            if form.outlined:
                # All that a line tells then is the order's.
                made = (form.line(scope) for _ in range(recipe.lines or self.plain.lines))
                rows.extend([None if each is values.ABSENT else each for each in made])
            else:
                rows.extend([self._line(form, scope, line) for line in draft.lines])
        if recipe.given:
            order = changes.apply(order, values.filled_operations(recipe.given, scope))
        return order, scope

    def _draft(self, form: _Form, recipe: Recipe, key: str, now: datetime, *, serial: int | None, drawn: str) -> Draft:
        country = recipe.country or self._country
        return drafts.draft(
            f"{self._seed}/{key}",
            country=country,
            currency=recipe.currency or self.plain.currency or self._currency(country),
            lines=recipe.lines or self.plain.lines,
            now=now,
            token=self._token,
            serial=serial,
            free=recipe.free,
            discounted=form.discounted,
            spare=True,
            drawn=drawn and f"{self._seed}/{drawn}",
        )

    def _line(self, form: _Form, scope: Scope, line: Line | None) -> Json:
        made = form.line(Scope(scope.draft, scope.now, scope.account, scope.key, line, serial=scope.serial))
        return None if made is values.ABSENT else cast("Json", made)

    def _form_of(self, shape: JsonObject) -> _Form:
        """What fills a shape, made once: very many orders have the same."""
        if id(shape) not in self._forms:
            place = self._form.lines
            parts = changes.tokens(place)
            there = bool(parts) and changes.exists(shape, place)
            # Lines are filled one by one; elsewhere the template is filled as it stands.
            line = changes.read(shape, f"{place}/0") if there and changes.exists(shape, f"{place}/0") else None
            text = json.dumps(shape)
            self._forms[id(shape)] = _Form(
                values.filler(_with_lines(shape, parts, []) if parts else shape),
                values.filler(line),
                there,
                tuple(parts),
                '"@order.discount"' in text and '"@line.discount"' in text,
                set(_FACT.findall(text)) <= drafts.OUTLINED,
                bool(drafts.OUTLINED & set(_FACT.findall(text))),
            )
        return self._forms[id(shape)]

    def _currency(self, country: str) -> str | None:
        """The country's own currency, unless the API knows none but others."""
        known = self._form.currencies
        return known[0] if known and people.country(country).currency not in known else None

    def shape(self, recipe: Recipe) -> JsonObject:
        """The part of the template that a recipe keeps, expressions unfilled. Do not change it."""
        start = self.plain.start if recipe.start == "plain" else recipe.start
        key = (start, recipe.country, recipe.carry, recipe.drop)
        if key not in self._shapes:
            self._shapes[key] = self._cut(start, recipe)
        return self._shapes[key]

    def _cut(self, start: str, recipe: Recipe) -> JsonObject:
        full = self._form.template
        if start == "full":
            shape = cast("JsonObject", changes.copied(full))
        else:
            kept = list(self._plain) if start == "plain" else self._minimal()
            shape = cast("JsonObject", _required(full, self._schema))
            for pointer in kept:
                _carry(shape, full, self._schema, pointer)
        country = recipe.country or self._country
        by_country = [path for path, countries in self._form.by_country if country in countries]
        for pointer in (*by_country, *recipe.carry):
            _carry(shape, full, self._schema, pointer)
        for pointer in self._form.whole:
            if changes.exists(shape, pointer):
                for member in cast("JsonObject", changes.read(full, pointer)):
                    _carry(shape, full, self._schema, f"{pointer}/{member}")
        for pointer in recipe.drop:
            if changes.exists(shape, pointer):
                shape = cast("JsonObject", changes.apply(shape, ({"op": "remove", "path": pointer},)))
        return shape

    def _home(self) -> str:
        """Where plain orders go. Raises UserError for an account's country that no addresses are known of."""
        fact = self._account.get(self._form.country_fact) if self._form.country_fact else None
        country = str(fact or self._form.country)
        if country not in people.COUNTRIES:
            raise UserError(f"account: {self._form.country_fact} = {country!r}: {nearest(country, people.COUNTRIES)}")
        return country

    def _minimal(self) -> list[str]:
        return [path for path, unless in self._least if not (unless and self._account.get(unless))]


def _with_lines(value: Json, parts: list[str], lines: list[Json]) -> Json:
    """A template with other ``lines`` at a path, and nothing changed in the original."""
    if not parts:
        return lines
    if not isinstance(value, dict) or parts[0] not in value:
        return value
    return {key: _with_lines(each, parts[1:], lines) if key == parts[0] else each for key, each in value.items()}


def _required(value: Json, schema: JsonObject) -> Json:
    """The part of a template that its schema requires."""
    if isinstance(value, dict):
        needed = [*cast("list[str]", schema.get("required", [])), values.NEEDS, *_first_choice(value, schema)]
        properties = cast("dict[str, JsonObject]", schema.get("properties", {}))
        return {key: _required(each, properties.get(key, {})) for key, each in value.items() if key in needed}
    if isinstance(value, list):
        return [_required(each, cast("JsonObject", schema.get("items", {}))) for each in value]
    return value


def _first_choice(value: JsonObject, schema: JsonObject) -> list[str]:
    """The members of the first alternative that a template can satisfy, where a schema offers several."""
    for choice in cast("list[JsonObject]", schema.get("anyOf", [])):
        needed = cast("list[str]", choice.get("required", []))
        if needed and all(each in value for each in needed):
            return needed
    return []


def _carry(shape: JsonObject, full: JsonObject, schema: JsonObject, pointer: str) -> None:
    """Add the required part of what ``pointer`` leads to in the full order, with the ancestors it lacks."""
    target: Json = shape
    source: Json = full
    node = schema
    for token in changes.tokens(pointer):
        if isinstance(source, list):
            # The template has one line; every line of the order is made from it.
            source = source[0]
            target = cast("list[Json]", target)[0]
            node = cast("JsonObject", node.get("items", {}))
            continue
        if not isinstance(source, dict) or token not in source:
            return
        source = source[token]
        node = cast("dict[str, JsonObject]", node.get("properties", {})).get(token, {})
        row = cast("JsonObject", target)
        if token not in row:
            row[token] = _required(source, node)
            _keep_order(row, full)
        target = row[token]


def _keep_order(row: JsonObject, full: JsonObject) -> None:
    ordered = sorted(row.items(), key=lambda item: list(full).index(item[0]) if item[0] in full else len(full))
    row.clear()
    row.update(ordered)


def needed_members(change: Operations) -> tuple[str, ...]:
    """The members that must be there before ``change`` can be made: JSON Pointers into the full order."""
    result: list[str] = []
    for operation in change:
        parts = changes.tokens(str(operation["path"]))
        if operation["op"] == "add":
            parts = parts[:-1]
        # Lines are made alike, so a member of the hundredth is carried as one of the first.
        parts = ["0" if part.isdigit() or part == "-" else part for part in parts]
        while parts and parts[-1] == "0":
            parts = parts[:-1]
        if parts:
            result.append(changes.pointer(parts))
    return tuple(dict.fromkeys(result))
