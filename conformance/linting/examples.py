"""Rules on examples: each has to satisfy the schema that it is an example of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from conformance import schemas as library
from conformance.linting.registry import Slip, rule
from conformance.openapi.files import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place
    from conformance.openapi.files import Spot
    from conformance.schemas import Mistake

_WHY = (
    "Clients are written after examples: this one teaches something that validators, and perhaps the endpoint, refuse."
)
_LONGEST = 160


@rule(
    "example-refused", "schema", "error",
    _WHY,
)  # fmt: skip
def example_refused(place: Place, book: Book) -> Iterator[Slip]:
    """An example that its own schema refuses."""
    spot = place.spot
    if "$ref" in spot.value and not book.modern:
        return
    found = [spot.child("example")] if "example" in spot.value else []
    if book.modern and isinstance(spot.get("examples"), list):
        found += [each for _, each in spot.child("examples").children()]
    for example in found:
        yield from _held(example, spot, book, request=None)


@rule(
    "body-example-refused", "media", "error",
    _WHY,
)  # fmt: skip
def body_example_refused(place: Place, book: Book) -> Iterator[Slip]:
    """An example of a body that the schema of the body refuses."""
    media = str(place.spot.tokens[-1]).partition(";")[0].strip()
    if media == "application/json" or media.endswith("+json"):
        yield from _beside(place, book)


@rule(
    "parameter-example-refused", "parameter", "warning",
    _WHY,
)  # fmt: skip
def parameter_example_refused(place: Place, book: Book) -> Iterator[Slip]:
    """An example of a parameter that its schema refuses."""
    for slip in _beside(place, book):
        # Lists and objects may be shown as they stand in the URL.
        if not isinstance(slip.spot.value, str) or place.spot.child("schema").get("type") not in ("array", "object"):
            yield slip


def _beside(place: Place, book: Book) -> Iterator[Slip]:
    schema = place.spot.child("schema")
    if not isinstance(schema.value, dict):
        return
    if "example" in place.spot.value:
        yield from _held(place.spot.child("example"), schema, book, request=place.request)
    for _, each in place.spot.child("examples").children():
        real = book.document.reached(each)
        if real is not None and "value" in real.value:
            yield from _held(real.child("value"), schema, book, request=place.request)


def _held(example: Spot, schema: Spot, book: Book, *, request: bool | None) -> Iterator[Slip]:
    """The example against the schema. Nothing is said of a schema that cannot be applied: other rules do."""
    try:
        bundle = book.bundler.bundle(schema, request=request)
    except Lost:
        return
    if not library.applicable(bundle):
        return
    mistakes = library.Validator(bundle).mistakes(example.value)
    if not mistakes:
        return
    first = min(mistakes, key=lambda each: each.pointer.count("/"))
    where = _at(example, first)
    message = _shortened(first.message)
    if first.keyword == "oneOf" and " more than one" in first.message:
        yield Slip(
            where,
            f"the example matches several alternatives of a oneOf: {message}",
            "anyOf, or alternatives that exclude each other",
        )
        return
    more = f" ({len(mistakes)} mistakes in all)" if len(mistakes) > 1 else ""
    yield Slip(
        where,
        f"the schema refuses the example{_inside(first)}: {message}{more}",
        "an example that the schema accepts, or the schema that was meant",
    )


def _at(example: Spot, mistake: Mistake) -> Spot:
    spot = example
    for part in mistake.pointer.split("/")[1:]:
        token: str | int = int(part) if isinstance(spot.value, list) and part.isdecimal() else part
        if spot.get(token) is None and not (
            isinstance(spot.value, dict) and token in cast("dict[str, Any]", spot.value)
        ):
            break
        spot = spot.child(token)
    return spot


def _inside(mistake: Mistake) -> str:
    return f" at {mistake.pointer}" if mistake.pointer else ""


def _shortened(message: str) -> str:
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
