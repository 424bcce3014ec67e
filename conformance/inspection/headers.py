"""What the documentation has against the headers of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from conformance.inspection.objections import Objection, objection, weigh
from conformance.model import Expect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.inspection.grounds import Grounds
    from conformance.model import Account
    from conformance.providers import Provider


class Headers:
    """Looks at media types, at the presence of credentials, and at headers whose value the account knows."""

    def __init__(self, provider: Provider, account: Account | None, grounds: Grounds) -> None:
        self._main = provider.main
        self._account = account
        self._grounds = grounds
        self._ways = [{name.lower() for name in each.headers} for each in provider.auth.credentials]
        self._known = cast("list[dict[str, str]]", provider.reference.get("headers", []))

    def objections(self, headers: Mapping[str, str]) -> Iterator[Objection]:
        """What is wrong with the headers of a request, by any letter case of their names."""
        given = {name.lower(): value for name, value in headers.items()}
        yield from self._media(given.get("content-type"))
        yield from self._credentials(set(given))
        for each in self._known:
            value = given.get(each["name"])
            wanted = self._account.get(each["fact"]) if self._account else None
            if value is not None and wanted is not None and value != wanted:
                requirement = self._grounds.catalogue.requirement(each["requirement"])
                yield objection(requirement, weigh(requirement), f"{each['name']}: {wanted}", value)

    def _media(self, sent: str | None) -> Iterator[Objection]:
        kind = (sent or "").partition(";")[0].strip().lower()
        wanted = self._main.content_type
        if kind == wanted:
            return
        cases = dict(self._grounds.request_cases("/headers/content-type"))
        case = next((each for value, each in cases.items() if str(value or "").partition(";")[0] == kind), None)
        requirement = case.requirement if case else self._grounds.question("json-as-text" if kind else "no-media-type")
        if requirement is None:
            requirement = self._grounds.body
        observed = case is not None and case.expect is Expect.OBSERVE
        expected = f"content-type: {wanted}"
        yield objection(requirement, weigh(requirement, observed=observed), expected, sent or "nothing")

    def _credentials(self, given: set[str]) -> Iterator[Objection]:
        """One objection for each header that is missing of the way to authenticate that is nearest to what is given."""
        missing = min((sorted(way - given) for way in self._ways), key=len)
        for name in missing:
            cases = [case for value, case in self._grounds.request_cases(f"/headers/{name}") if value is None]
            case = next((each for each in cases if each.expect is Expect.DENY), None)
            requirement = case.requirement if case else self._grounds.question("no-credentials")
            if requirement:
                yield objection(requirement, weigh(requirement), f"the header {name}", "nothing")
