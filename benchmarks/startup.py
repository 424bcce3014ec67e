"""
How long things take, as ratios in one run: python benchmarks/startup.py [runs]

Prints medians over interleaved runs on this machine: a plain pytest with and without the
plugin, collection, and the full atlast run beside an interpreter that does nothing. What the
entry point adds is told in processor seconds, which other work on the machine changes less.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "pytest, one test, without us": [sys.executable, "-m", "pytest", "-q", "-p", "no:conformance", "test_one.py"],
    "pytest, one test, with us": [sys.executable, "-m", "pytest", "-q", "test_one.py"],
    "pytest --provider=atlast --collect-only": [sys.executable, "-m", "pytest", "-q", "--provider=atlast", "--collect-only"],
    "pytest --provider=atlast": [sys.executable, "-m", "pytest", "-q", "--provider=atlast"],
}  # fmt: skip


def main(runs: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    processor: dict[str, list[float]] = {name: [] for name in COMMANDS}
    # As for users: what was compiled once is kept.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
        for turn in range(runs + 1):
            for name, command in COMMANDS.items():
                started, before = time.perf_counter(), os.times()
                subprocess.run(command, cwd=folder, env=kept, check=True, capture_output=True)
                if turn:  # the first round warms the caches
                    after = os.times()
                    seconds[name].append(time.perf_counter() - started)
                    processor[name].append(sum(after[2:4]) - sum(before[2:4]))
    base = statistics.median(seconds["pytest, one test, without us"])
    print(f"{'command':<42}{'median s':>10}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<42}{median:>10.3f}{min(values):>8.3f}{max(values):>8.3f}{median / base:>8.2f}")
    with_us, without = (processor[f"pytest, one test, {word} us"] for word in ("with", "without"))
    added = statistics.median(a - b for a, b in zip(with_us, without, strict=True))
    print(f"our entry point adds {added * 1000:.0f} ms to a plain pytest (median of paired differences)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
