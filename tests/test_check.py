"""``conformance check``: payload files held against the documentation, with the place of every finding."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import click.testing
import pytest

from conformance import cli, drafts, providers, resources, values
from conformance.errors import UserError
from conformance.inspection.files import Seen

PROGRAM = Path(sysconfig.get_path("scripts")) / ("conformance.exe" if os.name == "nt" else "conformance")
ROOT = Path(__file__).parents[1]
FOUR = ["atlast", "sendcloud", "ezcards", "centra"]


class Done:
    """What came of a command."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.lines = out.splitlines()

    @property
    def data(self):
        return json.loads(self.out)


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Run ``conformance check`` in a folder of its own; a user's mistake is exit 4 and its one line."""
    monkeypatch.chdir(tmp_path)

    def run(*args, given=None):
        result = click.testing.CliRunner().invoke(cli.cli, ["check", *map(str, args)], input=given)
        if isinstance(result.exception, UserError | click.ClickException):
            return Done(4, result.stdout, str(result.exception))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


def examples(provider):
    return resources.folders_of(provider).fixtures / "examples"


def filled(provider, file):
    """An example with its markers filled in for now, as it would be sent."""
    pack, now = providers.load(provider), datetime.now(UTC)
    draft = drafts.draft("example", now=now, token="k7m2qd")
    raw = json.loads((examples(provider) / file).read_text(encoding="utf-8"))
    return values.fill(raw, values.Scope(draft, now, providers.reference_account(pack), "example"))


def account(provider):
    return f"--account={resources.folders_of(provider).fixtures / 'account.toml'}"


def plain(number="n-1", **more):
    return {"clientOrderNumber": number, "products": [{"sku": "7KM-QA-R2D", "quantity": 1}], **more}


# The examples


@pytest.mark.parametrize("provider", FOUR)
def test_examples_get_what_they_expect(provider, check, tmp_path):
    rows = tomllib.loads((examples(provider) / "expectations.toml").read_text(encoding="utf-8"))["example"]
    for row in rows:
        file = tmp_path / Path(row["file"]).name
        file.write_text(json.dumps(filled(provider, row["file"]), indent=2), encoding="utf-8")
        done = check(provider, file, account(provider), "--format=json")
        told = {(each["requirement"], each["pointer"], each["verdict"]) for each in done.data["findings"]}
        if row["expect"] == "accept":
            assert (done.code, told) == (0, set()), row["file"]
        else:
            assert (done.code, told) == (1, {(row["requirement"], row["pointer"], "violation")}), row["file"]


# Places


ORDER = """\
{
  "clientOrderNumber": {"a": 1},
  "products": [
    {"sku": "7KM-QA-R2D", "quantity": 1},
    {"sku": "7KM-QA-R2D",
     "quantity": "two"},
    {"sku": "7KM-QA-R2D"}
  ]
}
"""


def test_findings_read_like_those_of_a_compiler(check, tmp_path):
    (tmp_path / "order.json").write_text(ORDER, encoding="utf-8")
    done = check("ezcards", "order.json")
    assert done.code == 1
    assert done.lines == [
        "order.json:2:3: EZ-022 (must) /clientOrderNumber: expected a text, got an object of a",
        'order.json:6:6: EZ-054 (must) /products/1/quantity: expected a whole number, got "two"',
        'order.json:7:5: EZ-053 (must) /products/2/quantity: expected the member "quantity", got nothing',
        "order.json: 3 violations; 1 of 1 order affected (ezcards current)",
    ]


def test_the_place_of_broken_json_is_that_of_the_break(check, tmp_path):
    (tmp_path / "order.json").write_text('{\n  "products": [,]\n}\n', encoding="utf-8")
    assert check("ezcards", "order.json").lines[0].startswith("order.json:2:16: EZ-010 (must) /: expected JSON")


def test_places_are_right_behind_a_byte_order_mark_and_odd_members(check, tmp_path):
    order = '\ufeff{"é\\u0301": "\\ud83d\\ude00",\n "products": [{"sku": "x", "quantity": 1.5}], "products": []}'
    (tmp_path / "order.json").write_text(order, encoding="utf-8")
    done = check("ezcards", "order.json", "--strict", "--format=json")
    placed = {(each["requirement"], each["line"]) for each in done.data["findings"]}
    assert {("EZ-010", 1), ("EZ-014", 1), ("EZ-046", 2)} <= placed


def test_several_files_are_all_looked_at(check, tmp_path):
    (tmp_path / "good.json").write_text(json.dumps(plain()), encoding="utf-8")
    (tmp_path / "bad.json").write_text(ORDER, encoding="utf-8")
    done = check("ezcards", "good.json", "bad.json", "good.json")
    assert done.code == 1
    assert done.lines[-1] == "3 files: 3 violations; 1 of 3 orders affected (ezcards current)"
    assert check("ezcards", "good.json").lines == ["good.json: 1 order, nothing found (ezcards current)"]


# Records


