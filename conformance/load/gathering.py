"""Gathering: what all workers told, added up, with what was not told by those that are gone."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from conformance import __version__, spend
from conformance.errors import UserError
from conformance.load.payloads import Pool
from conformance.load.tally import Tally
from conformance.model import Level

if TYPE_CHECKING:
    from conformance.load.settings import Load
    from conformance.target import Target

# The standing checks that tell orders apart, over all workers.
_DISTINCT = frozenset({"new-ids", "numbers", "distinct"})


@dataclass(slots=True)
class Colleague:
    """One worker as the master knows it."""

    index: int
    ahead: float = 0.0
    ready: bool = False
    requests: int = 0
    orders: int = 0
    in_flight: int = 0
    number: int = 0
    reported_at: float = 0.0
    last: bool = False
    exhausted: bool = False
    lost_at: float | None = None


@dataclass(slots=True)
class _Twice:
    """Names that were given to two orders."""

    seen: set[str] = field(default_factory=set[str])
    twice: list[str] = field(default_factory=list[str])

    def see(self, names: list[str]) -> None:
        for each in names:
            if each in self.seen:
                self.twice.append(each)
            self.seen.add(each)


class Gathering:
    """What was told so far. Workers are known by the name that Locust gives them."""

    def __init__(self, target: Target, load: Load) -> None:
        self._target, self._load = target, load
        pool = Pool(target.suite, load)
        self.contested = bool(pool.contest and load.races)
        self.about = about(target)
        self.refused: list[str] = []
        self.interrupted = False
        self._colleagues: dict[str, Colleague] = {}
        self._tally = Tally()
        self._rows: list[list[int]] = []
        self._races: list[dict[str, Any]] = []
        self._ids = _Twice()
        self._violated = False
        self._elapsed = 0.0
        self._now = 0.0

    # Workers

    def admit(self, name: str) -> int:
        """The number of a worker, which is its own for ever."""
        return self._colleagues.setdefault(name, Colleague(len(self._colleagues))).index

    def share(self, index: int) -> Load:
        """The load as a worker is told of it: with its part of the orders that may be sent."""
        load = self._load
        if not load.quota:
            return load
        # What a race costs is set aside; who comes late has nothing left to send.
        races = 2 * int(load.duration / load.races) + 2 if self.contested else 0
        part = max(load.quota - races, 0) // load.processes
        return replace(load, quota=max(part, 1) if index < load.processes else 1)

    def ready(self, index: int, name: str, ahead: float) -> None:
        """A worker has made its payloads."""
        colleague = self._colleagues.setdefault(name, Colleague(index))
        colleague.ready, colleague.ahead = True, ahead

    def lost(self, name: str, second: float) -> None:
        """A worker is gone: what it told is kept, what it did not tell is missing."""
        colleague = self._colleagues[name]
        if not colleague.last and colleague.lost_at is None:
            colleague.lost_at = second

    @property
    def present(self) -> list[str]:
        """The workers that are there."""
        return [name for name, each in self._colleagues.items() if each.ready and each.lost_at is None]

    @property
    def complete(self) -> bool:
        """Whether everybody who is there has told everything."""
        return all(self._colleagues[name].last for name in self.present)

    def give_up(self, second: float) -> None:
        """Whoever has not told everything by now is gone."""
        for name in self.present:
            self.lost(name, second)

    # Reports

    def report(self, name: str, told: dict[str, Any]) -> None:
        """Add what a worker told."""
        colleague = self._colleagues[name]
        tally = told["tally"]
        colleague.requests += tally["counts"].get("requests", 0)
        colleague.orders += tally["counts"].get("orders", 0)
        colleague.in_flight, colleague.number = told["in_flight"], told["number"]
        colleague.exhausted, colleague.last = told["exhausted"], colleague.last or told["last"]
        colleague.reported_at = self._now
        self._tally.add(tally)
        self._rows += told["rows"]
        self._races += told["races"]
        self._ids.see(told["ids"])
        self._violated |= told["violated"] or bool(self._ids.twice)

    def over(self, second: float, load: Load) -> bool:
        """Whether the run has come to its end."""
        self._now = second
        colleagues = [self._colleagues[name] for name in self.present]
        if self.interrupted or second >= load.duration or not colleagues:
            return True
        return all(each.exhausted for each in colleagues) or (load.stop_on_violation and self._violated)

    def interrupt(self) -> None:
        """Somebody wants the run to end now."""
        self.interrupted = True

    def ended(self, second: float) -> None:
        """The run has come to its end."""
        self._elapsed = second

    def line(self, second: float, users: int) -> str:
        """How the run goes, in one line."""
        counts = self._tally.counts
        rate = counts["orders"] / second if second else 0.0
        return (
            f"{second:.0f} s: {len(self.present)} workers, {users} callers, {counts['requests']} requests,"
            f" {counts['orders']} orders ({rate:.0f} a second), {self._tally.violations} violations"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything that was told, and what was not."""
        self._distinct()
        return {
            "elapsed": self._elapsed,
            "tally": self._tally.to_json(),
            "rows": self._rows,
            "races": self._races,
            "workers": [
                {
                    "index": each.index,
                    "requests": each.requests,
                    "orders": each.orders,
                    "ahead_s": round(each.ahead, 3),
                    "lost_at_s": None if each.lost_at is None else round(each.lost_at, 1),
                    "silent_since_s": None if each.lost_at is None else round(each.reported_at, 1),
                    "in_flight": each.in_flight if each.lost_at is not None else 0,
                    "number": each.number,
                }
                for each in self._colleagues.values()
            ],
            "exhausted": bool(self._colleagues) and all(each.exhausted for each in self._colleagues.values()),
        }

    def _distinct(self) -> None:
        """What the vendor calls orders has to be different over all workers."""
        suite, main = self._target.suite, self._target.suite.provider.main
        cases = [each for each in suite.cases if each.standing in _DISTINCT and each.operation == main.id]
        # The place of a case that looks at one place only has to be that of orders' ids.
        known = {main.outcome.entries + main.outcome.id, *main.outcome.ids} if main.outcome else set[str]()
        cases = [each for each in cases if each.standing != "distinct" or each.value_at in known]
        case = next((each for each in cases if each.requirement.level is Level.MUST), None)
        if case is None or not self._ids.seen:
            return
        twice = [name for name, _ in Counter(self._ids.twice).most_common(3)]
        self._tally.judged(case.id, "violation" if twice else "conformant", int(self._elapsed))
        for name in twice:
            self._tally.found(
                case.id,
                {"where": "id of a new order", "expected": "one that no other order has", "got": name, "title": ""},
            )


