"""Recordings: what is replayed is what was recorded, and whatever cannot be is told in a line."""

import gzip
import json
import random
import shutil
import socket
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from endpoints import TOKEN, Endpoint, Reply
from vcr.cassette import Cassette

from conformance import recorder, resources
from conformance.cassettes import form, load, manifest, network, replay, store
from conformance.cassettes.redact import Redactor
from conformance.errors import UserError
from conformance.model import Exchange, Record, Request, Response, Trouble, Verdict
from conformance.providers import load as provider
from conformance.reference import app, behaviour, faults, server
from conformance.scrub import Vault
from conformance.target import Options

PROVIDERS = ("atlast", "centra", "ezcards", "sendcloud")
ONE, OTHER = "EZ-001/order.plain", "EZ-008/media-type.json"
LIVE = {"ATLAST_ACCESS_TOKEN": TOKEN}
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def fresh(run_pytest, tmp_path_factory):
    """All four providers, recorded from the reference endpoint by the command that the documentation gives."""
    folder = tmp_path_factory.mktemp("fresh")
    arguments = ("--provider=all", "--record-mode=rewrite", "--cassettes=cassettes", "--report=recorded", "-q")
    outcome = run_pytest(folder, *arguments)
    assert outcome.ret == 0
    return folder


@pytest.fixture
def recording(fresh, tmp_path):
    """A copy of the smallest recording that a test may spoil."""
    shutil.copytree(fresh / "cassettes" / "ezcards", tmp_path / "c" / "ezcards")
    return tmp_path / "c" / "ezcards"


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def comparable(report):
    """A report without what may differ between a run and its replay."""
    exchanges = {
        name: {key: value for key, value in each.items() if key != "duration_ms"}
        for name, each in report["exchanges"].items()
    }
    return {key: value for key, value in report.items() if key not in ("run", "target")} | {"exchanges": exchanges}


def options(folder, mode="none", **more):
    return Options("ezcards", record_mode=mode, cassettes=str(folder.parent), **more)


def replayed(folder, names=()):
    """What a replay in this process says of each case."""
    made = recorder.prepare(options(folder))
    return recorder.run(made, list(names or made.target.suite.by_id))


# Replay


def test_replay_is_the_recorded_run(run_pytest, fresh, tmp_path):
    """Without credentials, without a socket, in a process in which making one is an error."""
    (tmp_path / "closed.py").write_text(
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event in ('socket.__new__', 'socket.connect', 'socket.getaddrinfo'):\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(hook)\n"
    )
    arguments = ("--provider=all", "--record-mode=none", f"--cassettes={fresh / 'cassettes'}", "--report=out", "-q")
    outcome = run_pytest(tmp_path, "-p", "closed", *arguments, env={"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"})
    assert outcome.ret == 0
    for name in PROVIDERS:
        before = json.loads((fresh / "recorded" / name / "report.json").read_text("utf-8"))
        after = json.loads((tmp_path / "out" / name / "report.json").read_text("utf-8"))
        assert comparable(after) == comparable(before)
        assert list(after["exchanges"]) == list(before["exchanges"])
        assert after["target"]["kind"] == "cassettes"
        assert after["verdict"] == "conformant"


def test_the_network_is_closed_within():
    with network.closed():
        with pytest.raises(network.NetworkClosed, match="a replay opens no socket"):
            socket.socket()
        with pytest.raises(network.NetworkClosed):
            socket.create_connection(("127.0.0.1", 9))
    socket.socket().close()


def test_workers_replay_too(run_pytest, fresh, tmp_path):
    arguments = (
        "--provider=ezcards,centra",
        "--record-mode=none",
        f"--cassettes={fresh / 'cassettes'}",
        "--report=out",
    )
    outcome = run_pytest(tmp_path, *arguments, "-n4", plugins=("xdist", "xdist.looponfail"))
    assert outcome.ret == 0
    for name in ("ezcards", "centra"):
        before = json.loads((fresh / "recorded" / name / "report.json").read_text("utf-8"))
        assert comparable(json.loads((tmp_path / "out" / name / "report.json").read_text("utf-8"))) == comparable(
            before
        )


