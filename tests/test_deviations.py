"""Known deviations: strict expected failures that hide nothing, and a file that is read before anything is sent."""

import json
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

import jsonschema
import pytest
from endpoints import HANG_UP, TOKEN, Endpoint

from conformance import deviations, providers, suite
from conformance.deviations import Deviation, Known
from conformance.errors import UserError
from conformance.model import Judgement, Verdict

XDIST = ("xdist", "xdist.looponfail")
WITH_TOKEN = {"ATLAST_ACCESS_TOKEN": TOKEN}
SHORT = "AL-034/reference.too-short"
OBJECT = "AL-033/reference.type-object"
NUMBER = "AL-033/reference.type-number"
# Their requirements have few cases, all of them about one member.
ABOUT = ("-k", "AL-033 or AL-034 or AL-035 or AL-036")

SHORTS = """
[[deviation]]
id = "AL-034"
reason = "short references are taken until the new validator ships"
owner = "orders team"
link = "https://tracker.example/17"
expires = 9999-12-31
"""
GOOD = f"""
{SHORTS}
[[deviation]]
id = "{OBJECT}"
reason = "objects are kept as text"
"""
FIXED = """
[[deviation]]
id = "AL-035"
reason = "was fixed in spring"
"""
UNSEEN = """
[[deviation]]
id = "AL-036"
reason = "never seen"
expires = 2020-01-31
"""
STALE = f"""
{FIXED}
{UNSEEN}
[[deviation]]
id = "AL-034"
reason = "should be done by now"
expires = 2020-01-31

[[deviation]]
id = "AL-034/reference.to-short"
reason = "misspelt"

[[deviation]]
id = "SC-051"
reason = "of another provider"
"""


@dataclass
class Lax(Endpoint):
    """Takes any reference."""

    def mistake(self, call):
        found = super().mistake(call)
        return "" if "/reference: " in found else found


@dataclass
class HangingUpOnShort(Endpoint):
    """Closes the connection instead of refusing an empty reference."""

    def refuse(self, call, mistake):
        return HANG_UP if "/reference: " in mistake else super().refuse(call, mistake)


@pytest.fixture(scope="module")
def lax():
    with Lax().serving() as endpoint:
        yield endpoint


def excusing(run_pytest, folder, endpoint, known, *args, **more):
    """A run against an endpoint with a file of known deviations."""
    (folder / "known.toml").write_text(known)
    arguments = ("--provider=atlast", f"--endpoint={endpoint.url}", "--deviations=known.toml", "--report=out")
    return run_pytest(folder, *arguments, *args, env=WITH_TOKEN, **more)


def known(outcome):
    """The deviations of a report by id: what became of each, and where it shows."""
    return {row["id"]: (row["status"], row["cases"]) for row in outcome.report["deviations"]}


def failed(outcome):
    """The node ids that pytest's own summary names as failed."""
    return [line.split()[1] for line in outcome.lines if line.startswith("FAILED ")]


@pytest.fixture(scope="module")
def good(run_pytest, tmp_path_factory, lax):
    """A run whose violations are all known."""
    folder = tmp_path_factory.mktemp("good")
    return excusing(run_pytest, folder, lax, GOOD, *ABOUT, "-rx", "--junitxml=junit.xml", "--tb=short", "--xfail-tb")


@pytest.fixture(scope="module")
def stale(run_pytest, tmp_path_factory, lax):
    """A run with a file in which hardly anything is true any more."""
    return excusing(run_pytest, tmp_path_factory.mktemp("stale"), lax, STALE, *ABOUT)


# Expected failures


def test_known_deviations_are_expected_failures(good):
    """They fail nothing, and pytest says why."""
    assert good.ret == 0
    assert "2 xfailed" in good.lines[-1]
    shown = "known deviation: short references are taken until the new validator ships"
    assert f"XFAIL atlast::{SHORT} - {shown} (orders team, https://tracker.example/17, until 9999-12-31)" in good.lines
    assert f"XFAIL atlast::{OBJECT} - known deviation: objects are kept as text" in good.lines


