"""Bundles: what ``--report`` writes, what is attested of it, and what is made of it later."""

import base64
import copy
import hashlib
import importlib.machinery
import json
import os
import re
import stat
import sys
import types
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from vcr.cassette import Cassette

from conformance import __version__, recorded, recorder, resources, target
from conformance.cassettes import load
from conformance.cli import cli
from conformance.cli.diff import differ
from conformance.errors import UserError
from conformance.providers import load as provider
from conformance.providers import reference_account
from conformance.reference import app, behaviour, detection, faults, server
from conformance.report import attestation, bundle, diff
from conformance.target import Options, challenged

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TEXT = "partner programme, 15 June"
XDIST = ("xdist", "xdist.looponfail")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A pair of each kind, made by the command."""
    folder = tmp_path_factory.mktemp("keys")
    for kind in attestation.KINDS:
        done = CliRunner().invoke(cli, ["keygen", f"--out={folder / kind}", f"--type={kind}"])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def signed(run_pytest, tmp_path_factory, keys):
    """A whole run against the reference endpoint, signed, for a challenge."""
    folder = tmp_path_factory.mktemp("signed")
    arguments = ("--provider=ezcards", "--report=out", f"--signing-key={keys / 'ed25519.key'}", f"--challenge={TEXT}")
    outcome = run_pytest(folder, *arguments)
    assert outcome.ret == 0
    return outcome


def report_of(folder):
    return json.loads((folder / "report.json").read_text("utf-8"))


def envelope_of(folder):
    envelope = json.loads((folder / "attestation.json").read_text("utf-8"))
    return envelope, json.loads(base64.b64decode(envelope["payload"]))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def comparable(report):
    """A report without what two equal runs may differ in."""
    report = copy.deepcopy(report)
    del report["run"]
    for exchange in report["exchanges"].values():
        del exchange["duration_ms"]
    return report


@contextmanager
def serving(name, fault=""):
    """The reference endpoint as a live one, with its own clock, perhaps with a fault."""
    pack = provider(name)
    how = behaviour.healthy(pack, strict=False)
    how = faults.fault(pack, fault).apply(how) if fault else how
    with server.running(app.Endpoint(pack, reference_account(pack), how)) as url:
        yield url


def live(name, url):
    """The arguments and the environment of a run against such an endpoint."""
    pack = provider(name)
    account = pack.folders.fixtures / "account.toml"
    env = {
        variable: app.CREDENTIALS[key]
        for key, known in pack.auth.variables.items()
        for variable in known[:1]
        if key in app.CREDENTIALS
    }
    return (f"--provider={name}", f"--endpoint={url}", f"--account={account}", "--allow=orders,money,email"), env


# What is written


def test_files_of_a_bundle(signed):
    """Nothing but what the design names, and nothing that is only on its way."""
    files = set(contents(signed.folder / "out"))
    made = set(bundle.FILES)
    assert {name for name in files if not name.startswith("evidence/")} == {"report.json", "attestation.json", *made}
    assert "evidence/recording.yaml" in files


def test_evidence_is_a_recording(signed):
    """vcrpy alone loads it, and the judge says of it what the report says."""
    evidence = signed.folder / "out" / "evidence"
    paths = [each for each in evidence.rglob("*.yaml") if each.name != recorded.MANIFEST]
    assert sum(len(Cassette.load(path=str(each))) for each in paths) == len(signed.report["exchanges"])
    run, _ = recorded.judged(evidence, "ezcards")
    assert {name: str(each.verdict) for name, each in run.judgements.items()} == signed.verdicts


def test_statement(signed):
    """It names every other file of the bundle and the pack by digest, and the requirements by result."""
    envelope, statement = envelope_of(signed.folder / "out")
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    files = contents(signed.folder / "out")
    del files["attestation.json"]
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    expected["pack/ezcards"] = resources.folders_of("ezcards").digest()
    assert {each["name"]: each["digest"]["sha256"] for each in statement["subject"]} == expected
    predicate = statement["predicate"]
    by_verdict = {row["id"]: row["verdict"] for row in signed.report["requirements"]}
    assert predicate["result"] == "PASSED"
    assert predicate["passedTests"] == [name for name, verdict in by_verdict.items() if verdict == "conformant"]
    assert predicate["warnedTests"] == predicate["failedTests"] == []
    suite, pack, endpoint, cases = predicate["configuration"]
    assert suite["uri"].startswith("pkg:pypi/bulk-order-conformance@")
    assert pack["annotations"] == {"revision": "current"}
    assert endpoint["uri"] == signed.report["target"]["url"]
    assert cases["digest"]["sha256"] == signed.report["run"]["expected_cases_sha256"]
    assert cases["annotations"]["challenge"]["text"] == TEXT
    assert cases["annotations"]["verdict"] == "conformant"


@pytest.mark.parametrize(
    ("verdict", "rows", "result"),
    [
        ("conformant", ["conformant", "observed"], "PASSED"),
        ("conformant", ["conformant", "advisory"], "WARNED"),
        ("nonconformant", ["conformant", "violation"], "FAILED"),
        ("inconclusive", ["conformant", "inconclusive"], "FAILED"),
        ("inconclusive", ["conformant"], "FAILED"),
    ],
)
def test_result(verdict, rows, result):
    """What was not shown has not passed, nor is it merely a warning."""
    report = {"verdict": verdict, "requirements": [{"id": f"X-{at}", "verdict": each} for at, each in enumerate(rows)]}
    assert attestation.result(report) == result


@pytest.mark.parametrize("kind", attestation.KINDS)
def test_signature_by_hand(keys, kind):
    """Another library verifies it, over DSSE's own encoding of what is signed."""
    signer = attestation.signer(keys / f"{kind}.key")
    envelope = json.loads(attestation.sealed({"about": "ünïcode"}, signer))
    payload = base64.b64decode(envelope["payload"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    text = envelope["payloadType"].encode()
    signed_bytes = b"DSSEv1 %d %s %d %s" % (len(text), text, len(payload), payload)
    public = serialization.load_pem_public_key((keys / f"{kind}.pub").read_bytes())
    more = [ec.ECDSA(hashes.SHA256())] if kind == "ecdsa" else []
    public.verify(signature, signed_bytes, *more)
    with pytest.raises(InvalidSignature):
        public.verify(signature, signed_bytes + b" ", *more)


def test_unsigned_envelope():
    assert json.loads(attestation.sealed({"about": 1}, None))["signatures"] == []


@pytest.mark.slow
def test_same_seed_same_bundle(run_pytest, tmp_path_factory):
    """Two runs differ in ``run``, durations and when it was, with workers or without; each brings its evidence."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    assert run_pytest(one, "--provider=ezcards", "--report=out").ret == 0
    assert run_pytest(two, "--provider=ezcards,centra", "--report=out", "-n2", plugins=XDIST).ret == 0
    first, second = one / "out", two / "out" / "ezcards"
    assert comparable(report_of(first)) == comparable(report_of(second))
    assert list(report_of(first)) == list(report_of(second))
    before, after = contents(first), contents(second)
    assert before.keys() == after.keys()
    aside = {"report.json", "attestation.json", "evidence/recording.yaml", *bundle.FILES}
    assert [name for name in before if name not in aside and before[name] != after[name]] == []
    for folder in (first, second, two / "out" / "centra"):
        assert CliRunner().invoke(cli, ["verify", str(folder)]).exit_code == 0


def test_partial_run_says_so(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=ezcards", "--report=out", "--case=EZ-001/order.plain")
    assert outcome.ret == 0
    _, statement = envelope_of(tmp_path / "out")
    assert statement["predicate"]["result"] == "FAILED"
    assert statement["predicate"]["configuration"][3]["annotations"]["complete"] is False
    done = CliRunner().invoke(cli, ["verify", str(tmp_path / "out")])
    assert (done.exit_code, "note: incomplete: not every case was judged" in done.output) == (0, True)


def test_replay_is_evidence_too(run_pytest, tmp_path):
    """The evidence of a replay is the recording that was judged."""
    outcome = run_pytest(tmp_path, "--provider=ezcards", "--record-mode=none", "--report=out")
    assert outcome.ret == 0
    packaged = contents(resources.folders_of("ezcards").cassettes)
    evidence = contents(tmp_path / "out" / "evidence")
    assert {name: evidence[name] for name in packaged} == packaged
    done = CliRunner().invoke(cli, ["verify", str(tmp_path / "out")])
    assert (done.exit_code, "note: replayed from a recording" in done.output) == (0, True)


def test_a_replay_of_some_cases_lacks_nothing_else(run_pytest, tmp_path):
    """What nobody asked for is not missed: it was not to be recorded either."""
    some = ("--provider=ezcards", "-k", "quantity")
    assert run_pytest(tmp_path, *some, "--record-mode=once", "--cassettes=made").ret == 0
    again = run_pytest(tmp_path, *some, "--record-mode=none", "--cassettes=made", "--report=out")
    assert (again.ret, report_of(tmp_path / "out")["not_run"]) == (0, [])
    assert "not recorded" not in again.text
    done = CliRunner().invoke(cli, ["verify", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output


def test_a_second_run_takes_the_place_of_the_first(run_pytest, tmp_path):
    """Files that only the first had are gone."""
    for case in ("EZ-001/order.plain", "EZ-008/media-type.json"):
        assert run_pytest(tmp_path, "--provider=ezcards", "--report=out", f"--case={case}").ret == 0
    done = CliRunner().invoke(cli, ["verify", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "out" / "evidence" / "EZ-001.yaml").exists()


# What must not be written


@pytest.fixture(scope="module")
def done_run():
    """A few cases run in this process, with what a bundle of them needs."""
    made = recorder.prepare(Options("ezcards"))
    made.keeps = True
    run = recorder.run(made, ["EZ-001/order.plain"])
    from conformance.report.build import build

    return made, build(run, made.target)


def test_a_secret_blocks_the_bundle(done_run, tmp_path):
    """In the report as in the evidence, in whatever form; and nothing verifies any more."""
    made, report = done_run
    bundle.keep(tmp_path, made.judged, made.target, report)
    bundle.write(tmp_path, report, None, NOW)
    secret = app.CREDENTIALS["api_key"]
    spoilt = copy.deepcopy(report) | {"policy": {"echo": f"we got {secret}"}}
    with pytest.raises(UserError, match=r": not written: api_key would stand in report\.json; mark the member"):
        bundle.keep(tmp_path, made.judged, made.target, spoilt)
    assert not (tmp_path / "attestation.json").exists()


def test_evidence_is_redacted_before_it_is_judged(run_pytest, tmp_path):
    """A cookie of the endpoint is in no file, and the placeholder in its place is what was judged."""
    cookie = "s3ss10n-0f-n0b0dy-else"

    class Endpoint(app.Endpoint):
        def app(self):
            inner = super().app()

            async def outer(scope, receive, send):
                async def sending(message):
                    if message["type"] == "http.response.start":
                        message["headers"] = [*message["headers"], (b"set-cookie", f"sid={cookie}; Path=/".encode())]
                    await send(message)

                await inner(scope, receive, sending)

            return outer

    pack = provider("ezcards")
    endpoint = Endpoint(pack, reference_account(pack), behaviour.healthy(pack, strict=False))
    with server.running(endpoint) as url:
        arguments, env = live("ezcards", url)
        outcome = run_pytest(tmp_path, *arguments, "--report=out", "--case=EZ-001/order.plain", env=env)
    assert outcome.ret == 0
    files = contents(tmp_path / "out")
    assert [name for name, content in files.items() if cookie.encode() in content] == []
    assert b"sid={{hidden-1}}" in files["report.json"]
    assert b"sid={{hidden-1}}" in files["evidence/controls.yaml"]


@pytest.mark.parametrize("at", range(2))
def test_a_crash_leaves_nothing_that_verifies(done_run, tmp_path, monkeypatch, at):
    """Whichever file it is cut off at, the attestation of before is gone."""
    made, report = done_run
    bundle.keep(tmp_path, made.judged, made.target, report)
    bundle.write(tmp_path, report, None, NOW)
    calls = []

    def put(path, content, real=bundle.put):
        calls.append(path.name)
        if len(calls) > at:
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr(bundle, "put", put)
    with pytest.raises(KeyboardInterrupt):
        bundle.write(tmp_path, report, None, NOW)
    assert not (tmp_path / "attestation.json").exists()


def test_a_folder_that_cannot_be_written(done_run, tmp_path):
    """What stands in the way is told in a line."""
    made, report = done_run
    bundle.keep(tmp_path, made.judged, made.target, report)
    (tmp_path / "report.json").mkdir()
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))}: the report cannot be written \\(.+\\)$"):
        bundle.write(tmp_path, report, None, NOW)


# Challenge


def test_order_ids_answer_the_challenge(signed):
    """The run token is the beginning of a digest over challenge and nonce, and stands in what was sent."""
    run = signed.report["run"]
    assert run["challenge"]["text"] == TEXT
    token = hashlib.sha256(f"{TEXT}\n{run['challenge']['nonce']}".encode()).hexdigest()[:6]
    assert run["id"].startswith(f"{token}-")
    sent = [each["request"].get("body", "") for each in signed.report["exchanges"].values()]
    assert sum(token in body for body in sent) > len(sent) / 2


def test_live_runs_for_one_challenge_have_tokens_of_their_own(monkeypatch):
    """Their ids do not collide, and each depends on the challenge."""
    for name, key in (("EZCARDS_API_KEY", "api_key"), ("EZCARDS_ACCESS_TOKEN", "access_token")):
        monkeypatch.setenv(name, app.CREDENTIALS[key])
    account = str(provider("ezcards").folders.fixtures / "account.toml")
    options = Options("ezcards", endpoint="http://127.0.0.1:9", account=account, challenge=TEXT)
    made = [target.prepare(options) for _ in range(5)]
    assert len({each.nonce for each in made}) > 1
    assert {target.token(each) for each in made} == {challenged(TEXT, each.nonce) for each in made}


def test_no_challenge_for_a_replay(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=ezcards", "--record-mode=none", "--challenge=x")
    message = "--challenge: what was recorded before depends on none; leave it out, or --record-mode=rewrite"
    assert (outcome.ret, outcome.errors()) == (4, [f"ERROR: {message}"])


# Wrong uses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--signing-key=k"], "--signing-key=k: there is nothing to sign without --report=DIR"),
        (["--signing-key=k", "--report=out"], "k: cannot be read (No such file or directory)"),
        (
            ["--signing-key=empty", "--report=out"],
            "empty: not a private key (PEM, Ed25519 or ECDSA); conformance keygen makes a pair",
        ),
        (
            ["--junitxml=out/junit.xml", "--report=out"],
            "--junitxml=out/junit.xml: --report=out writes that file; leave --junitxml out",
        ),
        ([f"--challenge={'x' * 201}"], "--challenge: at most 200 printable characters"),
        (["--challenge=a\tb"], "--challenge: at most 200 printable characters"),
    ],
)
def test_wrong_use(suite_run, pytester, arguments, message):
    """Told before anything is sent, in a line."""
    (pytester.path / "empty").write_text("")
    result = suite_run("--provider=ezcards", *arguments)
    assert result.ret == 4
    assert [line for line in result.errlines if line.startswith("ERROR")] == [f"ERROR: {message}"]
    assert not (pytester.path / "out").exists()


# Keys


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions")
def test_private_key_is_for_its_owner(keys):
    for kind in attestation.KINDS:
        assert stat.S_IMODE((keys / f"{kind}.key").stat().st_mode) == 0o600
        assert (keys / f"{kind}.key").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


def test_keys_are_never_overwritten(tmp_path):
    for name in ("a.key", "b.pub"):
        (tmp_path / name).write_text("mine")
        done = CliRunner().invoke(cli, ["keygen", f"--out={tmp_path / name[0]}"])
        assert str(done.exception) == f"{tmp_path / name} exists already; give another --out"
        assert (tmp_path / name).read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_keys_that_are_none(keys, tmp_path):
    """Each mistake has its line."""
    (tmp_path / "text").write_text("no key")
    private = serialization.load_pem_private_key((keys / "ed25519.key").read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"not-a-secret")
    forms = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    (tmp_path / "locked").write_bytes(private.private_bytes(*forms))
    for read, path, message in (
        (attestation.signer, tmp_path / "locked", "the key is encrypted, and nobody is there to be asked; give one that is not"),
        (attestation.signer, keys / "ed25519.pub", "not a private key (PEM, Ed25519 or ECDSA); conformance keygen makes a pair"),
        (attestation.public_key, keys / "ed25519.key", "a private key; give the public one that belongs to it"),
        (attestation.public_key, tmp_path / "text", "not a public key (PEM, Ed25519 or ECDSA); conformance keygen makes a pair"),
        (attestation.public_key, tmp_path, "cannot be read (Is a directory)"),
    ):  # fmt: skip
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(caught.value) == f"{path}: {message}"


# Detection power


@pytest.mark.parametrize("name", ["atlast", "centra", "ezcards", "sendcloud"])
def test_detection_power_is_that_of_the_page(name):
    """The figures in reports are the sums of the page."""
    page = (Path(__file__).parents[1] / "docs" / "detection" / f"{name}.md").read_text(encoding="utf-8")
    heads = next(line for line in page.splitlines() if line.startswith("| fault | number |")).strip("| ").split(" | ")
    sums = next(line for line in page.splitlines() if line.startswith("| **all** |")).strip("| ").split(" | ")
    told = json.loads(resources.folders_of(name).detection.read_text(encoding="utf-8"))
    assert told["faults"] == int(sums[1]) == sum(told["noticed"].values())
    assert told["noticed"] == dict(zip(heads[2:], map(int, sums[2:]), strict=True))


def test_detection_power_is_told_and_judges_nothing(signed, done_run):
    """It is in the report and not among the files that the pack's digest covers; without it the key is absent."""
    folders = resources.folders_of("ezcards")
    assert signed.report["detection"] == json.loads(folders.detection.read_text(encoding="utf-8"))
    assert folders.detection not in list(folders.files())
    from conformance.report.build import _detection

    assert _detection(resources.PackFolders("x", folders.schemas, folders.schemas, folders.cassettes)) == {}


def test_a_measurement_writes_page_and_figures(monkeypatch, tmp_path):
    """The command that makes the page makes the figures of the same rows."""
    ways = ("violation", "violation", "advisory")
    rows = [detection.Row(f"X-{at}", "X-1", "A fault.", "dropped", way, "", 0) for at, way in enumerate(ways)]
    real = provider("ezcards")
    folders = replace(real.folders, fixtures=tmp_path)
    monkeypatch.setattr(detection, "measure_all", lambda name, jobs: rows)
    monkeypatch.setattr(detection.providers, "load", lambda name: replace(real, folders=folders))
    monkeypatch.setattr(sys, "argv", ["detection", "ezcards", f"--write={tmp_path / 'page.md'}"])
    detection.main()
    told = json.loads((tmp_path / "detection.json").read_text("utf-8"))
    assert (told["faults"], told["suite_version"]) == (3, __version__)
    assert {way: count for way, count in told["noticed"].items() if count} == {"violation": 2, "advisory": 1}
    assert "| **all** | 3 | 2 | 0 | 1 | 0 |" in (tmp_path / "page.md").read_text("utf-8")


# Made from report.json


@pytest.fixture
def renderer(monkeypatch):
    """A renderer that the package does not have."""
    module = types.ModuleType("conformance.report.made_up")
    module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
    module.render = lambda report: f"{report['verdict']}\n"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(bundle, "FILES", {"made-up.txt": "made_up"})
    return module


def test_report_makes_the_files_anew(done_run, tmp_path, renderer):
    """From report.json alone; what is attested stays as it is."""
    made, report = done_run
    bundle.keep(tmp_path, made.judged, made.target, report)
    bundle.write(tmp_path, report, None, NOW)
    (tmp_path / "made-up.txt").unlink()
    done = CliRunner().invoke(cli, ["report", str(tmp_path)])
    message = f"{tmp_path / 'made-up.txt'}: attested as it is, and would be another now; give --out=DIR"
    assert str(done.exception) == message
    (tmp_path / "attestation.json").unlink()
    done = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'made-up.txt'}\n")
    assert (tmp_path / "made-up.txt").read_text() == "inconclusive\n"
    done = CliRunner().invoke(cli, ["report", str(tmp_path), f"--out={tmp_path / 'else'}"])
    assert (tmp_path / "else" / "made-up.txt").is_file()


def test_report_of_none(tmp_path):
    """What is no report is told in a line."""
    for content, why in (
        ("{}", '"format" is a required property'),
        ("[" * 9999, "nested too deeply"),
        ("{", "Expecting"),
    ):
        (tmp_path / "report.json").write_text(content)
        done = CliRunner().invoke(cli, ["report", str(tmp_path)])
        assert str(done.exception).startswith(f"{tmp_path / 'report.json'}: ")
        assert why in str(done.exception)


# Drift


@pytest.mark.slow
def test_equal_live_runs_have_no_difference(run_pytest, tmp_path):
    """Two runs with tokens, clocks and durations of their own, and one with a fault."""
    for folder, fault in (("one", ""), ("two", ""), ("three", "EZ-040")):
        with serving("ezcards", fault) as url:
            arguments, env = live("ezcards", url)
            assert run_pytest(tmp_path, *arguments, f"--report={folder}", env=env).ret == (1 if fault else 0)
    one, two, three = (tmp_path / each for each in ("one", "two", "three"))
    done = CliRunner().invoke(differ, [str(one), str(two)])
    assert (done.exit_code, done.output) == (0, "")
    done = CliRunner().invoke(differ, [str(one), str(three), "--format=json"])
    assert done.exit_code == 1
    kinds = json.loads(done.output)["ezcards"]
    assert [each["id"] for each in kinds["broken"]] == ["EZ-040"]
    back = CliRunner().invoke(differ, [str(three), str(one), "--format=json"])
    assert [each["id"] for each in json.loads(back.output)["ezcards"]["fixed"]] == ["EZ-040"]
    assert CliRunner().invoke(cli, ["verify", str(three)]).exit_code == 0


def row(name, *cases):
    """A requirement with cases of one verdict and observation each."""
    rows = [
        {"id": f"{name}/{at}", "verdict": verdict, "findings": [], **({"found": seen} if seen else {})}
        for at, (verdict, seen) in enumerate(cases)
    ]
    return {"id": name, "level": "must", "title": "A rule.", "verdict": cases[0][0], "cases": rows}


@pytest.mark.parametrize(
    ("old", "new", "kind", "line"),
    [
        (("conformant", ""), ("violation", ""), "broken", "X-1 (must): conformant -> violation: A rule."),
        (("not-applicable", ""), ("violation", ""), "broken", "X-1 (must): not-applicable -> violation: A rule."),
        (("violation", ""), ("advisory", ""), "fixed", "X-1 (must): violation -> advisory: A rule."),
        (("violation", ""), ("inconclusive", ""), "coverage", "X-1 (must): violation -> inconclusive: A rule."),
        (("conformant", ""), ("advisory", ""), "judged", "X-1 (must): conformant -> advisory: A rule."),
        (("observed", "taken"), ("observed", "refused"), "observed", "X-1 (must): observed otherwise: A rule."),
        (("observed", "after 1.2 s"), ("observed", "after 3.4 s"), "", ""),
        (("observed", ""), ("observed", "refused"), "", ""),
        (("conformant", "taken"), ("conformant", "refused"), "", ""),
    ],
)
def test_kinds_of_change(old, new, kind, line):
    """What it comes to that a case is judged or observed otherwise."""
    before, after = ({"requirements": [row("X-1", each)], "policy": {}} for each in (old, new))
    found = diff.changes(before, after)
    assert [(each.kind, each.line) for each in found] == ([(kind, line)] if kind else [])
    absent = {"requirements": [], "policy": {"a": "b"}}
    assert [each.kind for each in diff.changes(before, absent)] == ["coverage", "policy"]


def test_load_of_the_evidence_by_hand(signed):
    """The evidence has the form of every recording."""
    head = load.head(signed.folder / "out" / "evidence", "ezcards")
    assert head.sessions[0].token == signed.report["run"]["id"][:6]
