"""What several test modules need: runs of pytest in folders of their own, with the plugins that a test is about."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has Ctrl-C ignored, by every process that they start as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Variables that would reach a run from outside and change what it does.
# CI makes pytest print messages whole in its summary.
FOREIGN_VARIABLES = ("ATLAST_", "SENDCLOUD_", "EZCARDS_", "CENTRA_", "PYTEST_", "CONFORMANCE_", "CI", "BUILD_NUMBER")


def without(*wanted):
    """Arguments that keep all plugins but ours and the wanted ones out: runs start faster and on any machine alike."""
    names = sorted({each.name for each in entry_points(group="pytest11")} - {"conformance", *wanted})
    return [f"-pno:{name}" for name in names]


@dataclass(frozen=True)
class Outcome:
    """What came of a run of pytest: exit status, output, and the folder it ran in."""

    ret: int
    out: str
    err: str
    folder: Path

    @property
    def text(self):
        return self.out + self.err

    @property
    def lines(self):
        return self.out.splitlines()

    @cached_property
    def report(self):
        """The report, where the run was asked for one in ``out``."""
        return json.loads((self.folder / "out" / "report.json").read_text(encoding="utf-8"))

    @cached_property
    def cases(self):
        """The rows of the report's cases by id."""
        return {case["id"]: case for row in self.report["requirements"] for case in row["cases"]}

    @property
    def verdicts(self):
        return {name: case["verdict"] for name, case in self.cases.items()}

    def errors(self):
        """The lines that tell of a wrong use."""
        return [line for line in self.text.splitlines() if line.startswith("ERROR:")]


def launch(folder, *args, plugins=(), env=None, python=sys.executable, timeout=90):
    """
    Run pytest in a folder, as a process of its own, with no plugins but ours and the named ones.

    For runs that several tests look at: pytester's folder belongs to a single test.
    """
    variables = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_VARIABLES)}
    done = subprocess.run(
        [str(python), "-m", "pytest", *without(*plugins), *map(str, args)],
        cwd=folder,
        env=variables | {"PY_COLORS": "0", "COLUMNS": "120"} | (env or {}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
    outcome = Outcome(done.returncode, done.stdout, done.stderr, Path(folder))
    print(outcome.text[-4000:])
    return outcome


@pytest.fixture(scope="session")
def run_pytest():
    """The function that runs pytest in a folder."""
    return launch


@pytest.fixture
def clean_environment(monkeypatch):
    """No credentials and no options from the shell that the tests were started in."""
    for name in [each for each in os.environ if each.startswith(FOREIGN_VARIABLES)]:
        if name != "PYTEST_CURRENT_TEST":  # pytest takes it away itself
            monkeypatch.delenv(name)


@pytest.fixture
def suite_run(pytester, clean_environment):
    """Run pytest by pytester, with no plugins but ours and the named ones."""

    def run(*args, plugins=()):
        return pytester.runpytest_subprocess(*without(*plugins), *args, timeout=90)

    return run
