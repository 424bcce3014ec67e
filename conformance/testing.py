"""
Endpoints for the tests of a client, without pytest's fixtures.

>>> from conformance.testing import endpoint
>>> with endpoint("sendcloud") as api:
...     assert not api.violations
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from conformance.mock.handle import MockEndpoint, Settings
from conformance.mock.received import Received
from conformance.mock.violations import Violation, Violations
from conformance.reference import server

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping
    from pathlib import Path

    from conformance.model import Json

__all__ = ["MockEndpoint", "Received", "Violation", "Violations", "endpoint"]


@contextmanager
def endpoint(
    provider: str,
    *,
    revision: str = "",
    strict: bool = False,
    fault: str = "",
    account: Mapping[str, Json] | str | Path | None = None,
    delay: float = 0.0,
    latency: float = 0.0,
    ignore: Collection[str] = (),
) -> Generator[MockEndpoint]:
    """
    The reference endpoint of a pack on a free loopback port, as a mock.

    ``strict`` refuses what the documentation is silent about; ``fault`` breaks one documented rule; ``account`` are
    facts in place of the pack's own, or a TOML file; orders can be read ``delay`` seconds after they were taken,
    answers leave ``latency`` seconds late; of the requirements in ``ignore`` nothing is said. Raises UserError.
    """
    mock = MockEndpoint(
        provider, Settings(revision, strict, fault, account, "", delay, latency, ignore=frozenset(ignore))
    )
    try:
        with server.in_thread(mock.app()) as origin:
            mock.served_at(origin)
            try:
                yield mock
            finally:
                mock.hang_up()
    finally:
        mock.close()
