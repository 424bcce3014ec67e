"""Detection power: every fault of a pack tried on the suite in-process, and how each was noticed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import providers, suite
from conformance.errors import PackError
from conformance.model import Account, Verdict
from conformance.reference import faults
from conformance.reference.app import Endpoint, credentials
from conformance.reference.behaviour import healthy
from conformance.reference.detection_page import figures, markdown
from conformance.reference.inprocess import AppTransport, patience
from conformance.runner import Runner, Settings
from conformance.scrub import Vault
from conformance.target import DEFAULT_SEED, instant_of, token_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from conformance.model import Json, Request, Response
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.fault import Fault
    from conformance.runner import Run


@dataclass(frozen=True, slots=True)
class Row:
    """
    One fault and how it was noticed: in words of ``KINDS`` and ``NOTICED``.

    ``reason`` is empty for a violation; ``others`` counts the further requirements that
    turned red, where all were tried.
    """

    fault: str
    requirement: str
    title: str
    kind: str
    noticed: str
    reason: str
    others: int


class _Bench:
    """A suite, its faults, and what the healthy endpoint does where the documentation is silent."""

    def __init__(self, provider: str) -> None:
        self.pack = providers.load(provider)
        self.suite = self._suite({})
        self.faults = faults.of(self.pack)
        self.healthy = healthy(self.pack)
        self._told: dict[tuple[str, bool], list[tuple[Request, Response | None]]] = {}
        self.policies = {name: each.policy for name, each in self.run(self.healthy).judgements.items()}

    def _suite(self, facts: dict[str, Json]) -> suite.Suite:
        account = Account({**providers.reference_account(self.pack).facts, **facts})
        return suite.build(self.pack, account, credentials(self.pack))

    def _suite_for(self, requirement: str) -> suite.Suite:
        """The suite for an account that a requirement is about; the pack's own reference account is of one kind."""
        facts = self.suite.catalogue.conditions.get(requirement, {}).get("when", {})
        return self._suite(facts) if facts else self.suite

    def run(self, behaviour: Behaviour, requirement: str = "", *, full: bool = True) -> Run:
        """A run of every case for the account of a requirement, or of its own cases with what they need."""
        made = self._suite_for(requirement)
        instant = instant_of(DEFAULT_SEED)
        app = Endpoint(self.pack, made.account, behaviour, clock=lambda: instant).app()
        transport = AppTransport(app, self.pack.main.base_path, Vault(credentials(self.pack)))
        settings = Settings(DEFAULT_SEED, token_of(DEFAULT_SEED), instant=instant, clean_up=False, patience=patience)
        cases = [case.id for case in made.cases if full or case.requirement.id == requirement]
        return Runner(made, transport, settings).run(cases)

    def differs(self, run: Run, requirement: str, *, full: bool) -> bool:
        """Whether the answer to any request of a run is not that of the healthy endpoint."""
        key = (requirement, full)
        if key not in self._told:
            self._told[key] = _answers(self.run(self.healthy, requirement, full=full))
        # Requests depend on the answers before them alone, so the first difference is one of answers.
        return _answers(run) != self._told[key]

    def row(self, fault: Fault, run: Run, *, full: bool = True) -> Row:
        if not self.differs(run, fault.requirement, full=full):
            word, why = ("invisible", fault.unseen) if fault.unseen else ("unproven", "every answer is as it should be")
            return Row(fault.id, fault.requirement, fault.title, fault.kind, word, why, 0)
        chosen = set(run.selected)
        red = {
            case.requirement.id
            for case in self.suite.cases
            if case.id in chosen and run.judgements[case.id].verdict is Verdict.VIOLATION
        }
        noticed, reason = ("violation", "") if fault.requirement in red else self._otherwise(fault, run)
        others = len(red - {fault.requirement})
        if noticed == "missed" and red:
            noticed, reason = "elsewhere", ", ".join(sorted(red))
        return Row(fault.id, fault.requirement, fault.title, fault.kind, noticed, reason, others)

    def _otherwise(self, fault: Fault, run: Run) -> tuple[str, str]:
        cases = [case.id for case in self.suite.cases if case.requirement.id == fault.requirement]
        own = {name: run.judgements[name] for name in cases}
        for name, each in own.items():
            if each.verdict is Verdict.ADVISORY:
                return "advisory", f"{name}: {each.findings[0].got}"
        if run.stopped:
            return "control" if all(each.purpose == "control" for each in run.records) else "missed", run.stopped
        for name, each in own.items():
            if each.verdict is Verdict.INCONCLUSIVE:
                return "inconclusive", f"{name}: {each.reason}"
        for name, each in own.items():
            if each.verdict is Verdict.OBSERVED and each.policy != self.policies[name]:
                return "observed", f"{name}: {each.policy} instead of {self.policies[name]}"
        return (
            ("invisible", fault.unseen)
            if fault.unseen
            else ("missed", "no verdict differs from the healthy endpoint's")
        )


