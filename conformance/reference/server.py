"""An endpoint over real HTTP, in a thread on a free loopback port or as a server of its own. The only door to uvicorn."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from conformance.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from conformance.reference.app import Endpoint

    App = Callable[[Any, Any, Any], Awaitable[None]]

LOOPBACK = "127.0.0.1"
# The ASGI extension by which an application breaks off the connection of a request; a function without arguments.
RESET = "conformance.reset"
_START_S = 10.0
# How long requests that are still being answered are waited for, once their connections are cut.
_STOP_S = 2.0


def listen(port: int = 0, host: str = LOOPBACK) -> socket.socket:
    """
    A listening socket, on loopback unless another address is named.

    Without TCP_NODELAY, answers on a socket handed to uvicorn wait for delayed
    acknowledgements: some 40 ms each. Raises UserError when the port is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise UserError(f"--host {host}: {error.strerror}; name an address of this machine") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if host != LOOPBACK:
            raise UserError(f"--host {host} --port {port}: {error.strerror}; choose another one") from error
        raise UserError(f"--port {port}: {error.strerror}; choose another port") from error
    listener.listen(128)
    return listener


class _Breakable(H11Protocol):
    """A connection that the application can break off."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[RESET] = self._reset
            await inner(scope, receive, send)

        self.app = app

    def _reset(self) -> None:
        """Close at once, with RST and not with FIN: what was not read or sent is lost."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class _Stoppable(uvicorn.Server):
    """A server in a thread, which stops when it is told to and not at its next look around."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end."""
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        if not self.should_exit:
            await self._stop.wait()

    def stop(self) -> None:
        """End, from any thread."""
        self.should_exit = True
        if self._loop:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut every connection; nobody waits for an answer any more."""
        for each in (*self.servers, *(sockets or ())):
            each.close()
        for connection in list(self.server_state.connections):
            if connection.transport:
                connection.transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(list(self.server_state.tasks), timeout=_STOP_S)


def _config(app: App) -> uvicorn.Config:
    """Settings of every server: the endpoint writes its own Date, by its own clock, and its own log."""
    return uvicorn.Config(
        app,
        http=_Breakable,
        lifespan="off",
        ws="none",
        date_header=False,
        server_header=False,
        access_log=False,
        # Whoever runs us has logging of their own; what goes wrong ends there, or on stderr.
        log_config=None,
        log_level=logging.ERROR,
        timeout_keep_alive=30,
    )


def run(app: App, listener: socket.socket) -> None:
    """Serve an application until Ctrl-C."""
    config = _config(app)
    # Answers that are held back on purpose are not waited for.
    config.timeout_graceful_shutdown = 1
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def running(endpoint: Endpoint) -> Generator[str]:
    """Serve an endpoint in a thread; gives its URL, the base path of the documentation included."""
    with in_thread(endpoint.app()) as origin:
        yield origin + endpoint.provider.main.base_path


@contextmanager
def in_thread(app: App) -> Generator[str]:
    """Serve an application in a thread on a free loopback port; gives its origin."""
    listener = listen()
    host, port = listener.getsockname()
    server = _Stoppable(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the reference endpoint did not start")
        time.sleep(0.001)
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        thread.join(_START_S)
        listener.close()