def test_a_record_a_line_is_seen_by_content_and_by_name(check, tmp_path):
    lines = [json.dumps(plain("a")), "", json.dumps(plain("b", products=[])), json.dumps({"products": 1}), "{"]
    (tmp_path / "log.txt").write_text("\n".join(lines), encoding="utf-8")
    done = check("ezcards", "log.txt")
    assert [each.split(" ")[0] for each in done.lines[:-1]] == ["log.txt:4:2:", "log.txt:5:2:"]
    assert done.lines[-1] == "log.txt: 2 violations; 1 of 3 orders affected, 4 lines of NDJSON (ezcards current)"
    (tmp_path / "one.ndjson").write_text(json.dumps(plain()) + "\n", encoding="utf-8")
    assert "1 line of NDJSON" in check("ezcards", "one.ndjson").lines[-1]
    # One line of JSON is a document where nothing else says so, and so is what is written over several.
    (tmp_path / "one.json").write_text(json.dumps(plain()) + "\n", encoding="utf-8")
    assert "NDJSON" not in check("ezcards", "one.json").out
    assert "1 line of NDJSON" in check("ezcards", "one.json", "--ndjson").out
    assert check("ezcards", "log.txt", "--no-ndjson").lines[0].startswith("log.txt:3:1: EZ-010 (must) /: expected JSON")


