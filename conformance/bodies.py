"""Bodies: what the bytes of requests and answers say as JSON, parsed once however many look at them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from conformance.model import Exchange, Json


def read(raw: bytes) -> Json:
    """What JSON bytes say. Raises ValueError or RecursionError; NaN and the infinities are no JSON (RFC 8259)."""
    return cast("Json", json.loads(raw, parse_constant=_no_number))


def _no_number(word: str) -> Json:
    raise json.JSONDecodeError(f"{word} is no JSON", word, 0)


@lru_cache(maxsize=4096)
def parsed(raw: bytes) -> Json:
    """What JSON bytes say, not to be changed; None for anything else. JSON's own null is nothing either."""
    try:
        return read(raw)
    except (ValueError, RecursionError):
        return None


def illegible(exchange: Exchange) -> str:
    """Why an answer cannot be read here although it may be what is documented: too long, too deep, or empty for no."""
    if exchange.response is None:
        return ""
    if exchange.response.truncated:
        return "the answer is longer than is read"
    try:
        read(exchange.response.body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return ""
    except (ValueError, RecursionError):
        return "the answer has numbers too long or nesting too deep to be read"
    return ""


def cut(exchange: Exchange) -> bool:
    """Whether only the beginning of an answer was kept."""
    return exchange.response is not None and exchange.response.truncated


@lru_cache(maxsize=4096)
def legible(raw: bytes | None) -> bool:
    """Whether bytes are JSON at all."""
    try:
        read(raw or b"")
    except (ValueError, RecursionError):
        return False
    return True


def answered(exchange: Exchange) -> Json:
    """The JSON body of an answer, not to be changed; None for anything else."""
    return parsed(exchange.response.body) if exchange.response else None


def sent(exchange: Exchange) -> Json:
    """The JSON body of a request, not to be changed; None for anything else."""
    return parsed(exchange.request.body or b"")