def test_workers_record_what_one_process_records(run_pytest, fresh, tmp_path):
    arguments = ("--provider=ezcards,centra", "--record-mode=rewrite", "--cassettes=c")
    assert run_pytest(tmp_path, *arguments, "-n4", plugins=("xdist", "xdist.looponfail")).ret == 0
    for name in ("ezcards", "centra"):
        before, after = (contents(each / name) for each in (fresh / "cassettes", tmp_path / "c"))
        assert before.pop(manifest.NAME) != b""
        after.pop(manifest.NAME)
        assert after == before


def test_a_case_that_is_not_recorded_says_so(run_pytest, tmp_path):
    """It is inconclusive by name, with the nearest recording; with ``once`` it fails."""
    first = run_pytest(tmp_path, "--provider=ezcards", "--record-mode=once", "--cassettes=c", f"--case={ONE}")
    assert first.ret == 0
    arguments = ("--provider=ezcards", "--cassettes=c", f"--case={ONE}", f"--case={OTHER}", "--report=out")
    outcome = run_pytest(tmp_path, *arguments, "--record-mode=none")
    assert outcome.ret == 1
    assert f"  reason    {OTHER} is not recorded; the nearest recording is {ONE}" in outcome.lines
    assert outcome.verdicts == {ONE: "conformant", OTHER: "inconclusive"}
    assert "1 passed, " in outcome.lines[-1]
    assert ", 1 error in " in outcome.lines[-1]
    once = run_pytest(tmp_path, *arguments, "--record-mode=once")
    assert "1 failed, 1 passed, " in once.lines[-1]


def test_changed_cases_are_named_and_the_others_replayed(recording, monkeypatch):
    """A case whose definition is another now proves nothing; verdicts that changed are listed, without traffic."""
    real = manifest.digests
    monkeypatch.setattr(replay, "digests", lambda suite: real(suite) | {ONE: "0" * 16})
    made = recorder.prepare(options(recording))
    run = recorder.run(made, list(made.target.suite.by_id))
    assert run.judgements[ONE].verdict is Verdict.INCONCLUSIVE
    assert run.judgements[ONE].reason.startswith(f"{ONE} changed since it was recorded on 20")
    assert [name for name, each in run.judgements.items() if each.verdict is Verdict.INCONCLUSIVE] == [ONE]
    assert made.notes["changed"] == [f"{ONE}: conformant, now inconclusive ({run.judgements[ONE].reason})"]


def test_a_change_has_to_be_in_the_body(recording):
    """What was recorded as sent is held against the change that it was sent for."""
    made = recorder.prepare(options(recording))
    whole = load.whole(recording, made.old)
    at, record = next(
        (at, each)
        for at, each in enumerate(whole.sessions[0].records)
        if each.change_of == "body" and [one["op"] for one in each.changes.get(each.case, ())] == ["replace"]
    )
    body = json.dumps({"clientOrderNumber": "other"}).encode()
    other = replace(record, exchange=replace(record.exchange, request=replace(record.exchange.request, body=body)))
    records = (*whole.sessions[0].records[:at], other, *whole.sessions[0].records[at + 1 :])
    spoilt = replace(whole, sessions=(replace(whole.sessions[0], records=records),))
    judgement = replay.replay(spoilt, made.target.suite, []).judgements[record.case]
    assert judgement.reason == f"{record.case}: its change is not in the body recorded as {record.exchange.id}"


# Files


def test_vcrpy_alone_loads_every_cassette(fresh):
    for name in PROVIDERS:
        report = json.loads((fresh / "recorded" / name / "report.json").read_text("utf-8"))
        paths = [each for each in (fresh / "cassettes" / name).rglob("*.yaml") if each.name != manifest.NAME]
        assert sum(len(Cassette.load(path=str(each))) for each in paths) == len(report["exchanges"])