def test_nothing_is_hidden(good):
    """The whole message is there for who asks, the verdicts are what they are, and so is the verdict of the run."""
    assert f"{SHORT.partition('/')[0]} (must): " in good.out
    assert "  expected  a refusal (4xx)" in good.lines
    assert "  known     objects are kept as text" in good.lines
    assert good.report["verdict"] == "nonconformant"
    assert good.verdicts[SHORT] == good.verdicts[OBJECT] == "violation"
    assert any("atlast: nonconformant, all violations are known deviations" in line for line in good.lines)
    assert f"Known deviation {OBJECT}: objects are kept as text  [{OBJECT}]" in good.lines
    assert not any(line.startswith("Violated: ") for line in good.lines)


def test_the_report_lists_them(good):
    rows = good.report["deviations"]
    assert rows == [
        {
            "id": "AL-034",
            "reason": "short references are taken until the new validator ships",
            "owner": "orders team",
            "link": "https://tracker.example/17",
            "expires": "9999-12-31",
            "status": "seen",
            "cases": [SHORT],
        },
        {
            "id": OBJECT,
            "reason": "objects are kept as text",
            "owner": "",
            "link": "",
            "expires": "",
            "status": "seen",
            "cases": [OBJECT],
        },
    ]


def test_reports_with_deviations_have_their_form(good, stale):
    schema = json.loads(files("conformance.report").joinpath("report.schema.json").read_text(encoding="utf-8"))
    for outcome in (good, stale):
        jsonschema.validate(outcome.report, schema, jsonschema.Draft202012Validator)


def test_what_is_not_known_still_fails(run_pytest, tmp_path, lax):
    """One violation that nobody listed fails the run, and is told apart from the others."""
    outcome = excusing(run_pytest, tmp_path, lax, SHORTS, *ABOUT)
    assert outcome.ret == 1
    assert failed(outcome) == [f"atlast::{OBJECT}"]
    [line] = [line for line in outcome.lines if line.startswith("Violated: ")]
    assert line.endswith(f"[{OBJECT}]")
    assert any(line.strip("= ") == "atlast: nonconformant" for line in outcome.lines)


def test_runxfail_means_what_it_always_does(run_pytest, tmp_path, lax):
    outcome = excusing(run_pytest, tmp_path, lax, GOOD, *ABOUT, "--runxfail")
    assert outcome.ret == 1
    assert failed(outcome) == [f"atlast::{OBJECT}", f"atlast::{SHORT}"]


@pytest.mark.parametrize("level", ["", "--fail-on=advisory"])
def test_advisory_findings_are_excused_where_they_fail(run_pytest, tmp_path, lax, level):
    """And are seen where they do not: whoever runs without that option has no reason to remove the entry."""
    listed = GOOD + f'[[deviation]]\nid = "{NUMBER}"\nreason = "numbers are taken"\n'
    arguments = ["-k", "AL-034 or type-object or AL-033/reference.type-number", *filter(None, [level])]
    outcome = excusing(run_pytest, tmp_path, lax, listed, *arguments)
    assert outcome.verdicts[NUMBER] == "advisory"
    assert known(outcome)[NUMBER] == ("seen", [NUMBER])
    assert outcome.ret == 0
    assert ("3 xfailed" if level else "2 xfailed") in outcome.lines[-1]


def test_inconclusive_cases_are_never_excused(run_pytest, tmp_path):
    """No answer is an error as ever, and says nothing for or against the entry."""
    with HangingUpOnShort().serving() as endpoint:
        outcome = excusing(run_pytest, tmp_path, endpoint, GOOD, "-k", "AL-034")
    assert outcome.ret == 1
    assert outcome.verdicts[SHORT] == "inconclusive"
    assert known(outcome)["AL-034"] == ("not judged", [])
    assert any(line.startswith(f"ERROR atlast::{SHORT}") for line in outcome.lines)
    assert failed(outcome) == []


# What is no longer true


