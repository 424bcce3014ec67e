"""Requests as they come in over ASGI: which operation they ask for, and which orders they carry."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance import bodies, envelope
from conformance.mock.received import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conformance.model import Json
    from conformance.operations import Operation
    from conformance.providers import Provider


class Incoming:
    """Reads the requests to one provider's API."""

    def __init__(self, provider: Provider) -> None:
        base = provider.main.base_path
        self._operations = [
            (each, re.compile(_pattern(each.path if each.root else base + each.path))) for each in provider.operations
        ]
        # Some of them are no operations of the pack.
        self._tokens = {each.path if each.root else base + each.path for each in provider.auth.token_endpoints}

    def call(self, number: int, scope: Any, body: bytes) -> Call:
        """A request from its ASGI scope."""
        method, path = str(scope["method"]), str(scope["path"])
        asked = "GET" if method == "HEAD" else method
        fitting = (each for each, form in self._operations if each.method == asked and form.fullmatch(path))
        operation = next(fitting, None)
        raw = bytes(scope.get("raw_path") or path.encode()).partition(b"?")[0]
        return Call(
            number=number,
            method=method,
            path=raw.decode("ascii", "backslashreplace"),
            query=scope["query_string"].decode("ascii", "backslashreplace"),
            headers={key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]},
            body=body,
            operation=operation,
            known=operation is not None or (method == "POST" and path in self._tokens),
            orders=_orders(operation, body),
            at=datetime.now(UTC),
            ticks=time.monotonic(),
        )


def _pattern(path: str) -> str:
    parts = re.split(r"(\{[^}]*\})", path)
    return "".join("[^/]+" if each.startswith("{") else re.escape(each) for each in parts)


def _orders(operation: Operation | None, body: bytes) -> tuple[Json, ...]:
    if not operation or not operation.main:
        return ()
    try:
        orders = envelope.unwrap(operation, bodies.read(body))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(orders) if isinstance(orders, list) else ()  # pyright: ignore[reportUnnecessaryIsInstance]  # clients send anything


async def whole(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes | None:
    """The body of a request; None when the client left before it had sent all of it."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
