"""The benchmark of detection: both sides find what they should, and the page says what was counted."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/detection.md"
NAMES = ("detection", "detection_page", "detection_ours", "detection_other")


@pytest.fixture(scope="module")
def benchmark_modules():
    """The scripts of the benchmark as modules; gone again afterwards."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield {name: import_module(name) for name in NAMES}
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in NAMES:
        sys.modules.pop(name)


@pytest.fixture(scope="module")
def side(benchmark_modules):
    """Both sides for the smallest pack."""
    return benchmark_modules["detection"].prepare("ezcards", 1, ("coverage",))


def row(side, fault):
    return side.row(side.ours.bench.faults[fault])


def test_both_sides_find_an_answer_without_its_id(side):
    found = row(side, "EZ-100/success.requestId.required/left-out")
    assert (found.kind, found.ours) == ("left-out", ("violation", "violation"))
    assert (found.phase, found.check) == ("coverage", "JsonSchemaError")


def test_only_the_suite_finds_what_is_stored_under_another_number(side):
    """No schema speaks of what a later answer has to repeat."""
    found = row(side, "EZ-021/stored-under-another")
    assert (found.kind, found.ours, found.phase) == ("semantic", ("violation", "violation"), "")
    assert found.sent == len(side.other.payloads)


def test_the_healthy_endpoint_has_no_fault_on_either_side(side):
    behaviour = side.ours.bench.healthy
    assert side.other.find(behaviour).phase == ""
    assert side.ours.alarms(behaviour, None) == []


def test_what_is_replayed_is_what_a_genuine_run_finds(benchmark_modules, side):
    rows = [row(side, name) for name in ("EZ-104/success.data.transactionId.required/left-out", "EZ-021/other-number")]
    assert [bool(each.phase) for each in rows] == [True, False]
    assert set(benchmark_modules["detection"].fidelity(side, rows).values()) == {True}


def test_bounds_are_loosened_or_tightened_by_the_side_they_are_on(benchmark_modules):
    ours = benchmark_modules["detection_ours"]
    bench = ours.Ours("atlast", ()).bench
    classes = {
        "AL-026/orders[].id.minLength/one-less": "",
        "AL-059/orders[].orderTotal.value.minimum/a-hundredth-less": "loosened",
        "AL-059/orders[].orderTotal.value.minimum/a-hundredth-more": "tightened",
        "AL-021/orders.maxItems/one-more": "batch",
        "AL-058/orders[].orderTotal.value.type/whole-numbers": "tightened",
        "AL-166/first-10-only": "batch",
        "AL-039/stricter-age": "semantic",
    }
    known = {name: word for name, word in classes.items() if name in bench.faults}
    assert len(known) >= len(classes) - 1
    assert {name: ours.class_of(bench.faults[name], bench) for name in known} == known


def sections():
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL))


def test_the_page_has_a_table_for_every_provider():
    assert set(sections()) == {"atlast", "sendcloud", "ezcards", "centra"}


def test_the_shares_on_the_page_are_right():
    """A percentage is the count over the faults of its row, cut and never rounded up to all of them."""
    for text in sections().values():
        for line in re.findall(r"^\| .* \|$", text, re.MULTILINE):
            name, faults, *cells = line.strip("| ").split(" | ")
            for count, percent in re.findall(r"(\d+) \(([\d.]+) %\)", " ".join(cells)):
                assert float(percent) == 1000 * int(count) // int(faults) / 10, name


def test_the_page_counts_the_faults_there_are(benchmark_modules):
    """With the sample that its own command takes."""
    given = re.search(r"benchmarks/detection.py (.*) --faults (\d+)", PAGE.read_text(encoding="utf-8"))
    own = dict(re.findall(r"(\w+)=(\d+)", given[1]))
    modules = benchmark_modules
    for name, text in sections().items():
        side = modules["detection"].Side(modules["detection_ours"].Ours(name, ()), None)
        _, faults = modules["detection"].chosen(side, int(own.get(name, given[2])))
        assert text.strip().startswith(f"{len(faults)} faults")


def test_the_suite_raises_no_false_alarm_on_the_page():
    for text in sections().values():
        cells = re.search(r"^\| false alarms on \d+ healthy variants \|(.*)\|$", text, re.MULTILINE)[1].split("|")
        assert cells[1].strip() == "0"
