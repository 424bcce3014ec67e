"""Verifying bundles: every tampering has its message, and nothing in a bundle does harm."""

import base64
import copy
import hashlib
import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from conformance import __version__
from conformance.cassettes import form, manifest
from conformance.cli import cli
from conformance.errors import UserError
from conformance.report import attestation, bundle, files, rejudge, verify

CASE = "EZ-004/api-key.invented"
TEXT = "partner programme, 15 June"
ABOUT_REFERENCE = "a run of the reference endpoint that comes with the suite: it says nothing about a vendor"


@pytest.fixture(scope="module")
def made(run_pytest, tmp_path_factory):
    """A key pair, and a bundle of a whole run that was signed with it for a challenge."""
    folder = tmp_path_factory.mktemp("made")
    for name, content in zip(("key", "pub"), attestation.key_pair("ecdsa")[:2], strict=True):
        (folder / name).write_bytes(content)
    arguments = ("--provider=ezcards", "--report=out", f"--signing-key={folder / 'key'}", f"--challenge={TEXT}")
    assert run_pytest(folder, *arguments).ret == 0
    return folder


@pytest.fixture
def out(made, tmp_path):
    """A copy of the bundle that a test may spoil."""
    return shutil.copytree(made / "out", tmp_path / "out")


@pytest.fixture
def unjudged(monkeypatch):
    """The evidence is not judged again, where a test is about something else."""
    monkeypatch.setattr(rejudge, "ask", lambda folder: {"problems": [], "notes": []})


def verified(folder, key=None, challenge="", max_age=None, now=None):
    return verify.verify(folder, key and attestation.public_key(key), challenge, max_age, now or datetime.now(UTC))


def problems(folder, *arguments, **more):
    return verified(folder, *arguments, **more).problems


def report_of(folder):
    return json.loads((folder / "report.json").read_text("utf-8"))


def case_of(report, name):
    return next(case for row in report["requirements"] for case in row["cases"] if case["id"] == name)


def write(folder, report):
    (folder / "report.json").write_text(bundle.text(report), "utf-8")


def forge(folder, report=None, **statement):
    """Attest anew, unsigned, whatever lies in the folder now: what somebody without the key can do."""
    if report is not None:
        write(folder, report)
        for name, content in bundle.rendered(report).items():
            (folder / name).write_text(content, "utf-8")
    digests = {name: files.sha(folder / name) for name in files.listed(folder)[0] if name != "attestation.json"}
    told = attestation.statement(report or report_of(folder), digests, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    (folder / "attestation.json").write_text(attestation.sealed(told | statement, None))


def respelt(folder, name, old, new):
    """Edit a cassette, and make the manifest agree."""
    path = folder / "evidence" / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    head = folder / "evidence" / manifest.NAME
    data = form.from_yaml(head.read_text("utf-8"))
    data["files"][name] = files.sha(path)
    head.write_text(form.to_yaml(data, lines=True), "utf-8")


# What is whole


def test_a_bundle_is_what_it_says(made):
    """With the key and the challenge, in time: nothing is wrong, and what a reader may overlook is said."""
    found = verified(made / "out", made / "pub", TEXT, 1.0)
    assert found.problems == []
    assert found.notes == [ABOUT_REFERENCE]
    assert found.key_checked
    assert found.files == len(files.listed(made / "out")[0]) - 1


def test_command(made):
    """What the command prints, as text and as JSON."""
    arguments = ["verify", str(made / "out"), f"--key={made / 'pub'}", f"--challenge={TEXT}", "--max-age=1"]
    done = CliRunner().invoke(cli, arguments)
    found = verified(made / "out", made / "pub")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "EZ Cards orders of gift-card codes, one order of many lines (current) at http://127.0.0.1/v2 (reference): conformant",
        f"run {found.report['run']['id']}, bulk-order-conformance {__version__}",
        f"note: {ABOUT_REFERENCE}",
        f"Verified: {found.files} files as attested on {found.attested_at}, signed with {found.key_ids[0]}",
    ]
    told = json.loads(CliRunner().invoke(cli, [*arguments, "--format=json"]).output)
    assert (told["verified"], told["signature"], told["verdict"], told["problems"]) == (
        True,
        "checked",
        "conformant",
        [],
    )


