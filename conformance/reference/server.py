"""The reference endpoint over real HTTP on a free loopback port. The only door to uvicorn."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from conformance.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Generator

    from conformance.reference.app import Endpoint

_START_S = 10.0


def listen(port: int = 0) -> socket.socket:
    """
    A listening socket on loopback.

    Without TCP_NODELAY, answers on a socket handed to uvicorn wait for delayed
    acknowledgements: some 40 ms each. Raises UserError when the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise UserError(f"--port {port}: {error.strerror}; choose another port") from error
    listener.listen(128)
    return listener


def server(endpoint: Endpoint, *, log: bool = False) -> uvicorn.Server:
    """A uvicorn server for an endpoint; the endpoint writes its own Date, by its own clock."""
    config = uvicorn.Config(
        endpoint.app(),
        lifespan="off",
        ws="none",
        date_header=False,
        server_header=False,
        access_log=log,
        log_level=logging.INFO if log else logging.ERROR,
        timeout_keep_alive=30,
    )
    return uvicorn.Server(config)


@contextmanager
def running(endpoint: Endpoint) -> Generator[str]:
    """Serve an endpoint in a thread; gives its URL, the base path of the documentation included."""
    listener = listen()
    host, port = listener.getsockname()
    uvicorn_server = server(endpoint)
    thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_S
    while not uvicorn_server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the reference endpoint did not start")
        time.sleep(0.005)
    try:
        yield f"http://{host}:{port}{endpoint.provider.main.base_path}"
    finally:
        uvicorn_server.should_exit = True
        thread.join(_START_S)
        listener.close()
