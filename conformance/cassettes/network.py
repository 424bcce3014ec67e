"""The closed network: while a recording is replayed, nothing in this process can open a socket."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Generator


class NetworkClosed(RuntimeError):  # noqa: N818  # the state that was met
    """Somebody wanted a socket in a replay: our own bug, never the user's mistake."""


def _refuse(*_arguments: object, **_more: object) -> NoReturn:
    raise NetworkClosed("a replay opens no socket")


_WAYS: tuple[tuple[object, str], ...] = (
    (socket.socket, "__init__"),
    (socket, "getaddrinfo"),
    (socket, "create_connection"),
)


@contextmanager
def closed() -> Generator[None]:
    """Within, making a socket or asking for an address raises NetworkClosed."""
    before = [getattr(owner, name) for owner, name in _WAYS]
    for owner, name in _WAYS:
        setattr(owner, name, _refuse)
    try:
        yield
    finally:
        for (owner, name), was in zip(_WAYS, before, strict=True):
            setattr(owner, name, was)