def test_entries_that_are_not_true_fail_the_run(stale):
    """Whoever reads nothing but pytest's summary sees which entry is wrong, and how."""
    assert stale.ret == 1
    assert failed(stale) == [
        f"atlast::{OBJECT}",
        f"atlast::{SHORT}",
        "atlast::known-deviation/AL-035",
        "atlast::known-deviation/AL-036",
        "atlast::known-deviation/AL-034",
        "atlast::known-deviation/AL-034/reference.to-short",
    ]
    told = [line.partition(": ")[2] for line in stale.lines if line.startswith("Known deviation ")]
    assert told == [
        "passes now, remove it from the file: was fixed in spring",
        "expired on 2020-01-31, remove it or renew it: never seen (until 2020-01-31)",
        "expired on 2020-01-31, remove it or renew it: should be done by now (until 2020-01-31)",
        f"matches no case of this revision (did you mean {SHORT!r}?): misspelt",
    ]


def test_expired_entries_excuse_nothing(stale):
    """The case fails as if it were not listed, and says since when."""
    line = "  known     known deviation expired on 2020-01-31: should be done by now (until 2020-01-31)"
    assert line in stale.lines
    assert known(stale)["AL-034"] == ("expired", [SHORT])
    assert known(stale)["AL-036"] == ("expired", [])


def test_entries_of_other_providers_are_for_other_runs(stale):
    assert "SC-051" not in known(stale)


def test_workers_tell_the_same(run_pytest, tmp_path, lax, stale):
    """With two workers the same fails, and the same is reported."""
    outcome = excusing(run_pytest, tmp_path, lax, STALE, *ABOUT, "-n2", plugins=XDIST)
    assert outcome.ret == 1
    assert sorted(failed(outcome)) == sorted(failed(stale))
    assert outcome.report["deviations"] == stale.report["deviations"]


def test_last_failed_runs_them_again(run_pytest, tmp_path, lax):
    """An entry that passes is tried again with the cases that it covers, and goes once the file is right."""
    for _ in range(2):
        outcome = excusing(run_pytest, tmp_path, lax, FIXED + UNSEEN + GOOD, *ABOUT, "--lf")
        assert failed(outcome) == ["atlast::known-deviation/AL-035", "atlast::known-deviation/AL-036"]
    assert known(outcome)["AL-035"] == ("passed", [])
    assert set(outcome.verdicts) == {"AL-035/createdAt.missing"}
    outcome = excusing(run_pytest, tmp_path, lax, GOOD, *ABOUT, "--lf")
    assert outcome.ret == 0


def test_an_entry_fails_the_run_even_when_its_item_was_not_run(run_pytest, tmp_path, lax):
    """``--lf`` leaves out what did not fail before; the exit status and the report never contradict each other."""
    assert failed(excusing(run_pytest, tmp_path, lax, "", "-k", "AL-034")) == [f"atlast::{SHORT}"]
    listed = SHORTS + '[[deviation]]\nid = "AL-999"\nreason = "misspelt"\n'
    outcome = excusing(run_pytest, tmp_path, lax, listed, "-k", "AL-034", "--lf")
    assert "1 xfailed" in outcome.lines[-1]
    assert outcome.ret == 1
    assert known(outcome)["AL-999"] == ("unmatched", [])


def test_the_first_failure_may_end_the_run(run_pytest, tmp_path, lax):
    outcome = excusing(run_pytest, tmp_path, lax, FIXED + GOOD, *ABOUT, "-x")
    assert outcome.ret == 1
    assert failed(outcome) == ["atlast::known-deviation/AL-035"]


def test_what_is_printed_can_be_pasted_back(run_pytest, tmp_path, lax):
    """The node id of an entry brings its cases along."""
    listed = FIXED + GOOD
    outcome = excusing(run_pytest, tmp_path, lax, listed, "atlast::known-deviation/AL-034")
    assert outcome.ret == 0
    assert set(outcome.verdicts) == {SHORT, "AL-034/reference.shortest"}
    assert "1 xfailed" in outcome.lines[-1]


