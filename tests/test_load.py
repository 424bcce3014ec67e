"""Load: payloads, arithmetic, and whole runs as separate processes over real HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from endpoints import TOKEN, Endpoint, Reply

from conformance import providers, schemas, suite
from conformance.errors import UserError
from conformance.load import gathering, section, settings
from conformance.load.payloads import RACES, Pool, mark_of
from conformance.load.settings import Load
from conformance.load.tally import Tally, percentile
from conformance.report import files, loaded, page
from conformance.schemas import Validator
from conformance.scrub import Vault
from conformance.target import Options, Target

SCHEMA = Path(files.__file__).with_name("report.schema.json")
NAMES = ("atlast", "centra", "ezcards", "sendcloud")


def made(name):
    pack = providers.load(name)
    return suite.build(pack, providers.reference_account(pack), tuple(pack.auth.variables))


def load_of(built, **changes):
    asked = Load(1, "abc123", "2026-11-21T12:00:00+00:00", sizes=settings.sizes("", built.provider.main))
    return replace(asked, **changes)


# What is asked for


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("0.5s", 0.5)])
def test_durations_are_read_as_people_write_them(text, seconds):
    assert settings.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "ten", "-5s", "5d"])
def test_a_duration_that_is_none_is_a_usage_error(text):
    with pytest.raises(UserError, match="--duration"):
        settings.seconds(text)


def test_a_mix_is_a_share_of_bad_batches():
    assert settings.mix("accept=0.9,reject=0.1") == pytest.approx(0.1)
    assert settings.mix("accept=3,reject=1") == pytest.approx(0.25)
    assert settings.mix("accept=1") == 0


@pytest.mark.parametrize("text", ["reject=1", "accpet=1", "accept=x", "accept=-1,reject=3", "", "accept=nan"])
def test_a_mix_that_proves_nothing_is_a_usage_error(text):
    with pytest.raises(UserError, match="--mix"):
        settings.mix(text)


def test_sizes_are_those_of_valid_batches():
    assert settings.sizes("", made("sendcloud").provider.main) == (1, 10, 100)
    assert settings.sizes("", made("ezcards").provider.main) == (1,)
    assert settings.sizes("7,3", made("centra").provider.main) == (3, 7)
    for text in ("0", "101", "ten"):
        with pytest.raises(UserError, match="--batch-sizes"):
            settings.sizes(text, made("sendcloud").provider.main)


def test_more_than_the_documentation_allows_a_caller_is_a_usage_error():
    built = made("sendcloud")
    settings.check_rates(built.provider, load_of(built, sizes=(100,), orders_per_second=100))
    with pytest.raises(UserError, match="100 requests in 60 s"):
        settings.check_rates(built.provider, load_of(built, sizes=(1,), orders_per_second=100))


# Payloads


@pytest.mark.parametrize("name", NAMES)
def test_every_batch_is_valid_and_no_order_comes_twice(name):
    built = made(name)
    load = load_of(built)
    pool, validator = Pool(built, load), schemas.validator(built.provider.main.request_schema)
    bodies = [pool.batch(worker, first, load.sizes[-1]).body for worker in (0, 1) for first in (0, 500, 1 << 30)]
    assert [validator.mistakes(json.loads(body)) for body in bodies] == [[]] * len(bodies)
    assert len(set(bodies)) == len(bodies)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_with_a_bad_order_differs_from_its_twin_in_that_order(name):
    built = made(name)
    load = load_of(built)
    pool = Pool(built, load)
    assert len(pool.faults) > 10

    def text(batch, index):
        # As text: true is 1 otherwise.
        return json.dumps(pool.order(batch, index))

    size = load.sizes[-1]
    for fault in range(len(pool.faults)):
        batch = pool.batch(0, 0, size, size // 2, fault)
        good = pool.batch(0, 0, size)
        others = [index for index in range(size) if text(batch, index) != text(good, index)]
        assert others == [size // 2], pool.faults[fault].case


def test_whoever_makes_the_pool_makes_the_same_orders():
    built = made("sendcloud")
    one, other = Pool(built, load_of(built)), Pool(built, load_of(built))
    batch = one.batch(3, 41, 10, 4, 2)
    assert other.batch(3, 41, 10, 4, 2) == batch
    row = (batch.worker, batch.first, batch.size, batch.bad, batch.fault)
    sent = json.loads(batch.body)
    assert [other.order(other.sent(row), index) for index in range(10)] == sent


def test_marks_are_ten_letters_that_tell_the_worker():
    marks = {mark_of(worker, number) for worker in (0, 1, 255, RACES) for number in (0, 1, 31, 32, (1 << 40) - 1)}
    assert len(marks) == 20
    assert {len(each) for each in marks} == {10}
    assert len({each[:2] for each in marks}) == 4


@pytest.mark.parametrize(("name", "kind"), [("sendcloud", "update"), ("ezcards", "duplicate"), ("centra", "")])
def test_what_two_orders_with_one_key_come_to_is_what_the_pack_documents(name, kind):
    assert Pool(made(name), load_of(made(name))).contest == kind


def test_the_two_sides_of_a_race_share_their_key_and_nothing_that_is_compared():
    built = made("sendcloud")
    sides = [json.loads(Pool(built, load_of(built)).race(7, side).body)[0] for side in (0, 1)]
    assert sides[0]["order_id"] == sides[1]["order_id"]
    assert sides[0]["order_number"] != sides[1]["order_number"]


# Arithmetic


def test_tallies_of_workers_add_up():
    tallies = [Tally(), Tally()]
    for each in tallies:
        for milliseconds in range(1, 101):
            each.answered(3, 10, milliseconds)
        each.judged("a check", "violation", 3)
        each.found("a check", {"got": "something"})
    total = Tally()
    for each in tallies:
        total.add(json.loads(json.dumps(each.to_json())))
    assert total.checks["a check"]["violation"] == total.violations == 2
    assert total.seconds[3]["orders"] == 2000
    assert percentile(total.sizes[10], 0.5) == pytest.approx(50, rel=0.06)
    assert percentile(total.sizes[10], 0.99) == pytest.approx(99, rel=0.06)
    assert percentile({}, 0.5) is None


def test_what_a_worker_that_is_gone_did_not_tell_is_missing():
    """Its verdicts are kept, and the run is no longer conformant."""
    built = made("atlast")
    load = load_of(built, processes=2, duration=10)
    gathered = gathering.Gathering(Target("live", Options("atlast"), built, None, "http://127.0.0.1:1"), load)
    tally = Tally()
    tally.counts.update({"requests": 5, "orders": 50, "orders accepted": 50})
    tally.judged("valid batches are accepted", "conformant", 1)
    told = {"tally": tally.to_json(), "rows": [], "ids": [], "races": [], "in_flight": 2, "number": 50}
    for name in ("one", "two"):
        gathered.ready(gathered.admit(name), name, 0.1)
        gathered.report(name, {**told, "exhausted": False, "violated": False, "last": name == "one"})
    gathered.lost("two", 4.0)
    assert gathered.present == ["one"]
    assert gathered.complete
    result = gathered.to_json()
    total = Tally()
    total.add(result["tally"])
    told = section.build(built, load, result, total, {})
    assert told["verdict"] == "inconclusive"
    assert "worker 1 was gone 4 s into the run" in told["missing"][0]
    assert "2 requests under way" in told["missing"][0]
    assert told["counts"]["orders_accepted"] == 100


def test_ids_have_to_differ_over_all_workers():
    built = made("sendcloud")
    gathered = gathering.Gathering(
        Target("live", Options("sendcloud"), built, None, "http://127.0.0.1:1"), load_of(built)
    )
    told = {"tally": Tally().to_json(), "rows": [], "races": [], "in_flight": 0, "number": 1, "exhausted": False}
    for name, ids in (("one", ["1", "2"]), ("two", ["3", "2"])):
        gathered.ready(gathered.admit(name), name, 0.1)
        gathered.report(name, {**told, "ids": ids, "violated": False, "last": False})
    assert gathered.to_json()["tally"]["checks"]["SC-029/ids.differ"] == {"violation": 1}


def test_what_an_endpoint_said_under_load_is_text_in_the_page():
    """The page shows the section of a run in which something hostile was answered."""
    built, tally = made("atlast"), Tally()
    tally.answered(0, 10, 12.5)
    tally.judged("valid batches are accepted", "violation", 0)
    row = {"where": "response status", "expected": "201", "got": "500 <script>alert(1)</script>", "title": ""}
    tally.found("valid batches are accepted", row)
    gathered = {"elapsed": 2.0, "workers": [], "exhausted": False}
    times = dict.fromkeys(("started_at", "finished_at"), "2026-11-21T12:00:00.000Z")
    more = {**times, "read_back": None, "races": {"races": 0}, "clean_up": None}
    built_section = section.build(built, load_of(built), gathered, tally, more)
    assert built_section["verdict"] == "nonconformant"
    target = Target("live", Options("atlast"), built, Vault({}), "http://127.0.0.1:1")
    report = {**loaded.alone(target, built_section), "load": built_section}
    html = page.render(report)
    assert "Under load: nonconformant" in html
    assert "500 &lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert not Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).mistakes(report)


def test_no_worker_sends_more_than_its_part():
    built = made("sendcloud")
    load = load_of(built, quota=1000, processes=4, races=0)
    gathered = gathering.Gathering(Target("live", Options("sendcloud"), built, None, "http://127.0.0.1:1"), load)
    assert [gathered.share(index).quota for index in (0, 3)] == [250, 250]


def test_the_account_pays_for_no_more_than_it_allows():
    built = made("ezcards")
    poor = replace(built, account=replace(built.account, facts={**built.account.facts, "max_spend": "100"}))
    target = Target("live", Options("ezcards"), poor, None, "http://127.0.0.1:1")
    dearest = Pool(poor, load_of(built)).dearest
    assert gathering.quota(target, load_of(built), 0) == 1_000_000 // dearest
    assert gathering.quota(target, load_of(built), 3) == 3


# Whole runs

_ENV = {key: value for key, value in os.environ.items() if not key.startswith(("ATLAST", "SENDCLOUD", "EZCARDS"))}


def command(*given):
    return [sys.executable, "-c", "from conformance.cli import main; main()", "load", *given]


def load(*given, env=None, cwd=None):
    asked = command(*given, "--visibility-timeout=2")
    return subprocess.run(
        asked, capture_output=True, text=True, timeout=120, check=False, env={**_ENV, **(env or {})}, cwd=cwd
    )


def told(folder):
    return files.report(folder / "report.json")["load"]


def broken(section):
    return {
        row["id"] if row["id"] != "load" else row["title"] for row in section["checks"] if row["verdict"] == "violation"
    }


@pytest.mark.slow
def test_the_healthy_endpoint_holds_under_two_workers_and_the_report_shows_it(tmp_path):
    done = load("sendcloud", "--duration=3s", "--orders-per-second=300", "--processes=2", f"--report={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("load: conformant: all ")
    found = told(tmp_path)
    assert len(found["workers"]) == 2
    assert all(each["requests"] for each in found["workers"])
    assert found["missing"] == []
    assert found["read_back"]["orders"] >= found["counts"]["orders_accepted"] * 0.9
    assert {row["id"] for row in found["checks"]} >= {"load", "SC-029", "SC-263", "SC-274", "SC-279", "SC-284"}
    assert {row["batch_size"] for row in found["latency"]} == {1, 10, 100}
    assert 150 < found["rate"]["orders_per_second"] < 450
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<desc>") == 3
    assert "Under load: conformant" in page
    assert "## Under load: conformant" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "racy", "expected"),
    [
        ("sendcloud", "lost-sibling", {"SC-284"}),
        ("sendcloud", "double-upsert", {"Two callers with one key: one order, with one of the two values."}),
        ("ezcards", "double-upsert", {"Two callers with one number: one of them is refused."}),
        ("centra", "swapped-answers", {"CE-023"}),
    ],
)
def test_what_goes_wrong_where_requests_overlap_is_found(tmp_path, provider, racy, expected):
    rate = "40" if provider == "ezcards" else "600"
    given = (
        f"--racy={racy}",
        "--duration=3s",
        f"--orders-per-second={rate}",
        "--users=20",
        "--mix=accept=0.7,reject=0.3",
    )
    done = load(provider, *given, f"--report={tmp_path}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert broken(told(tmp_path)) >= expected


@pytest.mark.slow
def test_a_caller_alone_sees_nothing_of_it(tmp_path):
    given = ("--racy=swapped-answers", "--duration=2s", "--users=1", "--races=0", "--orders-per-second=300")
    done = load("sendcloud", *given, f"--report={tmp_path}")
    assert done.returncode == 0, done.stdout
    assert told(tmp_path)["counts"]["orders"] > 100


@pytest.mark.slow
def test_a_worker_that_is_killed_is_missed_and_the_others_go_on(tmp_path):
    given = ("atlast", "--duration=14s", "--orders-per-second=300", "--processes=2", f"--report={tmp_path}")
    running = subprocess.Popen(command(*given), env=_ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # The first line says how many workers there are; they were started by the process that we started.
        assert "2 workers" in running.stderr.readline()
        os.kill(children(running.pid)[-1], signal.SIGKILL)
        out, progress = running.communicate(timeout=90)
    finally:
        running.kill()
    assert running.returncode == 1
    found = told(tmp_path)
    assert found["verdict"] == "inconclusive"
    assert len(found["missing"]) == 1
    assert "missing: worker" in out
    # The run goes on; whether the callers of the other are called back at once is for the machine's load to say.
    lost = next(each["lost_at_s"] for each in found["workers"] if each["lost_at_s"] is not None)
    late = [row["orders_per_second"] for row in found["timeline"] if row["second"] > lost]
    assert sum(late) > 100
    assert re.search(r"1 workers, (5|10) callers", progress)


def children(pid):
    """The processes that a process started, in the order of their start."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True)
    return sorted(map(int, listed.stdout.split()))


