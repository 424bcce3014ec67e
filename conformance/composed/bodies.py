"""Request bodies of a composed document: the pack's schemas with orders of the account as examples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from conformance import drafts, envelope, schemas, values
from conformance.model import Recipe
from conformance.orders import OrderMaker

if TYPE_CHECKING:
    from conformance.model import Account, Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider

_TOKEN = "example"  # noqa: S105  # marks orders, opens nothing


def of_operation(
    provider: Provider, operation: Operation, known: JsonObject, account: Account, now: datetime | None
) -> JsonObject:
    """The request body of an operation, its schema added to the ``known`` ones; empty where it takes none."""
    if not operation.content_type:
        return {}
    media: JsonObject = {"schema": _schema(operation, known)}
    if operation.order:
        media["examples"] = _examples(provider, operation, account, now or _today())
    return {"required": True, "content": {operation.content_type: media}}


def named(name: str, schema: JsonObject, known: JsonObject) -> JsonObject:
    """A reference to a schema that stands among the ``known`` ones from now on."""
    # A base of its own would lead references astray; the dialect is told once for the whole document.
    known[name] = {key: value for key, value in schema.items() if key not in ("$id", "$schema")}
    return {"$ref": f"#/components/schemas/{name}"}


def _schema(operation: Operation, known: JsonObject) -> JsonObject:
    words = "".join(word.capitalize() for word in operation.id.split("-"))
    schema = operation.request_schema
    if not schema:
        return named(f"{words}Request", _of_body(operation.body), known)
    if operation.order is None or operation.envelope == "single":
        return named("Order" if operation.order else f"{words}Request", schema, known)
    order = named("Order", _order(operation), known)
    keyword = "additionalProperties" if operation.envelope == "named" else "items"
    if operation.envelope != "wrapped":
        return named(f"{words}Request", {**schema, keyword: order}, known)
    properties = cast("JsonObject", schema["properties"])
    orders = {**cast("JsonObject", properties[operation.wrapper]), keyword: order}
    return named(f"{words}Request", {**schema, "properties": {**properties, operation.wrapper: orders}}, known)


def _order(operation: Operation) -> JsonObject:
    node: Json = operation.request_schema
    path = {"named": ("additionalProperties",), "wrapped": ("properties", operation.wrapper, "items")}
    for part in path.get(operation.envelope, ("items",)):
        node = cast("JsonObject", node)[part]
    return cast("JsonObject", node)


def _of_body(body: Json) -> JsonObject:
    """The schema of a body that is always the same, but for the account's credentials."""
    members = cast("JsonObject", body or {})
    made: JsonObject = {
        name: {"type": "string"} if str(value).startswith("{{") else {"const": value} for name, value in members.items()
    }
    return {"type": "object", "required": list(members), "properties": made} if made else {"type": "object"}


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _examples(provider: Provider, operation: Operation, account: Account, now: datetime) -> JsonObject:
    """A plain, a minimal and a full order, and the valid examples of the pack, as far as the schema takes them."""
    maker = OrderMaker(operation, account, 0, _TOKEN)
    found: JsonObject = {
        start: {"value": envelope.wrap(operation, [maker.make(Recipe(start), start, now)[0]])}
        for start in ("plain", "minimal", "full")
    }
    scope = values.Scope(drafts.draft("example", now=now, token=_TOKEN), now, account, "example")
    for path in sorted((provider.folders.fixtures / "examples" / "valid").glob("*.json")):
        found[path.stem] = {"value": values.fill(json.loads(path.read_text(encoding="utf-8")), scope)}
    validator = schemas.validator(operation.request_schema)
    return {name: each for name, each in found.items() if validator.accepts(cast("JsonObject", each)["value"])}
