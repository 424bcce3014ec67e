"""Bodies: what the bytes of requests and answers say as JSON, parsed once however many look at them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from conformance.model import Exchange, Json


@lru_cache(maxsize=4096)
def parsed(raw: bytes) -> Json:
    """What JSON bytes say, not to be changed; None for anything else. JSON's own null is nothing either."""
    try:
        return cast("Json", json.loads(raw))
    except (ValueError, RecursionError):
        return None


def answered(exchange: Exchange) -> Json:
    """The JSON body of an answer, not to be changed; None for anything else."""
    return parsed(exchange.response.body) if exchange.response else None


def sent(exchange: Exchange) -> Json:
    """The JSON body of a request, not to be changed; None for anything else."""
    return parsed(exchange.request.body or b"")
