"""
What batches, runs and reports cost, and how that grows: python benchmarks/batches.py

Prints maximal batches made and validated; cost by lines, batch size, cases and latency; collection of all packs; and a
whole run of each provider beside its replay and beside the same run with a report. Everything is from one machine in
one go, so the ratios are what counts.
"""

from __future__ import annotations

import gc
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sending import endpoint, full_run

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import harness

from conformance import envelope, generation, providers, schemas

NAMES = ("atlast", "centra", "ezcards", "sendcloud")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def median(work, times=5):
    """The median of the seconds that ``work`` takes, after a first time that warms the caches."""
    work()
    seconds = []
    for _ in range(times):
        gc.collect()
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def source(name, *, start="full", lines=1):
    account = providers.reference_account(providers.load(name))
    wish = generation.Wish(name, account, NOW, start=start, lines=(lines, lines), checked=False)
    return generation.Source(wish)


def body(name, orders, **options):
    """A request body of so many orders."""
    maker = source(name, **options)
    return envelope.wrap(providers.load(name).main, [maker.order(number) for number in range(orders)])


def batches():
    print("A maximal batch of orders with 100 lines and every member (under 1 s to make, under 0.1 s to validate)")
    print(f"{'provider':<12}{'orders':>8}{'MB':>8}{'made s':>10}{'validated s':>14}")
    for name in NAMES:
        main = providers.load(name).main
        count = generation.largest_batch(providers.load(name))
        made = body(name, count, lines=100)
        validator = schemas.validator(main.request_schema)
        assert validator.accepts(made)
        seconds = median(partial(body, name, count, lines=100)), median(partial(validator.accepts, made))
        size = len(envelope.encode(made)) / 1e6
        print(f"{name:<12}{count:>8}{size:>8.2f}{seconds[0]:>10.3f}{seconds[1]:>14.4f}", flush=True)


def growth():
    print("\nCost of making sendcloud orders, by lines and members; ms an order")
    print(f"{'lines':>8}{'minimal':>10}{'plain':>10}{'full':>10}")
    for lines in (1, 10, 100):
        cells = [
            median(partial(body, "sendcloud", 20, start=start, lines=lines)) / 20 * 1000
            for start in ("minimal", "plain", "full")
        ]
        print(f"{lines:>8}" + "".join(f"{cell:>10.3f}" for cell in cells), flush=True)
    print("\nCost of a sendcloud batch made, written and validated, by orders; ms an order")
    validator = schemas.validator(providers.load("sendcloud").main.request_schema)
    for size in (1, 10, 100):
        seconds = median(
            lambda size=size: (made := body("sendcloud", size)) and validator.accepts(made) and envelope.encode(made)
        )
        print(f"{size:>8}{seconds / size * 1000:>10.3f}", flush=True)


def cases():
    print("\nCost of a sendcloud run in-process (made, sent, answered, judged), by cases; ms a case")
    names = [case.id for case in harness.suite("sendcloud").cases if case.sends and len(case.steps) == 1]
    for count in (250, 500, 1000):
        seconds = median(lambda count=count: harness.run(provider="sendcloud", selected=names[:count]), 3)
        print(f"{count:>8}{seconds / count * 1000:>10.3f}", flush=True)


def latency():
    print("\nSeconds of an atlast run over HTTP, by latency and requests in flight")
    print(f"{'latency':>10}{'1':>8}{'4':>8}{'16':>8}")
    os.chdir(tempfile.mkdtemp())
    for delay in (0.0, 0.02, 0.1):
        cells = []
        for lanes in (1, 4, 16):
            with endpoint("atlast", delay) as url:
                cells.append(full_run("atlast", url, lanes)[1])
        print(f"{delay * 1000:>7.0f} ms" + "".join(f"{cell:>8.2f}" for cell in cells), flush=True)


def pytest(folder, *arguments):
    """Seconds from start to exit, and the peak of memory in MB where the system tells it."""
    started = time.perf_counter()
    command = [
        sys.executable,
        "-c",
        "import pytest, sys; pytest.main(sys.argv[1:]); print(open('/proc/self/status').read())",
    ]
    # As for users: what was compiled once is kept.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [*command, "-q", *arguments], cwd=folder, env=kept, check=False, capture_output=True, text=True
    )
    found = re.search(r"VmHWM:\s+(\d+)", done.stdout)
    return time.perf_counter() - started, int(found[1]) / 1024 if found else 0.0


def runs():
    with tempfile.TemporaryDirectory() as folder:
        pairs = [
            (pytest(folder, "--collect-only")[0], pytest(folder, "--provider=all", "--collect-only")[0])
            for _ in range(5)
        ]
        bare = statistics.median(pair[0] for pair in pairs)
        added = statistics.median(pair[1] - pair[0] for pair in pairs)
        print(f"\nCollection of all packs: {added:.2f} s (under 1.5 s) on top of {bare:.2f} s for a plain pytest")
        print("Whole runs from start to exit, as ratios to the plain run (memory under 300 MB)")
        print(f"{'provider':<12}{'run s':>8}{'replay':>9}{'report':>9}{'MB':>8}")
        for name in NAMES:
            ways = ([], ["--record-mode=none"], [f"--report=out-{name}"])
            took = [[pytest(folder, f"--provider={name}", *more) for more in ways] for _ in range(3)]
            run, replay, report = (statistics.median(turn[at][0] for turn in took) for at in range(3))
            most = max(memory for turn in took for _, memory in turn)
            print(f"{name:<12}{run:>8.2f}{replay / run:>9.2f}{report / run:>9.2f}{most:>8.0f}", flush=True)


if __name__ == "__main__":
    for part in (batches, growth, cases, runs, latency):
        part()
