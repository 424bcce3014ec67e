"""The catalogue of a pack: its requirements, which schema sites each owns, and its hand-made cases and faults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from conformance import descriptors, schemas
from conformance.errors import PackError, nearest
from conformance.model import Level, Requirement

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.schemas import Site


@dataclass(frozen=True, slots=True)
class Owned:
    """
    A schema site with the requirement that owns its mechanical cases.

    ``accept_side`` and ``refuse_side`` say how its two sides are held where that is not
    mechanical: ``observe``, ``none`` or ``by-hand``; ``observed`` names the format examples that
    the documentation is silent about.
    """

    operation: str
    site: Site
    requirement: Requirement
    accept_side: str = ""
    refuse_side: str = ""
    observed: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    needs_credentials: tuple[str, ...] = ()
    when: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerSite:
    """A constraint on the answers of an operation (``answer`` is ``success`` or ``refusal``), and who demands it."""

    operation: str
    answer: str
    site: Site
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Catalogue:
    """
    ``sites`` and ``answers`` in the order of the schemas.

    ``cases``, ``faults`` and the ``conditions`` of a requirement (``needs``,
    ``needs-credentials``, ``when``) are as written in the pack, by its id. ``questions`` are
    those that are put to every provider, each with the case that answers it.
    """

    requirements: tuple[Requirement, ...]
    sites: tuple[Owned, ...]
    answers: tuple[AnswerSite, ...]
    cases: dict[str, tuple[dict[str, Any], ...]]
    faults: dict[str, tuple[dict[str, Any], ...]]
    conditions: dict[str, dict[str, Any]]
    questions: dict[str, str]

    def requirement(self, name: str) -> Requirement:
        """A requirement by id. Raises PackError with the nearest id."""
        for each in self.requirements:
            if each.id == name:
                return each
        raise PackError(f"no requirement {name!r}; {nearest(name, [each.id for each in self.requirements])}")


@cache
def load(provider: str, revision: str = "") -> Catalogue:
    """
    The catalogue of a provider.

    Raises PackError when an id repeats, a covered site does not exist, or a constraint of
    a request schema is covered twice or not at all.
    """
    from conformance import providers  # noqa: PLC0415  # a cached call by name needs the loader, not the value

    pack = providers.load(provider, revision)
    path = pack.folders.schemas / "requirements.toml"
    data = cast("dict[str, list[dict[str, Any]]]", descriptors.read(path, "requirements", PackError))
    rows = [_of_revision(each, pack.revision) for each in data["requirement"] if _exists(each, pack.revision)]
    requirements = tuple(
        Requirement(each["id"], Level(each["level"]), each["area"], each["title"], each["source"],
                    each.get("untestable", ""))
        for each in rows
    )  # fmt: skip
    seen: set[str] = set()
    for row in rows:
        if row["id"] in seen:
            raise PackError(f"{path}: {row['id']}: stands there twice; ids are for ever and for one thing")
        seen.add(row["id"])
        if not row["id"].startswith(f"{pack.prefix}-"):
            raise PackError(f"{path}: {row['id']}: ids of this pack begin with {pack.prefix}-")
    return Catalogue(
        requirements,
        _owned(pack, rows, requirements, str(path)),
        _answers(pack, rows, requirements, str(path)),
        {row["id"]: tuple(row.get("case", ())) for row in rows},
        {row["id"]: tuple(row.get("fault", ())) for row in rows},
        {row["id"]: {key: row[key] for key in ("needs", "needs-credentials", "when") if key in row} for row in rows},
        _questions(rows, str(path)),
    )


def _questions(rows: list[dict[str, Any]], path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        for question, local in row.get("questions", {}).items():
            if question in found:
                raise PackError(f"{path}: {row['id']}: the question {question!r} is answered by {found[question]} too")
            found[question] = f"{row['id']}/{local}"
    return found


def _exists(row: dict[str, Any], revision: str) -> bool:
    return revision in row.get("revision", (revision,))


def _of_revision(row: dict[str, Any], revision: str) -> dict[str, Any]:
    """A requirement with the cases and faults that a revision of the documentation knows."""
    parts: dict[str, Any] = {
        key: [each for each in row[key] if _exists(each, revision)] for key in ("case", "fault") if key in row
    }
    return {**row, **parts}


def sites(schema: JsonObject) -> dict[str, Site]:
    """The sites of an inlined schema by their catalogue key."""
    return {site.key: site for site in schemas.walk(schema)}


def _owned(
    pack: Provider, rows: list[dict[str, Any]], requirements: tuple[Requirement, ...], path: str
) -> tuple[Owned, ...]:
    known: dict[tuple[str, str], Site] = {}
    for operation in pack.operations:
        if operation.request_schema:
            known |= {(operation.id, key): site for key, site in sites(operation.request_schema).items()}
    found: dict[tuple[str, str], Owned] = {}
    for row, requirement in zip(rows, requirements, strict=True):
        for entry in row.get("covers", ()):
            operation_id, colon, key = entry.partition(":")
            place = (operation_id, key) if colon else (pack.main.id, entry)
            if place not in known and _known_elsewhere(pack, place):
                continue
            if place not in known:
                hint = nearest(place[1], [each for name, each in known if name == place[0]])
                raise PackError(f"{path}: {requirement.id}: covers {entry!r}, which no request schema has; {hint}")
            if place in found:
                raise PackError(f"{path}: {requirement.id}: {entry!r} is covered by {found[place].requirement.id} too")
            found[place] = Owned(
                place[0],
                known[place],
                requirement,
                row.get("accept-side", ""),
                row.get("refuse-side", ""),
                frozenset(row.get("observe-formats", ())),
                tuple(row.get("needs", ())),
                tuple(row.get("needs-credentials", ())),
                tuple(row.get("when", {}).items()),
            )
    missing = [f"{name}: {key}" for name, key in known if (name, key) not in found and not key.endswith(" unknown")]
    if missing:
        raise PackError(
            f"{path}: no requirement covers {missing[0]!r} ({len(missing)} in all); add it to a covers list"
        )
    return tuple(found[place] for place in known if place in found)


def _answers(
    pack: Provider, rows: list[dict[str, Any]], requirements: tuple[Requirement, ...], path: str
) -> tuple[AnswerSite, ...]:
    main = pack.main
    known: dict[tuple[str, str], Site] = {}
    for answer, schema in (("success", main.success_schema), ("refusal", main.refusal_schema)):
        known |= {(answer, key): site for key, site in sites(schema or {}).items()}
    found: dict[tuple[str, str], AnswerSite] = {}
    for row, requirement in zip(rows, requirements, strict=True):
        for entry in row.get("answers", ()):
            answer, _, key = entry.partition(" ")
            place = (answer, key)
            if place not in known:
                hint = nearest(key, [each for name, each in known if name == answer])
                raise PackError(f"{path}: {requirement.id}: answers {entry!r}, which no answer schema has; {hint}")
            if place in found:
                raise PackError(f"{path}: {requirement.id}: {entry!r} is held by {found[place].requirement.id} too")
            found[place] = AnswerSite(main.id, answer, known[place], requirement)
    missing = [place for place in known if place not in found and not place[1].endswith((" unknown", " optional"))]
    if missing:
        raise PackError(f"{path}: no requirement holds {' '.join(missing[0])!r}; add it to an answers list")
    return tuple(found[place] for place in known if place in found)


def _known_elsewhere(pack: Provider, place: tuple[str, str]) -> bool:
    """Whether another revision of the documentation knows a site."""
    from conformance import providers  # noqa: PLC0415  # see above

    for revision in pack.revisions:
        other = providers.load(pack.name, revision).operations
        if any(each.id == place[0] and place[1] in sites(each.request_schema) for each in other):
            return True
    return False
