"""The control API: what a test in another language asks of a mock, under ``/_control``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from conformance.errors import UserError, nearest
from conformance.mock.incoming import whole
from conformance.reference import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.mock.door import Door, Receive, Send
    from conformance.mock.handle import MockEndpoint
    from conformance.model import Json, JsonObject

BASE = "/_control"


class Control:
    """Answers what begins with ``/_control`` and lets everything else through the door."""

    def __init__(self, mock: MockEndpoint, door: Door) -> None:
        self._mock = mock
        self._door = door
        self._gets: dict[str, Callable[[], Json]] = {
            "": self._state,
            "/orders": lambda: mock.orders,
            "/requests": lambda: [each.as_json() for each in mock.requests],
            "/violations": lambda: [each.as_json() for each in mock.violations],
            "/advice": lambda: [each.as_json() for each in mock.advice],
            "/faults": self._faults,
        }
        self._posts: dict[str, Callable[[JsonObject], None]] = {
            "/fail": self._fail,
            "/fault": lambda told: setattr(mock, "fault", _text(told, "id")),
            "/delay": lambda told: setattr(mock, "delay", _seconds(told)),
            "/latency": lambda told: setattr(mock, "latency", _seconds(told)),
            "/reset": lambda _: mock.reset(),
        }

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or not (path == BASE or path.startswith(f"{BASE}/")):
            await self._door(scope, receive, send)
            return
        body = await whole(receive)
        if body is not None:
            status, answer = self._answer(scope["method"], path.removeprefix(BASE).rstrip("/"), body)
            raw = json.dumps(answer).encode() + b"\n"
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": raw})

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        """Status and JSON; what was told wrongly is answered 400 with what is wrong."""
        try:
            if method == "GET" and path in self._gets:
                return 200, self._gets[path]()
            if method == "POST" and path in self._posts:
                self._posts[path](_told(body))
                return 200, self._state()
            if path in (*self._gets, *self._posts):
                return 405, {"error": f"{BASE}{path} is for {'GET' if path in self._gets else 'POST'}"}
        except UserError as error:
            return 400, {"error": str(error)}
        names = [BASE + each for each in (*self._gets, *self._posts)]
        return 404, {"error": f"no {BASE}{path}; {nearest(BASE + path, names)}"}

    def _state(self) -> JsonObject:
        mock = self._mock
        return {
            "provider": mock.provider,
            "strict": mock.strict,
            "url": mock.url,
            "orders": len(mock.orders),
            "requests": len(mock.requests),
            "violations": len(mock.violations),
            "advice": len(mock.advice),
            "failures_left": mock.failures_left,
            "fault": mock.fault or None,
            "delay": mock.delay,
            "latency": mock.latency,
        }

    def _faults(self) -> Json:
        known = faults.of(self._door.endpoint.provider).values()
        return [{"id": each.id, "requirement": each.requirement, "title": each.title} for each in known]

    def _fail(self, told: JsonObject) -> None:
        what, times, after = told.get("what"), told.get("times", 1), told.get("retry_after")
        if not isinstance(what, int | str) or isinstance(what, bool):
            raise UserError('"what" is needed: a status, a fault, "timeout", "reset" or "throttle"')
        if not isinstance(times, int) or isinstance(times, bool):
            raise UserError('"times" has to be a whole number')
        wait = None if after is None else _seconds(told, "retry_after")
        self._mock.fail_next(what, times, on=_text(told, "on"), retry_after=wait)


def _told(body: bytes) -> JsonObject:
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise UserError("send a JSON object")
    return cast("JsonObject", told)


def _text(told: JsonObject, name: str) -> str:
    value = told.get(name)
    if value is not None and not isinstance(value, str):
        raise UserError(f'"{name}" has to be a text')
    return value or ""


def _seconds(told: JsonObject, name: str = "seconds") -> float:
    value = told.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 3600:
        raise UserError(f'"{name}" has to be a number of seconds, from 0 to 3600')
    return float(value)
