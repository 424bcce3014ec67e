"""Why there is no answer, in plain words that repeat nothing of what the other side sent."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING

from urllib3 import exceptions

from conformance.transport import connections, tls
from conformance.transport.sockets import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 200
_UNSENT = "nothing was sent"


class LostError(Exception):
    """There is no answer; ``kind`` is as in Trouble, ``reason`` says nothing of whether the request arrived."""

    def __init__(self, kind: str, reason: str, fate: str = "") -> None:
        super().__init__(f"{reason} ({fate})" if fate else reason)
        self.kind = kind
        self.reason = reason


def lost(error: Exception, seconds: float, way: str = "") -> LostError:
    """What came of a request that had so many seconds and went this way, as far as it got."""
    found = list(_chain(error))
    late = any(isinstance(each, TimeoutError | exceptions.TimeoutError) for each in found)
    if progress.sent:
        reason = f"nothing within {seconds:g} s" if late else _words(found)
        return LostError("timeout" if late else "broken", reason, "the request may have arrived")
    if _unwritable(found):
        return LostError("broken", "a header or the URL has characters that cannot stand there", _UNSENT)
    what = f"no connection within {min(connections.CONNECT_S, seconds):g} s" if late else _words(found)
    return LostError("connect", way + what, _UNSENT)


def _unwritable(found: list[BaseException]) -> bool:
    return any(isinstance(each, ValueError) and not isinstance(each, OSError) for each in found)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that led to it, the last first; libraries keep some of them as arguments only."""
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            todo += [more for more in (*each.args, each.__cause__, each.__context__) if isinstance(more, BaseException)]


def _words(found: list[BaseException]) -> str:
    for each in found:
        if isinstance(each, ssl.SSLError):
            return tls.why(each)
    for kind, words in _KINDS.items():
        if any(isinstance(each, kind) for each in found):
            return words
    for each in reversed(found):
        if isinstance(each, connections.BadHeadError | http.client.LineTooLong):
            return str(each)
        if isinstance(each, OSError):
            return (each.strerror or str(each)).splitlines()[0][:_LONGEST] or type(each).__name__
    return "the answer is no HTTP"


# The first that fits; what a library says in each case holds bytes of the answer.
_KINDS: dict[type[BaseException], str] = {
    http.client.RemoteDisconnected: "the connection was closed without an answer",
    http.client.IncompleteRead: "the connection was closed in the middle of the answer",
    exceptions.IncompleteRead: "the connection was closed in the middle of the answer",
    exceptions.DecodeError: "the body cannot be decompressed",
    socket.gaierror: "the name of the host cannot be resolved",
    http.client.BadStatusLine: "the answer is no HTTP",
    ValueError: "the answer is no HTTP",
}
