"""pytest-xdist: one worker owns one provider, so that nothing is sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer


class ProviderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Items of ours by provider, those of others by module or class."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if "/" in nodeid.partition("::")[2] else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Any:
    """The scheduler of a session that has our suite in it."""
    if config.getoption("dist") == "each":
        return None
    return ProviderScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the reports of a worker that is done."""
    session = node.config.pluginmanager.getplugin("conformance-session")
    if session is not None and hasattr(node, "workeroutput"):
        session.collect_from(node.workeroutput)
