"""Sockets that keep the deadline of their thread's request, however slowly the bytes drip."""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


class Progress(threading.local):
    """
    What the request of this thread has come to.

    A connection serves one thread at a time, so its sockets find here what they have to know,
    whoever had the connection before. ``deadline`` is on the monotonic clock.
    """

    deadline: float = math.inf
    connected: bool = False
    # Whether a byte of the request may have left.
    sent: bool = False

    def begin(self, seconds: float) -> None:
        """A request begins, and has so long."""
        self.deadline = time.monotonic() + seconds
        self.connected = self.sent = False

    def left(self) -> float:
        """The seconds left. Raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    @contextmanager
    def at_most(self, seconds: float) -> Generator[None]:
        """A part of the request that has a shorter time of its own."""
        whole = self.deadline
        self.deadline = min(whole, time.monotonic() + seconds)
        try:
            yield
        finally:
            self.deadline = whole


progress = Progress()


def _hurry(one: socket.socket) -> None:
    """Let the next call on a socket last no longer than the request may; a time-out of its own starts with each byte."""
    if progress.deadline != math.inf:
        one.settimeout(progress.left())


class Socket(socket.socket):
    """A plain socket that keeps the deadline."""

    def recv(self, *given: Any) -> bytes:
        """As the socket's own."""
        _hurry(self)
        return super().recv(*given)

    def recv_into(self, *given: Any) -> int:
        """As the socket's own."""
        _hurry(self)
        return super().recv_into(*given)

    def sendall(self, *given: Any) -> None:
        """As the socket's own."""
        _hurry(self)
        super().sendall(*given)


class TlsSocket(ssl.SSLSocket):
    """A TLS socket that keeps the deadline."""

    def read(self, *given: Any) -> Any:
        """As the socket's own; everything that receives comes through here."""
        _hurry(self)
        return super().read(*given)

    def send(self, *given: Any) -> int:
        """As the socket's own; everything that sends comes through here."""
        _hurry(self)
        return super().send(*given)

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # the signature of ssl
        """As the socket's own."""
        _hurry(self)
        super().do_handshake(block)


def connect(host: str, port: int, options: Iterable[tuple[int, int, int | bytes]] = ()) -> Socket:
    """A connected socket. Raises OSError; each address of the host has its share of the time."""
    addresses = _addresses(host, port)
    trouble: OSError = OSError("the host has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        made = Socket(family, kind, protocol)
        try:
            for option in options:
                made.setsockopt(*option)
            made.settimeout(progress.left() / (len(addresses) - number))
            made.connect(address)
        except OSError as error:
            made.close()
            trouble = error
        else:
            return made
    raise trouble


def _addresses(host: str, port: int) -> list[Any]:
    """The addresses of a host. Looked up in a thread, since a resolver that hangs cannot be interrupted."""
    found: SimpleQueue[list[Any] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            found.put(error)

    threading.Thread(target=look_up, daemon=True, name="look up a host").start()
    try:
        got = found.get(timeout=progress.left())
    except Empty:
        raise TimeoutError("the name of the host was not resolved") from None
    if isinstance(got, Exception):
        raise got
    return got
