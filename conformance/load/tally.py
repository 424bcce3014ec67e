"""A tally: what one worker counted, in plain numbers that add up over workers and seconds."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

K = TypeVar("K")
# Neighbouring buckets differ by five per cent, which is as exactly as anybody reads a percentile.
_STEP = math.log(1.05)
_KEPT = 10


def bucket(milliseconds: float) -> int:
    """The bucket of a duration."""
    return round(math.log(max(milliseconds, 0.01)) / _STEP)


def percentile(histogram: dict[int, int], share: float) -> float | None:
    """The duration in milliseconds within which so great a share lies; None where nothing was measured."""
    total = sum(histogram.values())
    wanted = math.ceil(total * share)
    for name in sorted(histogram):
        wanted -= histogram[name]
        if wanted <= 0:
            return round(math.exp(name * _STEP), 1)
    return None


@dataclass(slots=True)
class Tally:
    """
    ``checks`` counts verdicts by check, ``findings`` keeps the first few of each; ``seconds`` tells of every second
    of the run what was answered in it, ``sizes`` the durations by batch size; ``clock`` are seconds of work by kind.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    checks: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict[str, Counter[str]](Counter))
    findings: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict[str, list[dict[str, Any]]](list)
    )
    seconds: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict[int, Counter[str]](Counter))
    latency: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict[int, Counter[int]](Counter))
    sizes: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict[int, Counter[int]](Counter))
    clock: dict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))

    def judged(self, check: str, verdict: str, second: int) -> None:
        """Count one verdict of a check."""
        self.checks[check][verdict] += 1
        self.seconds[second][verdict] += 1

    def found(self, check: str, finding: dict[str, Any]) -> None:
        """Keep what was found, if it is among the first of its check."""
        if len(self.findings[check]) < _KEPT:
            self.findings[check].append(finding)

    def answered(self, second: int, size: int, milliseconds: float) -> None:
        """Count an answer with its duration."""
        self.seconds[second]["requests"] += 1
        self.seconds[second]["orders"] += size
        self.latency[second][bucket(milliseconds)] += 1
        self.sizes[size][bucket(milliseconds)] += 1

    @property
    def violations(self) -> int:
        """How many verdicts were violations."""
        return sum(each["violation"] for each in self.checks.values())

    def to_json(self) -> dict[str, Any]:
        """The tally as plain values; keys are texts."""
        return {
            "counts": dict(self.counts),
            "statuses": dict(self.statuses),
            "checks": {name: dict(each) for name, each in self.checks.items()},
            "findings": dict(self.findings),
            "seconds": {str(name): dict(each) for name, each in self.seconds.items()},
            "latency": {str(name): _texts(each) for name, each in self.latency.items()},
            "sizes": {str(name): _texts(each) for name, each in self.sizes.items()},
            "clock": dict(self.clock),
        }

    def add(self, told: dict[str, Any]) -> None:
        """Add what another tally counted."""
        self.counts.update(told["counts"])
        self.statuses.update(told["statuses"])
        for name, each in told["clock"].items():
            self.clock[name] += each
        for name, each in told["checks"].items():
            self.checks[name].update(each)
        for name, rows in told["findings"].items():
            for row in rows:
                self.found(name, row)
        for name, each in told["seconds"].items():
            self.seconds[int(name)].update(each)
        for name, each in told["latency"].items():
            self.latency[int(name)].update(_numbers(each))
        for name, each in told["sizes"].items():
            self.sizes[int(name)].update(_numbers(each))


def together(counters: Iterable[Counter[K]]) -> Counter[K]:
    """Several counters as one."""
    total: Counter[K] = Counter()
    for each in counters:
        total.update(each)
    return total


def _texts(histogram: dict[int, int]) -> dict[str, int]:
    return {str(name): count for name, count in histogram.items()}


def _numbers(histogram: dict[str, int]) -> dict[int, int]:
    return {int(name): count for name, count in histogram.items()}
