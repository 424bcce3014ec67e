"""
Endpoints on loopback for the live tests: threaded, HTTP/1.1 with keep-alive, each wrong in one way at most.

They share no code with the embedded reference endpoint: the rules are the pack's own JSON
Schemas and the age rule, applied here once more.
"""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import urlsplit

from wrapping import read

from conformance import providers, schemas

TOKEN = "tok-5f1c0b7a9d3e4426"
CLIENT = {"client_id": "client-77aa01", "client_secret": "sec-9b2d6c1e8f704a35"}
_OLDEST_DAYS = 60


@dataclass(frozen=True)
class Call:
    """One request as it came in; ``number`` counts from 1."""

    number: int
    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return read(self.body)

    @property
    def orders(self):
        """The orders in the body, if it has any."""
        found = self.json.get("orders") if isinstance(self.json, dict) else None
        return found if isinstance(found, list) else []


@dataclass(frozen=True)
class Reply:
    """An answer. ``headers`` may not name Content-Length."""

    status: int
    body: bytes = b""
    headers: tuple = ()

    @classmethod
    def of(cls, status, value):
        return cls(status, json.dumps(value).encode(), (("content-type", "application/json"),))


# Instead of a reply: the connection is closed.
HANG_UP = None


@dataclass
class Endpoint:
    """Follows the documentation, and takes whatever that is silent about. ``calls`` are all requests so far."""

    base: str = "/v1"
    delay: float = 0.0
    tokens: set = field(default_factory=lambda: {TOKEN})
    calls: list = field(default_factory=list)
    created: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def __post_init__(self):
        folder = providers.load("atlast").folders.schemas
        self._orders = schemas.validator(schemas.load(folder / "request.schema.json"))
        self._token = schemas.validator(schemas.load(folder / "token-request.schema.json"))
        self._lock = threading.Lock()
        self._issued = count(1)

    # What it answers

    def answer(self, call):
        """The reply to a call. Subclasses misbehave here."""
        if call.path == f"{self.base}/auth/token":
            return self.issue(call)
        if call.path != f"{self.base}/orders/bulk":
            return Reply.of(404, {"error": "nothing here"})
        if call.method != "POST":
            return Reply.of(405, {"error": "POST only"})
        if not self.knows(call):
            return Reply.of(401, {"error": "who are you?"})
        mistake = self.mistake(call)
        return self.refuse(call, mistake) if mistake else self.take(call)

    def knows(self, call):
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and token in self.tokens

    def mistake(self, call):
        """The first thing wrong with a body, or an empty text."""
        body = call.json
        for each in self._orders.mistakes(body):
            return f"{each.pointer}: {each.message}"
        today = datetime.now(UTC).date()
        for order in call.orders:
            created = datetime.fromisoformat(order["createdAt"]).astimezone(UTC)
            if (today - created.date()).days > _OLDEST_DAYS:
                return f"{created:%Y-%m-%d} is too long ago"
        return ""

    def refuse(self, call, mistake):
        return Reply.of(400, {"error": mistake})

    def take(self, call):
        with self._lock:
            self.created += len(call.orders)
        return Reply(201)

    def issue(self, call):
        """An access token for the client."""
        if call.method != "POST":
            return Reply.of(405, {"error": "POST only"})
        if self._token.mistakes(call.json):
            return Reply.of(400, {"error": "no token request"})
        if any(call.json[key] != value for key, value in CLIENT.items()):
            return Reply.of(401, {"error": "unknown client"})
        token = f"issued-{next(self._issued):04d}-c0ffee5eed"
        with self._lock:
            self.tokens.add(token)
        return Reply.of(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    # Being a server

    @contextmanager
    def serving(self):
        """Serve on a free port of loopback; gives this endpoint with its ``url``."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.endpoint = self
        self.origin = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)

    @property
    def url(self):
        """What goes after ``--endpoint=``."""
        return self.origin + self.base

    @property
    def posts(self):
        """The requests for orders, whatever came of them."""
        return [call for call in self.calls if call.path.endswith("/orders/bulk")]

    def handle(self, method, path, headers, body):
        with self._lock:
            call = Call(len(self.calls) + 1, method, urlsplit(path).path, headers, body)
            self.calls.append(call)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            time.sleep(self.delay)
            return self.answer(call)
        finally:
            with self._lock:
                self.in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Waiting for idle keep-alive connections would take as long as they are idle.
    block_on_close = False
    endpoint: Endpoint

    def handle_error(self, request, client_address):
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        reply = self.server.endpoint.handle(self.command, self.path, headers, body)
        if reply is HANG_UP:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

    def log_message(self, *args):
        """Nothing: the calls are kept."""


# Endpoints that answer everything alike


@dataclass
class Constant(Endpoint):
    """Gives one reply to everything."""

    reply: Reply = Reply(400)

    def answer(self, call):
        if self.reply.status == 201:
            self.take(call)
        return self.reply


@dataclass
class Hanging(Endpoint):
    """Never answers while the test lasts."""

    def __post_init__(self):
        super().__post_init__()
        self.released = threading.Event()

    def answer(self, call):
        self.released.wait(30)
        return HANG_UP


# Endpoints that are wrong now and then


@dataclass
class DroppingSilently(Endpoint):
    """Says 201 to every batch and keeps only the good orders of it."""

    def refuse(self, call, mistake):
        good = [order for order in call.orders if not self._orders.mistakes({"orders": [order]})]
        with self._lock:
            self.created += len(good)
        return Reply(201)


@dataclass
class ExpiringAt(Endpoint):
    """Knows nobody from one request on."""

    last: int = 149

    def knows(self, call):
        return call.number <= self.last and super().knows(call)


@dataclass
class ShortTokens(Endpoint):
    """Every token is good for so many requests, then another one has to be fetched."""

    uses: int = 100

    def __post_init__(self):
        super().__post_init__()
        self.tokens = set()
        self.used = {}

    def knows(self, call):
        if not super().knows(call):
            return False
        token = call.headers["authorization"].partition(" ")[2]
        with self._lock:
            self.used[token] = self.used.get(token, 0) + 1
            return self.used[token] <= self.uses

    def refusals(self):
        """How often a token was used after it had run out."""
        return sum(max(each - self.uses, 0) for each in self.used.values())


@dataclass
class HangingUp(Endpoint):
    """Closes the connection instead of refusing a quantity."""

    def refuse(self, call, mistake):
        return HANG_UP if "quantity" in mistake else super().refuse(call, mistake)


@dataclass
class ManyRefusals(Endpoint):
    """Refuses in turn in every way that the documentation leaves open."""

    forms = (
        Reply(400),
        Reply(409, b"no", (("content-type", "text/plain"),)),
        Reply(
            422, b'{"errors":[{"detail":"no","extra":{"a":[1]}}],"trace":null}', (("content-type", "application/json"),)
        ),
        Reply(415, b"<p>no</p>", (("content-type", "text/html; charset=utf-8"),)),
        Reply(400, b"\xff\xfe\x00", (("content-type", "application/octet-stream"),)),
        Reply(
            413, b"[]", (("x-trace", "abc"), ("set-cookie", "a=b"), ("vary", "accept"), ("content-type", "text/json"))
        ),
        Reply(451, b"no \x1b[31mred\x07"),
    )

    def refuse(self, call, mistake):
        return self.forms[call.number % len(self.forms)]


@dataclass
class Echoing(Endpoint):
    """Repeats what it was sent, headers included, in its answers: a debug mode that somebody left on."""

    def answer(self, call):
        reply = super().answer(call)
        told = json.dumps({"headers": call.headers, "body": call.body.decode("utf-8", "replace")}).encode()
        shown = "".join(each if 32 <= ord(each) < 127 else "?" for each in call.headers.get("x-partner-key", ""))
        return Reply(
            reply.status,
            reply.body if call.path.endswith("/auth/token") else told,
            (("content-type", "application/json"), ("x-echo", call.headers.get("authorization", "")), ("x-key", shown)),
        )