def test_a_part_of_its_cases_says_nothing_of_an_entry(run_pytest, tmp_path, lax):
    """The accepted side alone passes, and that is no reason to remove the entry; nor does what expired elsewhere matter."""
    listed = GOOD + '[[deviation]]\nid = "AL-036"\nreason = "elsewhere"\nexpires = 2020-01-31\n'
    outcome = excusing(run_pytest, tmp_path, lax, listed, "--case=AL-034/reference.shortest")
    assert outcome.ret == 0
    assert {status for status, _ in known(outcome).values()} == {"not judged"}
    assert "3 known deviations were not judged: not all of their cases were selected." in outcome.lines


def test_what_matches_nothing_fails_whatever_is_selected(run_pytest, tmp_path, lax):
    """It is wrong in every run, and no selection by name leaves it out."""
    listed = GOOD + '[[deviation]]\nid = "AL-999"\nreason = "misspelt"\n'
    outcome = excusing(run_pytest, tmp_path, lax, listed, "-k", "shortest")
    assert outcome.ret == 1
    assert failed(outcome) == ["atlast::known-deviation/AL-999"]


def test_a_replay_excuses_the_same(run_pytest, tmp_path, lax):
    """What was recorded is judged again, with today's file."""
    record = ("--record-mode=once", "--cassettes=recordings", *ABOUT)
    assert excusing(run_pytest, tmp_path, lax, GOOD, *record).ret == 0
    (tmp_path / "known.toml").write_text(GOOD + FIXED)
    arguments = ("--provider=atlast", "--record-mode=none", "--cassettes=recordings", "--deviations=known.toml")
    outcome = run_pytest(tmp_path, *arguments, "--report=out", *ABOUT)
    assert failed(outcome) == ["atlast::known-deviation/AL-035"]
    assert known(outcome) == {"AL-034": ("seen", [SHORT]), OBJECT: ("seen", [OBJECT]), "AL-035": ("passed", [])}


