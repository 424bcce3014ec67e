"""Runs that are killed, stopped or broken off, and taken up again: nothing judged is lost, nothing is judged twice."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import without

CONTROLS = ("control", "pulse")


@pytest.fixture
def command(tmp_path):
    """Start pytest in an empty folder with our plugin alone."""

    def start(*arguments, **settings):
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", *without(), *arguments],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            **settings,
        )

    return start


def rows(folder):
    """The whole lines of a journal."""
    path = folder / "out" / "journal.ndjson"
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def wait_for(folder, count, process):
    """Until the journal has so many lines; False when the run was faster."""
    path = folder / "out" / "journal.ndjson"
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return True


def settled(before):
    """Cases of one request that were sent before the last control that was accepted, with the exchange."""
    records = [row["record"] for row in before if "record" in row]
    good = [
        int(each["exchange"]["id"][1:5])
        for each in records
        if each["purpose"] == "control" and each["exchange"].get("response", [0])[0] in (200, 201)
    ]
    several = {each.get("case") for each in records if "." in each["exchange"]["id"]}
    done = {row["done"] for row in before if "done" in row} - several
    return {
        each["case"]: each["exchange"]["id"]
        for each in records
        if each.get("case") in done and each["purpose"] == "case"
        and int(each["exchange"]["id"][1:5]) < max(good, default=0)
    }  # fmt: skip


def cases(report):
    return {case["id"]: case for row in report["requirements"] for case in row["cases"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "lines", "more"),
    [
        ("atlast", 60, ()),
        ("atlast", 700, ("--concurrency=6",)),
        ("atlast", 700, ()),
        ("centra", 200, ("--concurrency=4",)),
        ("ezcards", 20, ()),
        ("sendcloud", 45, ("--concurrency=8",)),
        ("sendcloud", 1000, ()),
    ],
)
def test_a_killed_run_is_taken_up_again(command, tmp_path, provider, lines, more):
    process = command(f"--provider={provider}", "--report=out", *more)
    assert wait_for(tmp_path, lines, process)
    process.kill()
    process.communicate()
    before = rows(tmp_path)
    again = command(f"--provider={provider}", "--resume=out", *more)
    output, _ = again.communicate(timeout=120)
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert (again.returncode, report["verdict"]) == (0, "conformant"), output
    assert report["run"]["complete"]
    sent = {row["record"]["exchange"]["id"] for row in before if "record" in row}
    assert sent <= set(report["exchanges"])
    now = cases(report)
    assert {name: [one] for name, one in settled(before).items()} == {
        name: now[name]["exchange_ids"] for name in settled(before)
    }
    assert {path.name for path in (tmp_path / "out").iterdir()} & {"journal.ndjson", "reference.sqlite"} == set()


def test_a_run_can_be_killed_twice(command, tmp_path):
    for lines, option in ((90, "--report=out"), (300, "--resume=out")):
        process = command("--provider=atlast", option)
        assert wait_for(tmp_path, lines, process)
        process.kill()
        process.communicate()
    again = command("--provider=atlast", "--resume=out")
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output


def test_ctrl_c_leaves_what_was_judged(command, tmp_path):
    process = command("--provider=atlast", "--report=out")
    assert wait_for(tmp_path, 500, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert process.returncode == 2
    assert "The run stopped: it was interrupted; --resume=out takes it up again" in output
    assert report["verdict"] == "inconclusive"
    assert report["run"]["complete"] is False
    assert report["counts"]["cases"]["conformant"] > 50
    again = command("--provider=atlast", "--resume=out")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output


def test_a_torn_last_line_is_left_out(command, tmp_path):
    process = command("--provider=atlast", "--report=out")
    assert wait_for(tmp_path, 200, process)
    process.kill()
    process.communicate()
    path = tmp_path / "out" / "journal.ndjson"
    path.write_bytes(path.read_bytes()[:-20])
    again = command("--provider=atlast", "--resume=out")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """The folder of a killed run."""
    folder = tmp_path_factory.mktemp("killed")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *without(), "--provider=atlast", "--report=out"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert wait_for(folder, 100, process)
    process.kill()
    process.wait()
    return folder / "out"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--provider=centra",), "no interrupted run of centra lies here"),
        (("--provider=atlast", "--seed=2"), "--seed was 1; take it up again with the same options, or begin anew"),
        (("--provider=atlast", "--report=elsewhere"), "the report of a run that is taken up again goes to --resume="),
        (("--provider=atlast", "--endpoint=http://127.0.0.1:9"), "it was against another kind of endpoint"),
    ],
)
def test_only_the_same_run_can_be_taken_up(run_pytest, broken_off, tmp_path, arguments, message):
    env = {"ATLAST_ACCESS_TOKEN": "not-a-real-token"}
    outcome = run_pytest(tmp_path, *arguments, f"--resume={broken_off}", env=env)
    assert outcome.ret == 4
    [line] = outcome.errors()
    assert message in line


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"format": "conformance-journal/9"}\n'])
def test_a_damaged_journal_is_one_line(run_pytest, tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "journal.ndjson").write_bytes(content)
    outcome = run_pytest(tmp_path, "--provider=atlast", "--resume=out")
    assert outcome.ret == 4
    assert len(outcome.errors()) == 1


def test_a_run_that_came_to_its_end_is_not_taken_up(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=atlast", "--case=AL-001/order.plain", "--report=out")
    assert outcome.ret == 0
    outcome = run_pytest(tmp_path, "--provider=atlast", "--resume=out")
    assert outcome.ret == 4
    assert "a run that came to its end has no journal.ndjson" in outcome.errors()[0]


def test_no_secret_stands_in_the_journal(broken_off):
    from conformance.reference.app import CREDENTIALS

    content = (broken_off / "journal.ndjson").read_bytes()
    assert b"{{" in content
    assert [name for name, value in CREDENTIALS.items() if value.encode() in content] == []