def _answers(run: Run) -> list[tuple[Request, Response | None]]:
    return [(each.exchange.request, each.exchange.response) for each in run.records]


# Tests come to the providers in any order, and each bench takes a full run to make.
_bench = lru_cache(maxsize=8)(_Bench)


def measure(provider: str, requirement: str, *, others: bool = True) -> list[Row]:
    """
    The rows of one requirement's faults; faults that come to the same share a run.

    Faults made by hand are tried in a full run, those of single constraints with their
    requirement's own cases and whatever these need; all of them where it does not matter
    which ``others`` turn red. Raises PackError for a fault that changes nothing.
    """
    names = [each.id for each in _bench(provider).faults.values() if each.requirement == requirement]
    return measure_some(provider, requirement, names, others=others)


def measure_some(provider: str, requirement: str, names: Collection[str], *, others: bool = True) -> list[Row]:
    """The rows of some faults of one requirement, by their ids."""
    bench = _bench(provider)
    runs: dict[str, Run] = {}
    rows: list[Row] = []
    for fault in map(bench.faults.__getitem__, names):
        behaviour = fault.apply(bench.healthy)
        if behaviour == bench.healthy:
            raise PackError(f"{fault.id}: this fault leaves the endpoint as it is")
        key = json.dumps(asdict(behaviour), sort_keys=True)
        full = others and fault.kind == "hand-made"
        if key not in runs:
            runs[key] = bench.run(behaviour, requirement, full=full)
        row = bench.row(fault, runs[key], full=full)
        doubtful = row.noticed != "violation" if fault.kind == "hand-made" else row.noticed in ("missed", "unproven")
        if doubtful and not full:
            # Perhaps its own cases were too few to go by.
            row = bench.row(fault, bench.run(behaviour, requirement))
        rows.append(row)
    return rows


def measure_all(provider: str, jobs: int = 1, only: Collection[str] = ()) -> list[Row]:
    """The rows of every fault of a provider (or of these requirements), so many requirements measured at a time."""
    known = dict.fromkeys(each.requirement for each in faults.of(providers.load(provider)).values())
    names = [each for each in known if not only or each in only]
    # Fresh processes: forking one that has threads is not safe.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return [row for rows in pool.map(measure, [provider] * len(names), names) for row in rows]


def main() -> None:
    """Measure what the suite detects of a provider's faults; print the page, or write it and the pack's figures."""
    parser = argparse.ArgumentParser(prog="python -m conformance.reference.detection", description=main.__doc__)
    parser.add_argument("provider")
    parser.add_argument("--write", metavar="FILE", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    rows = measure_all(options.provider, options.jobs)
    page = markdown(options.provider, rows)
    if not options.write:
        sys.stdout.write(page)
        return
    options.write.write_text(page, encoding="utf-8")
    told = json.dumps(figures(rows), indent=2)
    providers.load(options.provider).folders.detection.write_text(told + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
