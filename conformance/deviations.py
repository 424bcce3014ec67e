"""Known deviations: what an endpoint is known to do wrong, with reasons, held against the verdicts of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from conformance import descriptors, providers, resources
from conformance.errors import UserError, nearest
from conformance.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from conformance.model import Judgement
    from conformance.suite import Suite

# The endpoint does something else than is documented, whether or not that fails in this run.
_SHOWS = frozenset({Verdict.VIOLATION, Verdict.ADVISORY})
_JUDGED = _SHOWS | {Verdict.CONFORMANT, Verdict.OBSERVED}


class Status(StrEnum):
    """What became of a deviation in a run."""

    SEEN = "seen"
    PASSED = "passed"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"
    NOT_JUDGED = "not judged"


# A list that says what is no longer so would excuse the next mistake: these fail the run.
FAILING = frozenset({Status.PASSED, Status.EXPIRED, Status.UNMATCHED})


@dataclass(frozen=True, slots=True)
class Deviation:
    """One entry of the file. ``id`` is that of a requirement or of a case; it holds through the day ``expires``."""

    id: str
    reason: str
    owner: str = ""
    link: str = ""
    expires: date | None = None

    @property
    def prefix(self) -> str:
        """The letters that ids of its pack begin with."""
        return self.id.partition("-")[0]


def read(path: Path) -> tuple[Deviation, ...]:
    """
    The deviations in a TOML file.

    Raises UserError for an unreadable file, a misspelt key, a missing reason, a date that is none, an id that
    stands there twice or belongs to no provider.
    """
    rows = cast("list[dict[str, Any]]", descriptors.read(path, "deviations", UserError).get("deviation", []))
    found: dict[str, Deviation] = {}
    for index, row in enumerate(rows):
        where = f"{path}: /deviation/{index}"
        if not " ".join(row["reason"].split()):
            raise UserError(f"{where}/reason: is empty; say why this deviation is accepted")
        texts = {key: " ".join(str(row.get(key, "")).split()) for key in ("reason", "owner", "link")}
        made = Deviation(row["id"], **texts, expires=_day(row.get("expires"), where))
        if made.id in found:
            raise UserError(f"{where}/id: {made.id!r} stands there twice; keep one")
        found[made.id] = made
    _known(found.values(), path)
    return tuple(found.values())


def _day(value: object, where: str) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UserError(f"{where}/expires: {value!r} is no date; write for example expires = 2027-01-31") from None


def _known(found: Iterable[Deviation], path: Path) -> None:
    """Raise UserError for an id that no installed provider's ids begin like: no run would ever look at it."""
    prefixes: dict[str, str] = {}
    for each in found:
        prefixes = prefixes or {providers.load(name).prefix: name for name in resources.providers()}
        if each.prefix not in prefixes:
            raise UserError(f"{path}: {each.id!r} is no id of a requirement or case; {nearest(each.prefix, prefixes)}")


class Known:
    """
    The deviations that concern one provider, with the cases that each covers.

    A case that is named itself belongs to that entry, and not to the one of its requirement.
    """

    def __init__(self, deviations: Iterable[Deviation], suite: Suite, today: date) -> None:
        self._suite = suite
        self._today = today
        self.deviations = tuple(each for each in deviations if each.prefix == suite.provider.prefix)
        by_id = {each.id: each for each in self.deviations}
        pairs = ((case.id, by_id.get(case.id) or by_id.get(case.requirement.id)) for case in suite.cases)
        self._of = {name: each for name, each in pairs if each is not None}
        # Those about which this session says something: of the others it is no matter that they have expired.
        self.due = frozenset(each.id for each in self.deviations)

    def of(self, case_id: str) -> Deviation | None:
        """The deviation that covers a case."""
        return self._of.get(case_id)

    def cases(self, deviation: Deviation) -> tuple[str, ...]:
        """The cases that a deviation covers, in the catalogue's order."""
        return tuple(name for name, each in self._of.items() if each is deviation)

    def expired(self, deviation: Deviation) -> bool:
        """Whether its day has passed."""
        return deviation.expires is not None and deviation.expires < self._today

    def is_due(self, deviation: Deviation, selected: Collection[str]) -> bool:
        """Whether something can be said of it when these cases are selected."""
        cases = self.cases(deviation)
        if not cases:
            return True
        chosen = [name in selected for name in cases]
        return any(chosen) if self.expired(deviation) else all(chosen)

    def row(
        self, deviation: Deviation, judgements: Mapping[str, Judgement], selected: Collection[str]
    ) -> dict[str, Any]:
        """A deviation as the report tells it; ``cases`` are those in which it shows."""
        cases = self.cases(deviation)
        verdicts = {name: judgements[name].verdict for name in cases if name in selected and name in judgements}
        shown = [name for name, verdict in verdicts.items() if verdict in _SHOWS]
        row: dict[str, Any] = {
            "id": deviation.id,
            "reason": deviation.reason,
            "owner": deviation.owner,
            "link": deviation.link,
            "expires": str(deviation.expires or ""),
        }
        whole = len(verdicts) == len(cases) and _JUDGED.issuperset(verdicts.values())
        if not cases:
            status = Status.UNMATCHED
            if hint := self._hint(deviation):
                row["hint"] = hint
        elif self.expired(deviation) and deviation.id in self.due:
            status = Status.EXPIRED
        elif shown:
            status = Status.SEEN
        else:
            status = Status.PASSED if whole else Status.NOT_JUDGED
        return row | {"status": str(status), "cases": shown}

    def rows(self, judgements: Mapping[str, Judgement], selected: Iterable[str]) -> list[dict[str, Any]]:
        """All deviations as the report tells them, in the order of the file."""
        chosen = frozenset(selected)
        return [self.row(each, judgements, chosen) for each in self.deviations]

    def _hint(self, deviation: Deviation) -> str:
        """Why nothing is covered: another id was meant, or nothing judges the requirement."""
        names = [each.id for each in self._suite.catalogue.requirements]
        if deviation.id in names:
            return "entries of its cases cover them all" if self._has_cases(deviation) else "no case judges it"
        hint = nearest(deviation.id, [*names, *self._suite.by_id])
        return hint if hint.startswith("did you mean") else ""

    def _has_cases(self, deviation: Deviation) -> bool:
        return any(case.requirement.id == deviation.id for case in self._suite.cases)


def about(row: Mapping[str, Any]) -> str:
    """Reason, owner, link and last day of a deviation, in one line."""
    until = f"until {row['expires']}" if row["expires"] else ""
    more = ", ".join(each for each in (row["owner"], row["link"], until) if each)
    return f"{row['reason']} ({more})" if more else str(row["reason"])


def told(row: Mapping[str, Any]) -> str:
    """What became of a deviation, and what to do about it, in one line."""
    if row["status"] == Status.SEEN:
        more = f" and {len(row['cases']) - 1} more" if len(row["cases"]) > 1 else ""
        return f"{about(row)}  [{row['cases'][0]}{more}]"
    words = {
        Status.PASSED: "passes now, remove it from the file",
        Status.EXPIRED: f"expired on {row['expires']}, remove it or renew it",
        Status.UNMATCHED: f"matches no case of this revision ({row.get('hint') or 'remove it from the file'})",
        Status.NOT_JUDGED: "not judged (not all of its cases were selected, apply and could be judged)",
    }
    return f"{words[Status(row['status'])]}: {about(row)}"
