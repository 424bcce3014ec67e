"""Cases from schema constraints: both sides of every one of them, at every path."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from conformance import changes, envelope, formats, values
from conformance.checks import sums, texts
from conformance.checks.wrong import WORTH_NOTHING, WRONG_TYPES
from conformance.model import Case, Expect, Json, JsonObject, Level, Operations, Recipe, Step
from conformance.orders import needed_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.catalogue import Owned
    from conformance.operations import Operation

# How much a case judges, smallest first: it decides what is sent when requests are few.
_RANKS = {
    "required": 10, "enum": 12, "minLength": 14, "maxLength": 14, "minimum": 14, "maximum": 14, "exclusiveMinimum": 14,
    "exclusiveMaximum": 14, "minItems": 8, "maxItems": 8, "format": 16, "type": 18,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """A site seen from the operation: where its value stands and how cases about it are made."""

    owned: Owned
    operation: Operation
    scope: str  # order | body
    pointer: str
    name: str

    def case(self, kind: str, expect: Expect, operations: Operations = (), **more: Any) -> Case:
        owned = self.owned
        recipe: Recipe = more.pop("recipe", Recipe())
        if self.scope == "order":
            if expect is Expect.REFUSE and not recipe.given and sums.counted(self.operation, self.pointer):
                # Where nothing costs anything, sums hold whatever becomes of one number, line or amount.
                recipe = replace(recipe, free=True)
            recipe = replace(recipe, carry=(*recipe.carry, *needed_members(operations)))
        slots: tuple[str, ...] = more.pop("slots", ("changed",))
        if expect is Expect.ACCEPT and owned.requirement.level in (Level.SILENT, Level.CONTRADICTORY):
            expect = Expect.OBSERVE
        return Case(
            id=f"{owned.requirement.id}/{self.name}.{kind}",
            requirement=owned.requirement,
            operation=self.operation.id,
            expect=expect,
            recipe=recipe,
            steps=(Step(slots, operations, more.pop("step_scope", self.scope)),),
            rank=more.pop("rank", _RANKS.get(owned.site.keyword, 20)),
            site=owned.site.key,
            needs=(*owned.needs, *more.pop("needs", ())),
            needs_credentials=owned.needs_credentials,
            when=owned.when,
            **more,
        )

    def put(self, value: Json) -> Operations:
        return ({"op": "replace", "path": self.pointer, "value": value},)

    def accepted(self, kind: str, value: Json, **more: Any) -> Iterator[Case]:
        """The accepting side, unless prose narrows what the schema allows."""
        side = self.owned.accept_side
        if side not in ("none", "by-hand"):
            yield self.case(kind, Expect.OBSERVE if side == "observe" else Expect.ACCEPT, self.put(value), **more)

    def summed(self, kind: str, expect: Expect, value: float, **more: Any) -> Iterator[Case]:
        """A number at its place, in an order whose sums hold all the same."""
        made = sums.around(self.operation, self.pointer, value) if self.scope == "order" else None
        if made is None or (expect is Expect.REFUSE and self.fact == "line.quantity"):
            if expect is Expect.REFUSE:
                yield self.refused(kind, value, **more)
            else:
                yield from self.accepted(kind, value, **more)
        elif expect is Expect.REFUSE or self.owned.accept_side not in ("none", "by-hand"):
            observed = expect is Expect.ACCEPT and self.owned.accept_side == "observe"
            yield self.case(kind, Expect.OBSERVE if observed else expect, made[1], recipe=made[0], **more)

    @property
    def fact(self) -> str:
        """What the pack's order has at this place, if that is a fact or another expression."""
        template = _template(self)
        return template.removeprefix("@") if isinstance(template, str) and template.startswith("@") else ""

    def refused(self, kind: str, value: Json, **more: Any) -> Case:
        return self.case(kind, Expect.REFUSE, self.put(value), **more)


def cases(owned: Owned, operation: Operation) -> Iterator[Case]:
    """The mechanical cases of one schema site, in a stable order."""
    for case in _cases(owned, operation):
        if owned.refuse_side != "by-hand" or case.expect is not Expect.REFUSE:
            yield case


def _cases(owned: Owned, operation: Operation) -> Iterator[Case]:
    place = _place(owned, operation)
    keyword = owned.site.keyword
    if operation.order and owned.site.path == envelope.batch_site(operation) and keyword in ("minItems", "maxItems"):
        yield from _batch_size(place, keyword)
    elif keyword in ("minItems", "maxItems"):
        yield from _line_count(place, keyword)
    elif keyword in _MAKERS:
        yield from _MAKERS[keyword](place)


