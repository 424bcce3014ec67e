"""Rules on operations: what they take, what they answer, who may ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from conformance.errors import nearest
from conformance.linting.registry import Slip, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place
    from conformance.openapi.files import Spot

_STATUS = re.compile(r"[1-5]([0-9]{2}|XX)|default")
_REFUSALS = frozenset({"400", "422", "4XX", "default"})
_WITH_BODY = ("post", "put", "patch")


def _statuses(spot: Spot) -> set[str]:
    answers = spot.get("responses")
    return {str(each) for each in cast("dict[str, Any]", answers)} if isinstance(answers, dict) else set()


def _security(place: Place, book: Book) -> Spot:
    own = place.spot.child("security")
    return own if isinstance(own.value, list) else book.document.root.child("security")


@rule(
    "body-not-required", "operation", "warning",
    "Without `required: true` the body is optional: a request without one is valid by the description, and generated clients allow it.",
)  # fmt: skip
def body_not_required(place: Place, book: Book) -> Iterator[Slip]:
    """A request body that may be left out."""
    body = place.spot.child("requestBody")
    real = book.document.reached(body) if body.value else None
    if real is not None and place.operation and place.operation.method in _WITH_BODY and "required" not in real.value:
        yield Slip(
            body,
            "the request body is optional",
            "required: true beside content (or required: false, if it may be missing)",
        )


@rule(
    "no-refusal-described", "operation", "warning",
    "An integrator cannot tell a refusal from a failure, nor read what was wrong.",
)  # fmt: skip
def no_refusal_described(place: Place, book: Book) -> Iterator[Slip]:
    """An operation with a body and no answer for a bad one."""
    if book.document.reached(place.spot.child("requestBody")) and not _statuses(place.spot) & _REFUSALS:
        yield Slip(
            place.spot.child("responses"),
            "no answer to a bad body is described",
            "a response 400 or 422 (or 4XX) with the schema of the errors",
        )


@rule(
    "no-401-described", "operation", "warning",
    "An expired token looks like any other failure, and clients do not renew it.",
)  # fmt: skip
def no_401_described(place: Place, book: Book) -> Iterator[Slip]:
    """An operation that wants credentials and does not say what happens without."""
    wanted = _security(place, book).value
    needed = isinstance(wanted, list) and wanted and all(wanted)
    if needed and not _statuses(place.spot) & {"401", "403", "4XX", "default"}:
        yield Slip(
            place.spot.child("responses"), "no answer to missing or wrong credentials is described", "a response 401"
        )


@rule(
    "no-success-described", "operation", "warning",
    "Nobody can tell an acceptance from anything else.",
)  # fmt: skip
def no_success_described(place: Place, _book: Book) -> Iterator[Slip]:
    """An operation that never succeeds by its description."""
    if place.operation and place.operation.path and not any(each[0] in "23d" for each in _statuses(place.spot)):
        yield Slip(
            place.spot.child("responses"),
            "no answer to a good request is described",
            "a response 200, 201 or 202 with its schema",
        )


@rule(
    "status-misspelt", "operation", "error",
    "Readers look answers up by status: this one is never found.",
)  # fmt: skip
def status_misspelt(place: Place, _book: Book) -> Iterator[Slip]:
    """A key of `responses` that is no status."""
    for status, spot in place.spot.child("responses").children():
        if not _STATUS.fullmatch(str(status)) and not str(status).startswith("x-"):
            word = str(status).upper()
            yield Slip(
                spot,
                f"{status!r} is no status",
                f"'{word}'" if _STATUS.fullmatch(word) else "one status a key, 4XX for a class, or default",
            )


@rule(
    "security-unknown", "operation", "error",
    "A client cannot know how to authenticate.",
)  # fmt: skip
def security_unknown(place: Place, book: Book) -> Iterator[Slip]:
    """A security scheme that nobody describes."""
    known = book.document.root.child("components", "securitySchemes").value or {}
    for _, wanted in _security(place, book).children():
        for name, spot in wanted.children():
            if name not in known:
                yield Slip(
                    spot,
                    f"there is no security scheme {name!r}",
                    f"{nearest(str(name), known)}; describe it in components.securitySchemes",
                )


@rule(
    "path-parameter-unknown", "operation", "error",
    "The URL cannot be built from the description.",
)  # fmt: skip
def path_parameter_unknown(place: Place, book: Book) -> Iterator[Slip]:
    """A path with a parameter that is not described, or the other way round."""
    operation = place.operation
    if operation is None or not operation.path:
        return
    named = set(re.findall(r"\{([^{}]+)\}", operation.path))
    described: dict[str, Spot] = {}
    for holder in (operation.item, place.spot):
        children = list(holder.child("parameters").children())
        real = dict(book.document.members(holder.child("parameters")))
        if len(real) < len(children):
            return
        described |= {str(each.get("name")): each for each in real.values() if each.get("in") == "path"}
    for name in sorted(named - set(described)):
        yield Slip(
            place.spot,
            f"{{{name}}} in the path is not described",
            f"a parameter {name} with in: path, required: true and a schema",
        )
    for name in sorted(set(described) - named):
        yield Slip(
            described[name],
            f"the path has no {{{name}}}",
            "the name that stands in the path, or another place for the parameter",
        )


@rule(
    "operation-id-twice", "document", "error",
    "Generated clients have one method for both, or none.",
)  # fmt: skip
def operation_id_twice(_place: Place, book: Book) -> Iterator[Slip]:
    """Two operations with one operationId."""
    seen: dict[str, str] = {}
    for each in book.document.operations():
        name = each.spot.get("operationId")
        if isinstance(name, str) and name in seen and seen[name] != each.spot.pointer:
            yield Slip(
                each.spot.child("operationId"),
                f"operationId {name!r} is taken by {seen[name]}",
                "a name of its own for each operation",
            )
        elif isinstance(name, str):
            seen[name] = each.spot.pointer


_MOST = re.compile(
    r"(?i)\b(?:max(?:imum|\.)?|up to|at most|no more than|limit(?:ed)? (?:of|to))\b[^.;\n]{0,40}?\b([1-9][0-9]{0,4}(?:,[0-9]{3})?)\W{1,3}(\w+)"
)
_THINGS = frozenset(
    {
        "orders",
        "items",
        "elements",
        "entries",
        "records",
        "objects",
        "lines",
        "products",
        "shipments",
        "messages",
        "rows",
    }
)


@rule(
    "limit-in-prose-only", "operation", "note",
    "Validators and generated clients know nothing of it; batches grow until the endpoint refuses them.",
)  # fmt: skip
def limit_in_prose_only(place: Place, book: Book) -> Iterator[Slip]:
    """A limit on the batch that the text tells and the schema does not."""
    body = book.document.reached(place.spot.child("requestBody"))
    for _, media in body.child("content").children() if body else ():
        batch = _batch(media.child("schema"), book)
        if batch is None or "maxItems" in batch.value:
            continue
        for number, thing, spot in _told(place.spot, media, batch):
            yield Slip(
                spot,
                f"the text has a maximum of {number} {thing}, the array has none",
                f"maxItems: {number.replace(',', '')} in the schema of the array",
            )
            break


def _batch(schema: Spot, book: Book) -> Spot | None:
    """The array of a body: itself, or its only member that is one."""
    real = book.document.reached(schema)
    if real is None or real.get("type") == "array":
        return real
    arrays = [each for _, each in book.document.members(real.child("properties")) if each.get("type") == "array"]
    return arrays[0] if len(arrays) == 1 else None


def _told(operation: Spot, *others: Spot) -> Iterator[tuple[str, str, Spot]]:
    spots = [
        operation.child("description"),
        operation.child("summary"),
        *(each.child("description") for each in others),
    ]
    # Documentation tools keep the longer prose in extensions.
    spots += [
        each for name, member in operation.children() if str(name).startswith("x-") for _, each in member.children()
    ]
    for spot in spots:
        if isinstance(spot.value, str):
            for found in _MOST.finditer(re.sub(r"[*_`]", "", spot.value)):
                if found[2].lower() in _THINGS:
                    yield found[1], found[2].lower(), spot
