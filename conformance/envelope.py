"""Envelopes: how orders stand in a request body, and what an answer says of a request."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Exchange, Json
    from conformance.providers import Operation


class Answer(StrEnum):
    """What an exchange says, before anybody asks what was expected."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    # Statuses that may speak of the caller or the address and not of the body.
    AMBIGUOUS = "ambiguous"
    THROTTLED = "throttled"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    NONE = "no answer"


_AMBIGUOUS = frozenset({401, 403, 404, 405, 407, 408})
_UNAVAILABLE = frozenset({502, 503, 504})


def classify(operation: Operation, exchange: Exchange) -> Answer:
    """
    What the answer of an operation means.

    Any 2xx is an acceptance: whether it is the documented one is a requirement of its own.
    """
    response = exchange.response
    if response is None:
        return Answer.NONE
    status = response.status
    if 200 <= status < 300:
        return Answer.ACCEPTED
    if status == 429:
        return Answer.THROTTLED
    if status < 400 or (status in _AMBIGUOUS and status not in operation.refusals):
        return Answer.AMBIGUOUS
    if 400 <= status < 500:
        return Answer.REFUSED
    if status in _UNAVAILABLE:
        return Answer.UNAVAILABLE
    return Answer.FAILED


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