def beyond_ascii(owned: Owned, operation: Operation) -> str:
    """What shows that a free text takes letters of any alphabet; empty for any other site."""
    place = _place(owned, operation)
    return texts.beyond_ascii(operation, place.pointer) if place.scope == "order" else ""


def _place(owned: Owned, operation: Operation) -> _Place:
    path = owned.site.path
    if operation.order:
        prefix = envelope.order_site(operation)
        if path.startswith(f"{prefix}.") or (not prefix and path != "$"):
            inside = path[len(prefix) + 1 :] if prefix else path
            pointer = "/" + inside.replace("[]", "/0").replace(".", "/")
            return _Place(owned, operation, "order", pointer, _words(inside))
        if prefix in ("[]", "*") and path == prefix:
            return _Place(owned, operation, "order", "", "order")
    if path == "$":
        return _Place(owned, operation, "body", "", "body")
    pointer = "/" + path.replace("[]", "/0").replace(".", "/")
    return _Place(owned, operation, "body", pointer, _words(path))


def _words(path: str) -> str:
    return f"{path[:-2].replace('[]', '')}.element" if path.endswith("[]") else path.replace("[]", "")


def _required(place: _Place) -> Iterator[Case]:
    yield place.case("missing", Expect.REFUSE, ({"op": "remove", "path": place.pointer},))


def _optional(place: _Place) -> Iterator[Case]:
    side = place.owned.accept_side
    if place.scope != "order" or side in ("none", "by-hand"):
        return
    absent = Expect.OBSERVE if side == "observe" else Expect.ACCEPT
    form = place.operation.order
    # What some countries need by the prose is left out of an order to a country that does not.
    elsewhere = form.country if form and any(path == place.pointer for path, _ in form.by_country) else ""
    recipe = Recipe("full", country=elsewhere, drop=(place.pointer,))
    yield place.case("absent", absent, recipe=recipe, rank=2)
    need = _account_fact(place)
    yield place.case("present", Expect.ACCEPT, recipe=Recipe(carry=(place.pointer,)), rank=1, needs=need)


def _template(place: _Place) -> Json:
    order = place.operation.order
    template: Json = cast("Json", order.template) if order else None
    if place.scope == "order" and changes.exists(template, place.pointer):
        return changes.read(template, place.pointer)
    return None


def _account_fact(place: _Place) -> tuple[str, ...]:
    value = _template(place)
    return (value.removeprefix("@account "),) if isinstance(value, str) and value.startswith("@account ") else ()


def _type(place: _Place) -> Iterator[Case]:
    site = place.owned.site
    types = cast("list[str]", site.value if isinstance(site.value, list) else [site.value])
    if "enum" in site.node:
        wrong: tuple[tuple[str, Json, bool], ...] = (("object", {}, False),)
    else:
        wrong = WRONG_TYPES.get(types[0], ())
    free = place.fact in values.MONEY and sums.counted(place.operation, place.pointer)
    for word, value, reading in wrong:
        if free and word in WORTH_NOTHING:
            # Where sums are all zero, what a lenient parser makes of it adds up.
            value = WORTH_NOTHING[word]  # noqa: PLW2901
        if word == "number" and types[0] == "string" and _identifies(place):
            value = "@number"  # noqa: PLW2901  # 123 may be an order of the account, for who takes it as a text
        yield place.refused(f"type-{word}", value, reading=reading, rank=40 if reading else 18)
    if "null" in types:
        yield from place.accepted("null", "@null", rank=4)
    else:
        # Dropping a null optional member harms nobody; a null where a value is needed is no value.
        reading = not site.required
        yield place.refused("type-null", "@null", reading=reading, rank=45 if reading else 30)
    if letters := beyond_ascii(place.owned, place.operation):
        yield from place.accepted("non-ascii", letters, rank=6)


def _length(place: _Place) -> Iterator[Case]:
    keyword, bound = place.owned.site.keyword, cast("int", place.owned.site.value)
    if place.owned.site.node.get("format"):
        return
    inside = _word(place, bound)
    if keyword == "minLength":
        yield from place.accepted("shortest", inside, rank=3)
        yield place.refused("too-short", _word(place, bound - 1))
    else:
        yield from place.accepted("longest", inside, rank=3)
        yield place.refused("too-long", _word(place, bound + 1))


def _identifies(place: _Place) -> bool:
    template = _template(place)
    return isinstance(template, str) and template.startswith(("@order.", "@line.id"))


def _word(place: _Place, length: int) -> Json:
    """A text of a length; a single character of an identifier is drawn, since it cannot carry the run's token."""
    if length == 1 and _identifies(place):
        return "@letter"
    stem = random.Random(place.name).choice("ABCDEGHKLMNPRSTU")
    return f"@text {length} {stem}" if length > 8 else stem * length


