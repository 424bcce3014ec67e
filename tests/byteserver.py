"""A server on loopback that answers byte by byte, so that it can misbehave in any way."""

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
# Nothing here takes longer than this; what hangs is cut off.
SOON = 5.0


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict
    body: bytes


@dataclass
class Server:
    """``answer`` gets connection, request and their number, and says whether the connection stays open."""

    answer: object
    listener: socket.socket
    seen: list = field(default_factory=list)
    connections: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            connection.settimeout(SOON)
            reader = connection.makefile("rb")
            try:
                while (request := read(reader)) is not None:
                    self.seen.append(request)
                    if not self.answer(connection, request, len(self.seen)):
                        return
            except OSError:
                return

    def pour(self, connection, block, pause=0.0):
        """Send the same for ever, or until nobody listens."""
        while not self.stopped.wait(pause):
            connection.sendall(block)


def read(reader):
    line = reader.readline().decode("latin-1").split()
    if not line:
        return None
    headers = {}
    while row := reader.readline().decode("latin-1").strip():
        name, _, value = row.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(line[0], line[1], headers, reader.read(int(headers.get("content-length", 0))))


@contextmanager
def serving(answer, wrap=None):
    """A server on loopback; ``answer`` may be the bytes that every request is answered with."""
    if isinstance(answer, bytes):
        content = answer
        answer = lambda connection, _request, _number: connection.sendall(content) or True  # noqa: E731
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.01)
        server = Server(answer, wrap(listener) if wrap else listener)
        thread = threading.Thread(target=server.accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            thread.join(SOON)


def answered(status="201 Created", *headers, body=b"{}"):
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body
