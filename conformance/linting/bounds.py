"""Rules on limits: those that do nothing where they stand, and those that leave nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.errors import nearest
from conformance.linting.registry import Slip, rule
from conformance.openapi.dialect import FORMATS, GROUPS, NEWER, TYPES, is_number, own_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place

_ALIKE = {"integer": "number"}
# Formats of OpenAPI and of its registry, by the types that they speak of; JSON Schema's own are about texts.
_NUMBERS = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float", "double", "double-int")
_BOTH = ("int64", "uint64", "decimal", "decimal128", "unixtime")
_TEXTS = (
    "byte", "binary", "password", "base64url", "char", "commonmark", "date-time-local", "html", "http-date",
    "media-range", "sf-binary", "sf-boolean", "sf-decimal", "sf-integer", "sf-string", "sf-token", "time-local",
)  # fmt: skip
_OFTEN = {
    "url": "uri", "datetime": "date-time", "timestamp": "date-time", "iso8601": "date-time", "iso-8601": "date-time",
    "guid": "uuid", "e-mail": "email", "mail": "email", "integer": "int64", "ip": "ipv4", "link": "uri",
}  # fmt: skip
_PAIRS = (
    ("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"), ("minimum", "maximum"),
    ("exclusiveMinimum", "maximum"), ("minimum", "exclusiveMaximum"), ("exclusiveMinimum", "exclusiveMaximum"),
)  # fmt: skip


@rule(
    "bound-on-another-type", "schema", "error",
    "No validator looks at it, so the limit that was meant is neither checked nor told to clients.",
)  # fmt: skip
def bound_on_another_type(place: Place, book: Book) -> Iterator[Slip]:
    """A keyword limits values of a type that the schema does not allow."""
    types = own_types(place.spot, modern=book.modern)
    if not types or not types <= set(TYPES) or ("$ref" in place.spot.value and not book.modern):
        return
    alike = {_ALIKE.get(each, each) for each in types}
    for group, keywords in GROUPS.items():
        if group in alike:
            continue
        for keyword in keywords:
            if keyword in place.spot.value and place.spot.get(keyword) is not None:
                said = " or ".join(sorted(types))
                yield Slip(
                    place.spot.child(keyword),
                    f"{keyword} says something of type {group}, but the type here is {said}",
                    _other_bound(keyword, alike, place.spot.get(keyword)),
                )


def _other_bound(keyword: str, types: set[str], value: Any) -> str:
    end = keyword[:3]
    other = {"number": f"{end}imum", "string": f"{end}Length", "array": f"{end}Items", "object": f"{end}Properties"}
    if end in ("min", "max") and is_number(value):
        for kind in sorted(types):
            if kind in other:
                return f"{other[kind]}: {value}, if that was meant; otherwise leave {keyword} out"
    return f"leave {keyword} out, or correct the type"


@rule(
    "unregistered-format", "schema", "warning",
    "Validators pass over formats they do not know: every text is accepted, whatever was meant.",
)  # fmt: skip
def unregistered_format(place: Place, _book: Book) -> Iterator[Slip]:
    """A format that no registry knows."""
    name = place.spot.get("format")
    known = {*FORMATS, *_NUMBERS, *_BOTH, *_TEXTS}
    if isinstance(name, str) and name not in known:
        better = _OFTEN.get(name.lower())
        hint = f"format: {better}" if better else f"a registered format ({nearest(name, known)}), or a pattern"
        yield Slip(place.spot.child("format"), f"format {name!r} is not registered", hint)


@rule(
    "format-of-another-type", "schema", "warning",
    "A format only speaks of values of its own type, so here it says nothing, and code generators choose by chance.",
)  # fmt: skip
def format_of_another_type(place: Place, book: Book) -> Iterator[Slip]:
    """A format of numbers on a text, or of texts on a number."""
    name, types = place.spot.get("format"), own_types(place.spot, modern=book.modern)
    if not isinstance(name, str) or not types:
        return
    texts, numbers = "string" in types, bool(types & {"number", "integer"})
    if name in _NUMBERS and not numbers:
        yield Slip(
            place.spot.child("format"),
            f"format {name!r} is for numbers",
            "type: integer or number, or no format; a pattern of digits for a text",
        )
    elif name in (*_TEXTS, *FORMATS) and not texts:
        yield Slip(place.spot.child("format"), f"format {name!r} is for texts", "type: string, or no format")


@rule(
    "exclusive-bound-form", "schema", "error",
    "A boolean in 3.1, or a number in 3.0, is malformed: validators fail on it or pass it over, and the bound is gone.",
)  # fmt: skip
def exclusive_bound_form(place: Place, book: Book) -> Iterator[Slip]:
    """`exclusiveMinimum` or `exclusiveMaximum` in the form of another version."""
    for keyword, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value, spot = place.spot.get(keyword), place.spot.child(keyword)
        if book.modern and isinstance(value, bool):
            limit = place.spot.get(bound)
            instead = f"{keyword}: {limit} without {bound}" if value and limit is not None else f"leave {keyword} out"
            yield Slip(spot, f"{keyword} is a number since OpenAPI 3.1, not {str(value).lower()}", instead)
        elif not book.modern and is_number(value):
            yield Slip(
                spot,
                f"{keyword} is true or false in OpenAPI 3.0, not {value}",
                f"{bound}: {value} with {keyword}: true",
            )
        elif not book.modern and value is True and bound not in place.spot.value:
            yield Slip(spot, f"{keyword} sharpens {bound}, but there is none", f"add {bound}, or leave {keyword} out")


@rule(
    "bounds-cross", "schema", "error",
    "No value passes, so whoever follows the description can send nothing.",
)  # fmt: skip
def bounds_cross(place: Place, _book: Book) -> Iterator[Slip]:
    """The least value allowed is above the greatest."""
    for low, high in _PAIRS:
        least, most = place.spot.get(low), place.spot.get(high)
        if is_number(least) and is_number(most) and (least > most or (least == most and "xclusive" in low + high)):
            yield Slip(
                place.spot.child(low),
                f"{low} {least} and {high} {most} leave no value",
                f"a {low} that is not above {high}",
            )


@rule(
    "keyword-of-another-version", "schema", "warning",
    "Readers of 3.0 pass over it, so what it demands is not demanded.",
)  # fmt: skip
def keyword_of_another_version(place: Place, book: Book) -> Iterator[Slip]:
    """A keyword that OpenAPI 3.0 does not have."""
    if not book.modern:
        for keyword in sorted(NEWER & set(place.spot.value)):
            instead = {"const": "an enum of one", "examples": "example"}.get(
                keyword, "openapi: 3.1.0, or another way to say it"
            )
            yield Slip(place.spot.child(keyword), f"{keyword} is not part of OpenAPI 3.0", instead)


@rule(
    "beside-a-reference", "schema", "warning",
    "In 3.0 everything beside $ref is passed over: the limit is there for readers only.",
)  # fmt: skip
def beside_a_reference(place: Place, book: Book) -> Iterator[Slip]:
    """Limits beside `$ref` in OpenAPI 3.0."""
    if book.modern or not isinstance(place.spot.get("$ref"), str):
        return
    limits = {each for group in GROUPS.values() for each in group} | {
        "type",
        "enum",
        "format",
        "nullable",
        "allOf",
        "oneOf",
        "anyOf",
        "not",
        "default",
    }
    for keyword in place.spot.value:
        if keyword in limits:
            yield Slip(
                place.spot.child(keyword),
                f"{keyword} beside $ref has no effect in OpenAPI 3.0",
                "allOf with the reference as its one member, and the limits beside that",
            )