def _bound(place: _Place) -> Iterator[Case]:
    site = place.owned.site
    keyword, bound = site.keyword, cast("float", site.value)
    sign = -1 if keyword.endswith("inimum") else 1
    word = "below-minimum" if sign < 0 else "above-maximum"
    # One requirement may own both bounds of a member.
    at, inner = ("at-bound", "just-inside") if sign < 0 else ("at-upper-bound", "just-inside-upper")
    types = site.node.get("type")
    integer = types == "integer" or (isinstance(types, list) and "integer" in types)
    step: float = 1 if integer else 0.01
    if keyword.startswith("exclusive"):
        inside = bound - sign * (1 if integer else 0.001)
        yield from place.accepted(inner, inside, rank=3)
        yield place.refused(at, bound)
        yield place.refused(word, bound + sign)
        return
    yield from place.summed(at, Expect.ACCEPT, bound, rank=3)
    yield from place.summed(word, Expect.REFUSE, round(bound + sign * step, 4))
    if not integer:
        yield from place.summed(f"far-{word}", Expect.REFUSE, bound + sign, rank=35)


def _enum(place: _Place) -> Iterator[Case]:
    members = cast("list[Json]", place.owned.site.value)
    for member in members:
        yield from place.accepted(f"value-{_slug(member)}", member, rank=3)
    text = next((each for each in members if isinstance(each, str)), "")
    misses: dict[str, Json] = {
        "lower-case": text.lower(), "upper-case": text.upper(), "cut": text[:-1], "longer": f"{text}X", "empty": "",
        "number": 1,
    }  # fmt: skip
    if random.Random(place.name).choice((True, False)):
        # For who trims what is sent. Instead of the other at some places, so that it costs nothing.
        misses = {"blank-first" if word == "longer" else word: value for word, value in misses.items()}
        misses["blank-first"] = f" {text}"
    seen = list(members)
    for word, value in misses.items():
        if value not in seen:
            yield place.refused(f"not-{word}", value)
            seen.append(value)


def _slug(value: Json) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in str(value))


def _format(place: _Place) -> Iterator[Case]:
    known = formats.examples(str(place.owned.site.value))
    if known is None:
        return
    for example in known.good:
        yield from place.accepted(f"format-{example.slug}", example.value, rank=4)
    for example in known.bad:
        if example.slug in place.owned.observed:
            yield place.case(f"not-{example.slug}", Expect.OBSERVE, place.put(example.value), rank=70)
        else:
            yield place.refused(f"not-{example.slug}", example.value)


def _unknown(place: _Place) -> Iterator[Case]:
    pointer = f"{place.pointer}/xUnknown"
    yield place.case("unknown-member", Expect.OBSERVE, ({"op": "add", "path": pointer, "value": 1},), rank=60)


def _batch_size(place: _Place, keyword: str) -> Iterator[Case]:
    bound = cast("int", place.owned.site.value)
    site = replace(place, name=f"{place.name}.batch")
    if keyword == "minItems":
        yield site.case("smallest", Expect.ACCEPT, slots=("good",) * bound, rank=1)
        if bound == 1:
            yield site.case("empty", Expect.REFUSE, ({"op": "replace", "path": place.pointer, "value": []},))
        return
    yield site.case("largest", Expect.ACCEPT, slots=("good",) * bound, step_scope="batch", rank=1)
    yield site.case(
        "too-large",
        Expect.REFUSE,
        slots=("good",) * (bound + 1),
        step_scope="batch",
        twin=f"{site.owned.requirement.id}/{site.name}.largest",
    )


def _line_count(place: _Place, keyword: str) -> Iterator[Case]:
    bound = cast("int", place.owned.site.value)
    if keyword == "minItems":
        if bound == 1:
            yield place.case("one", Expect.ACCEPT, recipe=Recipe(lines=1), rank=3)
            yield place.refused("none", [])
        return
    yield place.case("most", Expect.ACCEPT, recipe=Recipe(lines=bound), rank=1)
    extra: JsonObject = {"op": "add", "path": f"{place.pointer}/-", "value": "@spare-line"}
    yield place.case("too-many", Expect.REFUSE, (extra,), recipe=Recipe(lines=bound))


_MAKERS = {
    "required": _required, "optional": _optional, "type": _type, "minLength": _length, "maxLength": _length,
    "minimum": _bound, "maximum": _bound, "exclusiveMinimum": _bound, "exclusiveMaximum": _bound, "enum": _enum,
    "format": _format, "unknown": _unknown,
}  # fmt: skip
