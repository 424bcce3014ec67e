"""Requests from a run to one endpoint: secrets put in, tokens kept fresh, throttling waited for."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

from conformance import __version__
from conformance.credentials import TokenKeeper
from conformance.model import Exchange, Request, Response, Trouble
from conformance.pace import Pace
from conformance.transport import proxies, tokens
from conformance.transport.failures import LostError
from conformance.transport.room import LISTING, Room
from conformance.transport.throttle import retry_after
from conformance.transport.tls import Files
from conformance.transport.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from conformance.auth import TokenEndpoint
    from conformance.scrub import Vault

_MAX_WAIT_S = 60.0
_THROTTLE_TRIES = 4


class Transport(Protocol):
    """Anything that carries a request and brings back what came of it."""

    def send(self, request: Request, operation: str, name: str, now: datetime) -> Exchange:
        """Carry ``request``; trouble on the way is part of the exchange, never raised."""
        ...

    def renew_credentials(self) -> bool:
        """Get fresh credentials before the next request; False when they are fixed."""
        ...

    def other_base(self) -> bool:
        """Turn to the other place where the API may lie; False when there is none."""
        ...


class HttpTransport:
    """
    Sends to one endpoint. Safe to use from several threads.

    A request is sent once. The exception is 429 and 503 with ``Retry-After``: the server says
    itself that it did not take it, so it is waited for, at most a minute in all.
    """

    def __init__(
        self,
        endpoint: str,
        secrets: Vault,
        *,
        timeout: float = 30.0,
        headers: Iterable[tuple[str, str]] = (),
        token: tuple[str, TokenEndpoint | None] = ("", None),
        connections: int = 1,
        pace: Pace | None = None,
        bases: Iterable[str] = (),
        places: Mapping[str, str] | None = None,
        files: Files | None = None,
        room: Room | None = None,
    ) -> None:
        parts = urlsplit(endpoint)
        self._host = f"{parts.scheme}://{parts.netloc}"
        self._base = parts.path.rstrip("/")
        self._bases = list(bases)
        # Operations that lie elsewhere, path to whole URL.
        self._places = dict(places or {})
        self._vault = secrets
        self._extra = tuple(headers)
        self.files = files or Files()
        self._wire = Wire(secrets, self.files, timeout, connections)
        self._token = token
        self.tokens = TokenKeeper(secrets, self._fetch_token if token[0] and secrets.get("client_secret") else None)
        self._pace = pace or Pace()
        self._room = room or Room()

    def send(self, request: Request, operation: str, name: str, now: datetime) -> Exchange:
        """Carry one request and read its whole answer within the time-out."""
        started = time.perf_counter()
        response: Response | None = None
        trouble: Trouble | None = None
        try:
            response = self._answer(request)
        except LostError as error:
            trouble = Trouble(error.kind, self._vault.scrub(str(error)))
        except RecursionError:
            trouble = Trouble("broken", "the answer is nested too deeply (the request may have arrived)")
        except BaseException as error:  # noqa: BLE001  # an interrupt too
            # The frames below hold secrets as they go over the wire, and pytest shows what frames hold.
            place = traceback.extract_tb(error.__traceback__)[-1]
            error.add_note(f"at {place.filename}:{place.lineno}")
            raise error.with_traceback(None) from None
        duration = (time.perf_counter() - started) * 1000
        return Exchange(name, operation, request, now, round(duration, 2), response, trouble)

    def renew_credentials(self) -> bool:
        """Fetch a new token before the next request."""
        return self.tokens.renew()

    def other_base(self) -> bool:
        """Turn to the next base path."""
        if not self._bases:
            return False
        self._base = self._bases.pop(0)
        return True

    def begin_listing(self) -> None:
        """Give the answers from now on a room of their own: a listing, of which the one before is not kept."""
        self._room = Room(LISTING)

    @property
    def endpoint(self) -> str:
        """Where requests go: the part before the operation's path."""
        return self._host + self._base

    @property
    def proxied(self) -> bool:
        """Whether requests to the endpoint go through a proxy."""
        return proxies.proxy_for(self._host) is not None

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    def _answer(self, request: Request) -> Response:
        """The answer, after waiting where it asks for that. Raises LostError."""
        if any("{{access_token}}" in value for _, value in request.headers):
            try:
                self.tokens.ensure()
            except OSError as error:
                raise LostError("credentials", str(error)) from None
        waited = 0.0
        tries = 1
        while True:
            response = self._once(request)
            pause = retry_after(response)
            if pause is None or waited + pause > _MAX_WAIT_S or tries == _THROTTLE_TRIES:
                return response
            # Others would be throttled too.
            self._pace.hold(pause)
            waited += pause
            tries += 1

    def _once(self, request: Request) -> Response:
        self._pace.wait(request.method)
        headers = {"user-agent": f"bulk-order-conformance/{__version__}", "accept-encoding": "identity"}
        headers |= {key: self._vault.fill(value) for key, value in request.headers}
        headers |= dict(self._extra)
        sent = request.body
        if sent is not None:
            sent = self._vault.fill_body(sent, headers.get("content-type", ""))
        answer = self._wire.exchange(request.method, self._url(request), sent, headers)
        fields = tuple((key.lower(), self._scrub_field(value)) for key, value in answer.headers)
        # Cut after the search, so that no half of a secret is left at the end.
        body, truncated = self._room.for_body(self._vault.scrub_bytes(answer.body), answer.truncated)
        return Response(answer.status, fields, body, truncated)

    def _scrub_field(self, value: str) -> str:
        """A header's value without secrets, which may stand there as Latin-1 or as UTF-8."""
        return self._vault.scrub(self._vault.scrub_bytes(value.encode("latin-1")).decode("latin-1"))

    def _url(self, request: Request) -> str:
        url = self._places.get(request.path)
        if url is None:
            # Without the slash, a path could become part of the host's name.
            path = request.path if request.path.startswith("/") else f"/{request.path}"
            url = self._host + ("" if request.root else self._base) + path
        if request.query:
            url += "?" + self._vault.fill(request.query, quote)
        return url

    def _fetch_token(self) -> tuple[str, float]:
        return tokens.fetch(self._wire, *self._token, self._vault)