def test_without_the_key(made, out):
    """An unsigned bundle and an unchecked signature are told apart, and neither counts as signed."""
    assert verified(made / "out").notes[0].startswith("signed with ")
    forge(out)
    found = verified(out)
    assert (found.problems, found.key_checked) == ([], False)
    assert found.notes[0] == "nobody signed it: whoever made it can have made all of it up"
    assert problems(out, made / "pub") == [("signature", "attestation.json: nobody signed it")]
    done = CliRunner().invoke(cli, ["verify", str(out)])
    assert done.output.splitlines()[-1].endswith(", no signature checked")


# What somebody without the key may try


def flipped(folder):
    report = report_of(folder)
    case_of(report, CASE)["verdict"] = "observed"
    write(folder, report)


def removed(folder):
    report = report_of(folder)
    for row in report["requirements"]:
        row["cases"] = [case for case in row["cases"] if case["id"] != CASE]
    write(folder, report)


def edited(folder):
    report = report_of(folder)
    report["exchanges"]["x0002"]["response"]["status"] = 500
    write(folder, report)


TAMPERED = {
    "a flipped verdict": (flipped, [
        ("digest", "report.json: changed after it was attested"),
        ("verdict", f"report.json: {CASE} is observed, and the evidence says conformant"),
    ]),
    "a removed case": (removed, [
        ("digest", "report.json: changed after it was attested"),
        ("verdict", f"report.json: {CASE} is missing, a case that had to run"),
    ]),
    "an edited exchange": (edited, [
        ("digest", "report.json: changed after it was attested"),
        ("exchange", "report.json: exchange x0002 is another than in the evidence"),
    ]),
    "edited evidence": (lambda folder: (folder / "evidence" / "controls.yaml").write_text("interactions: []"), [
        ("digest", "evidence/controls.yaml: changed after it was attested"),
    ]),
    "a missing file": (lambda folder: (folder / "evidence" / "controls.yaml").unlink(), [
        ("files", "evidence/controls.yaml: missing"),
        ("evidence", "evidence/: its manifest names other files than there are"),
    ]),
    "a missing report": (lambda folder: (folder / "report.json").unlink(), [
        ("files", "report.json: missing"),
        ("schema", "report.json: not a report (missing, no plain file, or too large)"),
    ]),
    "a missing attestation": (lambda folder: (folder / "attestation.json").unlink(), [
        ("files", "attestation.json: missing: it was taken away, or the run was cut off before it wrote it"),
    ]),
    "one file more": (lambda folder: (folder / "summary.pdf").write_text("all is well"), [
        ("files", "summary.pdf: not among the attested files"),
    ]),
    "a hidden file more": (lambda folder: (folder / "evidence" / ".x.yaml.new").write_text("x"), [
        ("files", "evidence/.x.yaml.new: not among the attested files"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering(made, out, what):
    """Each is refused with messages of its own."""
    spoil, expected = TAMPERED[what]
    spoil(out)
    found = problems(out, made / "pub")
    assert [each for each in expected if each not in found] == []
    done = CliRunner().invoke(cli, ["verify", str(out), f"--key={made / 'pub'}"])
    assert done.exit_code == 1
    assert all(f"refused: {message}" in done.output.splitlines() for _, message in expected)
    assert done.output.splitlines()[-1] == f"Not verified: {out}"


def test_another_key(made, out, tmp_path, unjudged):
    _, public, key_id = attestation.key_pair("ed25519")
    (tmp_path / "other").write_bytes(public)
    [(check, message)] = problems(out, tmp_path / "other")
    assert check == "signature"
    assert message.startswith("attestation.json: signed with another key (")
    assert message.endswith(f"), not with {key_id}")


def test_a_statement_that_was_changed_after_signing(made, out, unjudged):
    """The envelope is whole, and the signature is of another Statement."""
    path = out / "attestation.json"
    envelope = json.loads(path.read_text())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["configuration"][3]["annotations"]["attested_at"] = "2030-01-01T00:00:00Z"
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    path.write_text(json.dumps(envelope))
    message = "attestation.json: the signature does not fit: what is attested was changed after it was signed"
    assert problems(out, made / "pub") == [("signature", message)]


@pytest.mark.parametrize(
    "envelope",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"payload": "e30=", "payloadType": "text/plain", "signatures": []}',
        '{"payload": "W10=", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        '{"payload": "e3\\n0=", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        '{"payload": 1, "payloadType": "application/vnd.in-toto+json", "signatures": [7]}',
        json.dumps({"payload": base64.b64encode(b"[" * 100_000).decode(), "payloadType": "x", "signatures": []}),
    ],
)
def test_no_envelope(out, envelope, unjudged):
    """An attestation that is none is told as such, whatever is wrong with it."""
    (out / "attestation.json").write_text(envelope)
    [(check, message)] = problems(out)
    assert check == "attestation"
    assert message.startswith("attestation.json: not a DSSE envelope")


@pytest.mark.parametrize("subject", [None, [7], [{"name": "report.json"}], [{"name": 7, "digest": {"sha256": ""}}]])
def test_no_subjects(out, subject, unjudged):
    forge(out, subject=subject)
    message = "attestation.json: its Statement has no subjects with a SHA-256"
    assert ("attestation", message) in problems(out)


# What somebody may try who attests all of it anew


def test_a_flipped_verdict_all_the_way(out):
    """Requirement, counts, renderings, digests and attestation agree; the evidence does not."""
    report = report_of(out)
    case = case_of(report, CASE)
    case["verdict"] = "observed"
    report["counts"]["cases"]["conformant"] -= 1
    report["counts"]["cases"]["observed"] += 1
    forge(out, report)
    assert ("verdict", f"report.json: {CASE} is observed, and the evidence says conformant") in problems(out)


def test_evidence_that_says_otherwise(out):
    """Cassette, manifest, digests and attestation agree; the verdict is another by this evidence."""
    text = (out / "evidence" / "controls.yaml").read_text("utf-8")
    respelt(out, "controls.yaml", text[text.index("code: 200") :][:9], "code: 403")
    forge(out)
    found = problems(out)
    assert ("exchange", "report.json: exchange x0001 is another than in the evidence") in found
    assert any(check == "verdict" and " and the evidence says inconclusive" in message for check, message in found)


def test_a_run_that_pretends_to_be_whole(run_pytest, tmp_path):
    """A part of the cases, attested as all of them: those that had to run are named."""
    assert run_pytest(tmp_path, "--provider=ezcards", "--report=out", "--case=EZ-001/order.plain").ret == 0
    report = report_of(tmp_path / "out")
    report["run"] |= {"selection": "all", "complete": True}
    report["verdict"] = "conformant"
    forge(tmp_path / "out", report)
    found = problems(tmp_path / "out")
    assert ("verdict", f"report.json: {CASE} is missing, a case that had to run") in found
    assert ("run", "report.json: run.complete is another than in the evidence") in found
    assert any(check == "verdict" and message.startswith("and ") for check, message in found)


LIES = (
    (lambda it: it["run"].update(expected_cases_sha256="0" * 64), "the digest of the cases that had to run is not that of this pack and account"),
    (lambda it: it["run"].update(seed=7), "run.seed is another than in the evidence"),
    (lambda it: it["target"].update(kind="live"), "the target is another than in the evidence, which is of a reference endpoint"),
    (lambda it: it["account"].update(max_spend="1"), "the account facts are others than in the evidence"),
    (lambda it: it["policy"].update(batch="all-or-nothing"), "policy is another than pack and evidence give"),
    (lambda it: it["counts"].update(requests=1), "counts is another than pack and evidence give"),
    (lambda it: it["detection"]["noticed"].update(violation=999), "detection is another than pack and evidence give"),
    (lambda it: it["requirements"].pop(), "the requirements are not those of the pack"),
    (lambda it: it["requirements"][0].update(title="Anything goes."), "EZ-001 is told otherwise than the pack and the evidence have it"),
    (lambda it: case_of(it, CASE).update(why="so"), f"{CASE} is told otherwise than the evidence has it"),
    (lambda it: it["run"]["challenge"].update(text="yours"), "the run token abcdef is not the one that its challenge gives"),
    (lambda it: it["run"].update(id="abcdef-20260101T120001Z"), "run.id is another than in the evidence"),
)  # fmt: skip


def test_a_report_that_says_otherwise(out):
    """Whatever it says otherwise than its evidence is told, though it is attested anew."""
    report = report_of(out)
    for change, _ in LIES:
        change(report)
    forge(out, report)
    told = [message for _, message in problems(out)]
    assert [problem for _, problem in LIES if f"report.json: {problem}" not in told] == []


def test_another_endpoint(out):
    report = report_of(out)
    report["target"]["url"] = "https://sandbox.example.com/v2"
    forge(out, report)
    message = "report.json: the target is another than in the evidence, which is of a reference endpoint"
    assert problems(out) == [("run", message)]


def test_an_older_run_for_a_newer_challenge(out):
    """The token is in the evidence, so that another challenge does not fit an older run."""
    report = report_of(out)
    report["run"]["challenge"] = {"text": "tomorrow's", "nonce": "0000"}
    token = hashlib.sha256(b"tomorrow's\n0000").hexdigest()[:6]
    report["run"]["id"] = token + report["run"]["id"][6:]
    head = out / "evidence" / manifest.NAME
    data = form.from_yaml(head.read_text("utf-8"))
    data["sessions"][0]["token"] = token
    head.write_text(form.to_yaml(data, lines=True), "utf-8")
    forge(out, report)
    assert ("run", f"evidence/: the run token {token} is not in the orders") in problems(out, None, "tomorrow's")


def test_a_result_that_does_not_follow(out, unjudged):
    """The Statement is held against the report."""
    told = attestation.statement(report_of(out), {}, "2026-06-15T12:00:00Z")["predicate"]
    forge(out, predicate=told | {"result": "WARNED"})
    message = "attestation.json: attests WARNED, and report.json amounts to PASSED"
    assert ("attestation", message) in problems(out)
    forge(out, predicate=told | {"passedTests": []})
    assert ("attestation", "attestation.json: about another run than report.json") in problems(out)


def test_a_report_that_contradicts_itself(out):
    """Whichever suite made it: a requirement is as bad as its worst case, and a run as its worst requirement."""
    report = report_of(out)
    report["suite"]["version"] = "99.0"
    for row in report["requirements"]:
        for case in row["cases"]:
            if case["id"] == CASE:
                case |= {"verdict": "violation", "findings": [{"where": "x", "expected": "y", "got": "z"}]}
    forge(out, report)
    found = problems(out)
    requirement = CASE.partition("/")[0]
    message = f"report.json: {requirement} is conformant, and its cases amount to violation"
    assert ("verdict", message) in found
    assert ("verdict", "report.json: the verdict is conformant, and its cases say otherwise") in found
    assert ("verdict", f"report.json: {CASE} is violation, and was conformant when it was sent") in found


def test_renderings_are_made_of_the_report(out, monkeypatch, unjudged):
    """What people read is what report.json says."""
    monkeypatch.setattr(bundle, "rendered", lambda report: {"made-up.txt": report["verdict"]})
    (out / "made-up.txt").write_text("wonderful")
    forge(out)
    (out / "made-up.txt").write_text("wonderful")
    forge(out)
    message = "made-up.txt: not what report.json says; conformance report makes it anew"
    monkeypatch.setattr(bundle, "rendered", lambda report: {"made-up.txt": "conformant", "more.txt": "x"})
    assert problems(out) == [("rebuilt", message), ("files", "more.txt: missing, as every bundle has one")]


# Versions, challenges, ages


def test_another_suite_says_what_it_would_judge_today(out):
    """A bundle of another version is not refused for that; today's verdicts are notes."""
    report = report_of(out)
    report["suite"]["version"] = "0.0.9"
    row = next(row for row in report["requirements"] if row["id"] == CASE.partition("/")[0])
    case_of(report, CASE)["verdict"] = row["verdict"] = "observed"
    head = out / "evidence" / manifest.NAME
    data = form.from_yaml(head.read_text("utf-8"))
    data["sessions"][0]["cases"][CASE] = data["sessions"][0]["cases"][CASE].replace("conformant", "observed")
    head.write_text(form.to_yaml(data, lines=True), "utf-8")
    for each in row["cases"]:
        assert each["id"] == CASE or each["verdict"] == "conformant"
    row["verdict"] = "conformant" if len(row["cases"]) > 1 else "observed"
    forge(out, report)
    found = verified(out)
    assert found.problems == []
    assert f"{CASE} is observed, and {__version__} and today's pack say conformant" in found.notes
    assert any(each.startswith("made by bulk-order-conformance 0.0.9 ") for each in found.notes)


def test_challenge(made, out, run_pytest, tmp_path, unjudged):
    """An older attestation does not answer a challenge, nor does one for another."""
    assert problems(out, made / "pub", "another") == [("challenge", "made for another challenge than yours")]
    assert run_pytest(tmp_path, "--provider=ezcards", "--report=old", "--case=EZ-001/order.plain").ret == 0
    assert problems(tmp_path / "old", None, TEXT) == [
        ("challenge", "made without a challenge: it may be older than yours")
    ]


def test_age(made, unjudged):
    """By when it was attested; where the clock of the run goes, by when it ended too."""
    later = datetime.now(UTC) + timedelta(days=40, hours=1)
    [(check, message)] = problems(made / "out", max_age=30.0, now=later)
    assert check == "age"
    assert message.startswith("attested on ")
    assert message.endswith(", 40 days ago, and --max-age is 30")
    earlier = datetime.now(UTC) - timedelta(days=3)
    [(check, message)] = problems(made / "out", max_age=30.0, now=earlier)
    assert message.endswith(", which is still to come")
    assert problems(made / "out", max_age=1.0) == []


# Hostile bundles


def replaced(name, content):
    def spoil(folder):
        path = folder / name
        if path.exists():
            path.unlink()
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content, "utf-8")

    return spoil


def laughs(depth=40):
    """A YAML that is small and yet expands to more than memory holds."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, depth)]
    return "\n".join(lines) + "\n"


def poisoned(folder):
    """A manifest whose account facts are such a YAML."""
    path = folder / "evidence" / manifest.NAME
    text = path.read_text("utf-8")
    at = text.index("  account:")
    path.write_text(laughs() + text[:at] + "  account:\n    more: *a39\n" + text[at:].split("\n", 1)[1], "utf-8")


def huge(folder):
    with (folder / "evidence" / "huge.yaml").open("wb") as stream:
        stream.truncate(1 << 34)


def outside(folder):
    path = folder / "evidence" / manifest.NAME
    data = form.from_yaml(path.read_text("utf-8"))
    data["files"] |= {"/dev/zero": "0" * 64, "../../../etc/passwd": "0" * 64}
    path.write_text(form.to_yaml(data, lines=True), "utf-8")


def linked(folder):
    (folder / "evidence" / "controls.yaml").unlink()
    (folder / "evidence" / "controls.yaml").symlink_to("/etc/passwd")


EVIDENCE, REPORT = "evidence/recording.yaml", "report.json"
HOSTILE = {
    "deep YAML": (replaced(EVIDENCE, "[" * 200_000), "evidence", "evidence/: not what a run records ("),
    "expanding YAML": (poisoned, "run", "report.json: the account facts are others than in the evidence"),
    "YAML with objects": (replaced(EVIDENCE, "!!python/object/apply:os._exit [0]"), "evidence", "evidence/: not what a run records ("),
    "no YAML": (replaced(EVIDENCE, "a: [\x00"), "evidence", "evidence/: not what a run records ("),
    "a list": (replaced(EVIDENCE, "[]"), "evidence", "evidence/: not what a run records ("),
    "deep JSON": (replaced(REPORT, "[" * 200_000), "schema", "report.json: not a report (nested too deeply)"),
    "NaN": (replaced(REPORT, "NaN"), "schema", "report.json: not a report (NaN is no JSON)"),
    "a huge number": (replaced(REPORT, "9" * 9999), "schema", "report.json: not a report ("),
    "bytes": (replaced(REPORT, b"\xff\xfe"), "schema", "report.json: not a report ("),
    "another format": (replaced(REPORT, "{}"), "schema", "report.json: not a report (/: "),
    "a huge file": (huge, "files", "evidence/huge.yaml: not a plain file, or larger than any of a run"),
    "names outside": (outside, "evidence", "evidence/: its manifest names other files than there are"),
    "a link": (linked, "files", "evidence/controls.yaml: not a plain file, or larger than any of a run"),
    "a link to a folder": (lambda folder: (folder / "more").symlink_to("/"), "files", "more: not a plain file, or larger than any of a run"),
    "a pipe": (lambda folder: os.mkfifo(folder / "pipe"), "files", "pipe: not a plain file, or larger than any of a run"),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="there is no such program")
def test_a_judge_that_breaks_down_is_told(out, monkeypatch):
    """Whatever ends the process that judges the evidence: nothing is held to be proved."""
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    assert problems(out) == [("evidence", "evidence/: cannot be judged: its judge broke down (1)")]


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile(out, what):
    """Bounded in time and memory, refused in a line each, and nothing outside is looked at."""
    spoil, expected, start = HOSTILE[what]
    spoil(out)
    found = problems(out)
    assert any(check == expected and message.startswith(start) for check, message in found), found
    assert all(message.isprintable() and len(message) <= 301 for _, message in found)


def test_a_key_said_twice(out):
    """A member that two readers read differently is no report of ours."""
    path = out / "report.json"
    path.write_text(
        path.read_text("utf-8").replace('"verdict": "', '"verdict": "conformant",\n "verdict": "', 1), "utf-8"
    )
    forge(out, None)
    message = "report.json: not as the suite writes it: what it says may depend on who reads it"
    assert ("schema", message) in problems(out)


@pytest.mark.parametrize("name", ["nobody", "atlast", "../ezcards"])
def test_another_provider(out, name):
    """A bundle of a pack that is not here, or not of this evidence, is refused."""
    report = report_of(out)
    report["provider"]["name"] = name
    forge(out, report)
    assert any(check == "evidence" for check, _ in problems(out))


def test_words_that_command_a_terminal(out):
    report = copy.deepcopy(report_of(out))
    report["provider"]["title"] = "\x1b[2J\u202eevil"
    forge(out, report)
    done = CliRunner().invoke(cli, ["verify", str(out)])
    assert done.exit_code == 1
    assert all(line.isprintable() for line in done.output.splitlines())


def test_too_many_files(out, monkeypatch):
    monkeypatch.setattr(files, "_MOST", 10)
    with pytest.raises(UserError, match="more than 10 files; a bundle is the folder that --report wrote"):
        verified(out)


def test_challenge_where_orders_do_not_name_themselves(run_pytest, tmp_path):
    """No order of the run carries its token, and that is said."""
    arguments = ("--provider=centra", "--report=out", f"--challenge={TEXT}", "-k", "CE-001")
    assert run_pytest(tmp_path, *arguments).ret == 0
    found = verified(tmp_path / "out", challenge=TEXT)
    assert found.problems == []
    assert "orders of this provider carry no run token: only what is attested names the challenge" in found.notes
