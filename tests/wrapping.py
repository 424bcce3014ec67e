"""An ASGI application or a transport around another one, what it is asked and says, and a clock for those who wait."""

import json
import threading
from dataclasses import dataclass, replace

from conformance.patience import Patience

JSON = [(b"content-type", b"application/json")]


def read(body):
    """The JSON of a body, to be changed at will; None for anything else."""
    try:
        return json.loads(body)
    except ValueError:
        return None


class Clock:
    """Seconds that pass only while somebody waits."""

    def __init__(self):
        self._now = 0.0
        self._lock = threading.Lock()

    def monotonic(self):
        return self._now

    def sleep(self, seconds):
        with self._lock:
            self._now += seconds

    def patience(self, limit=60.0):
        return Patience(limit, self.monotonic, self.sleep)


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: list
    body: bytes = b""

    @property
    def json(self):
        return read(self.body)

    def saying(self, value, status=0):
        """The same answer with other JSON."""
        return replace(self, status=status or self.status, body=json.dumps(value).encode())

    @property
    def accepts(self):
        return 200 <= self.status < 300


class Wrapping:
    """An application that answers as the one inside does, unless a subclass says otherwise."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = await self.answer(self.call(scope, body))
        headers = [each for each in answer.headers if each[0].lower() != b"content-length"]
        if answer.status != 204:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def call(self, scope, body):
        """What is asked: an object with ``scope`` and ``body``."""
        raise NotImplementedError

    async def ask(self, call):
        """What the application inside answers."""
        headers = [each for each in call.scope["headers"] if each[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(call.body)).encode()))
        sent = []

        async def receive():
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def send(message):
            sent.append(message)

        await self.inner(call.scope | {"headers": headers}, receive, send)
        return Said(sent[0]["status"], list(sent[0]["headers"]), b"".join(each.get("body", b"") for each in sent[1:]))

    async def answer(self, call):
        """What callers are answered."""
        return self.changed(call, await self.ask(call))

    def changed(self, call, answer):
        """What becomes of an answer."""
        return answer


class Way:
    """A transport that sends through the one inside, unless a subclass does otherwise."""

    def __init__(self, inner):
        self.inner = inner

    def send(self, request, operation, name, now):
        return self.inner.send(request, operation, name, now)

    def renew_credentials(self):
        return False

    def other_base(self):
        return False
