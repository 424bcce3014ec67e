"""
The pytest plugin: declares our options and, when a provider is named, brings in the rest.

Every pytest run of everybody who installed us loads this module, so it imports nothing
but pytest at the top, and options are declared after conftests were read: a name that a
conftest or another plugin owns stays theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """
    Declare our options once the initial conftests have declared theirs.

    The suite shipped with us ignores the folder's conftests, broken ones included: after
    their options were read, and before any other hook of theirs is called.
    """
    from conformance.plugins import options

    known = set(early_config.pluginmanager.get_plugins())
    trouble: Exception | None = None
    try:
        yield
    except pytest.UsageError:
        raise
    except Exception as error:  # noqa: BLE001  # a conftest may raise anything
        trouble = error
    options.declare(parser)
    if options.asks_for_suite_alone(early_config, parser, args):
        from conformance.plugins import conftests

        conftests.ignore(early_config.pluginmanager, known)
    elif trouble is not None:
        raise trouble


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """
    Bring in the fixtures, and the suite when a provider is named. A user's mistake is one line and exit 4.

    Fixtures of the same names in a test module or a conftest win, as pytest has it.
    """
    from conformance.plugins import fixtures, options

    config.pluginmanager.register(fixtures, "conformance-fixtures")
    named = options.providers_named(config)
    if not named:
        return
    from conformance.errors import UserError

    try:
        from conformance.plugins import session

        session.install(config, named)
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
