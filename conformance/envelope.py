"""Envelopes: how orders stand in a request body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Json
    from conformance.operations import Operation


def wrap(operation: Operation, orders: Sequence[Json]) -> Json:
    """The request body that carries ``orders``."""
    if operation.envelope == "wrapped":
        return {operation.wrapper: list(orders)}
    return list(orders)


def place(operation: Operation, index: int) -> str:
    """The JSON Pointer of an order in the request body."""
    return f"/{operation.wrapper}/{index}" if operation.envelope == "wrapped" else f"/{index}"


def batch_site(operation: Operation) -> str:
    """The instance path of the array of orders."""
    return operation.wrapper if operation.envelope == "wrapped" else "$"


def order_site(operation: Operation) -> str:
    """The instance path of one order."""
    return f"{operation.wrapper}[]" if operation.envelope == "wrapped" else "[]"


def unwrap(operation: Operation, body: Json) -> list[Json]:
    """The orders in a well-formed request body."""
    if operation.envelope == "wrapped":
        return cast("dict[str, list[Json]]", body)[operation.wrapper]
    return cast("list[Json]", body)


def encode(body: Json) -> bytes:
    """The bytes of a JSON body: UTF-8, compact, members in the order they were built."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