def about(target: Target) -> dict[str, str]:
    """What master and workers have to agree on."""
    facts = json.dumps(target.suite.account.facts, sort_keys=True).encode()
    return {
        "provider": target.suite.provider.name,
        "revision": target.suite.provider.revision,
        "pack": target.suite.provider.folders.digest(),
        "endpoint": target.endpoint,
        "account": hashlib.sha256(facts).hexdigest(),
        "version": __version__,
    }


def agreement(target: Target, wanted: dict[str, str]) -> str:
    """Why a worker cannot work for a master, or an empty text."""
    mine = about(target)
    words = {"pack": "another pack", "account": "other account facts", "version": "another version of the suite"}
    for name, value in wanted.items():
        if mine.get(name) != value:
            return f"--worker: the master is about {words.get(name, f'the {name} {value}')}; start both alike"
    return ""


def quota(target: Target, load: Load, most: int) -> int:
    """
    How many orders may be sent: no more than were allowed, nor than the account's ``max_spend`` pays for.

    Raises UserError where that is none at all.
    """
    limit, dearest = spend.limit(target.suite.account), Pool(target.suite, load).dearest
    if limit is None or not dearest:
        return most
    affordable = limit // dearest
    if not affordable:
        raise UserError("account: max_spend pays for no order at all; allow more, or leave it out")
    return min(most, affordable) if most else affordable
