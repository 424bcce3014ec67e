"""The manifest of a recording: under which circumstances it was made, and which files belong to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from conformance.model import Case, Json, JsonObject, Record
    from conformance.suite import Suite

NAME = "recording.yaml"
FORMAT = "conformance-recording"
VERSION = 1
# What of a case is for readers, for planning or for this run's account only.
_ASIDE = frozenset(
    {"id", "requirement", "rank", "needs", "needs_credentials", "when", "why", "site", "excluded", "twin"}
)

# Written for those who explored only.
_EXPLORED = ("explore", "explored")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A case as it was when it was recorded: the digest of its definition, and its verdict then."""

    digest: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Session:
    """
    What one run recorded.

    ``source`` is ``reference`` or ``live``, ``url`` where it went; ``instant`` is set where the
    clock stood still. ``credentials`` are names without values, ``closed`` operations that could
    not be tested. ``records`` are in the order of the run.
    """

    source: str
    url: str
    strict: bool
    revision: str
    pack_sha256: str
    suite_version: str
    recorded_at: datetime
    instant: datetime | None
    started_at: datetime
    finished_at: datetime | None
    seed: int
    token: str
    credentials: tuple[str, ...]
    closed: dict[str, str]
    allowed: tuple[str, ...]
    account: JsonObject
    control: str
    stopped: str
    orders_created: int
    spent: dict[str, str]
    left: tuple[str, ...]
    not_run: dict[str, str]
    cases: dict[str, Recorded]
    # Requests to a part of the API that lies elsewhere are relative to this too.
    records: tuple[Record, ...] = field(default=(), repr=False)
    # Made-up changes as JSON texts, and how many were asked for: their cases follow from them and the pack.
    explore: int = 0
    explored: tuple[str, ...] = ()

    def same(self, other: Session) -> bool:
        """Whether two sessions differ in nothing but when they were recorded."""
        return replace(self, recorded_at=other.recorded_at) == other


@dataclass(frozen=True, slots=True)
class Recording:
    """All that is recorded of a provider: sessions, the newest last. ``files`` gives the SHA-256 of each file."""

    provider: str
    sessions: tuple[Session, ...]
    files: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def recorded_at(self) -> datetime:
        """When the oldest part was recorded."""
        return min(each.recorded_at for each in self.sessions)

    def owners(self) -> dict[str, int]:
        """Which session tells of a case: the newest that has it."""
        return {name: index for index, each in enumerate(self.sessions) for name in each.cases}

    def case(self, name: str) -> Recorded | None:
        """A case as the newest session has it."""
        return next((each.cases[name] for each in reversed(self.sessions) if name in each.cases), None)


def written(recording: Recording) -> dict[str, Any]:
    """The manifest as data."""
    return {
        "format": f"{FORMAT}/{VERSION}",
        "provider": recording.provider,
        "sessions": [_session(each) for each in recording.sessions],
        "files": recording.files,
    }


def _session(session: Session) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for each in fields(session):
        value = getattr(session, each.name)
        if each.name == "records" or (each.name in _EXPLORED and not value):
            continue
        if each.name == "cases":
            value = {name: f"{case.digest} {case.verdict}" for name, case in value.items()}
        elif isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, tuple):
            value = list(value)
        row[each.name] = value
    return row


def read(data: Any) -> Recording:
    """A recording without its records. Raises KeyError, TypeError, ValueError or AttributeError for other data."""
    sessions = tuple(_read_session(each) for each in data["sessions"])
    if not sessions:
        raise ValueError("no session in it")
    return Recording(data["provider"], sessions, {str(name): str(each) for name, each in data["files"].items()})


def _read_session(row: Any) -> Session:
    def moment(name: str) -> datetime | None:
        found = datetime.fromisoformat(row[name]) if row[name] else None
        if found is not None and found.tzinfo is None:
            raise ValueError(f"{name} has no time zone")
        return found

    names = {each.name for each in fields(Session)} - {"records", *_EXPLORED}
    values = {name: row[name] for name in names}
    values |= {name: moment(name) for name in ("recorded_at", "instant", "started_at", "finished_at")}
    if values["recorded_at"] is None or values["started_at"] is None:
        raise ValueError("it does not say when it was recorded")
    values |= {name: tuple(row[name]) for name in ("credentials", "allowed", "left")}
    values |= {"explore": int(row.get("explore", 0)), "explored": tuple(map(str, row.get("explored", ())))}
    values["cases"] = {name: Recorded(*each.split(" ")) for name, each in row["cases"].items()}
    return Session(**values)


def digests(suite: Suite) -> dict[str, str]:
    """The digest of each case's definition: recipe, steps, expectation, level, and its accepted twin's."""
    own = {case.id: _definition(case) for case in suite.cases}
    twins = {name: repr(_plain(recipe)) for name, recipe in suite.twins.items()} | own

    def whole(case: Case) -> str:
        text = "\n".join([own[case.id], twins.get(case.twin, case.twin), *(own.get(name, name) for name in case.reads)])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    return {case.id: whole(case) for case in suite.cases}


def _definition(case: Case) -> str:
    told = {name: _plain(getattr(case, name)) for name, _ in _defaults(cast("Any", type(case))) if name not in _ASIDE}
    return repr(
        [str(case.requirement.level), {name: each for name, each in told.items() if each not in ("", [], None)}]
    )


def _plain(value: object) -> Json:
    """A value without what is its default, so that a member the model gains later changes nothing."""
    if is_dataclass(value):
        return {
            name: _plain(getattr(value, name))
            for name, default in _defaults(cast("Any", type(value)))
            if getattr(value, name) != default
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return value.value if isinstance(value, Enum) else value  # type: ignore[return-value]  # models hold JSON


@cache
def _defaults(kind: Any) -> tuple[tuple[str, object], ...]:
    return tuple((each.name, each.default) for each in fields(kind))
