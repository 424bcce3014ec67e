"""The reference endpoint as an ASGI application, made from a pack. The only door to Starlette."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from conformance import envelope, schemas
from conformance.reference.store import Store
from conformance.rules import Context, breaches
from conformance.rules.orders import select

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from conformance.model import Account, Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour

# What the embedded endpoint takes for credentials; obviously not a secret.
CREDENTIALS = {
    "access_token": "reference-access-token",
    "client_id": "reference-client",
    "client_secret": "reference-client-secret",
}
_TOKEN_LIFE_S = 3600
_EMPTY_TEXT = "empty body"


@dataclass(slots=True)
class Endpoint:
    """One reference endpoint: its pack, its account, how it behaves and what it has stored."""

    provider: Provider
    account: Account
    behaviour: Behaviour
    store: Store = field(default_factory=Store)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    credentials: dict[str, str] = field(default_factory=lambda: dict(CREDENTIALS))
    requests: int = 0

    def app(self) -> Starlette:
        """The ASGI application with every operation that the pack documents."""
        main = self.provider.main
        routes = [Route(main.base_path + main.path, self._create_orders, methods=[main.method])]
        for each in self.provider.auth.token_endpoints:
            base = "" if each.root else main.base_path
            routes.append(Route(base + each.path, self._create_token, methods=["POST"]))
        application = Starlette(routes=routes)
        # A redirect would name the port, which is chance; the documentation knows no trailing slash.
        application.router.redirect_slashes = False
        return application

    async def _create_orders(self, request: Request) -> Response:
        self.requests += 1
        body = await request.body()
        return self._dated(self._orders(request, body))

    async def _create_token(self, request: Request) -> Response:
        self.requests += 1
        body = await request.body()
        return self._dated(self._token(request, body))

    def _dated(self, response: Response) -> Response:
        response.headers["date"] = format_datetime(self.clock().astimezone(UTC), usegmt=True)
        return response

    # Orders

    def _orders(self, request: Request, raw: bytes) -> Response:
        if not self._authorised(request):
            return self._error(401, "unauthorized", "a valid access token is needed")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        expected = self.behaviour.media_type or self.provider.main.content_type
        if kind != expected and (self.behaviour.strict or self.behaviour.media_type):
            return self._error(415, "unsupported_media_type", f"send {expected}")
        body = self._parse(raw)
        if isinstance(body, Response):
            return body
        refusal = self._refusal(body)
        if refusal:
            return self._error(400, "invalid", refusal[1], refusal[0])
        orders = self._stored(body)
        return Response(status_code=self.behaviour.status, headers={"x-stored": str(len(orders))})

    def _authorised(self, request: Request) -> bool:
        given = request.headers.get(self.provider.auth.header)
        if given is None:
            return self.behaviour.token_optional
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or (self.behaviour.strict and scheme != "Bearer"):
            return False
        return self.behaviour.token_unchecked or token in (self.credentials["access_token"], self._issued())

    def _issued(self) -> str:
        secret = self.credentials["client_secret"]
        return "issued-" + hashlib.sha256(secret.encode()).hexdigest()[:24]

    def _parse(self, raw: bytes) -> Json | Response:
        if not raw:
            return None if self.behaviour.empty_body else self._error(400, "invalid", _EMPTY_TEXT)
        try:
            return cast("Json", json.loads(raw))
        except ValueError as error:
            return None if self.behaviour.not_json else self._error(400, "malformed", f"not JSON: {error}")

    def _refusal(self, body: Json) -> tuple[str, str] | None:
        """The first thing wrong with a body (pointer, message), or None."""
        behaviour = self.behaviour
        if body is None and (behaviour.empty_body or behaviour.not_json):
            return None
        main = self.provider.main
        if behaviour.lone_orders_only and len(self._list(body)) > 1:
            return None
        judged = self._visible(body)
        validator = schemas.validator(behaviour.schemas[main.id])
        if not validator.accepts(judged):
            mistake = validator.mistakes(judged)[0]
            return mistake.pointer, mistake.message
        if not schemas.validator(main.request_schema).accepts(judged):
            # Only a fault let this through. The rules neither hide the fault nor read what they were not written for.
            return None
        batch: set[tuple[str, str]] = set()

        def seen(place: str, value: Json) -> bool:
            key = (place, json.dumps(value))
            known = key in batch or self.store.seen(place, value)
            batch.add(key)
            return known

        context = Context(self.clock(), self.account, seen)
        for index, order in enumerate(self._list(judged)):
            for settings in behaviour.rules:
                for breach in breaches(settings, order, context):
                    return envelope.place(main, index) + breach.pointer, breach.message
        return None

    def _list(self, body: Json) -> list[Json]:
        try:
            orders = envelope.unwrap(self.provider.main, body)
        except (KeyError, TypeError):
            return []
        return orders if isinstance(orders, list) else []  # pyright: ignore[reportUnnecessaryIsInstance]  # a fault may let anything in

    def _visible(self, body: Json) -> Json:
        """The part of a batch that a careless endpoint looks at."""
        orders = self._list(body)
        if self.behaviour.look_at_first:
            return envelope.wrap(self.provider.main, orders[: self.behaviour.look_at_first]) if orders else body
        if self.behaviour.skip_last and len(orders) > 1:
            return envelope.wrap(self.provider.main, orders[:-1])
        return body

    def _stored(self, body: Json) -> list[Json]:
        orders = self._list(body)
        places = [str(each["at"]) for each in self.behaviour.rules if each["rule"] == "unique"]
        keys = [(place, value) for order in orders for place in places for _, value in select(order, place)]
        self.store.add(orders, keys, self.clock())
        return orders

    def _error(self, status: int, code: str, message: str, pointer: str = "") -> Response:
        form = cast("JsonObject", self.provider.reference.get("error", {"error": "{message}"}))
        body = {
            key: str(text).format(code=code, message=message, pointer=pointer, status=status)
            for key, text in form.items()
        }
        return JSONResponse(body, status)

    # Tokens

    def _token(self, request: Request, raw: bytes) -> Response:
        form = "form" in request.headers.get("content-type", "")
        try:
            body: Any = dict(parse_qsl(raw.decode())) if form else json.loads(raw)
        except ValueError:
            return self._error(400, "invalid_request", "not JSON")
        path = request.url.path.removeprefix(self.provider.main.base_path)
        operation = next((each for each in self.provider.operations if each.path == path), None)
        documented = True
        if operation:
            mistakes = schemas.validator(self.behaviour.schemas[operation.id]).mistakes(body)
            if mistakes:
                return self._error(400, "invalid_request", mistakes[0].message, mistakes[0].pointer)
            documented = schemas.validator(operation.request_schema).accepts(body)
        # A body that only a fault let through gets its token, since that is the fault; credentials that are merely
        # wrong get none.
        if documented and not self._client_known(body, request):
            return self._error(401, "invalid_client", "unknown client")
        answer: JsonObject = {"access_token": self._issued(), "expires_in": _TOKEN_LIFE_S, "token_type": "Bearer"}
        if self.behaviour.token_answer:
            answer = {
                key: answer.get(key) if value == "text" else value for key, value in self.behaviour.token_answer.items()
            }
        return JSONResponse(answer)

    def _client_known(self, body: Any, request: Request) -> bool:
        known = (self.credentials["client_id"], self.credentials["client_secret"])
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            return base64.b64decode(basic[6:]).decode() == ":".join(known)
        given = cast("dict[str, Json]", body) if isinstance(body, dict) else {}
        return (given.get("client_id"), given.get("client_secret")) == known
