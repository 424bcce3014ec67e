"""
How long things take, as ratios in one run: python benchmarks/startup.py [runs]

Prints medians over interleaved runs on this machine: a plain pytest with and without the
plugin, collection, and the full atlast run beside an interpreter that does nothing.
"""

from __future__ import annotations

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
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
        for turn in range(runs + 1):
            for name, command in COMMANDS.items():
                started = time.perf_counter()
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                if turn:  # the first round warms the caches
                    seconds[name].append(time.perf_counter() - started)
    base = statistics.median(seconds["pytest, one test, without us"])
    print(f"{'command':<42}{'median s':>10}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<42}{median:>10.3f}{min(values):>8.3f}{max(values):>8.3f}{median / base:>8.2f}")
    added = [
        a - b
        for a, b in zip(seconds["pytest, one test, with us"], seconds["pytest, one test, without us"], strict=True)
    ]
    print(
        f"our entry point adds {statistics.median(added) * 1000:.0f} ms to a plain pytest (median of paired differences)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
