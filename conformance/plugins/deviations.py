"""Known deviations in a pytest session: an item each, which fails when its entry is no longer true."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance import deviations
from conformance.deviations import Known, Status
from conformance.plugins.items import CaseItem, ProviderCollector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.deviations import Deviation
    from conformance.plugins.session import ProviderRun

# What stands between provider and id in a node id.
MARK = "known-deviation/"


def install(config: pytest.Config, path: str, runs: Mapping[str, ProviderRun]) -> None:
    """Read the file, and hand each provider's run what concerns it. Raises UserError."""
    found = deviations.read(Path(path))
    # The day is the same everywhere, so that a run ends alike on every machine.
    today = datetime.now(UTC).date()
    for run in runs.values():
        run.known = Known(found, run.target.suite, today)
    config.pluginmanager.register(Collection(runs), "conformance-deviations")


def named(names: set[str], runs: Iterable[ProviderRun]) -> tuple[set[str], set[str]]:
    """Among the names of an argument list those of items here, and the cases that they are about."""
    ours = {MARK + each.id: run.known.cases(each) for run in runs if run.known for each in run.known.deviations}
    return names & ours.keys(), {case for name in names & ours.keys() for case in ours[name]}


def failing(report: Mapping[str, Any]) -> bool:
    """Whether a deviation fails the run that a report is about."""
    return any(row["status"] in deviations.FAILING for row in report.get("deviations", ()))


class Collection:
    """Adds the items once everybody has selected: only then is known which deviations can be judged."""

    def __init__(self, runs: Mapping[str, ProviderRun]) -> None:
        self._runs = runs

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """One item a deviation about which the selected cases say something."""
        for run in self._runs.values():
            known = run.known
            if known is not None:
                selected = {item.case.id for item in items if isinstance(item, CaseItem) and item.run is run}
                parent = ProviderCollector.of(session, run)
                known.due = frozenset(each.id for each in known.deviations if known.is_due(each, selected))
                items += [DeviationItem.of(parent, each) for each in known.deviations if each.id in known.due]


class DeviationItem(pytest.Item):
    """One known deviation. It passes while the deviation shows."""

    deviation: Deviation
    run: ProviderRun
    known: Known

    @classmethod
    def of(cls, parent: ProviderCollector, deviation: Deviation) -> DeviationItem:
        """The item of a deviation."""
        assert parent.run.known is not None
        node: DeviationItem = cls.from_parent(parent, name=MARK + deviation.id)
        node.deviation, node.run, node.known = deviation, parent.run, parent.run.known
        return node

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases whose verdicts are needed; none where the entry is wrong whatever they say."""
        return () if self.known.expired(self.deviation) else self.known.cases(self.deviation)

    def setup(self) -> None:
        """What could not be judged is skipped."""
        if self.config.getoption("setuponly", False):
            return
        row = self._row()
        if row["status"] == Status.NOT_JUDGED:
            raise pytest.skip.Exception(deviations.told(row), _use_item_location=True)

    def runtest(self) -> None:
        """An entry that is not true fails."""
        row = self._row()
        if row["status"] in deviations.FAILING:
            raise pytest.fail.Exception(deviations.told(row), pytrace=False)

    def _row(self) -> dict[str, Any]:
        if not self.cases:
            return self.known.row(self.deviation, {}, ())
        run = self.run.result()
        return self.known.row(self.deviation, run.judgements, run.selected)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the item stands for people."""
        provider = self.run.target.options.provider
        return Path(provider), 0, f"{provider} {self.name}"
