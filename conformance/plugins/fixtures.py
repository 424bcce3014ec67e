"""
Fixtures for the tests of a client: an endpoint each, as a mock.

Everybody's pytest registers this module, so it imports nothing but pytest at the top.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from conformance.testing import MockEndpoint

    Factory = Callable[..., MockEndpoint]

# The endpoints that are being served in this process, for the reports of tests that fail.
_SERVED: list[MockEndpoint] = []


@pytest.fixture
def bulk_endpoint() -> Iterator[Factory]:
    """Makes reference endpoints for one test: ``bulk_endpoint("sendcloud", strict=True)``; as many as you like."""
    with _factory() as make:
        yield make


@pytest.fixture(scope="session")
def bulk_endpoints() -> Iterator[Factory]:
    """Makes reference endpoints that last for the session, for fixtures of your own."""
    with _factory() as make:
        yield make


@pytest.fixture
def atlast_endpoint(bulk_endpoint: Factory) -> MockEndpoint:
    """AtLast's reference endpoint: lenient, with the account of the pack."""
    return bulk_endpoint("atlast")


@pytest.fixture
def centra_endpoint(bulk_endpoint: Factory) -> MockEndpoint:
    """Centra's reference endpoint: lenient, with the account of the pack."""
    return bulk_endpoint("centra")


@pytest.fixture
def ezcards_endpoint(bulk_endpoint: Factory) -> MockEndpoint:
    """EZ Cards' reference endpoint: lenient, with the account of the pack."""
    return bulk_endpoint("ezcards")


@pytest.fixture
def sendcloud_endpoint(bulk_endpoint: Factory) -> MockEndpoint:
    """Sendcloud's reference endpoint: lenient, with the account of the pack."""
    return bulk_endpoint("sendcloud")


@contextmanager
def _factory() -> Iterator[Factory]:
    """A function that makes endpoints, which end with this context."""
    with ExitStack() as stack:

        def make(provider: str, **settings: Any) -> MockEndpoint:
            from conformance.testing import endpoint

            made = stack.enter_context(endpoint(provider, **settings))
            _SERVED.append(made)
            stack.callback(_SERVED.remove, made)
            return made

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows everything its clients did wrong: what pytest shows of an assertion is cut short."""
    report = yield
    if report.when == "call" and report.failed:
        for each in _SERVED:
            if each.violations:
                report.sections.append((f"{each.provider}: what the client did wrong", str(each.violations)))
    return report