def test_recording_again_changes_no_file(run_pytest, fresh, tmp_path):
    shutil.copytree(fresh / "cassettes" / "ezcards", tmp_path / "c" / "ezcards")
    before = contents(tmp_path / "c")
    assert run_pytest(tmp_path, "--provider=ezcards", "--record-mode=rewrite", "--cassettes=c").ret == 0
    assert contents(tmp_path / "c") == before


def test_the_packaged_recordings(fresh):
    """They are what the reference endpoint answers today, say so, and are small."""
    total = 0
    for name in PROVIDERS:
        folder = resources.folders_of(name).cassettes
        old, new = (load.head(each, name) for each in (folder, fresh / "cassettes" / name))
        assert [each.source for each in old.sessions] == ["reference"]
        assert old.sessions[0].cases == new.sessions[0].cases, (
            f"{name}: pytest --provider=all --record-mode=rewrite --cassettes=cassettes"
        )
        total += sum(len(each) for each in contents(folder).values())
        assert set(contents(folder)) == {*old.files, manifest.NAME}
    assert 0 < total < 6_000_000


def texts():
    """Texts that formats trip over, and drawn ones."""
    yield from ("", " ", "\n", "a\n", "\na", " a", "a ", "a \nb", "\ta", "no", "1e3", "~", "- a", "{a", "'", '"', "\r\n", "\x85",
        "\u2028", "\ufeff", "é", "日本", "\U0001f600", "a: b", "#", "x" * 200 + " y", "\x00", "\x7f", "\ufffe", "%", "|", ">")  # fmt: skip
    drawn = random.Random(5)
    alphabet = "ab \n\r\t:-#'\"{}[]\\\u2028\x85é\U0001f600\x00"
    for _ in range(400):
        yield "".join(drawn.choice(alphabet) for _ in range(drawn.randrange(1, 120)))


def record(body=None, answer=b"", name="x1", headers=(), **more):
    request = Request("POST", "/orders", more.pop("query", ""), (("content-type", "application/json"),), body)
    exchange = Exchange(name, "create-order", request, NOW, 1.5, Response(200, tuple(headers), answer))
    return Record(exchange, "case", case=ONE, atoms=(ONE,), orders=1, **more)


def round_trip(*records):
    bodies = {}
    text = form.dump(
        [form.Numbered(at, each) for at, each in enumerate(records)], {}, "https://shop.example/v2", bodies
    )
    return [each.record for each in form.load(text, "https://shop.example/v2", bodies.__getitem__)], text, bodies


def test_every_body_comes_back():
    many = [record(each.encode(), each.encode(), f"x{at}") for at, each in enumerate(texts())]
    many += [record(bytes(range(256)), b"\xff\xfe"), record(None), record(b"")]
    assert round_trip(*many)[0] == many


def test_every_request_comes_back():
    one = record(b"{}")
    odd = [
        replace(one.exchange, request=replace(one.exchange.request, path="/a?b", query="c=d?e")),
        replace(one.exchange, request=replace(one.exchange.request, headers=(("a", "1"), ("A", "2"), ("a", "3")))),
        replace(one.exchange, request=replace(one.exchange.request, root=True, path="/token")),
        replace(one.exchange, response=replace(one.exchange.response, status=799, truncated=True)),
        replace(one.exchange, response=replace(one.exchange.response, headers=(("a", "1"), ("b", "2"), ("a", "3")))),
        replace(one.exchange, response=None, trouble=Trouble("timeout", "nothing within 30 s")),
        replace(
            one.exchange, response=replace(one.exchange.response, headers=(("date", "Mon, 15 Jun 2026 13:00:00 GMT"),))
        ),
    ]
    many = [replace(one, exchange=each, earlier=(replace(one.exchange, id="x~1"),)) for each in odd]
    many.append(
        replace(one, changes={ONE: ({"op": "add", "path": "/a", "value": "\ud800 \U0001f600"},)}, change_of="request")
    )
    many.append(replace(one, atoms=(), case="", step=3, orders=0))
    assert round_trip(*many)[0] == many


