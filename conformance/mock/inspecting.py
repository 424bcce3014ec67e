"""Requests looked at: what is wrong with their bodies by the documentation, and with the manners of their client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.inspection import Inspector
from conformance.mock.manners import Manners
from conformance.mock.violations import Violation
from conformance.model import Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from conformance.inspection import Objection
    from conformance.mock.received import Call
    from conformance.model import Json
    from conformance.reference.app import Endpoint

    Said = tuple[tuple[Violation, ...], tuple[Violation, ...]]


class Inspecting:
    """Everything there is to say of the requests of one endpoint, but nothing of the requirements in ``ignore``."""

    def __init__(self, endpoint: Endpoint, ignore: Collection[str]) -> None:
        self._endpoint = endpoint
        self._ignore = frozenset(ignore)
        provider = endpoint.provider
        self._manners = Manners(provider, endpoint.credentials)
        self._inspector = Inspector(provider, endpoint.account, strict=endpoint.behaviour.strict)
        # What the manners look at, by what the pack says of clients, is not looked at twice.
        self._quiet = dict.fromkeys(provider.auth.headers, "")
        if "media-type" in provider.client:
            self._quiet["content-type"] = provider.main.content_type

    def said(self, call: Call) -> Said:
        """What the client did wrong, and what it is advised of."""
        resent = self._manners.lost.holds(call)
        wrong, advice = list(self._manners.violations(call)), list(self._manners.advice(call))
        for each in self._objections(call, resent=resent):
            # A value that lenient parsers put right is wrong all the same where it comes from.
            reading = each.verdict == Verdict.ADVISORY and each.level == Level.MUST
            kind = wrong if each.verdict == Verdict.VIOLATION or reading else advice
            kind.append(Violation.of(each, call.number))
        return tuple(self._told(wrong)), tuple(self._told(advice))

    def _objections(self, call: Call, *, resent: bool) -> list[Objection]:
        if not call.operation or not call.operation.main:
            return []

        def seen(place: str, value: Json) -> bool:
            # Sent again with what keeps it from being doubled, an identity is used again on purpose.
            return not resent and self._endpoint.store.seen(place, value)

        headers = call.headers | self._quiet
        return self._inspector.body(call.body, now=self._endpoint.clock(), headers=headers, seen=seen)

    def _told(self, found: list[Violation]) -> Iterator[Violation]:
        return (each for each in found if each.requirement not in self._ignore)

    def lost(self, call: Call) -> None:
        """The answer to a request did not arrive."""
        self._manners.lost.put(call)

    def throttled(self, call: Call, seconds: float) -> None:
        """The client was asked to wait."""
        self._manners.throttled(call, seconds)

    def answered(self, call: Call, status: int) -> None:
        """A request was answered."""
        self._manners.lost.looked_up(call, status)

    def clear(self) -> None:
        """Forget what came before."""
        self._manners.clear()