def test_single_orders_stand_alone_in_a_list_or_one_a_line(check, tmp_path):
    order = filled("sendcloud", "valid/plain.json")[0]
    bad = {**order, "order_number": ""}
    for name, text in (
        ("list.json", json.dumps([order, bad])),
        ("one.json", json.dumps(bad)),
        ("lines.ndjson", f"{json.dumps(order)}\n{json.dumps(bad)}\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = {}
    for name in ("list.json", "one.json", "lines.ndjson"):
        done = check("sendcloud", name, "--orders", "--format=json")
        [row] = done.data["findings"]
        found[name] = (row["pointer"], row["order"], row["line"], row["requirement"])
    assert found == {
        "list.json": ("/1/order_number", 1, 1, "SC-051"),
        "one.json": ("/order_number", 0, 1, "SC-051"),
        "lines.ndjson": ("/order_number", 1, 2, "SC-051"),
    }
    # Without --orders an order alone is no batch.
    assert "SC-020" in check("sendcloud", "one.json").out


def test_standard_input_is_read_where_no_file_is_named(check):
    done = check("ezcards", given=f"{json.dumps(plain('a'))}\n{json.dumps(plain('b', products=None))}\n")
    assert (done.code, done.lines[0].partition(" ")[0]) == (1, "stdin:2:28:")
    assert check("ezcards", "-", given=json.dumps(plain())).code == 0


def test_what_has_to_be_unique_is_so_over_all_lines(check, tmp_path):
    again = [plain(name, enableClientOrderNumberDupCheck=True) for name in ("a", "b", "a")]
    (tmp_path / "orders.jsonl").write_text("\n".join(map(json.dumps, again)), encoding="utf-8")
    done = check("ezcards", "orders.jsonl")
    assert (done.code, done.lines[0][:29]) == (1, "orders.jsonl:3:2: EZ-034 (mus")
    # Another file is another try, and nobody asked for the check there.
    (tmp_path / "once.json").write_text(json.dumps(plain("a")), encoding="utf-8")
    assert check("ezcards", "once.json", "once.json").code == 0


def test_values_seen_are_kept_as_a_few_bytes_each():
    seen = Seen()
    assert [seen("/id", each) for each in ("a" * 9999, "b", "a" * 9999, 1, "1", True)] == [False, False, True] + [
        False
    ] * 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is measured as Linux tells it")
def test_a_hundred_thousand_orders_are_read_line_by_line(tmp_path):
    """In the memory that interpreter and pack take: as many orders held at once would double it."""
    path = tmp_path / "orders.ndjson"
    line = json.dumps(plain("n", products=[{"sku": f"7KM-QA-R{number}", "quantity": 1} for number in range(4)]))
    with path.open("w", encoding="utf-8") as file:
        for number in range(100_000):
            file.write((line if number != 77_777 else line.replace('"quantity": 1', '"quantity": "two"')) + "\n")
    code = (
        "from conformance import cli\n"
        f"try: cli.cli.main(['check', 'ezcards', {str(path)!r}])\n"
        "except SystemExit: print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True, timeout=120
    )
    *found, summary, kilobytes = done.stdout.splitlines()
    assert {each.removeprefix(str(path)).split(":")[1] for each in found} == {"77778"}
    assert summary.startswith(f"{path}: 4 violations; 1 of 100000 orders affected, 100000 lines of NDJSON")
    assert int(kilobytes) < 100_000


def test_a_large_batch_in_one_document_is_read(check, tmp_path):
    order = filled("sendcloud", "valid/plain.json")[0]
    orders = [order] * 99 + [{**order, "order_number": ""}]
    (tmp_path / "batch.json").write_text(json.dumps(orders, indent=1), encoding="utf-8")
    done = check("sendcloud", "batch.json")
    lines = (tmp_path / "batch.json").read_text(encoding="utf-8").splitlines()
    line = int(done.lines[0].split(":")[1])
    assert lines[line - 1].strip() == '"order_number": "",'
    (tmp_path / "batch.json").write_text(json.dumps([order] * 101), encoding="utf-8")
    assert check("sendcloud", "batch.json").lines[0].endswith("expected at most 100 elements, got 101")


# Weights


def test_advice_and_readings_fail_only_where_they_are_asked_to(check, tmp_path):
    order = filled("sendcloud", "valid/plain.json")[0]
    (tmp_path / "a.json").write_text(json.dumps([{**order, "order_number": 17}]), encoding="utf-8")
    done = check("sendcloud", "a.json")
    assert done.code == 0
    assert (
        "SC-050 (must, advisory) /0/order_number: expected a text, got 17" in done.lines[0]
        or "advisory" in done.lines[0]
    )
    assert check("sendcloud", "a.json", "--fail-on=advisory").code == 1


def test_strict_finds_what_the_documentation_is_silent_about(check, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(plain(clientOrderNo="x")), encoding="utf-8")
    assert check("ezcards", "a.json").code == 0
    done = check("ezcards", "a.json", "--strict")
    assert done.code == 1
    assert "/clientOrderNo: expected no such member, got \"x\"; did you mean 'clientOrderNumber'?" in done.lines[0]
    assert ", observed)" in done.lines[0]


def test_another_revision_is_held_to_its_own_documentation(check, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(plain(payWithCurrency="XTS")), encoding="utf-8")
    assert check("ezcards", "a.json", account("ezcards")).code == 1
    done = check("ezcards", "a.json", account("ezcards"), "--revision=seed")
    assert (done.code, done.lines[-1]) == (0, "a.json: 1 order, nothing found (ezcards seed)")


# Forms


@pytest.fixture
def bad(tmp_path):
    (tmp_path / "order, 1.json").write_text(ORDER, encoding="utf-8")
    return "order, 1.json"


def test_findings_as_json(check, bad):
    data = check("ezcards", bad, "--format=json").data
    assert (data["provider"], data["revision"]) == ("ezcards", "current")
    assert data["findings"][0] == {
        "file": bad,
        "line": 2,
        "column": 3,
        "requirement": "EZ-022",
        "level": "must",
        "title": data["findings"][0]["title"],
        "source": data["findings"][0]["source"],
        "pointer": "/clientOrderNumber",
        "order": 0,
        "expected": "a text",
        "got": "an object of a",
        "verdict": "violation",
    }
    assert data["counts"] == {"violation": 3, "advisory": 0, "observed": 0}
    assert data["files"] == [{"file": bad, "ndjson": False, "records": 1, "orders": 1, "orders_with_findings": 1}]


def test_findings_as_sarif(check, bad, tmp_path):
    log = check("ezcards", bad, "--format=sarif").data
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "conformance check"
    assert len(run["results"]) == 3
    for each in run["results"]:
        rule = driver["rules"][each["ruleIndex"]]
        assert rule["id"] == each["ruleId"]
        assert rule["shortDescription"]["text"]
        assert each["message"]["text"]
        assert each["level"] == "error"
        [place] = each["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "order%2C%201.json"
        assert place["physicalLocation"]["region"]["startLine"] >= 1
        assert place["physicalLocation"]["region"]["startColumn"] >= 1
    (tmp_path / "fine.json").write_text(json.dumps(plain()), encoding="utf-8")
    [run] = check("ezcards", "fine.json", "--format=sarif").data["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_findings_as_annotations(check, bad):
    done = check("ezcards", bad, "--format=github")
    assert done.lines[0].startswith(
        "::error file=order%2C 1.json,line=2,col=3,title=EZ-022::/clientOrderNumber: expected a text, got an object of a"
    )


def test_nothing_in_a_payload_commands_the_terminal(check, tmp_path):
    order = plain(products=[{"sku": {}, "quantity": "\x1b[2J\u202e"}])
    (tmp_path / "a.json").write_text(json.dumps(order), encoding="utf-8")
    out = check("ezcards", "a.json").out
    assert "\x1b" not in out
    assert "\u202e" not in out


# The user's mistakes


def test_a_file_that_cannot_be_read_is_one_line_and_nothing_is_read_before(check, bad, tmp_path):
    done = check("ezcards", bad, "other.json")
    assert (done.code, done.out) == (4, "")
    assert done.err == "other.json: cannot be read (No such file or directory)"
    assert check("ezcards", tmp_path).code == 4
    assert check("ezcard", bad).err == "there is no provider 'ezcard'; did you mean 'ezcards'?"


def test_an_empty_file_does_not_pass(check, tmp_path):
    for provider in FOUR:
        for name in ("a.json", "a.ndjson"):
            (tmp_path / name).write_bytes(b"\n")
            assert check(provider, name).code == 1, provider


def test_the_program_answers_by_its_exit_status(bad, tmp_path):
    """The installed command, as pre-commit runs it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [PROGRAM, "check", "ezcards", bad],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (1, "", 4)


def test_hooks_name_commands_that_there_are():
    """pre-commit reads this file at the top of the repository."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    for command in ("check", "lint"):
        assert f"- id: conformance-{command}\n" in text
        assert f"entry: conformance {command}\n" in text
        assert command in cli.cli.commands
