"""Connections: when one may be used again, whether a request was sent on it, and heads of answers within limits."""

from __future__ import annotations

import http.client
import re
import time
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from conformance.transport import sockets
from conformance.transport.sockets import progress

CONNECT_S = 10.0
# After this pause a server may be closing the connection just as we write (some keep one for two
# seconds), and then nobody knows whether the order arrived: a fresh one is opened.
_IDLE_S = 1.5
_MAX_HEAD = 1 << 16
_MAX_INTERIM = 100


class BadHeadError(http.client.HTTPException):
    """A head of an answer that is too large, or is none. The text holds nothing of what came."""


class Answer(http.client.HTTPResponse):
    """An answer whose head has limits, and which passes over provisional answers (1xx)."""

    def begin(self) -> None:
        """Read the head of the final answer."""
        super().begin()
        # The library passes over 100 alone, and would take an early hint for the answer, and the answer for the next.
        for _ in range(_MAX_INTERIM):
            if not 100 <= self.status < 200 or self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first
            super().begin()
        else:
            raise BadHeadError(f"more than {_MAX_INTERIM} provisional answers (1xx)")
        if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            self.will_close = True
        _check(self.headers)


def _check(head: http.client.HTTPMessage) -> None:
    """Raise BadHeadError for a head of which nobody can say where its answer ends."""
    # Whatever follows a line that is no header is passed over by the parser: the rest of the head would be lost.
    if not head.is_multipart() and head.get_payload():
        raise BadHeadError("a line in the head of the answer is no header")
    if sum(len(name) + len(value) for name, value in head.items()) > _MAX_HEAD:
        raise BadHeadError(f"the head of the answer is larger than {_MAX_HEAD >> 10} KiB")
    lengths = {each.strip() for value in head.get_all("content-length", []) for each in value.split(",")}
    bad = len(lengths) > 1 or any(re.fullmatch("[0-9]+", each) is None for each in lengths)
    if bad and "transfer-encoding" not in head:
        raise BadHeadError("the answer states no length, or more than one, in its Content-Length")


class Connection(HTTPConnection):
    """A connection that keeps the deadline and notes whether anything of a request may have left."""

    response_class = Answer
    _used = 0.0

    def _new_conn(self) -> sockets.Socket:
        return sockets.connect(self.host, self.port or self.default_port, self.socket_options or ())

    def connect(self) -> None:
        """Connect, with the proxy's part and TLS, in a time of its own."""
        progress.connected = False
        with progress.at_most(CONNECT_S):
            super().connect()
        progress.connected = True

    @property
    def is_connected(self) -> bool:
        """Whether another request may be sent on it."""
        return time.monotonic() - self._used < _IDLE_S and super().is_connected

    def request(self, *given: Any, **named: Any) -> None:
        """Send a request."""
        progress.connected = self.sock is not None
        super().request(*given, **named)

    def send(self, data: Any) -> None:
        """Send bytes of a request, or of what a proxy is asked before."""
        if self.sock is None:
            self.connect()
        progress.sent |= progress.connected
        super().send(data)

    def getresponse(self) -> Any:
        """Receive the head of the answer."""
        try:
            return super().getresponse()
        finally:
            self._used = time.monotonic()


class TlsConnection(Connection, HTTPSConnection):
    """The same over TLS."""


class Pool(HTTPConnectionPool):
    """Connections to one host."""

    ConnectionCls = Connection


class TlsPool(HTTPSConnectionPool):
    """TLS connections to one host."""

    ConnectionCls = TlsConnection
