"""What a client does wrong beside its bodies: credentials, media types, paths, haste, and batches sent again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from conformance.mock import again
from conformance.mock.remarks import Remarks
from conformance.reference.access import Access
from conformance.reference.behaviour import healthy
from conformance.reference.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.mock.received import Call
    from conformance.mock.violations import Violation
    from conformance.pace import Rate
    from conformance.providers import Provider


class Manners:
    """Looks at requests one after the other; what came before counts, until ``clear``."""

    def __init__(self, provider: Provider, credentials: dict[str, str]) -> None:
        self._provider = provider
        self._remarks = Remarks(provider)
        how = healthy(provider)
        # What is right does not depend on the fault that an endpoint has.
        self._access = Access(provider, how, Refusals(provider, how), credentials)
        self.lost = again.lost(provider, self._remarks.again)
        self._rates: dict[Rate, deque[float]] = {each: deque(maxlen=each.requests + 1) for each in provider.rates}
        self._wait_until = 0.0
        self._hasty = False

    def clear(self) -> None:
        """Forget what came before."""
        self.lost.clear()
        for each in self._rates.values():
            each.clear()
        self._wait_until, self._hasty = 0.0, False

    def throttled(self, call: Call, seconds: float) -> None:
        """A client was asked to wait."""
        self._wait_until = call.ticks + seconds

    def violations(self, call: Call) -> Iterator[Violation]:
        """What no client may do."""
        if call.operation and not call.operation.anonymous:
            yield from self._credentials(call)
        if call.operation and call.operation.main:
            yield from self._media_type(call)
            if not self._remarks.again.get("advice"):
                yield from self._again(call)

    def advice(self, call: Call) -> Iterator[Violation]:
        """What a client had better not do, or cannot know to be right."""
        main = self._provider.main
        unknown = self._remarks.requirement(question="plain-batch")
        if not call.known and unknown:
            expected = f"an operation that the pack knows, such as {main.method} {main.base_path}{main.path}"
            yield self._remarks.remark(unknown, call, expected, f"{call.method} {call.path}")
        if call.operation and call.operation.main and self._remarks.again.get("advice"):
            yield from self._again(call)
        yield from self._haste(call)

    def _credentials(self, call: Call) -> Iterator[Violation]:
        main = call.operation is not None and call.operation.main
        ways = self._provider.auth.ways(set(self._provider.auth.variables))
        for header, lacking in self._access.lacking(call.headers, creating=main).items():
            requirement = self._remarks.of_header(header, lacking)
            forms = [value for way in ways for name, value in way.items() if name.lower() == header]
            got = {
                "missing": "no such header",
                "wrong": "credentials that this endpoint does not know",
                "unentitled": "credentials that may not create orders",
            }[lacking]
            if requirement:
                expected = f"{header}: {' or '.join(dict.fromkeys(forms))}"
                yield self._remarks.remark(requirement, call, expected.replace("{{", "<").replace("}}", ">"), got)

    def _media_type(self, call: Call) -> Iterator[Violation]:
        wanted, sent = self._provider.main.content_type, call.headers.get("content-type")
        requirement = self._remarks.requirement(str(self._remarks.client.get("media-type", "")))
        if requirement and wanted and (sent or "").partition(";")[0].strip().lower() != wanted:
            got = "no content-type" if sent is None else f"content-type: {sent[:100]}"
            yield self._remarks.remark(requirement, call, f"content-type: {wanted}", got)

    def _again(self, call: Call) -> Iterator[Violation]:
        earlier = self.lost.earlier(call)
        requirement = self._remarks.requirement(str(self._remarks.again.get("requirement", "")), "duplicate-later")
        if earlier and requirement:
            expected = "that what became of an order whose answer was lost is found out before it is sent again"
            got = f"the orders of request {earlier.number} again, {call.ticks - earlier.ticks:.2f} s later"
            yield self._remarks.remark(requirement, call, expected, got)

    def _haste(self, call: Call) -> Iterator[Violation]:
        requirement = self._remarks.requirement(str(self._remarks.client.get("rate", "")))
        if requirement is None:
            return
        early = self._wait_until - call.ticks
        if early > 0 and call.operation:
            self._wait_until = 0.0
            yield self._remarks.remark(
                requirement, call, "that Retry-After is waited for", f"a request {early:.2f} s too early"
            )
        for rate, times in self._rates.items():
            if not rate.methods or call.method in rate.methods:
                times.append(call.ticks)
                if not self._hasty and len(times) > rate.requests and call.ticks - times[0] < rate.seconds:
                    # Said once: one that is too fast is too fast all the time.
                    self._hasty = True
                    expected = f"at most {rate.requests} requests in {rate.seconds:g} s"
                    got = f"{len(times)} in {call.ticks - times[0]:.2f} s"
                    yield self._remarks.remark(requirement, call, expected, got)
