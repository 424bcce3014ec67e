"""The door before an endpoint, as an ASGI application: it remembers, remarks, and fails when it is told to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from conformance.mock.incoming import Incoming, whole
from conformance.mock.inspecting import Inspecting
from conformance.mock.received import Received, hidden
from conformance.mock.trouble import Trouble
from conformance.reference import faults
from conformance.reference.refusals import Flaw
from conformance.reference.server import RESET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from conformance.mock.inspecting import Said
    from conformance.mock.received import Call
    from conformance.mock.trouble import Failure
    from conformance.reference.app import Endpoint

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

# The longest silence, for clients without a time-out of their own, and how often the door looks up meanwhile.
_SILENCE_S = 300.0
_LOOK_S = 0.05
# The word of the pack for what a status says.
_CODES = {400: "invalid", 404: "not_found", 415: "unsupported_media_type"}


class Door:
    """
    Lets requests through to an endpoint.

    ``latency`` holds every answer back by so many seconds; ``keep`` requests are remembered, the newest ones;
    ``told`` is called with each of them. Whatever there is to say of a request is known before its answer leaves.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        keep: int,
        ignore: Collection[str] = (),
        told: Callable[[Received], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.trouble = Trouble(endpoint.provider)
        self.latency = 0.0
        self.closed = False
        self.fault = ""
        self._inspecting = Inspecting(endpoint, ignore)
        self._told = told
        self._lock = threading.Lock()
        self._kept: deque[Received] = deque(maxlen=keep)
        self._count = 0
        self._endpoints: dict[str, tuple[Endpoint, Any]] = {"": (endpoint, endpoint.app())}
        self._incoming = Incoming(endpoint.provider)

    @property
    def kept(self) -> list[Received]:
        """The remembered requests, in the order in which they came in."""
        with self._lock:
            return sorted(self._kept, key=lambda each: each.number)

    def clear(self) -> None:
        """Forget the requests, the failures that were still to come, and every stored order."""
        with self._lock:
            self.trouble.clear()
            self._kept.clear()
            self._count = 0
            self._inspecting.clear()
            self.endpoint.store.clear()

    def behaving(self, fault: str) -> tuple[Endpoint, Any]:
        """The endpoint with a fault, and its application. Raises UserError for an unknown fault."""
        with self._lock:
            if fault not in self._endpoints:
                found = faults.fault(self.endpoint.provider, fault)
                other = self.endpoint.behaving(found.apply(self.endpoint.behaviour))
                self._endpoints[fault] = (other, other.app())
            other, app = self._endpoints[fault]
            other.delay = self.endpoint.delay
            return other, app

    # A request

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await whole(receive)
        if body is None:
            return
        with self._lock:
            self._count += 1
            number = self._count
        await self._serve(self._incoming.call(number, scope, body), scope, receive, send)

    async def _serve(self, call: Call, scope: Any, receive: Receive, send: Send) -> None:
        failure = self.trouble.next(call.operation)
        with self._lock:
            said = self._inspecting.said(call)
        if failure and failure.early:
            answer = [] if failure.cut else await self._failing(failure, scope)
        else:
            _, app = self.behaving((failure.fault if failure else "") or self.fault)
            try:
                answer = await _asked(app, scope, call.body)
            except Exception:
                # Our own bug: the server answers 500, and the request is remembered all the same.
                self._note(call, 500, failure.name if failure else "", said)
                raise
        name = failure.name if failure else ""
        if failure and failure.cut:
            self._inspecting.lost(call)
            self._note(call, 0, name, said)
            await self._cut(name, scope, receive)
            return
        if self.latency and not await self._held_back(receive):
            self._inspecting.lost(call)
            self._note(call, 0, name or "gone", said)
            return
        status = int(answer[0]["status"])
        if failure and failure.retry_after is not None:
            self._inspecting.throttled(call, failure.retry_after)
        self._inspecting.answered(call, status)
        self._note(call, status, name, said)
        for message in answer:
            await send(message)

    async def _failing(self, failure: Failure, scope: Any) -> list[dict[str, Any]]:
        """The answer to a request that is not dealt with."""
        wait = "" if failure.retry_after is None else f"{failure.retry_after:g}"
        headers = (("retry-after", wait),) if wait else ()
        busy = failure.name == "busy"
        flaw = Flaw("the failure that was asked for", code=_CODES.get(failure.status, "invalid"))
        if busy:
            flaw = Flaw("an order of this batch is being stored; try again later", place="temporary")
        response = self.endpoint.failing(failure.status, flaw, headers)
        return await _asked(response, scope, b"")

    async def _cut(self, name: str, scope: Any, receive: Receive) -> None:
        """No answer: the connection breaks off, at once or when the client has waited long enough."""
        if name.startswith("timeout") and await _left(receive, _SILENCE_S, lambda: self.closed):
            return
        reset = scope.get("extensions", {}).get(RESET)
        if reset:
            reset()
        await _left(receive, 1.0, lambda: False)

    async def _held_back(self, receive: Receive) -> bool:
        """Whether the client is still there when its answer may leave."""
        return not await _left(receive, self.latency, lambda: self.closed)

    def _note(self, call: Call, status: int, failure: str, said: Said) -> None:
        received = Received(
            number=call.number,
            at=call.at,
            method=call.method,
            path=call.path,
            query=call.query,
            headers=hidden(call.headers, self.endpoint.provider.auth.headers),
            body=call.body,
            operation=call.operation.id if call.operation else "",
            status=status,
            failure=failure,
            orders=len(call.orders),
            seconds=time.monotonic() - call.ticks,
            violations=said[0],
            advice=said[1],
        )
        with self._lock:
            self._kept.append(received)
        if self._told:
            self._told(received)


async def _asked(app: Any, scope: Any, body: bytes) -> list[dict[str, Any]]:
    """What an application answers, as messages that are still to be sent."""
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    await app(scope, receive, send)
    return answer


async def _left(receive: Receive, seconds: float, closed: Callable[[], bool]) -> bool:
    """Wait until the client leaves; whether it did, within so many seconds."""
    left: asyncio.Task[Any] = asyncio.ensure_future(_gone(receive))
    end = time.monotonic() + seconds
    try:
        while not left.done() and not closed() and (rest := end - time.monotonic()) > 0:
            await asyncio.wait({left}, timeout=min(rest, _LOOK_S))
        return left.done()
    finally:
        left.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
