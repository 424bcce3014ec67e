"""What there is to say of one request: the requirements of the catalogue that it does not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from conformance import catalogue
from conformance.inspection.objections import objection, weigh
from conformance.mock.violations import Violation
from conformance.model import Expect

if TYPE_CHECKING:
    from conformance.mock.received import Call
    from conformance.model import JsonObject, Requirement
    from conformance.providers import Provider


class Remarks:
    """Says by which requirement a client did something wrong; ``client`` of the pack, or its shared questions, tell."""

    def __init__(self, provider: Provider) -> None:
        self._catalogue = catalogue.load(provider.name, provider.revision)
        self.client = provider.client
        self._known = {each.id: each for each in self._catalogue.requirements}

    def requirement(self, name: str = "", question: str = "") -> Requirement | None:
        """The requirement of an id, else the one that answers a shared question; None where the pack has neither."""
        if not name:
            name = self._catalogue.questions.get(question, "").partition("/")[0]
        # A revision of the documentation need not know it.
        return self._known.get(name)

    def of_header(self, header: str, lacking: str) -> Requirement | None:
        """The requirement on a header that authenticates and is missing, wrong or not entitled to what it asks for."""
        rows = cast("list[dict[str, str]]", self.client.get("credentials", []))
        own = next((each.get(lacking, "") for each in rows if each["header"] == header), "")
        question = "no-credentials" if lacking == "missing" else "wrong-credentials"
        return self.requirement(own, question) or self._denying()

    def _denying(self) -> Requirement | None:
        """The first requirement by which somebody is turned away for who they are."""
        for each in self._catalogue.requirements:
            if any(case.get("expect") == Expect.DENY for case in self._catalogue.cases[each.id]):
                return each
        return None

    @property
    def again(self) -> JsonObject:
        """What the pack says of a batch that is sent again; empty where it says nothing."""
        return cast("JsonObject", self.client.get("again", {}))

    @staticmethod
    def remark(requirement: Requirement, call: Call, expected: str, got: str) -> Violation:
        """A violation of a requirement that speaks of the whole request."""
        return Violation.of(objection(requirement, weigh(requirement), expected, got), call.number)
