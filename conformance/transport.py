"""The transport: requests over real HTTP, with exact control of bytes and headers. The only door to urllib3."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from conformance import __version__
from conformance.credentials import TokenKeeper
from conformance.model import Exchange, Request, Response, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.auth import TokenEndpoint
    from conformance.scrub import Vault

MAX_BODY = 1 << 20
_CONNECT_S = 10.0
# After this pause a server may be closing the connection just as we write: a fresh one is opened.
_IDLE_S = 4.0
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
        max_rps: float = 0.0,
        bases: Iterable[str] = (),
        places: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(endpoint)
        self._host = f"{parts.scheme}://{parts.netloc}"
        self._base = parts.path.rstrip("/")
        self._bases = list(bases)
        # Operations that lie elsewhere, path to whole URL.
        self._places = dict(places or {})
        self._vault = secrets
        self._extra = tuple(headers)
        self._timeout = timeout
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=min(_CONNECT_S, timeout), read=timeout),
        )
        self._token = token
        self.tokens = TokenKeeper(secrets, self._fetch_token if token[0] and secrets.get("client_secret") else None)
        self._pace = _Pace(max_rps)
        self._last = time.monotonic()

    def send(self, request: Request, operation: str, name: str, now: datetime) -> Exchange:
        """Carry one request and read its whole answer within the time-out."""
        started = time.perf_counter()
        try:
            if any("{{access_token}}" in value for _, value in request.headers):
                self.tokens.ensure()
        except OSError as error:
            response: Response | None = None
            trouble: Trouble | None = Trouble("credentials", self._vault.scrub(str(error)))
        else:
            response, trouble = self._carry(request)
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

    @property
    def endpoint(self) -> str:
        """Where requests go: the part before the operation's path."""
        return self._host + self._base

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _carry(self, request: Request) -> tuple[Response | None, Trouble | None]:
        waited = 0.0
        tries = 1
        while True:
            response, trouble = self._once(request)
            pause = _retry_after(response)
            if pause is None or waited + pause > _MAX_WAIT_S or tries == _THROTTLE_TRIES:
                return response, trouble
            time.sleep(pause)
            waited += pause
            tries += 1

    def _once(self, request: Request) -> tuple[Response | None, Trouble | None]:
        self._pace.wait()
        if time.monotonic() - self._last > _IDLE_S:
            self._pool.clear()
        try:
            return self._roundtrip(request), None
        except urllib3.exceptions.NewConnectionError as error:  # a time-out too, by its class
            return None, Trouble("connect", _reason(error))
        except urllib3.exceptions.TimeoutError as error:
            kind = "connect" if isinstance(error, urllib3.exceptions.ConnectTimeoutError) else "timeout"
            return None, Trouble(kind, f"nothing within {self._timeout:g} s")
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return None, Trouble("broken", self._vault.scrub(f"{type(error).__name__}: {_reason(error)}"))
        finally:
            self._last = time.monotonic()

    def _roundtrip(self, request: Request) -> Response:
        headers = {"user-agent": f"bulk-order-conformance/{__version__}", "accept-encoding": "identity"}
        headers |= {key: self._vault.fill(value) for key, value in request.headers}
        headers |= dict(self._extra)
        body = request.body
        if body is not None:
            body = self._vault.fill_body(body, headers.get("content-type", ""))
        url = self._places.get(request.path) or self._host + ("" if request.root else self._base) + request.path
        if request.query:
            url += "?" + self._vault.fill(request.query, quote)
        answer, content, truncated = self._receive(request.method, url, body, headers)
        scrub = self._vault.scrub
        fields = tuple((key.lower(), scrub(value)) for key, value in answer.headers.items())
        return Response(answer.status, fields, self._vault.scrub_bytes(content), truncated)

    def _receive(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[urllib3.BaseHTTPResponse, bytes, bool]:
        """An answer with its body up to the limit, and whether that went on."""
        deadline = time.monotonic() + self._timeout
        answer = self._pool.request(method, url, body=body, headers=headers, redirect=False, preload_content=False)
        try:
            return answer, *_read(answer, deadline)
        finally:
            answer.drain_conn() if answer.length_remaining == 0 else answer.close()
            answer.release_conn()

    def _fetch_token(self) -> tuple[str, float]:
        url, endpoint = self._token
        form = endpoint is not None and endpoint.encoding == "form"
        fields = {"grant_type": "client_credentials"}
        headers = {"content-type": "application/x-www-form-urlencoded" if form else "application/json"}
        if endpoint is not None and endpoint.client == "basic":
            headers["authorization"] = self._vault.fill("Basic {{client_id:client_secret}}")
        else:
            fields |= {each: self._vault.get(each) for each in ("client_id", "client_secret")}
        if endpoint is not None and endpoint.scope:
            fields["scope"] = endpoint.scope
        body = urlencode(fields) if form else json.dumps(fields)
        try:
            answer, content, _ = self._receive("POST", url, body.encode(), headers)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(f"no access token from {url}: {_reason(error)}") from error
        try:
            data = json.loads(content)
            token, lifetime = data["access_token"], float(data.get("expires_in", 3600))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            token, lifetime = None, 0.0
        if not isinstance(token, str) or not token:
            raise OSError(f"no access token from {url}: status {answer.status}; check the credentials")
        return token, lifetime


class _Pace:
    """At most so many requests a second, over all threads."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._gap
        time.sleep(max(turn - now, 0))


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> tuple[bytes, bool]:
    """The body up to the limit, and whether it went on. Raises TimeoutError after the deadline."""
    content = bytearray()
    while len(content) <= MAX_BODY:
        if time.monotonic() > deadline:
            raise urllib3.exceptions.TimeoutError("the body did not end in time")
        # What is there, not 65536 bytes: whoever drips one a second would be waited for until they are full.
        block = answer.read1(65536, decode_content=True)
        if not block:
            return bytes(content), False
        content += block
    return bytes(content[:MAX_BODY]), True


def _retry_after(response: Response | None) -> float | None:
    if response is None or response.status not in (429, 503):
        return None
    stated = response.header("retry-after")
    if stated.isascii() and stated.isdigit():
        return float(stated)
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return None
    # Without a zone it is UTC (RFC 9110, section 5.6.7).
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _reason(error: BaseException) -> str:
    """The plainest words of a chain of exceptions."""
    inner = error
    while inner.__cause__ or (inner.__context__ and not inner.__suppress_context__):
        inner = inner.__cause__ or inner.__context__ or inner
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return str(text).splitlines()[0]