def test_large_bodies_stand_beside(recording):
    large = b"[" + b"1," * form.LARGE + b"1]"
    found, text, bodies = round_trip(record(large, large))
    assert found == [record(large, large)]
    assert len(text) < 2000
    assert list(bodies.values()) == [large]
    assert store._zipped(large) == store._zipped(large)


def test_noise_is_left_out_and_a_wrong_clock_is_kept():
    noise = (("server", "x"), ("connection", "close"), ("date", "Mon, 15 Jun 2026 12:00:05 GMT"), ("etag", "1"))
    [found], _, _ = round_trip(record(b"", headers=noise))
    assert found.exchange.response.headers == (("etag", "1"),)


# Damage

TEXT = "EZ-001.yaml"


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


DAMAGE = {
    "edited": (TEXT, lambda raw: raw.replace(b"code: 200", b"code: 400", 1), "changed by hand: it is not what was recorded"),
    "cut short": (TEXT, lambda raw: raw[: len(raw) // 2], ""),
    "cut between": ("controls.yaml", lambda raw: raw[: raw.rindex(b"- conformance:")], "cut short: 5 of 6 interactions"),
    "empty": (TEXT, lambda _raw: b"", "empty"),
    "not YAML": (TEXT, lambda _raw: b"{[", "not YAML, perhaps cut short (line 2: "),
    "very deep": (TEXT, lambda _raw: b"[" * 10**5, "not YAML, perhaps cut short (line 1: nested more than 100 levels deep)"),
    "binary": (TEXT, lambda _raw: bytes(range(256)), "not text"),
    "huge": (TEXT, lambda raw: raw + b"#" * (33 << 20), "33 MiB, more than any cassette has"),
    "a list": (TEXT, lambda _raw: b"[1, 2]\n", "not a cassette"),
    "somebody's": (TEXT, lambda _raw: b"version: 1\ninteractions: []\n", "not a cassette of this suite"),
    "other provider": (TEXT, lambda raw: raw.replace(b"provider: ezcards", b"provider: centra"), "a cassette of centra, not of ezcards"),
    "newer": (TEXT, lambda raw: raw.replace(b"cassette/1", b"cassette/2"), "of the format conformance-cassette/2, which is newer than this suite knows (1)"),
    "manifest cut short": (manifest.NAME, lambda raw: raw[:700], "not a whole manifest"),
    "manifest empty": (manifest.NAME, lambda _raw: b"\n", "empty"),
    "manifest of another": (manifest.NAME, lambda raw: raw.replace(b"provider: ezcards", b"provider: centra"), "a recording of centra, not of ezcards"),
    "manifest newer": (manifest.NAME, lambda raw: raw.replace(b"recording/1", b"recording/7"), "of the format conformance-recording/7, which is newer than this suite knows (1)"),
    "manifest not ours": (manifest.NAME, lambda _raw: b"a: 1\n", "not of the format conformance-recording/1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_told_in_a_line_and_left_alone(recording, kind):
    name, change, told = DAMAGE[kind]
    spoil(recording / name, change)
    before = contents(recording)
    for mode in ("none", "once", "new_episodes"):
        with pytest.raises(UserError) as error:
            recorder.prepare(options(recording, mode))
        [line] = str(error.value).splitlines()
        assert line.startswith(f"{recording / name}: {told}")
        assert "--record-mode=rewrite" in line or "folder of its own" in line
    assert contents(recording) == before


def test_a_missing_file_is_told(recording):
    (recording / TEXT).unlink()
    with pytest.raises(UserError, match=r"EZ-001\.yaml: missing; restore it, or record anew"):
        recorder.prepare(options(recording))


def test_damage_is_a_usage_error(run_pytest, recording, tmp_path):
    spoil(recording / TEXT, lambda raw: raw[:100])
    outcome = run_pytest(tmp_path, "--provider=ezcards", "--record-mode=none", "--cassettes=c")
    assert outcome.ret == 4
    assert len(outcome.errors()) == 1
    assert "Traceback" not in outcome.text
    again = run_pytest(tmp_path, "--provider=ezcards", "--record-mode=all", "--cassettes=c")
    assert again.ret == 0
    assert "Replaced: c/ezcards/EZ-001.yaml: " in again.text
    assert run_pytest(tmp_path, "--provider=ezcards", "--record-mode=none", "--cassettes=c").ret == 0


def test_nothing_recorded(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=ezcards", "--record-mode=none", "--cassettes=c")
    assert outcome.ret == 4
    assert outcome.errors() == [
        "ERROR: c/ezcards: nothing is recorded here; record with --record-mode=once --cassettes=c"
    ]


# Modes


def test_wrong_modes_are_usage_errors(run_pytest, tmp_path):
    for arguments, told in (
        (("--record-mode=al",), "--record-mode=al: there is no such mode; did you mean 'all'?"),
        (("--record-mode=all",), "--record-mode=all: say where recordings go with --cassettes=DIR"),
        (("--cassettes=c",), "--cassettes and --max-cassette-age need --record-mode; --record-mode=none replays"),
    ):
        outcome = run_pytest(tmp_path, "--provider=ezcards", *arguments)
        assert (outcome.ret, outcome.errors()) == (4, [f"ERROR: {told}"])


def test_new_episodes_sends_only_what_is_missing(run_pytest, tmp_path):
    arguments = ("--provider=ezcards", "--cassettes=c", "--report=out")
    run_pytest(tmp_path, *arguments, "--record-mode=once", f"--case={ONE}")
    first = contents(tmp_path / "c" / "ezcards")
    grown = run_pytest(tmp_path, *arguments, "--record-mode=new_episodes", f"--case={ONE}", f"--case={OTHER}")
    assert grown.ret == 0
    assert set(grown.verdicts.values()) == {"conformant"}
    second = contents(tmp_path / "c" / "ezcards")
    assert {name: second[name] for name in first if name != manifest.NAME} == {
        name: each for name, each in first.items() if name != manifest.NAME
    }
    assert "more-1/EZ-008.yaml" in second
    both = ("--record-mode=none", f"--case={ONE}", f"--case={OTHER}")
    outcome = run_pytest(tmp_path, *arguments, *both)
    assert outcome.ret == 0
    assert comparable(outcome.report) == comparable(grown.report)
    # All is there: nothing is sent and nothing is written.
    assert run_pytest(tmp_path, *arguments, "--record-mode=new_episodes", *both[1:]).ret == 0
    assert contents(tmp_path / "c" / "ezcards") == second
    # Recorded again, a case belongs to the newest session; rewrite keeps nothing else.
    assert run_pytest(tmp_path, *arguments, "--record-mode=all", f"--case={ONE}").ret == 0
    assert run_pytest(tmp_path, *arguments, *both).ret == 0
    assert run_pytest(tmp_path, *arguments, "--record-mode=rewrite", f"--case={ONE}").ret == 0
    assert set(load.head(tmp_path / "c" / "ezcards", "ezcards").sessions[0].cases) == {ONE}
    assert not (tmp_path / "c" / "ezcards" / "more-1").exists()


def test_a_project_keeps_its_own_record_mode(suite_run, pytester):
    """Theirs is not read; ours is reached by its long name."""
    pytester.makeconftest("def pytest_addoption(parser):\n    parser.addoption('--record-mode', default='x')")
    arguments = ("--provider=ezcards", f"--case={ONE}", "--record-mode=tape")
    result = suite_run(*arguments)
    result.stdout.fnmatch_lines(["conformance *: ezcards (*) at the embedded reference endpoint*"])
    result = suite_run(*arguments, "--conformance-record-mode=none")
    result.stdout.fnmatch_lines(["conformance *: ezcards (*) from its recording at *, seed 1, network closed"])


def test_pytest_recordings_mode_is_read(suite_run):
    result = suite_run("--provider=ezcards", f"--case={ONE}", "--record-mode=none", plugins=["recording"])
    result.stdout.fnmatch_lines(["conformance *: ezcards (*) from its recording at *, seed 1, network closed"])


def test_old_recordings_fail(recording, monkeypatch):
    """They never go live silently."""
    raw = (recording / manifest.NAME).read_text("utf-8")
    head = load.head(recording, "ezcards")
    stamp = head.recorded_at.isoformat()
    (recording / manifest.NAME).write_text(raw.replace(stamp, "2026-01-02T03:04:05+00:00"), "utf-8")
    for mode in ("none", "once", "new_episodes"):
        with pytest.raises(UserError, match=r"recorded on 2026-01-02, \d+ days ago, and --max-cassette-age is 30; "):
            recorder.prepare(options(recording, mode, max_cassette_age=30.0))
    recorder.prepare(options(recording, max_cassette_age=100_000.0))


# Crashes


def part(whole, *starts, **changes):
    """A recording of those cases only, and of what belongs to no case; their exchanges changed."""
    session = whole.sessions[0]
    records = tuple(
        replace(each, exchange=replace(each.exchange, **changes))
        for each in session.records
        if not each.case or each.case.startswith(starts)
    )
    cases = {name: each for name, each in session.cases.items() if name.startswith(starts)}
    return replace(whole, sessions=(replace(session, cases=cases, records=records),))


class Killed(BaseException):
    """The process ends here."""


def test_killed_while_writing_leaves_the_old_or_the_new(recording, monkeypatch):
    """Wherever it happens, a whole recording can be read, and the next write succeeds."""
    made = recorder.prepare(options(recording))
    # Every write is tried at each of its steps: a few files show as much as all of them.
    old = part(load.whole(recording, made.old), "EZ-00", "EZ-01")
    new = part(old, "EZ-01", duration_ms=7.0)
    fewer = new.sessions[0].cases
    store.write(recording, old, made.target.suite, Vault({}))
    start = contents(recording)
    seen = set()
    for at in count():
        shutil.rmtree(recording)
        for name, content in start.items():
            (recording / name).parent.mkdir(parents=True, exist_ok=True)
            (recording / name).write_bytes(content)
        calls = count()

        def watched(real, calls=calls, at=at):
            def call(*arguments, **more):
                if next(calls) == at:
                    raise Killed
                return real(*arguments, **more)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(store.os, "fsync", watched(store.os.fsync))
            for name in ("replace", "unlink"):
                patch.setattr(Path, name, watched(getattr(Path, name)))
            try:
                store.write(recording, new, made.target.suite, Vault({}))
                done = True
            except Killed:
                done = False
        found = load.whole(recording, load.head(recording, "ezcards"))
        which = "new" if found.sessions[0].cases == fewer else "old"
        seen.add(which)
        wanted = new if which == "new" else old
        assert found.sessions[0].records == wanted.sessions[0].records
        if at % 25 == 0:
            store.write(recording, old, made.target.suite, Vault({}))
            assert contents(recording) == start
        if done:
            break
    assert which == "new"
    assert seen == {"old", "new"}


def test_a_folder_that_cannot_be_written(recording, monkeypatch):
    made = recorder.prepare(options(recording))
    whole = load.whole(recording, made.old)

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    other = replace(whole, sessions=(replace(whole.sessions[0], seed=2),))
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        store.write(recording, other, made.target.suite, Vault({}))
    assert load.head(recording, "ezcards").sessions[0].seed == 1


# Secrets

COOKIE, NESTED, LINKED, HEADER = "c00kie-7f3a9d21", "nest-55ab\\u00e9-0cd1", "link-91b3f7e2aa", "partner-4be1d09c77"
PLAIN = "nest-55abé-0cd1"


class Telling(Endpoint):
    """Repeats every secret it knows wherever it can."""

    def answer(self, call):
        reply = super().answer(call)
        own = call.headers.get("authorization", "")
        body = reply.body
        if reply.status >= 400:
            nested = f'{{"error": {{"said": [{{"sessionToken": "{NESTED}", "n": 1}}], "echo": "{own}"}}, "again": "{PLAIN}"}}'
            body = nested.encode()
        return Reply(
            reply.status,
            body,
            (
                *reply.headers,
                ("set-cookie", f"sid={COOKIE}; Path=/; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
                ("link", f"<https://shop.example/next?page=2&access_token={LINKED}>; rel=next"),
                ("x-echo", call.headers.get("x-partner-key", "")),
            ),
        )


def test_no_secret_in_any_byte(run_pytest, tmp_path):
    """Credentials, extra headers, tokens at every depth, cookies and query parameters; the replay is the same."""
    arguments = ("--provider=atlast", "--cassettes=c", "--report=out")
    with Telling().serving() as endpoint:
        live = run_pytest(
            tmp_path,
            *arguments,
            f"--endpoint={endpoint.url}",
            "--record-mode=all",
            f"--header=X-Partner-Key: {HEADER}",
            env=LIVE,
        )
    assert "Recorded: " in live.text
    found = {name: each for part in ("c", "out") for name, each in contents(tmp_path / part).items()}
    found |= {f"{name}, unzipped": gzip.decompress(each) for name, each in found.items() if name.endswith(".gz")}
    assert len(found) > 100
    for secret in (TOKEN, COOKIE, NESTED, PLAIN, PLAIN.encode("unicode_escape").decode(), LINKED, HEADER):
        assert [name for name, each in found.items() if secret.encode() in each] == []
        assert secret not in live.text
    recorded = b"".join(found.values()).decode("utf-8", "replace")
    assert "sid={{hidden-" in recorded
    assert '"sessionToken": "{{hidden-' in recorded
    for each in live.report["exchanges"].values():
        if each["response"] and each["response"]["body"].startswith("{"):
            json.loads(each["response"]["body"])
    outcome = run_pytest(tmp_path, *arguments, "--record-mode=none")
    assert comparable(outcome.report) == comparable(live.report)


def test_a_leak_blocks_the_write(recording):
    made = recorder.prepare(options(recording))
    whole = load.whole(recording, made.old)
    before = contents(recording)
    for secret in ("7KM-QA-R2D", "/v2/orders"):
        with pytest.raises(UserError, match=r"ezcards: not written: api_key would stand in .*; mark the member"):
            store.write(recording, whole, made.target.suite, Vault({"api_key": secret}))
    assert contents(recording) == before


def test_a_leak_is_told_and_fails_the_run(run_pytest, tmp_path):
    """Whoever has the name of a member for a token gets no recording, and hears why."""
    secret = "customer"
    with Endpoint(tokens={secret}).serving() as endpoint:
        arguments = ("--provider=atlast", f"--endpoint={endpoint.url}", "--record-mode=all", "--cassettes=c")
        outcome = run_pytest(
            tmp_path, *arguments, "--case=AL-034/reference.too-short", env={"ATLAST_ACCESS_TOKEN": secret}
        )
    assert outcome.ret == 4
    assert "Not recorded: c/atlast: not written: access_token would stand in " in outcome.text
    assert not (tmp_path / "c").exists()


def hidden(*records, **fields):
    pack = replace(provider("ezcards"), **fields)
    return Redactor(pack, records).records(records)


def test_equal_secrets_get_equal_placeholders():
    body = b'{"a": {"token": "t-1"}, "b": [{"api_key": "t-1"}, {"password": "p\\"q"}], "tokens": 3, "token_type": "bearer"}'
    [first, second] = hidden(record(answer=body), record(answer=b'{"refreshToken":"t-1"}'))
    assert json.loads(first.exchange.response.body) == {
        "a": {"token": "{{hidden-1}}"},
        "b": [{"api_key": "{{hidden-1}}"}, {"password": "{{hidden-2}}"}],
        "tokens": 3,
        "token_type": "bearer",
    }
    assert second.exchange.response.body == b'{"refreshToken":"{{hidden-1}}"}'


def test_personal_members_are_kept_only_where_we_sent_them():
    sent = record(b'{"email": "made-up@example.com"}', b'{"email":"made-up@example.com","phone": 123}')
    other = record(answer=b'[{"email":"ann@example.org"},{"email":"ann@example.org"},{"email":null},{"email":""}]')
    first, second = hidden(sent, other, personal_members=("email", "phone"))
    assert first.exchange.response.body == b'{"email":"made-up@example.com","phone": "{{personal-1}}"}'
    assert json.loads(second.exchange.response.body) == [
        {"email": "{{personal-2}}"}, {"email": "{{personal-2}}"}, {"email": None}, {"email": ""},
    ]  # fmt: skip


def test_what_we_sent_is_known_again_however_json_escapes_it():
    """Python and PHP escape letters beyond ASCII, PHP the slash; a quote may end a text."""
    name = 'Zoë/Ānn "Jo"'
    sent = record(json.dumps({"name": name}, ensure_ascii=False).encode())
    plain = {"name": name}
    answers = [
        json.dumps(plain).encode(),
        json.dumps(plain).replace("/", "\\/").encode(),
        json.dumps(plain, ensure_ascii=False).encode(),
    ]
    for answer in answers:
        [_, back] = hidden(sent, record(answer=answer), personal_members=("name",))
        assert json.loads(back.exchange.response.body) == plain
    [_, other] = hidden(sent, record(answer=b'{"name":"Zo\\u00eb"}'), personal_members=("name",))
    assert json.loads(other.exchange.response.body) == {"name": "{{personal-1}}"}


def test_what_is_no_secret_stays_the_same_object():
    one = record(
        b"{}", b'{"token": "{{access_token}}", "text": "Basic authentication is needed"}', headers=(("etag", "x"),)
    )
    assert hidden(one)[0] is one


# Drift


@contextmanager
def serving(name, fault=""):
    """The reference endpoint as a live one, with its own clock, perhaps with a fault."""
    pack = provider(name)
    how = behaviour.healthy(pack, strict=False)
    how = faults.fault(pack, fault).apply(how) if fault else how
    from conformance.providers import reference_account

    endpoint = app.Endpoint(pack, reference_account(pack), how)
    with server.running(endpoint) as url:
        yield f"{url}"


@pytest.mark.parametrize(("name", "fault"), [("ezcards", "EZ-040"), ("atlast", "AL-034")])
def test_diff_names_exactly_the_requirement_that_drifted(run_pytest, conformance, tmp_path, name, fault):
    pack = provider(name)
    env = {
        variable: app.CREDENTIALS[key]
        for key, known in pack.auth.variables.items()
        for variable in known[:1]
        if key in app.CREDENTIALS
    }
    account = pack.folders.fixtures / "account.toml"
    for folder, broken in (("old", ""), ("same", ""), ("new", fault)):
        with serving(name, broken) as url:
            outcome = run_pytest(
                tmp_path, f"--provider={name}", f"--endpoint={url}", f"--account={account}", "--allow=orders,money,email",
                f"--cassettes={folder}", "--record-mode=rewrite", f"--report={folder}-report", env=env,
            )  # fmt: skip
        assert outcome.ret == (1 if broken else 0)
    for pair in (("old", "same"), ("old-report", "same-report"), (f"old/{name}", "same-report")):
        assert conformance(tmp_path, "diff", *pair) == (0, "")
    for pair in (("old", "new"), ("old-report", "new-report")):
        status, out = conformance(tmp_path, "diff", *pair)
        assert status == 1
        told = [line for line in out.splitlines() if not line.startswith((" ", "policy "))]
        assert [line.partition(" ")[0] for line in told] == [fault]
        assert told[0].startswith(f"{fault} (must): conformant -> violation: ")


@pytest.fixture
def conformance():
    """Run the command in a folder."""
    import subprocess
    import sys

    def run(folder, *arguments):
        command = [sys.executable, "-c", "from conformance.cli import main; main()", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        print(done.stdout, done.stderr)
        return done.returncode, done.stdout + done.stderr

    return run


def test_diff_of_nothing(conformance, tmp_path):
    status, out = conformance(tmp_path, "diff", tmp_path, tmp_path)
    assert (status, out) == (
        4,
        f"conformance: {tmp_path}: neither a report.json nor a recording; give one, or the folder that holds it\n",
    )
