"""
What a replay costs a case, and that it costs the same however many there are: python benchmarks/replay.py [rounds]

Takes the packaged recording of sendcloud as it is, cut down to 250, 500 and 1000 exchanges of
cases and doubled to 2000, each with the controls around it; then reads and judges each. Prints
medians over interleaved rounds, and beside them a whole replay and the run that it replays.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from conformance import resources
from conformance.cassettes import load, manifest, replay, store
from conformance.scrub import Vault

PROVIDER = "sendcloud"
SIZES = (250, 500, 1000, 2000)


def sized(recording, suite, size):
    """A recording of so many cases of one request, and a suite with just these."""
    session = recording.sessions[0]
    control = next(each for each in session.records if each.purpose == "control")
    singles = [
        each for each in session.records
        if each.purpose == "case" and each.case and not each.step and len(each.exchange.request.body or b"") < 8192
        and len(suite.case(each.case).steps) == 1
    ]  # fmt: skip
    cases, records = [], []
    for at in range(size):
        if not at % 50:
            records.append(_renamed(control, f"c{at}"))
        like = singles[at % len(singles)]
        case = replace(suite.case(like.case), id=f"{like.case}.{at}", group="", twin="control")
        body = (like.exchange.request.body or b"") + b" " * (at // len(singles))
        exchange = replace(like.exchange, id=f"x{at}", request=replace(like.exchange.request, body=body))
        atoms = tuple(case.id if each == like.case else each for each in like.atoms)
        changes = {case.id if name == like.case else name: each for name, each in like.changes.items()}
        records.append(replace(like, exchange=exchange, case=case.id, atoms=atoms, changes=changes))
        cases.append(case)
    records.append(_renamed(control, "end"))
    made = replace(suite, cases=tuple(cases))
    now = manifest.digests(made)
    told = {case.id: manifest.Recorded(now[case.id], "conformant") for case in cases}
    one = replace(session, cases=told, records=tuple(records), not_run={})
    return manifest.Recording(PROVIDER, (one,)), made


def _renamed(record, name):
    return replace(record, exchange=replace(record.exchange, id=name))


def replayed(folder, suite):
    """Seconds for reading and judging a recording."""
    started = time.perf_counter()
    recording = load.whole(folder, load.head(folder, PROVIDER))
    run = replay.replay(recording, suite, [case.id for case in suite.cases])
    seconds = time.perf_counter() - started
    assert len(run.judgements) == len(suite.cases)
    return seconds


def main(rounds: int) -> None:
    folder = resources.folders_of(PROVIDER).cassettes
    recording = load.whole(folder, load.head(folder, PROVIDER))
    suite = replay.suite_of(recording, "")
    with tempfile.TemporaryDirectory() as place:
        made = {}
        for size in SIZES:
            written, cases = sized(recording, suite, size)
            store.write(Path(place, str(size)), written, cases, Vault({}))
            made[size] = cases
        seconds = {size: [] for size in SIZES}
        for turn in range(rounds + 1):
            for size in SIZES:
                took = replayed(Path(place, str(size)), made[size])
                if turn:  # the first round warms the caches
                    seconds[size].append(took)
        print(f"{'cases':>8}{'median s':>12}{'ms a case':>12}")
        each = {size: statistics.median(values) / size * 1000 for size, values in seconds.items()}
        for size in SIZES:
            print(f"{size:>8}{each[size] * size / 1000:>12.3f}{each[size]:>12.3f}")
        print(f"slowest over fastest, a case: {max(each.values()) / min(each.values()):.2f} (to be under 1.3)")
        whole(place, rounds)


def whole(place: str, rounds: int) -> None:
    """A replay of each provider beside the run that it replays, from start to exit."""
    print(f"{'provider':<12}{'run s':>8}{'replay s':>10}{'ratio':>8}")
    for name in ("atlast", "centra", "ezcards", "sendcloud"):
        command = [sys.executable, "-m", "pytest", "-q", f"--provider={name}"]
        took = {"run": [], "replay": []}
        for _ in range(max(rounds // 2, 1)):
            for kind, more in (("run", []), ("replay", ["--record-mode=none"])):
                started = time.perf_counter()
                subprocess.run([*command, *more], cwd=place, check=True, capture_output=True)
                took[kind].append(time.perf_counter() - started)
        run, again = (statistics.median(values) for values in took.values())
        print(f"{name:<12}{run:>8.2f}{again:>10.2f}{again / run:>8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
