"""Collection: providers and cases as pytest nodes, with ids that can be pasted back as arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.deviations import Status, about
from conformance.model import Verdict
from conformance.plugins.messages import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Case, Judgement
    from conformance.plugins.session import ProviderRun


class ProviderCollector(pytest.Collector):
    """All cases of one provider. Its node id is the provider's name."""

    run: ProviderRun

    @classmethod
    def of(cls, session: pytest.Session, run: ProviderRun) -> ProviderCollector:
        """The collector of one provider's run."""
        name = run.target.options.provider
        node: ProviderCollector = cls.from_parent(session, name=name, nodeid=name)
        node.run = run
        return node

    def collect(self) -> Iterator[CaseItem]:
        """One item a case, in the catalogue's order."""
        for case in self.run.target.suite.cases:
            yield CaseItem.of(self, case)


class CaseItem(pytest.Item):
    """One case. It sends nothing: it reads the verdict of its provider's run."""

    case: Case
    run: ProviderRun

    @classmethod
    def of(cls, parent: ProviderCollector, case: Case) -> CaseItem:
        """The item of a case, marked with its level and area for ``-m``."""
        node: CaseItem = cls.from_parent(parent, name=case.id)
        node.case = case
        node.run = parent.run
        node.add_marker(str(case.requirement.level))
        node.add_marker(case.requirement.area)
        return node

    def judgement(self) -> Judgement:
        """The verdict, with the run done if it was not."""
        return self.run.result().judgements[self.case.id]

    def setup(self) -> None:
        """Inconclusive cases are errors and cases that do not apply are skipped, before anything is called."""
        if self.config.getoption("setuponly", False):
            return
        judgement = self.judgement()
        if reason := self.run.result().left_out.get(self.case.id):
            raise pytest.skip.Exception(reason, _use_item_location=True)
        if judgement.verdict is Verdict.NOT_APPLICABLE:
            raise pytest.skip.Exception(f"not applicable: {judgement.reason}", _use_item_location=True)
        if judgement.verdict is Verdict.INCONCLUSIVE and not self.run.unrecorded(self.case.id):
            if not self.run.speaks(self.case.id):
                why = "the run had stopped" if self.run.result().stopped else "cases were left out"
                raise pytest.skip.Exception(f"not judged: {why}", _use_item_location=True)
            raise pytest.fail.Exception(self.run.message(self.case), pytrace=False)

    def runtest(self) -> None:
        """A violation fails; an advisory does where that is asked for. A known deviation is an expected failure."""
        if self.judgement().verdict in self.run.failing or self.run.unrecorded(self.case.id):
            known = self.run.deviation(self.case.id)
            if known is not None and known["status"] == Status.SEEN and not self.run.unrecorded(self.case.id):
                # Not pytest.xfail: so the whole message is kept, and --runxfail means what it always does.
                self.add_marker(pytest.mark.xfail(reason=f"known deviation: {printable(about(known))}"))
            raise pytest.fail.Exception(self.run.message(self.case), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands for people. Not just its id: pytest would print dots of the id as colons."""
        provider = self.run.target.options.provider
        return Path(provider), 0, f"{provider} {self.case.id}"