def test_a_run_without_a_file_says_nothing_of_deviations(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=atlast", f"--case={SHORT}", "--report=out")
    assert "deviations" not in outcome.report


def test_nothing_is_sent_for_entries_alone(run_pytest, tmp_path):
    """Where no case is selected, an entry that matches nothing fails, and no control is sent for it."""
    with Lax().serving() as endpoint:
        listed = '[[deviation]]\nid = "AL-999"\nreason = "misspelt"\n'
        outcome = excusing(run_pytest, tmp_path, endpoint, listed, "-k", "nothing_of_that_name")
        assert endpoint.calls == []
    assert failed(outcome) == ["atlast::known-deviation/AL-999"]


# The file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[deviation]]\nid = 'AL-034'\n", '/deviation/0: "reason" is a required property'),
        ("[[deviation]]\nreason = 'so it is'\n", '/deviation/0: "id" is a required property'),
        ("[[deviation]]\nid = 'AL-034'\nreason = ' '\n", "/deviation/0/reason: is empty; say why this deviation is accepted"),
        ("[[deviation]]\nid = 'AL-034'\nreason = 7\n", '/deviation/0/reason: 7 is not of type "string"'),
        ("[[deviation]]\nid = 'AL-034'\nraeson = 'x'\n", "/deviation/0: unknown key 'raeson'; did you mean 'reason'?"),
        ("[[deviations]]\nid = 'AL-034'\n", "/: unknown key 'deviations'; did you mean 'deviation'?"),
        ("[[deviation]]\nid = 'AL-034'\nreason = 'x'\nexpires = 'soon'\n",
         "/deviation/0/expires: 'soon' is no date; write for example expires = 2027-01-31"),
        ("[[deviation]]\nid = 'AL-034'\nreason = 'x'\nexpires = 2027-01-31T10:00:00Z\n",
         "/deviation/0/expires: '2027-01-31 10:00:00+00:00' is no date; write for example expires = 2027-01-31"),
        ("[[deviation]]\nid = 'AL-034'\nreason = 'x'\n[[deviation]]\nid = 'AL-034'\nreason = 'y'\n",
         "/deviation/1/id: 'AL-034' stands there twice; keep one"),
        ("[[deviation]]\nid = 'SCC-051'\nreason = 'x'\n",
         "'SCC-051' is no id of a requirement or case; did you mean 'SC'?"),
        ("[[deviation]\n", "not TOML (Expected ']]' at the end of an array declaration (at line 1, column 12))"),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_in_a_line(tmp_path, text, message):
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        deviations.read(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_broken_file_stops_before_anything_is_sent(run_pytest, tmp_path):
    """One line, exit 4."""
    with Endpoint().serving() as endpoint:
        outcome = excusing(run_pytest, tmp_path, endpoint, "[[deviation]]\nid = 'AL-034'\n")
        assert endpoint.calls == []
        missing = run_pytest(tmp_path, "--provider=atlast", "--deviations=nowhere.toml")
    assert outcome.ret == missing.ret == 4
    assert outcome.errors() == ['ERROR: known.toml: /deviation/0: "reason" is a required property']
    assert missing.errors() == ["ERROR: nowhere.toml: cannot be read (No such file or directory)"]


# Entries held against verdicts


@pytest.fixture(scope="module")
def atlast():
    """The suite of AtLast."""
    pack = providers.load("atlast")
    return suite.build(pack, providers.reference_account(pack), ("access_token",))


def held(made, entry, verdicts, *, today=date(2026, 6, 15)):
    """What becomes of an entry in a run with these verdicts."""
    judgements = {name: Judgement(Verdict(verdict)) for name, verdict in verdicts.items()}
    return Known([entry], made, today).row(entry, judgements, frozenset(verdicts))["status"]


ACCEPTED = "AL-034/reference.shortest"


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ({SHORT: "violation", ACCEPTED: "conformant"}, "seen"),
        ({SHORT: "violation"}, "seen"),
        ({SHORT: "violation", ACCEPTED: "inconclusive"}, "seen"),
        ({SHORT: "advisory", ACCEPTED: "conformant"}, "seen"),
        ({SHORT: "conformant", ACCEPTED: "conformant"}, "passed"),
        ({SHORT: "conformant", ACCEPTED: "observed"}, "passed"),
        ({SHORT: "conformant"}, "not judged"),
        ({SHORT: "conformant", ACCEPTED: "inconclusive"}, "not judged"),
        ({SHORT: "not-applicable", ACCEPTED: "conformant"}, "not judged"),
        ({}, "not judged"),
    ],
)
def test_a_requirement_counts_as_a_whole(atlast, verdicts, status):
    assert held(atlast, Deviation("AL-034", "known"), verdicts) == status


@pytest.mark.parametrize(("day", "status"), [(14, "expired"), (15, "seen"), (16, "seen")])
def test_an_entry_holds_through_its_last_day(atlast, day, status):
    entry = Deviation(SHORT, "known", expires=date(2026, 6, day))
    assert held(atlast, entry, {SHORT: "violation"}) == status


def test_a_case_that_is_named_itself_belongs_to_that_entry(atlast):
    """Its violation does not keep the entry of the requirement alive."""
    whole, one = Deviation("AL-034", "all"), Deviation(SHORT, "one")
    listed = Known([whole, one], atlast, date(2026, 6, 15))
    assert (listed.of(SHORT), listed.of(ACCEPTED)) == (one, whole)
    judgements = {SHORT: Judgement(Verdict.VIOLATION), ACCEPTED: Judgement(Verdict.CONFORMANT)}
    assert [row["status"] for row in listed.rows(judgements, judgements)] == ["passed", "seen"]
    listed = Known([whole, one, Deviation(ACCEPTED, "two")], atlast, date(2026, 6, 15))
    row = listed.rows(judgements, judgements)[0]
    assert (row["status"], row["hint"]) == ("unmatched", "entries of its cases cover them all")
