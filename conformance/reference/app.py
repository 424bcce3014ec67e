"""The reference endpoint as an ASGI application, made from a pack. The only door to Starlette."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from conformance.reference.access import CREDENTIALS, Access, credentials
from conformance.reference.desk import Desk
from conformance.reference.edits import edited
from conformance.reference.examiner import Examiner
from conformance.reference.intake import Intake
from conformance.reference.lookup import Lookup
from conformance.reference.racy import Contest, careless
from conformance.reference.reading import Reading
from conformance.reference.refusals import Flaw, Refusals, Reply
from conformance.reference.shelf import Shelf
from conformance.reference.showing import Showing
from conformance.reference.store import Store
from conformance.rules import check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

    from conformance.model import Account, Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour

__all__ = ["CREDENTIALS", "Endpoint", "credentials"]
_EMPTY_TEXT = "empty body"
# An answer with this status has no body, whatever a pack writes down.
_NO_CONTENT = 204


# More requests than any run sends: ids that are counted go on behind them when a store is opened again.
_MANY = 1_000_000


@dataclass(slots=True)
class Endpoint:
    """
    One reference endpoint: its pack, its account, how it behaves and what it has stored.

    Orders can be read, or are done, ``delay`` seconds of real time after they were taken. ``requests`` counts
    the calls of the main operation, ``reads`` and ``deletes`` the neighbouring ones.
    """

    provider: Provider
    account: Account
    behaviour: Behaviour
    store: Store = field(default_factory=Store)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    credentials: dict[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0
    requests: int = 0
    reads: int = 0
    deletes: int = 0
    _refusals: Refusals = field(init=False, repr=False)
    _access: Access = field(init=False, repr=False)
    _examiner: Examiner = field(init=False, repr=False)
    _shelf: Shelf = field(init=False, repr=False)
    _intake: Intake = field(init=False, repr=False)
    # Where orders are answered one by one.
    _desk: Desk | None = field(init=False, repr=False)
    _showing: Showing = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.credentials = self.credentials or credentials(self.provider)
        for settings in self.behaviour.rules:
            check(settings)
        self._refusals = Refusals(self.provider, self.behaviour)
        self._access = Access(self.provider, self.behaviour, self._refusals, self.credentials)
        self._examiner = Examiner(self.provider, self.account, self.behaviour, every=self._refusals.all_at_once)
        self._shelf = Shelf(self.provider, self.behaviour, self.store)
        self._intake = Intake(
            self.provider,
            self.behaviour,
            self.store,
            refusals=self._refusals,
            examiner=self._examiner,
            shelf=self._shelf,
            clock=self.clock,
        )
        earlier = self.store.openings * _MANY
        self._showing = Showing(self.provider, self.account, self.behaviour, earlier)
        self._desk = (
            Desk(
                self.provider,
                self.account,
                self.behaviour,
                self.store,
                refusals=self._refusals,
                showing=self._showing,
                clock=self.clock,
            )
            if self.provider.main.envelope in ("single", "named")
            else None
        )

    def app(self) -> Starlette:
        """The ASGI application with every operation that the pack documents."""
        main = self.provider.main
        routes = [self._route(main, self._racing() if self.behaviour.racy else self._create_orders)]
        for each in self.provider.auth.token_endpoints:
            base = "" if each.root else main.base_path
            routes.append(Route(base + each.path, self._create_token, methods=["POST"]))
        if self._desk:
            routes += self._templated(self._desk)
        elif self.provider.read_back:
            routes += self._reading(self.provider.read_back.list, self.provider.read_back.one)
        application = Starlette(routes=routes)
        # A redirect would name the port, which is chance; the documentation knows no trailing slash.
        application.router.redirect_slashes = False
        return application

    def preload(self, orders: Sequence[Json]) -> list[int]:
        """Store orders as if they had been there before, for everybody to read; gives their ids."""
        if self._desk:
            return self._desk.put(list(orders), 0.0)
        return [each.id for each in self._shelf.put(orders, self.clock(), 0.0)]

    def stored(self) -> list[Json]:
        """The stored orders as they were sent last, oldest first."""
        return self.store.orders()

    def behaving(self, behaviour: Behaviour) -> Endpoint:
        """The same endpoint, with the same orders, behaving otherwise."""
        # As if it had been opened anew, so that what is counted in memory is not counted twice.
        self.store.openings += 1
        return replace(self, behaviour=behaviour)

    def failing(self, status: int, flaw: Flaw, headers: tuple[tuple[str, str], ...] = ()) -> Response:
        """A failure that somebody asked for: a refusal in the form of the pack, or the plain words of a broken server."""
        if status >= 500:
            return self._response("", Reply(status, headers=headers, text=flaw.message, media="text/plain"))
        reply = self._denied(status) if status in (401, 403) else self._refusals.reply(status, [flaw])
        return self._response("", replace(reply, status=status, headers=headers))

    # Routes

    def _route(self, operation: Operation, answer: Callable[[Request], Awaitable[Response]]) -> Route:
        base = "" if operation.root else self.provider.main.base_path
        return Route(base + operation.path, answer, methods=[operation.method])

    def _reading(self, listing: str, one: str) -> list[Route]:
        reading = Reading(self.provider, self.account, self.behaviour, self.store, self._refusals)
        form = self.provider.read_back
        assert form

        async def read_list(request: Request) -> Response:
            self.reads += 1
            url = str(request.url.replace(query=""))
            return self._guarded(listing, request, lambda: reading.list(dict(request.query_params), url))

        async def read_one(request: Request) -> Response:
            self.reads += 1
            return self._guarded(one, request, lambda: reading.one(str(request.path_params["id"])))

        async def delete(request: Request) -> Response:
            self.deletes += 1
            return self._guarded(form.delete, request, lambda: reading.delete(str(request.path_params["id"])))

        answers = ((listing, read_list), (one, read_one), (form.delete, delete))
        return [self._route(self.provider.operation(name), answer) for name, answer in answers if name]

    def _templated(self, desk: Desk) -> list[Route]:
        """The neighbouring operations of which the pack has templates."""
        lookup = Lookup(self.provider, self.behaviour, self.store, self._refusals, self._showing)
        listing = str(self.provider.reference.get("lists", ""))
        completes = cast("JsonObject", self.provider.reference.get("completes", {}))

        def reading(name: str) -> Callable[[Request], Awaitable[Response]]:
            async def read(request: Request) -> Response:
                self.reads += 1
                query, path = dict(request.query_params), cast("dict[str, str]", request.path_params)
                return self._guarded(
                    name, request, lambda: lookup.list(query) if name == listing else lookup.read(name, path, query)
                )

            return read

        async def complete(request: Request) -> Response:
            number = str(next(iter(request.path_params.values()), ""))
            template = cast("JsonObject", completes["answer"])
            name = str(completes["operation"])
            return self._guarded(name, request, lambda: desk.complete(number, template, self.delay))

        names = [listing, *lookup.operations]
        routes = [self._route(self.provider.operation(name), reading(name)) for name in names if name]
        if completes:
            routes.append(self._route(self.provider.operation(str(completes["operation"])), complete))
        return routes

    async def _create_orders(self, request: Request) -> Response:
        self.requests += 1
        body = await request.body()
        return self._guarded(self.provider.main.id, request, lambda: self._orders(request, body))

    def _racing(self) -> Callable[[Request], Awaitable[Response]]:
        """Creating orders by an endpoint that is careless where requests overlap."""
        # What is counted must not be counted twice.
        self.store.openings += 1
        other = replace(self, behaviour=careless(self.behaviour))
        contest = Contest[Response](self.behaviour.racy, lambda: Response("overloaded", 500), self.store.lose)

        async def create(request: Request) -> Response:
            count = len(self._examiner.orders(cast("Json", _parsed(await request.body()))))
            return await contest.serve(
                lambda: self._create_orders(request),
                lambda: other._create_orders(request),  # noqa: SLF001  # of its own kind
                count,
            )

        return create

    async def _create_token(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path
        relative = path.removeprefix(self.provider.main.base_path)
        operation = next((each.id for each in self.provider.operations if each.path == relative), "")
        return self._response(operation, self._access.token(relative, path, dict(request.headers), body))

    def _guarded(self, operation: str, request: Request, answer: Callable[[], Reply]) -> Response:
        """The answer to a caller who is known, by a header that the documentation names."""
        free = operation in self.behaviour.open_operations
        if free or self._access.granted(request.headers, creating=operation == self.provider.main.id):
            return self._response(operation, answer())
        return self._response(operation, self._denied(401))

    def _denied(self, status: int) -> Reply:
        form = cast("JsonObject", self.provider.reference.get("denied", {}))
        own, body = cast("int", form.get("status", 0)), cast("JsonObject | None", form.get("error"))
        flaw = Flaw("a valid access token is needed", code="unauthorized", status=own, form=body)
        return self._refusals.reply(status, [flaw])

    def _response(self, operation: str, reply: Reply) -> Response:
        reply = edited(reply, operation, self.behaviour.answer_edits)
        headers = dict(reply.headers)
        if reply.status == _NO_CONTENT:
            response = Response(status_code=reply.status, headers=headers)
        elif reply.text:
            response = Response(reply.text, reply.status, headers, reply.media)
        elif reply.body is None:
            response = Response(status_code=reply.status, headers=headers)
        else:
            response = Response(
                _encoded(reply.body), reply.status, headers, self.behaviour.answer_media or "application/json"
            )
        response.headers["date"] = format_datetime(self.clock().astimezone(UTC), usegmt=True)
        return response

    # Orders

    def _orders(self, request: Request, raw: bytes) -> Reply:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        expected = self.behaviour.media_type or self.provider.main.content_type
        if kind != expected and (self.behaviour.strict or self.behaviour.media_type):
            return self._refusals.reply(415, [Flaw(f"send {expected}", code="unsupported_media_type")])
        body = self._parse(raw)
        if isinstance(body, Reply):
            return body
        if self._desk:
            flaws = list(self._examiner.header_flaws(request.headers))
            return self._refusals.reply(400, flaws) if flaws else self._desk.reply(body, self.delay)
        return self._intake.reply(body, request.headers, self.delay)

    def _parse(self, raw: bytes) -> Json | Reply:
        if not raw:
            return None if self.behaviour.empty_body else self._refusals.reply(400, [Flaw(_EMPTY_TEXT)])
        try:
            return cast("Json", json.loads(raw))
        except (ValueError, RecursionError) as error:
            flaw = Flaw(f"not JSON: {error}", code="malformed")
            return None if self.behaviour.not_json else self._refusals.reply(400, [flaw])


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _encoded(body: Json) -> bytes:
    """JSON in UTF-8; texts that UTF-8 has no bytes for (lone surrogates) are escaped."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()
