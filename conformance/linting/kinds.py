"""Rules on types, null and enums: what they offer and then refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.errors import nearest
from conformance.linting.registry import Slip, rule
from conformance.linting.walk import parts
from conformance.openapi.dialect import TYPES, is_number, own_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place

_TYPE_WORDS = {
    "int": "integer", "long": "integer", "float": "number", "double": "number", "decimal": "number", "bool": "boolean",
    "str": "string", "text": "string", "date": "string", "datetime": "string", "list": "array", "map": "object",
    "dict": "object", "hash": "object", "none": "null", "nil": "null",
}  # fmt: skip


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


@rule(
    "nullable-without-effect", "schema", "error",
    "Clients read that null may be sent; validators of 3.1 refuse it.",
)  # fmt: skip
def nullable_without_effect(place: Place, book: Book) -> Iterator[Slip]:
    """`nullable` in OpenAPI 3.1, which has no such keyword."""
    if book.modern and isinstance(place.spot.get("nullable"), bool):
        declared = place.spot.get("type")
        instead = f'type: [{declared}, "null"]' if isinstance(declared, str) else 'a type list with "null"'
        if place.spot.get("nullable") is False:
            instead = "leave it out: without null in its type a value cannot be null"
        yield Slip(place.spot.child("nullable"), "nullable has no effect since OpenAPI 3.1", instead)


@rule(
    "nullable-without-type", "schema", "warning",
    "OpenAPI 3.0.3 ties nullable to the type of the same schema: without one, some tools let null pass and some do not.",
)  # fmt: skip
def nullable_without_type(place: Place, book: Book) -> Iterator[Slip]:
    """`nullable: true` without a `type` beside it."""
    spot = place.spot
    if not book.modern and spot.get("nullable") is True and "type" not in spot.value and "$ref" not in spot.value:
        yield Slip(
            spot.child("nullable"),
            "nullable stands without a type",
            "add the type beside it, and let the schemas it is made of allow null too",
        )


@rule(
    "null-not-in-enum", "schema", "warning",
    "Both have to allow a value: null is refused although the type invites it.",
)  # fmt: skip
def null_not_in_enum(place: Place, book: Book) -> Iterator[Slip]:
    """Null is allowed by the type but not by the enum."""
    members = place.spot.get("enum")
    types = own_types(place.spot, modern=book.modern) or frozenset[str]()
    if isinstance(members, list) and "null" in types and len(types) > 1 and None not in members:
        yield Slip(
            place.spot.child("enum"),
            "the type allows null, the enum does not name it",
            "add null to the enum, or take it out of the type",
        )


@rule(
    "unknown-type", "schema", "error",
    "Validators fail on it or let everything pass.",
)  # fmt: skip
def unknown_type(place: Place, book: Book) -> Iterator[Slip]:
    """A type that JSON Schema does not have."""
    if "type" not in place.spot.value:
        return
    declared, spot = place.spot.get("type"), place.spot.child("type")
    if isinstance(declared, list) and not book.modern:
        others = [each for each in declared if each != "null"]
        instead = (
            f"type: {others[0]}" + (" with nullable: true" if "null" in declared else "")
            if len(others) == 1
            else "anyOf"
        )
        yield Slip(spot, "a list of types is not known to OpenAPI 3.0", instead)
        return
    for each in declared if isinstance(declared, list) else [declared]:
        if each is None:
            yield Slip(spot, "null as a type is a text", 'type: "null", in quotes')
        elif each not in TYPES or (each == "null" and not book.modern):
            word = str(each).lower()
            hint = (
                "nullable: true beside the type"
                if word == "null"
                else f"type: {_TYPE_WORDS.get(word) or nearest(word, TYPES)}"
            )
            yield Slip(spot, f"there is no type {_shown(each)}", hint)


@rule(
    "array-without-items", "schema", "error",
    "items is mandatory there; generators fail or make lists of anything.",
)  # fmt: skip
def array_without_items(place: Place, book: Book) -> Iterator[Slip]:
    """An array in OpenAPI 3.0 that does not say of what."""
    if (
        not book.modern
        and place.spot.get("type") == "array"
        and "items" not in place.spot.value
        and "$ref" not in place.spot.value
    ):
        if any("items" in part.value for part in parts(book, place.top)):
            return
        yield Slip(place.spot.child("type"), "an array without items", "items: with the schema of an element")


@rule(
    "enum-member-refused", "schema", "error",
    "It is offered to clients, and whoever sends it is refused.",
)  # fmt: skip
def enum_member_refused(place: Place, book: Book) -> Iterator[Slip]:
    """A member of an enum, or the default, that the schema itself refuses."""
    types = own_types(place.spot, modern=book.modern)
    members = place.spot.get("enum")
    if not types or not types <= set(TYPES) or ("$ref" in place.spot.value and not book.modern):
        return
    if isinstance(members, list):
        for at, member in enumerate(members):
            if not _of_types(member, types):
                yield Slip(
                    place.spot.child("enum", at),
                    f"{_shown(member)} is not of type {' or '.join(sorted(types))}",
                    _typed(member, types),
                )
    default = place.spot.get("default")
    if default is not None and not _of_types(default, types):
        yield Slip(
            place.spot.child("default"),
            f"the default {_shown(default)} is not of type {' or '.join(sorted(types))}",
            _typed(default, types),
        )
    elif default is not None and isinstance(members, list) and default not in members:
        yield Slip(
            place.spot.child("default"), f"the default {_shown(default)} is not in the enum", "a default of the enum"
        )


def _of_types(value: Any, types: frozenset[str]) -> bool:
    if value is None or isinstance(value, bool):
        return ("null" if value is None else "boolean") in types
    if is_number(value):
        return "number" in types or ("integer" in types and value == int(value))
    return ("string" if isinstance(value, str) else "array" if isinstance(value, list) else "object") in types


def _typed(value: Any, types: frozenset[str]) -> str:
    return (
        f'"{value}", in quotes' if "string" in types and not isinstance(value, list | dict) else "a value of that type"
    )


@rule(
    "enum-of-word-null", "schema", "warning",
    "It stands for the four letters, not for null; clients that send null are refused.",
)  # fmt: skip
def enum_of_word_null(place: Place, _book: Book) -> Iterator[Slip]:
    """The text "null" in an enum."""
    members = place.spot.get("enum")
    for at, member in enumerate(members if isinstance(members, list) else []):
        if member == "null":
            yield Slip(
                place.spot.child("enum", at),
                "the text 'null' is a member of the enum",
                "null without quotes and in the type too, or nothing",
            )
