"""On what grounds a schema mistake is objected to: the requirement that owns the place, and what its cases expect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from conformance import catalogue, envelope, schemas
from conformance.changes import pointer as joined
from conformance.changes import tokens
from conformance.checks import handmade, mechanical
from conformance.inspection.kinds import alike, is_expression, is_same, kind, lenient, made_kind, sample
from conformance.inspection.objections import weigh
from conformance.model import Case, Expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.catalogue import Owned
    from conformance.model import Account, Json, Requirement, Verdict
    from conformance.providers import Provider
    from conformance.schemas import Mistake

# What a node of a request schema says of keywords that have no site: whose they are.
_OWNER = "x-requirement"
# A schema of the values that the documentation has such keywords for; of others it says nothing.
_DOCUMENTED = "x-documented-for"


@dataclass(frozen=True, slots=True)
class Ground:
    """A requirement, and how much an objection in its name weighs."""

    requirement: Requirement
    verdict: Verdict


class Grounds:
    """The requirements of a pack by the places that they own, with the cases that say what is made of a value."""

    def __init__(self, provider: Provider, account: Account | None) -> None:
        self._provider = provider
        self._main = provider.main
        self._account = account
        self.catalogue = catalogue.load(provider.name, provider.revision)
        own = [each for each in self.catalogue.sites if each.operation == self._main.id]
        self._sites = {_key(each.site.at, each.site.keyword, each.site.value): each for each in own}
        self._types = {each.site.at: each for each in own if each.site.keyword == "type"}
        self._any = own[0]
        self._found: dict[tuple[str, str], list[tuple[Json, Case]]] = {}

    def of(self, mistake: Mistake, value: Json) -> Ground:
        """The ground of a mistake; ``value`` is what stands there."""
        at, keyword = joined([str(part) for part in mistake.rule[:-1]]), mistake.keyword
        owned = self._sites.get(_key(at, keyword, mistake.missing))
        if owned is None:
            # Only strict endpoints look for members that nobody knows.
            unknown = keyword == "additionalProperties"
            requirement = self._unlisted(at, "unknown" if unknown else "")
            spoken_of = schemas.validator(self._node(tokens(at)).get(_DOCUMENTED, {})).accepts(value)
            return Ground(requirement, weigh(requirement, observed=unknown or not spoken_of))
        missing = keyword == "required"
        case = None if missing else self._precedent(owned, self._generic(mistake.pointer), value)
        if case is None:
            reading = keyword == "type" and lenient(owned.site, value)
            return Ground(owned.requirement, weigh(owned.requirement, reading=reading))
        observed = case.expect is Expect.OBSERVE
        # Where the documentation says more of a value than of its place, that is what counts.
        about = observed or (value is None and not case.site and len(case.steps[-1].change) == 1)
        requirement = case.requirement if about else owned.requirement
        return Ground(requirement, weigh(requirement, reading=case.reading, observed=observed))

    def at(self, pointer: str) -> Requirement:
        """The requirement of the nearest place of the schema around a JSON Pointer."""
        parts: list[str] = []
        for part in tokens(pointer):
            node = self._node(parts)
            if part in node.get("properties", {}):
                parts += ["properties", part]
            elif "items" in node or "additionalProperties" in node:
                parts.append("items" if "items" in node else "additionalProperties")
        return self._unlisted(joined(parts), "")

    def question(self, word: str) -> Requirement | None:
        """The requirement that answers one of the questions that are put to every provider."""
        name = self.catalogue.questions.get(word, "").partition("/")[0]
        return self.catalogue.requirement(name) if name else None

    @property
    def body(self) -> Requirement:
        """The requirement that the body is JSON at all."""
        return self.question("broken-json") or self._any.requirement

    def request_cases(self, place: str) -> Iterator[tuple[Json, Case]]:
        """(value, case) of those that change a part of the request: ``/body``, ``/headers/content-type``."""
        for case in self._cases:
            step = case.steps[0]
            if (
                len(case.steps) == 1
                and step.scope == "request"
                and len(step.change) == 1
                and step.change[0]["path"] == place
            ):
                yield step.change[0].get("value"), case

    def _unlisted(self, at: str, keyword: str) -> Requirement:
        """Whose a node is that no constraint with an owner stands in: it says so, or the next one around it does."""
        owned = self._sites.get(_key(at, keyword, None))
        if owned:
            return owned.requirement
        parts = tokens(at)
        for length in range(len(parts), -1, -1):
            place = joined(parts[:length])
            name = str(self._node(parts[:length]).get(_OWNER, ""))
            if name or place in self._types:
                return self.catalogue.requirement(name) if name else self._types[place].requirement
        return self._any.requirement

    def _node(self, parts: list[str]) -> dict[str, Any]:
        """The node of the request schema that a path leads to; nothing where only strict readers have one."""
        node: Any = self._main.request_schema
        for part in parts:
            node = node[int(part)] if isinstance(node, list) else node.get(part, {})
        return cast("dict[str, Any]", node) if isinstance(node, dict) else {}

    def _precedent(self, owned: Owned, place: str, value: Json) -> Case | None:
        """The case that says most of a value at a place: one about this value, else one about values of its kind."""
        known = self._about(owned, place)
        same = [case for given, case in known if not is_expression(given) and is_same(given, value)]
        if value is None:
            same += [case for given, case in known if given == "@null"]
        if same:
            # What is observed of a value that has to be refused is how that is done.
            same.sort(key=lambda case: (case.expect is Expect.OBSERVE, not case.reading, bool(case.site)))
            return same[0]
        milder = sorted(known, key=lambda each: (each[1].expect is not Expect.OBSERVE, not each[1].reading))
        if owned.site.keyword == "format":
            return next((case for given, case in milder if self._misses_alike(owned, given, case, value)), None)
        if owned.site.keyword == "type":
            return next((case for given, case in milder if made_kind(given) == kind(value)), None)
        return None

    def _about(self, owned: Owned, place: str) -> list[tuple[Json, Case]]:
        """(value, case) of every case about a constraint, or about values at its place; looked for once."""
        key = (owned.site.key, place)
        if key not in self._found:
            known = [*self._placed.get(place, ())]
            for case in mechanical.cases(owned, self._main):
                known += [(each["value"], case) for each in case.steps[-1].change if "value" in each]
            self._found[key] = [each for each in known if each[1].expect in (Expect.REFUSE, Expect.OBSERVE)]
        return self._found[key]

    @staticmethod
    def _misses_alike(owned: Owned, given: Json, case: Case, value: Json) -> bool:
        """Whether a case observes a value that misses a format in the way that another value does."""
        if case.expect is not Expect.OBSERVE or not alike(given, value):
            return False
        return not schemas.validator({"format": owned.site.value}).accepts(sample(given))

    @cached_property
    def _cases(self) -> list[Case]:
        """The hand-made cases that say what becomes of a request to the main operation, be it the last of several."""
        known = self.catalogue
        return [
            case
            for requirement in known.requirements
            for data in known.cases[requirement.id]
            for case in handmade.cases(data, requirement, self._provider, known.conditions[requirement.id])
            if case.operation == self._main.id
            and (len(case.steps) == 1 or case.expect is Expect.REFUSE)
            and case.expect in (Expect.REFUSE, Expect.OBSERVE, Expect.DENY)
            and not (self._account and any(self._account.get(key) != value for key, value in case.when))
        ]

    @cached_property
    def _placed(self) -> dict[str, list[tuple[Json, Case]]]:
        """(value, case) of the hand-made cases by the place that they put a value at."""
        found: dict[str, list[tuple[Json, Case]]] = {}
        for case in self._cases:
            step = case.steps[-1]
            prefix = envelope.place(self._main, 0) if step.scope == "order" else ""
            for change in step.change if step.scope in ("order", "body") else ():
                if "value" in change:
                    place = self._generic(prefix + str(change["path"]))
                    found.setdefault(place, []).append((change["value"], case))
        return found

    def _generic(self, pointer: str) -> str:
        """A place in any order and any element."""
        parts = ["*" if part.isdigit() else part for part in tokens(pointer)]
        if self._main.envelope == "named" and parts:
            parts[0] = "*"
        return joined(parts)


def _key(at: str, keyword: str, value: Json) -> tuple[str, str, str]:
    return at, keyword, str(value) if keyword in ("required", "optional") else ""
