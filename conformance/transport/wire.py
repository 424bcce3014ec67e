"""One request on the wire and its answer, within limits of time and size."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import urllib3

from conformance.errors import UserError
from conformance.transport import tls
from conformance.transport.connections import Pool, TlsPool
from conformance.transport.failures import LostError, lost
from conformance.transport.proxies import proxy_for
from conformance.transport.sockets import progress

if TYPE_CHECKING:
    from conformance.scrub import Vault
    from conformance.transport.tls import Files

MAX_BODY = 1 << 20
_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response")


def check_ways(endpoint: str, files: Files) -> None:
    """Whether certificates and proxies that the user names are such. Raises UserError."""
    proxy_for(endpoint)
    if files != tls.Files():
        tls.context(files)


class Received(NamedTuple):
    """An answer as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool


class Wire:
    """Carries requests one by one, each once. Safe to use from several threads."""

    def __init__(self, secrets: Vault, files: Files, timeout: float, connections: int) -> None:
        self._vault = secrets
        self._files = files
        self._timeout = timeout
        self._connections = connections
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._scrubbing = _Scrubbing(secrets)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._scrubbing)

    def exchange(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Received:
        """The answer to one request. Raises LostError when there is none."""
        progress.begin(self._timeout)
        way = ""
        try:
            manager = self._manager(url)
            way = "through the proxy: " if manager.proxy else ""
            answer = manager.request(
                method, url, body=body, headers=headers, redirect=False, preload_content=False, timeout=self._timeout
            )
            try:
                content, truncated = _read(answer)
            finally:
                # Gives the connection back when the answer was read to its end, and closes it otherwise.
                answer.close()
        except UserError as error:
            raise LostError("connect", str(error)) from None
        except Exception as error:  # noqa: BLE001  # whatever an endpoint drives the library to is trouble on the way
            raise lost(error, self._timeout, way) from None
        return Received(answer.status, tuple(answer.headers.items()), content, truncated)

    def close(self) -> None:
        """Close all connections."""
        for each in self._managers.values():
            each.clear()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._scrubbing)

    def _manager(self, url: str) -> urllib3.PoolManager:
        """The pools for the scheme and host of a URL, behind a proxy where there is one."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if origin not in self._managers:
                self._managers[origin] = self._made(origin)
            return self._managers[origin]

    def _made(self, origin: str) -> urllib3.PoolManager:
        # Reading the system's certificates takes longer than a request.
        context = tls.context(self._files) if origin.startswith("https:") else None
        proxy = proxy_for(origin, self._vault)
        if proxy is None:
            made = urllib3.PoolManager(maxsize=self._connections, retries=False, ssl_context=context)
        else:
            # A proxy is shown no client certificate.
            made = urllib3.ProxyManager(
                proxy.url,
                maxsize=self._connections,
                retries=False,
                ssl_context=context,
                proxy_ssl_context=tls.context(tls.Files(self._files.ca_bundle))
                if proxy.url.startswith("https")
                else None,
                proxy_headers={"proxy-authorization": proxy.authorization} if proxy.authorization else None,
            )
        made.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
        return made


class _Scrubbing(logging.Filter):
    """Takes secrets out of what the library logs: at its finest level, whole URLs."""

    def __init__(self, secrets: Vault) -> None:
        super().__init__()
        self._vault = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._vault.scrub(record.getMessage()), ()
        return True


def _read(answer: urllib3.BaseHTTPResponse) -> tuple[bytes, bool]:
    """The body up to the limit, and whether it went on."""
    content = bytearray()
    while len(content) <= MAX_BODY:
        # What is there, not 65536 bytes: whoever drips one a second would be waited for until they are full.
        block = answer.read1(65536, decode_content=True)
        if not block:
            return bytes(content), False
        content += block
        # Blocks that were received already come without the socket, which else minds the time.
        progress.left()
    return bytes(content[:MAX_BODY]), True