@contextmanager
def serving(endpoint, tmp_path):
    account = tmp_path / "account.toml"
    account.write_text('merchant_ids = ["m-1"]\n', encoding="utf-8")
    with endpoint.serving() as served:
        yield (f"--endpoint={served.url}", f"--account={account}"), {"ATLAST_ACCESS_TOKEN": TOKEN}


@pytest.mark.slow
def test_an_endpoint_of_others_is_judged_too_and_no_more_orders_are_sent_than_were_allowed(tmp_path):
    endpoint = Endpoint()
    with serving(endpoint, tmp_path) as (given, env):
        done = load("atlast", *given, "--duration=20s", "--orders-per-second=0", "--max-orders=500", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every order that the run was allowed was sent" in done.stdout
    sent = sum(len(call.orders) for call in endpoint.posts)
    assert 350 < sent <= 500


class Throttling(Endpoint):
    """Takes so many requests a second, and says so to the others."""

    def answer(self, call):
        if call.number % 3 == 0:
            return Reply(429, b"", (("retry-after", "0"),))
        return super().answer(call)


@pytest.mark.slow
def test_being_throttled_is_counted_and_waited_for(tmp_path):
    with serving(Throttling(), tmp_path) as (given, env):
        done = load("atlast", *given, "--duration=2s", "--orders-per-second=300", env=env)
    assert "violation " not in done.stdout
    assert "throttled" in done.stdout


class Failing(Endpoint):
    """Breaks down at the hundredth order."""

    def take(self, call):
        return super().take(call) if self.created < 100 else Reply(500, b"secret words")


@pytest.mark.slow
def test_the_first_violation_ends_the_run_where_that_is_asked_for(tmp_path):
    with serving(Failing(), tmp_path) as (given, env):
        began = time.monotonic()
        done = load("atlast", *given, "--duration=60s", "--orders-per-second=300", "--stop-on-violation", env=env)
    assert done.returncode == 1
    assert time.monotonic() - began < 40
    assert "expected 201 (accepted), got 500" in done.stdout
    assert "stopped: before its time" in done.stdout


@pytest.mark.slow
def test_a_section_stands_beside_the_cases_and_changes_none_of_their_verdicts(tmp_path):
    """A signed bundle is signed anew, and left alone by whoever cannot do that."""
    out, key = tmp_path / "out", tmp_path / "partner.key"
    conformance("keygen", f"--out={tmp_path / 'partner'}")
    run = (
        "-m",
        "pytest",
        "--provider=ezcards",
        f"--report={out}",
        f"--signing-key={key}",
        "-q",
        "-p",
        "no:cacheprovider",
    )
    subprocess.run([sys.executable, *run], check=True, capture_output=True, cwd=tmp_path)
    before = files.report(out / "report.json")
    given = ("ezcards", "--duration=2s", "--orders-per-second=40", f"--report={out}")
    refused = load(*given)
    assert refused.returncode == 4
    assert "give --signing-key" in refused.stderr
    done = load(*given, "--racy=double-upsert", f"--signing-key={key}")
    assert done.returncode == 1, done.stdout
    after = files.report(out / "report.json")
    assert after.pop("load")["verdict"] == "nonconformant"
    assert after == before
    checked = conformance("verify", str(out), f"--key={tmp_path / 'partner.pub'}")
    assert checked.returncode == 0, checked.stdout
    assert "no evidence of it is kept" in checked.stdout
    other = load("centra", "--duration=1s", f"--report={out}")
    assert other.returncode == 4
    assert "holds the report of ezcards" in other.stderr


def conformance(*given):
    asked = [sys.executable, "-c", "from conformance.cli import main; main()", *given]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


# Mistakes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("nobody",), "nobody"),
        (("sendcloud", "--duration=soon"), "--duration=soon"),
        (("sendcloud", "--mix=reject=1"), "--mix=reject=1"),
        (("sendcloud", "--batch-sizes=1000"), "--batch-sizes=1000"),
        (("sendcloud", "--master", "--worker"), "--master and --worker"),
        (("sendcloud", "--worker"), "--master-host"),
        (("sendcloud", "--master"), "--endpoint is missing"),
        (("sendcloud", "--endpoint=http://127.0.0.1:9", "--racy=overload"), "--racy"),
        (("sendcloud", "--endpoint=https://sandbox.example.com"), "--allow=orders,load"),
        (("sendcloud", "--endpoint=https://sandbox.example.com", "--allow=orders"), "--allow=orders,load"),
        (("ezcards", "--endpoint=https://sandbox.example.com"), "--allow=orders,money,load"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_sent(given, message, capsys, monkeypatch):
    from conformance import cli

    monkeypatch.setattr(sys, "argv", ["conformance", "load", *given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().err
    assert ended.value.code == 4
    assert told.count("\n") == 1
    assert message in told


def test_nobody_loads_locust_who_does_not_put_under_load():
    """It changes how a whole process waits."""
    code = (
        "import sys, conformance.cli, conformance.load.drive; print('locust' in sys.modules, 'gevent' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
