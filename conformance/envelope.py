"""Envelopes: how orders stand in a request body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Json, JsonObject
    from conformance.operations import Operation

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# wrapped: {"orders": [order, …]} · array: [order, …] · single: order · named: {"o1": order, …}


def name(index: int) -> str:
    """The name of an order of a batch in which nobody cares for names; they count from o1."""
    return f"o{index + 1}"


def wrap(operation: Operation, orders: Sequence[Json], names: Sequence[str] = ()) -> Json:
    """The request body that carries ``orders``, under ``names`` where orders have names."""
    if operation.envelope == "wrapped":
        return {operation.wrapper: list(orders)}
    if operation.envelope == "single":
        return orders[0]
    if operation.envelope == "named":
        return dict(zip(names or map(name, range(len(orders))), orders, strict=True))
    return list(orders)


def place(operation: Operation, index: int, names: Sequence[str] = ()) -> str:
    """The JSON Pointer of an order in the request body."""
    if operation.envelope == "wrapped":
        return f"/{operation.wrapper}/{index}"
    if operation.envelope == "single":
        return ""
    if operation.envelope == "named":
        given = names[index] if names else name(index)
        return "/" + given.replace("~", "~0").replace("/", "~1")
    return f"/{index}"


def batch_site(operation: Operation) -> str:
    """The instance path of the array of orders; nothing has that path where there is none."""
    if operation.envelope in ("single", "named"):
        return "no batch"
    return operation.wrapper if operation.envelope == "wrapped" else "$"


def order_site(operation: Operation) -> str:
    """The instance path of one order; empty where it is the whole body."""
    sites = {"wrapped": f"{operation.wrapper}[]", "single": "", "named": "*"}
    return sites.get(operation.envelope, "[]")


def unwrap(operation: Operation, body: Json) -> list[Json]:
    """The orders in a request body. Raises KeyError, TypeError or AttributeError for one of another form."""
    if operation.envelope == "wrapped":
        return cast("dict[str, list[Json]]", body)[operation.wrapper]
    if operation.envelope == "single":
        return [body]
    if operation.envelope == "named":
        return list(cast("JsonObject", body).values())
    return cast("list[Json]", body)


def names(operation: Operation, body: Json) -> list[str]:
    """The names of the orders in a request body, in their order; none where orders have no names."""
    return list(body) if operation.envelope == "named" and isinstance(body, dict) else []


def encode(body: Json) -> bytes:
    """The bytes of a JSON body: UTF-8, compact, members in the order they were built."""
    return _ENCODER.encode(body).encode()
