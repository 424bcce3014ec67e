"""A transport straight into an ASGI application: the same bytes as over HTTP, without a socket or an event loop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.model import Exchange, Request, Response
from conformance.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from conformance.scrub import Vault

    App = Callable[[Any, Any, Any], Awaitable[None]]


def patience() -> Patience:
    """Waiting that takes no time: the clock runs on by itself."""
    elapsed = 0.0

    def pause(seconds: float) -> None:
        nonlocal elapsed
        elapsed += seconds

    return Patience(ticks=lambda: elapsed, pause=pause)


class AppTransport:
    """Drives one application; its coroutines never wait for anything real, so one step runs them to the end."""

    def __init__(self, app: App, base_path: str, secrets: Vault) -> None:
        self._app = app
        self._base = base_path
        self._vault = secrets
        self.count = 0

    def send(self, request: Request, operation: str, name: str, now: datetime) -> Exchange:
        """Run the application on one request."""
        self.count += 1
        headers = [(key.encode(), self._vault.fill(value).encode("latin-1")) for key, value in request.headers]
        kind = dict(request.headers).get("content-type", "")
        body = self._vault.fill_body(request.body or b"", kind)
        path = ("" if request.root else self._base) + request.path
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": self._vault.fill(request.query).encode(), "server": ("127.0.0.1", 80),
            "headers": [*headers, (b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:  # the protocol asks for a coroutine
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        coroutine: Any = self._app(scope, receive, send)
        try:
            coroutine.send(None)
        except StopIteration:
            pass
        else:
            raise RuntimeError("the application waits for an event loop; it cannot be driven in-process")
        start = sent[0]
        content = b"".join(message.get("body", b"") for message in sent[1:])
        fields = tuple(
            (key.decode("latin-1"), self._vault.scrub(value.decode("latin-1"))) for key, value in start["headers"]
        )
        return Exchange(
            name, operation, request, now, 0.0, Response(start["status"], fields, self._vault.scrub_bytes(content))
        )

    def renew_credentials(self) -> bool:
        """Nothing expires in-process."""
        return False

    def other_base(self) -> bool:
        """There is one application at one place."""
        return False


class Between:
    """A transport in which ``change`` has the last word on every answer of another: what stands before an endpoint."""

    def __init__(self, inner: AppTransport, change: Callable[[Request, Response | None], Response | None]) -> None:
        self._inner = inner
        self._change = change

    def send(self, request: Request, operation: str, name: str, now: datetime) -> Exchange:
        """Run the application on one request."""
        exchange = self._inner.send(request, operation, name, now)
        return replace(exchange, response=self._change(request, exchange.response))

    def renew_credentials(self) -> bool:
        """Nothing expires in-process."""
        return False

    def other_base(self) -> bool:
        """There is one application at one place."""
        return False
