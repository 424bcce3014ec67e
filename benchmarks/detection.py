"""
How many faults are found: this suite beside Schemathesis, on the same faulty endpoints, in one run.

    python benchmarks/detection.py [PROVIDER[=N]…] [--faults N] [--jobs 2] [--examples 100] [--write docs/detection.md]

``--faults 100`` tries about a hundred faults of each provider, evenly from every class, ``atlast=0`` every one of AtLast.
What both sides do is said on the page that is written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import detection_page
from detection_other import Outsider
from detection_ours import CLASSES, Ours, class_of, variants

PROVIDERS = ("atlast", "sendcloud", "ezcards", "centra")
# Budgets, by how many cases the suite has; a run within them costs less than one of Schemathesis.
BUDGETS = ((0, (150,)), (600, (150, 300)), (1000, (300, 600)))
# Faults for which a genuine run of Schemathesis is held against what replaying its requests comes to.
FIDELITY = 4


@dataclass
class Row:
    """One fault: how the suite shows it, whole and within its budgets, and which check of Schemathesis failed first."""

    fault: str
    kind: str
    ours: tuple[str, ...]
    phase: str
    check: str
    sent: int


@dataclass
class Side:
    """Both sides for one provider."""

    ours: Ours
    other: Outsider

    def row(self, fault) -> Row:
        bench = self.ours.bench
        ours = self.ours.find(fault)
        seen = self.other.find(fault.apply(bench.healthy))
        return Row(fault.id, class_of(fault, bench), ours, seen.phase, seen.check, seen.sent)


def prepare(provider: str, examples: int, phases=("examples", "coverage", "fuzzing")) -> Side:
    """Both sides of a provider: the suite built, and Schemathesis's requests generated."""
    ours = Ours(provider, ())
    bench = ours.bench
    ours.budgets = next(each for least, each in reversed(BUDGETS) if len(bench.suite.cases) >= least)
    other = Outsider(bench.pack, bench.suite.account, bench.healthy, ours.instant, examples, phases).generate()
    return Side(ours, other)


def chosen(side: Side, most: int) -> tuple[int, list]:
    """One of so many faults of each class, and these; those that merely bear a requirement's id are others over again."""
    by_class = defaultdict(list)
    for fault in side.ours.bench.faults.values():
        if fault.kind != "whole" and not fault.unseen:
            by_class[class_of(fault, side.ours.bench)].append(fault)
    number = sum(map(len, by_class.values()))
    sample = -(-number // most) if most else 1
    return sample, [fault for name in CLASSES for fault in by_class[name][::sample]]


def alarms(side: Side) -> dict[str, dict[str, list[str]]]:
    """What each side holds against endpoints that do what is documented."""
    found = {}
    for name, (behaviour, change) in variants(side.ours.name).items():
        other = sorted(f"{check} ({label})" for check, label in side.other.alarms(behaviour, change))
        found[name] = {"ours": side.ours.alarms(behaviour, change), "other": other}
    return found


def fidelity(side: Side, rows: list[Row]) -> dict[str, bool]:
    """Whether a genuine run of Schemathesis, with nothing replayed, finds just the faults that replaying finds."""
    found = [each for each in rows if each.phase == "coverage"]
    lost = [each for each in rows if not each.phase]
    half = FIDELITY // 2
    sample = [*found[:: max(len(found) // half, 1)][:half], *lost[:: max(len(lost) // half, 1)][:half]]
    known = _failures(side, side.ours.bench.healthy)
    return {
        each.fault: bool(_failures(side, side.ours.bench.faults[each.fault].apply(side.ours.bench.healthy)) - known)
        == (each.phase == "coverage")
        for each in sample
    }


def _failures(side: Side, behaviour) -> set[tuple[str, str]]:
    found = set()
    for _, recorder, _ in side.other.genuine(behaviour, ("coverage",)):
        for name, checks in recorder.checks.items():
            label = recorder.cases[name].value.operation.label if name in recorder.cases else ""
            found |= {(each.name, label) for each in checks if each.failure_info}
    return found


def part(provider: str, most: int, jobs: int, number: int, examples: int) -> dict:
    """The rows of one process's share of the faults; the first tries the healthy endpoints as well."""
    side = prepare(provider, examples)
    sample, faults = chosen(side, most)
    made = {"rows": [side.row(each) for each in faults[number::jobs]]}
    if number:
        return made
    return made | {
        "provider": provider,
        "sample": sample,
        "budgets": side.ours.budgets,
        "alarms": alarms(side),
        "ours": [side.ours.cost(each) for each in (0, *side.ours.budgets)],
        "phases": (side.other.counts, side.other.seconds),
        "fidelity": fidelity(side, made["rows"]),
    }


def measure(provider: str, most: int, jobs: int, examples: int) -> dict:
    """Everything that the page says of one provider."""
    started = time.perf_counter()
    shares = [(provider, most, jobs, number, examples) for number in range(jobs)]
    if jobs == 1:
        parts = [part(*shares[0])]
    else:
        # Fresh processes, each of which generates for itself: cases of Schemathesis cannot be handed over.
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(part, *zip(*shares, strict=True)))
    made = [row for each in parts for row in each["rows"]]
    return parts[0] | {"rows": made, "took": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("providers", nargs="*", default=PROVIDERS, metavar="PROVIDER[=N]")
    parser.add_argument(
        "--faults", type=int, default=0, metavar="N", help="about so many faults a provider (default: all)"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--examples", type=int, default=100, help="what Schemathesis's fuzzing may try for an operation"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page, and the rows beside it as JSON")
    options = parser.parse_args()
    told = []
    for each in options.providers:
        name, own, most = each.partition("=")
        made = measure(name, int(most) if own else options.faults, options.jobs, options.examples)
        told.append(made)
        print(detection_page.table(made), flush=True)
        if options.write:
            options.write.write_text(detection_page.page(told, sys.argv[1:]), encoding="utf-8")


if __name__ == "__main__":
    main()
