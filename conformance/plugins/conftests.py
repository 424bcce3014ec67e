"""The folder's conftests, set aside in a run that is about our suite alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def ignore(plugins: pytest.PytestPluginManager, known: set[object]) -> None:
    """
    Take out every conftest, and what it brought in by ``pytest_plugins``.

    ``known`` are the plugins that were there before the conftests: they stay.
    """
    for name, plugin in plugins.list_name_plugin():
        if plugin is not None and Path(name).name == "conftest.py":
            for each in (plugin, *_brought(plugins, plugin)):
                if each not in known and plugins.is_registered(each):
                    plugins.unregister(each)


def _brought(plugins: pytest.PytestPluginManager, module: object) -> Iterator[object]:
    """The plugins that a module names in ``pytest_plugins``, and those that they name."""
    names = getattr(module, "pytest_plugins", None) or ()
    for name in [names] if isinstance(names, str) else names:
        plugin = plugins.get_plugin(name)
        if plugin is not None:
            yield plugin
            yield from _brought(plugins, plugin)
