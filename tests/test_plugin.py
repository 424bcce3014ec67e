"""``pytest --provider=atlast`` as people use it: selection, options, reports and wrong uses."""

import copy
import json
import re
from collections import Counter
from importlib.resources import files
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from endpoints import TOKEN, Constant, Endpoint, Reply

from conformance import __version__, catalogue
from conformance.errors import UserError
from conformance.safety import check_endpoint

XDIST = ("xdist", "xdist.looponfail")
SHORT = "AL-034/reference.too-short"
OLD = "AL-039/createdAt.400-days-old"
FORECAST = (
    "atlast: a run would send about {requests} requests and controls between them, and create up to {orders} orders"
    " with {lines} lines"
)

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture(scope="module")
def full(run_pytest, tmp_path_factory):
    """A whole run against the embedded endpoint."""
    folder = tmp_path_factory.mktemp("full")
    return run_pytest(folder, "--provider=atlast", "--report=out", "--junitxml=junit.xml")


@pytest.fixture(scope="module")
def seven(run_pytest, tmp_path_factory):
    """A whole run that says everything in its ini file: provider, seed and report."""
    folder = tmp_path_factory.mktemp("seven")
    (folder / "pytest.ini").write_text(
        "[pytest]\nconformance_provider = atlast\nconformance_seed = 7\nconformance_report = out\n"
    )
    return run_pytest(folder)


def comparable(report):
    """A report without what two equal runs may differ in."""
    report = copy.deepcopy(report)
    del report["run"]
    for exchange in report["exchanges"].values():
        del exchange["duration_ms"]
    return report


def bodies(report):
    return [each["request"].get("body") for each in report["exchanges"].values()]


def passed(result, number):
    """The run went well and so many cases passed."""
    assert result.ret == 0
    result.assert_outcomes(passed=number, deselected=result.parseoutcomes().get("deselected", 0))


# A whole run


def test_reference_is_conformant(full):
    """The embedded endpoint is conformant: exit 0, a verdict line and every case passed."""
    assert full.ret == 0
    assert any(re.fullmatch("=+ atlast: conformant =+", line) for line in full.lines)
    assert full.report["verdict"] == "conformant"
    assert f"{len(full.cases)} passed in " in full.lines[-1]
    assert full.err == ""


def test_header_says_what_is_tested(full):
    """The header names provider, revision, endpoint and seed."""
    assert f"conformance {__version__}: atlast (v1) at the embedded reference endpoint (lenient), seed 1" in full.lines


def test_counts_agree(full):
    """The counts in the report, its rows and the terminal are the same."""
    report, counts = full.report, full.report["counts"]
    assert counts["requests"] == len(report["exchanges"]) == sum(counts["requests_by_operation"].values())
    assert sum(counts["cases"].values()) == len(full.cases)
    assert sum(counts["requirements"].values()) == len(report["requirements"])
    for verdict, number in counts["cases"].items():
        assert number == sum(each == verdict for each in full.verdicts.values())
    line = "{requests} requests ({controls} of them controls), {orders_created} orders created"
    assert line.format(**counts) in full.lines
    assert counts["requests_by_operation"]["create-orders"] <= 500


def test_table_of_levels(full):
    """The table counts requirements by level and verdict."""
    rows = full.report["requirements"]
    table = [line.split() for line in full.lines if re.match("(must|should|silent|contradictory) ", line)]
    assert [row[0] for row in table] == ["must", "should", "silent", "contradictory"]
    for level, *numbers in table:
        assert sum(int(each) for each in numbers if each != "-") == sum(row["level"] == level for row in rows)


def test_complete_run(full):
    """A whole run is complete, selects everything, and leaves nothing out."""
    run = full.report["run"]
    assert (run["complete"], run["selection"], run["stopped"], full.report["not_run"]) == (True, "all", "", [])


def test_junit(full):
    """Any CI can read the JUnit file: one test case a case, by its id."""
    suite = ET.parse(full.folder / "junit.xml").getroot()[0]
    assert {case.get("name") for case in suite.iter("testcase")} == set(full.cases)
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")


def test_report_is_on_its_own(full):
    """Nothing but the report, the JUnit file and pytest's cache is left in the folder."""
    assert {each.name for each in full.folder.iterdir()} == {"out", "junit.xml"} | (
        {".pytest_cache"} if (full.folder / ".pytest_cache").exists() else set()
    )


# The report's form


@pytest.fixture(scope="module")
def schema():
    return json.loads(files("conformance.report").joinpath("report.schema.json").read_text(encoding="utf-8"))


def test_report_has_its_form(full, schema):
    """A report satisfies the JSON Schema that ships with the package."""
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(full.report, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("verdict",), "fine"),
        (("run", "complete"), False),
        (("run", "started_at"), "yesterday"),
        (("counts", "cases", "violation"), 1),
        (("provider", "secret"), "x"),
        (("requirements", 0, "level"), "may"),
        (("requirements", 0, "cases"), []),
        (("requirements", 0, "cases", 0, "verdict"), "violation"),
        (("requirements", 0, "cases", 0, "verdict"), "not-applicable"),
        (("requirements", 0, "cases", 0, "change"), [{"op": "add", "path": "/a"}]),
        (("requirements", 0, "cases", 0, "twins"), "control"),
        (("exchanges", "x0001", "response"), None),
        (("exchanges", "x0001", "request", "body_base64"), "AAAA"),
        (("exchanges", "first"), {}),
    ],
)
def test_schema_of_the_report_is_strict(full, schema, place, value):
    """What a report must not say does not satisfy its schema."""
    report = copy.deepcopy(full.report)
    node = report
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value
    assert not jsonschema.Draft202012Validator(schema).is_valid(report)


def test_partial_report_has_its_form(partial, schema):
    """The report of a few cases satisfies the schema too."""
    jsonschema.validate(partial.report, schema, jsonschema.Draft202012Validator)


# Repeatable


def test_workers_and_order_change_nothing(full, run_pytest, tmp_path_factory):
    """With four workers and the items in random order, the same is sent and the same is reported."""
    folder = tmp_path_factory.mktemp("workers")
    other = run_pytest(
        folder,
        "--provider=atlast",
        "--report=out",
        "-n4",
        "-prandomly",
        "--randomly-seed=3",
        plugins=(*XDIST, "randomly"),
    )
    assert other.ret == 0
    assert comparable(other.report) == comparable(full.report)


def test_no_workers(run_pytest, full, tmp_path_factory):
    """With ``-n 0`` and random order too; and the same seed twice gives the same report."""
    folder = tmp_path_factory.mktemp("no-workers")
    other = run_pytest(folder, "--provider=atlast", "--report=out", "-n0", "--seed=1", plugins=(*XDIST, "randomly"))
    assert other.ret == 0
    assert comparable(other.report) == comparable(full.report)


def test_other_seed_same_verdicts(full, seven):
    """Another seed gives other orders and the same verdicts."""
    assert seven.ret == 0
    assert seven.report["run"]["seed"] == 7
    assert seven.verdicts == full.verdicts
    assert not set(bodies(seven.report)) & {body for body in bodies(full.report) if body and '"orders":[{"id"' in body}


def test_workers_send_nothing_twice(suite_run, monkeypatch):
    """However many workers there are, the endpoint sees each request once."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    seen = []
    for workers in ("-n0", "-n2"):
        with Endpoint().serving() as endpoint:
            arguments = ("--provider=atlast", f"--endpoint={endpoint.url}", workers, "-kAL-034")
            result = suite_run(*arguments, plugins=XDIST)
        assert result.ret == 0
        assert result.parseoutcomes()["passed"] == 2
        seen.append(len(endpoint.calls))
    assert seen[0] == seen[1] > 2


# Selection


@pytest.fixture(scope="module")
def partial(run_pytest, tmp_path_factory):
    """A run of one refused case, by its node id."""
    folder = tmp_path_factory.mktemp("partial")
    return run_pytest(folder, "--provider=atlast", "--report=out", f"atlast::{SHORT}", "-v")


def test_node_id_can_be_pasted_back(partial):
    """A node id that was printed selects its case."""
    assert partial.ret == 0
    assert any(line.startswith(f"atlast::{SHORT} PASSED") for line in partial.lines)
    assert list(partial.cases) == [SHORT]


def test_part_is_never_conformant(partial):
    """A part of the cases proves nothing about the endpoint: exit 0, verdict inconclusive."""
    assert partial.report["verdict"] == "inconclusive"
    assert partial.report["run"]["complete"] is False
    assert partial.report["run"]["selection"] == [SHORT]
    assert "Inconclusive: only a part of the cases was selected." in partial.lines
    assert any(re.fullmatch("=+ atlast: inconclusive =+", line) for line in partial.lines)


def test_all_musts_are_not_all(run_pytest, tmp_path):
    """Even with every must judged and conformant, a selection is not the whole suite."""
    outcome = run_pytest(tmp_path, "--provider=atlast", "--report=out", "-m", "must")
    assert outcome.ret == 0
    assert set(outcome.verdicts.values()) <= {"conformant", "observed"}
    assert not [
        row for row in outcome.report["requirements"] if row["level"] == "must" and row["verdict"] != "conformant"
    ]
    assert outcome.report["verdict"] == "inconclusive"


def test_refused_case_brings_control_and_twin(partial):
    """A refused case comes with a control before, its accepted twin, and a control after."""
    case = partial.cases[SHORT]
    exchanges = partial.report["exchanges"]
    statuses = [each["response"]["status"] for each in exchanges.values()]
    assert case["twin"] == "AL-033/reference.present"
    # The bad order stands behind a good one.
    assert case["change"] == [{"op": "replace", "path": "/orders/1/reference", "value": ""}]
    references = [
        [order.get("reference") for order in json.loads(each["request"]["body"])["orders"]]
        for each in exchanges.values()
    ]
    asked = list(exchanges).index(case["exchange_ids"][0])
    assert references[asked] == [None, ""]
    assert statuses[asked] == 400
    assert any(len(each) == 1 and each[0] for each in references[:asked]), "no twin with a reference was sent"
    # Whether a bad order takes its batch with it is found out before: one is refused for that.
    assert Counter(statuses[:asked]) == {201: asked - 1, 400: 1}
    assert statuses[-1] == 201
    assert references[0] == references[-1] == [None]


def test_two_node_ids(suite_run):
    """Several node ids select several cases."""
    result = suite_run("--provider=atlast", f"atlast::{SHORT}", f"atlast::{OLD}", "-v")
    passed(result, 2)
    result.stdout.fnmatch_lines_random([f"atlast::{SHORT} PASSED*", f"atlast::{OLD} PASSED*"])


def test_case_is_repeatable(suite_run):
    """``--case`` selects exactly that case, as often as it is given."""
    result = suite_run("--provider=atlast", f"--case={SHORT}", "--case", OLD, "-v")
    passed(result, 2)
    result.stdout.fnmatch_lines_random([f"atlast::{SHORT} PASSED*", f"atlast::{OLD} PASSED*"])


def test_provider_as_node_id(suite_run):
    """The provider's own node id stands for all of its cases."""
    result = suite_run("--provider=atlast", "atlast", "-k", "AL-034")
    passed(result, 2)


def test_keyword(suite_run):
    """``-k`` selects by any part of an id."""
    passed(suite_run("--provider=atlast", "-k", "reference.too-short or AL-034/reference.shortest"), 2)


@pytest.mark.parametrize(
    ("marks", "chosen"),
    [("must", lambda row: row["level"] == "must"), ("must and money", lambda row: (row["level"], row["area"]) == ("must", "money"))],
)  # fmt: skip
def test_marks(suite_run, full, marks, chosen):
    """``-m`` selects by level and area."""
    wanted = [case["id"] for row in full.report["requirements"] if chosen(row) for case in row["cases"]]
    result = suite_run("--provider=atlast", "-m", marks, "--collect-only", "-q")
    assert result.ret == 0
    assert [line for line in result.outlines if line.startswith("atlast::")] == [f"atlast::{each}" for each in wanted]
    assert 0 < len(wanted) < len(full.cases)


def test_marks_are_registered(suite_run):
    """Levels and areas are marks that pytest knows."""
    result = suite_run("--provider=atlast", "--markers")
    assert result.ret == 0
    result.stdout.fnmatch_lines_random(
        [
            "@pytest.mark.must: cases of requirements at this level",
            "@pytest.mark.money: cases of requirements about this area",
        ]
    )


def test_no_case_selected(suite_run):
    """A selection without any case is no success: exit 5."""
    assert suite_run("--provider=atlast", "-k", "nothing-is-called-so").ret == 5


def test_nothing_judged(suite_run, monkeypatch):
    """A run in which no case applied judged nothing: exit 5, with the reason."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    with Endpoint().serving() as endpoint:
        result = suite_run("--provider=atlast", f"--endpoint={endpoint.url}", "--case=AL-010/token.issued", "-rs")
    assert result.parseoutcomes()["skipped"] == 1
    result.stdout.fnmatch_lines(["SKIPPED * not applicable: *"])
    assert result.ret == 5


def test_without_cache(suite_run, pytester):
    """pytest's cache is not needed."""
    passed(suite_run("--provider=atlast", f"--case={SHORT}", "-pno:cacheprovider"), 1)
    assert not (pytester.path / ".pytest_cache").exists()


# Collecting only


def test_collect_only_sends_nothing(suite_run, monkeypatch, full):
    """``--collect-only`` lists the cases, sends nothing, and ends with what a run would do."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    with Endpoint().serving() as endpoint:
        result = suite_run("--provider=atlast", f"--endpoint={endpoint.url}", "--collect-only", "-q", "--report=out")
    assert result.ret == 0
    assert endpoint.calls == []
    assert {line for line in result.outlines if line.startswith("atlast::")} == {
        f"atlast::{each}" for each in full.cases
    }
    *_, forecast, end = filter(None, result.outlines)
    found = re.fullmatch(FORECAST.format(requests=r"(\d+)", orders=r"(\d+)", lines=r"(\d+)"), forecast)
    assert found, forecast
    assert end.startswith(f"{len(full.cases)} tests collected")


def test_forecast_is_about_the_selection(suite_run):
    """The forecast is about the selected cases with what they need."""
    result = suite_run("--provider=atlast", "--collect-only", f"--case={SHORT}")
    assert FORECAST.format(requests=2, orders=1, lines=1) in result.outlines


# Failures


@pytest.fixture(scope="module")
def careless(run_pytest, tmp_path_factory):
    """A run against an endpoint that takes everything, and another one of what failed."""
    folder = tmp_path_factory.mktemp("careless")
    with Constant(reply=Reply(201)).serving() as endpoint:
        arguments = (
            *("--provider=atlast", "--revision=v1", f"--endpoint={endpoint.url}"),
            *("-k", "AL-034 or AL-039", "--report=out"),
        )
        variables = {"ATLAST_ACCESS_TOKEN": TOKEN}
        first = run_pytest(folder, *arguments, env=variables)
        assert first.report["verdict"] == "nonconformant"
        return first, run_pytest(folder, *arguments, "--lf", "-v", env=variables), endpoint.url


def test_failure_tells_all(careless):
    """A failure tells requirement, change, finding, source and the command that shows it again, without a traceback."""
    first, _, url = careless
    assert first.ret == 1
    start = next(index for index, line in enumerate(first.lines) if SHORT in line and line.startswith("____"))
    requirement = catalogue.load("atlast").requirement("AL-034")
    assert first.lines[start + 1 : start + 9] == [
        f"AL-034 (must): {requirement.title}",
        "  verdict   violation",
        '  change    replace /orders/0/reference = ""',
        "  at        response status",
        "  expected  a refusal (4xx)",
        "  got       201 (empty body)",
        f"  source    {requirement.source}",
        f"  replay    pytest --provider=atlast --case={SHORT} --endpoint={url} --revision=v1",
    ]
    assert "Traceback" not in first.text


def test_last_failed(careless):
    """``--lf`` runs what failed and nothing else."""
    first, again, _ = careless
    assert again.ret == 1
    failed = {name for name, verdict in first.verdicts.items() if verdict == "violation"}
    assert 0 < len(failed) < len(first.cases)
    assert {
        line.split()[0].removeprefix("atlast::") for line in again.lines if " FAILED" in line and "::" in line
    } == failed
    assert f"{len(failed)} failed" in again.lines[-1]
    assert "passed" not in again.lines[-1]


def test_stop_at_first_failure(suite_run, monkeypatch):
    """``-x`` stops at the first violation; the report covers the whole run all the same."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    with Constant(reply=Reply(201)).serving() as endpoint:
        result = suite_run(
            "--provider=atlast", f"--endpoint={endpoint.url}", "-k", "AL-034 or AL-039", "-x", "--report=out"
        )
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*atlast: nonconformant*", "*stopping after 1 failures*"])


def test_advisory(suite_run, monkeypatch):
    """An advisory finding passes, and fails where ``--fail-on=advisory`` asks for it."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    case = "AL-033/reference.type-null"
    with Constant(reply=Reply(201)).serving() as endpoint:
        arguments = ("--provider=atlast", f"--endpoint={endpoint.url}", f"--case={case}")
        lenient = suite_run(*arguments)
        strict = suite_run(*arguments, "--fail-on=advisory")
    passed(lenient, 1)
    title = catalogue.load("atlast").requirement("AL-033").title
    line = f"Advisory: AL-033 {title}  [[]{case}[]]"
    lenient.stdout.fnmatch_lines([line])
    assert strict.ret == 1
    strict.stdout.fnmatch_lines(["  verdict   advisory, a value that lenient parsers take", line])


# The folder that a run starts in


HOOKS = """
import pytest

pytest_plugins = ["brought"]

def pytest_configure(config):
    raise RuntimeError("configured")

def pytest_collection_modifyitems(items):
    items.clear()

def pytest_runtest_setup(item):
    raise RuntimeError("set up")

@pytest.fixture(autouse=True)
def fails():
    raise RuntimeError("fixture")
"""


@pytest.mark.parametrize(
    ("how", "conftest"),
    [
        ("--provider=atlast", "raise RuntimeError('broken')"),
        ("--provider=atlast", "def pytest_addoption(parser):\n    raise RuntimeError('options')"),
        ("--provider=atlast", HOOKS),
        ("--provider atlast", HOOKS),
        ("ini", HOOKS),
        ("ini", "raise RuntimeError('broken')"),
    ],
)
def test_folder_has_no_say(suite_run, pytester, how, conftest):
    """Failing tests, testpaths and conftests of the folder do not matter, however broken they are."""
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_fails="def test_fails():\n    assert False")
    pytester.makepyfile(brought="def pytest_collection_modifyitems(items):\n    items.clear()")
    ini = "[pytest]\ntestpaths = .\npythonpath = .\n"
    pytester.path.joinpath("pytest.ini").write_text(ini + ("conformance_provider = atlast\n" if how == "ini" else ""))
    arguments = [] if how == "ini" else how.split()
    result = suite_run(*arguments, f"--case={SHORT}")
    passed(result, 1)
    result.stdout.no_fnmatch_line("*test_fails*")


def test_broken_conftest_of_a_plain_run(suite_run, pytester):
    """Without a provider a broken conftest is pytest's own affair, as ever."""
    pytester.makeconftest("raise RuntimeError('broken')")
    result = suite_run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ImportError while loading conftest*", "E   RuntimeError: broken"])


def test_folder_named_beside_the_provider(suite_run, pytester):
    """With a path, the tests under it run too, conftest and all."""
    tests = pytester.mkdir("checks")
    tests.joinpath("conftest.py").write_text("import pytest\n@pytest.fixture\ndef seven():\n    return 7\n")
    tests.joinpath("test_own.py").write_text("def test_own(seven):\n    assert seven == 7\n")
    result = suite_run("--provider=atlast", f"--case={SHORT}", "checks", "-v")
    passed(result, 2)
    result.stdout.fnmatch_lines_random([f"atlast::{SHORT} PASSED*", "checks/test_own.py::test_own PASSED*"])


def test_own_tests_can_fail_beside_the_provider(suite_run, pytester):
    """A failing test under a named path fails the session."""
    pytester.makepyfile(test_fails="def test_fails():\n    assert False")
    result = suite_run("--provider=atlast", f"--case={SHORT}", "test_fails.py")
    result.assert_outcomes(passed=1, failed=1, deselected=result.parseoutcomes()["deselected"])
    assert result.ret == 1


def test_plain_pytest_is_untouched(suite_run, pytester):
    """Without a provider there is no header line, no mark and no hook of ours, and nothing heavy is imported."""
    pytester.makepyfile(
        test_plain="""
        import sys

        def test_nothing_heavy():
            heavy = {"faker", "jsonschema", "jsonschema_rs", "starlette", "uvicorn", "urllib3", "vcr", "click", "rich", "jsonpatch"}
            assert not heavy & set(sys.modules)

        def test_little_of_ours(request):
            ours = {each for each in sys.modules if each.partition(".")[0] == "conformance"}
            assert ours == {"conformance", "conformance.plugin", "conformance.plugins", "conformance.plugins.fixtures", "conformance.plugins.options"}
            assert request.config.pluginmanager.getplugin("conformance-session") is None

        def test_no_marks(request):
            assert not [each for each in request.config.getini("markers") if "requirements" in each]
        """
    )
    result = suite_run("-v")
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    assert not [line for line in result.outlines if line.startswith("conformance ")]


def test_help(suite_run):
    """``--help`` lists our options with both of their names."""
    result = suite_run("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["conformance of bulk-order APIs:", "  --provider=NAME*, --conformance-provider=NAME*"])
    result.stdout.fnmatch_lines(["*conformance_provider (string):*"])


# Options in files


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nconformance_provider = atlast\nconformance_seed = 7\n"),
        ("tox.ini", "[pytest]\nconformance_provider = atlast\nconformance_seed = 7\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\nconformance_provider = 'atlast'\nconformance_seed = '7'\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\nconformance_provider = 'atlast'\nconformance_seed = 7\n"),
    ],
)
def test_ini_keys(suite_run, pytester, name, text):
    """Options can stand in any file that pytest reads."""
    pytester.path.joinpath(name).write_text(text)
    result = suite_run("--collect-only", f"--case={SHORT}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["conformance *: atlast (v1) at the embedded reference endpoint (lenient), seed 7"])


@pytest.mark.skipif(int(pytest.__version__.partition(".")[0]) < 9, reason="[tool.pytest] came with pytest 9")
def test_native_toml(suite_run, pytester):
    """In pytest's native TOML table numbers need no quotes."""
    pytester.makepyprojecttoml(
        "[tool.pytest]\nconformance_provider = 'atlast'\nconformance_seed = 7\nconformance_max_rps = 900.5\nconformance_no_pack = true\n"
    )
    result = suite_run("--collect-only", f"--case={SHORT}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["conformance *, seed 7"])


def test_command_line_beats_ini(suite_run, pytester):
    """What the command line says counts, whatever the ini file says."""
    pytester.makeini(
        "[pytest]\nconformance_provider = nobody\nconformance_seed = 7\nconformance_endpoint = ftp://nowhere\nconformance_reference_strict = true\n"
    )
    result = suite_run(
        "--provider=atlast", "--seed=8", "--collect-only", f"--case={SHORT}", "--endpoint=http://127.0.0.1:9"
    )
    assert result.ret == 4  # without credentials, but for the right endpoint
    assert "no credentials" in result.stderr.str()
    pytester.makeini(
        "[pytest]\nconformance_provider = nobody\nconformance_seed = 7\nconformance_reference_strict = true\n"
    )
    result = suite_run("--provider=atlast", "--seed=8", "--collect-only", f"--case={SHORT}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["conformance *: atlast (v1) at the embedded reference endpoint (strict), seed 8"])


@pytest.mark.parametrize(("revision", "there"), [("seed", False), ("current", True), ("", True)])
def test_revision(suite_run, pytester, revision, there):
    """The revision is told, and rules of another one are neither run nor listed."""
    option = [f"--revision={revision}"] if revision else []
    result = suite_run("--provider=ezcards", *option, "--report=out")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [f"conformance *: ezcards ({revision or 'current'}) at the embedded reference endpoint*"]
    )
    text = (pytester.path / "out" / "report.json").read_text(encoding="utf-8")
    report = json.loads(text)
    assert ("EZ-072" in {row["id"] for row in report["requirements"]}) is there
    sent = "".join(str(each["request"].get("body")) for each in report["exchanges"].values())
    assert ("payWithCurrency" in sent) is there
    assert report["verdict"] == "conformant"


def test_case_of_another_revision(suite_run):
    """A case that the revision does not have is no case."""
    result = suite_run("--provider=ezcards", "--revision=seed", "--case=EZ-072/payWithCurrency.needed")
    [line] = [each for each in (result.stdout.str() + result.stderr.str()).splitlines() if each.startswith("ERROR:")]
    assert line.startswith("ERROR: there is no case 'EZ-072/payWithCurrency.needed'; ")
    assert result.ret == 4


# Wrong uses

NO_CREDENTIALS = (
    "atlast: no credentials: set ATLAST_ACCESS_TOKEN, or ATLAST_CLIENT_ID and ATLAST_CLIENT_SECRET"
    " in the environment or in a .env file"
)
PRODUCTION = (
    "atlast: api.atlast.co is a production host and the run creates real orders;"
    " if that is meant, add --allow=orders,production"
)
PAID = (
    "ezcards: the run on sandboxapi.ezcards.io spends money on real orders; if that is meant, add --allow=orders,money"
)
URL_FORM = "write https://host[:port][/path]"


def wrong(result, message):
    """Exit 4, one line that says what is wrong, and nothing of our insides."""
    text = result.stdout.str() + result.stderr.str()
    assert [line for line in text.splitlines() if line.startswith("ERROR:")] == [f"ERROR: {message}"]
    assert result.ret == 4
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--provider=atlst"], "there is no provider 'atlst'; did you mean 'atlast'?"),
        (["--provider=atlast,atlst"], "there is no provider 'atlst'; did you mean 'atlast'?"),
        (["--provider="], "--provider is empty; give it a value or leave it out"),
        (["--endpoint="], "--endpoint is empty; give it a value or leave it out"),
        (["--endpoint=sandbox.example"], f"--endpoint=sandbox.example: not an http or https URL; {URL_FORM}"),
        (
            ["--endpoint=ftp://sandbox.example"],
            f"--endpoint=ftp://sandbox.example: not an http or https URL; {URL_FORM}",
        ),
        (["--endpoint=https:///v1"], f"--endpoint=https:///v1: not an http or https URL; {URL_FORM}"),
        (
            ["--endpoint=http://127.0.0.1:99999"],
            f"--endpoint=http://127.0.0.1:99999: Port out of range 0-65535; {URL_FORM}",
        ),
        (["--endpoint=http://[::1/v1"], f"--endpoint=http://[::1/v1: Invalid IPv6 URL; {URL_FORM}"),
        (["--endpoint=http://127.0.0.1/?a=canary"], "--endpoint=http://127.0.0.1/: leave out the part from ? on"),
        (["--endpoint=http://127.0.0.1/#canary"], "--endpoint=http://127.0.0.1/: leave out the part from # on"),
        (
            ["--endpoint=https://me:canary@sandbox.example"],
            "--endpoint: credentials do not belong into the URL; set them in the environment",
        ),
        (["--endpoint=http://127.0.0.1:9"], NO_CREDENTIALS),
        (
            ["--endpoint=https://api.atlast.co"],
            PRODUCTION,
        ),
        (
            ["--endpoint=https://api.atlast.co", "--allow=orders"],
            PRODUCTION,
        ),
        (
            ["--endpoint=https://sandbox.example"],
            "atlast: the run on sandbox.example creates real orders; if that is meant, add --allow=orders",
        ),
        (["--account=nope.toml"], "nope.toml: cannot be read (No such file or directory)"),
        (["--seed=x"], "--seed=x: not a number; write for example --seed=10"),
        (["--max-rps=nan"], "--max-rps=nan: not a number; write for example --max-rps=10"),
        (["--concurrency=0"], "--concurrency=0: must be more than 0"),
        (["--max-orders=-1"], "--max-orders=-1: must be more than 0"),
        (["--allow=order"], "--allow=order: there is no such effect; did you mean 'orders'?"),
        (
            ["--case=AL-034/reference.to-short"],
            f"there is no case 'AL-034/reference.to-short'; did you mean '{SHORT}'?",
        ),
        (["--case=zzzzzz"], "there is no case 'zzzzzz'; --collect-only -q lists them"),
        (
            ["atlast::AL-034/reference.to-short"],
            f"there is no case 'AL-034/reference.to-short'; did you mean '{SHORT}'?",
        ),
        (["--header=canary"], "--header: there is no colon in it; write 'Name: value'"),
        (
            ["--header=Bearer canary: x"],
            "--header: what stands before the colon is not a header's name; write 'Name: value'",
        ),
        (["--header=X-Key: canary\r\nX: y"], "--header: the value of X-Key has characters that no header can carry"),
        (["--fail-on=x"], "--fail-on=x: only 'advisory' can be added to violations"),
        (["--revision=v9"], "--revision=v9: atlast has no such revision; did you mean 'v1'?"),
        (
            ["--provider=ezcards", "--revision=curent"],
            "--revision=curent: ezcards has no such revision; did you mean 'current'?",
        ),
        (
            ["--provider=ezcards", "--revision=v2"],
            "--revision=v2: ezcards has no such revision; known: current, seed",
        ),
        (
            ["--provider=ezcards", "--endpoint=https://sandboxapi.ezcards.io", "--allow=orders"],
            PAID,
        ),
    ],
    ids=lambda value: " ".join(value).replace("\r\n", " ")[:60] if isinstance(value, list) else "",
)
def test_wrong_use(suite_run, arguments, message):
    """A user's mistake is one line that says what to do, exit 4, and no secret is repeated in it."""
    first = [] if arguments[0].startswith("--provider") else ["--provider=atlast"]
    result = suite_run(*first, *arguments)
    wrong(result, message)
    assert "canary" not in result.stdout.str() + result.stderr.str()
    assert "passed" not in result.stdout.str()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://me:canary@sandbox.example",
        "me:canary@sandbox.example",
        "https://me:canary@sandbox.example:99999",
        "//canary@sandbox.example/v1",
        "https://canary@[::1",
        "http://127.0.0.1/v1?token=canary",
        "nonsense?canary",
        "http://127.0.0.1:99999#canary",
    ],
)
def test_no_secret_of_a_url_is_repeated(url):
    """Whatever is wrong with a URL, the message leaves out what may be a secret in it."""
    with pytest.raises(UserError) as caught:
        check_endpoint(url)
    assert str(caught.value).startswith("--endpoint")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("email_optionl = true", "unknown key 'email_optionl'; did you mean 'email_optional'?"),
        ("merchant_ids = 'm-1'", '"m-1" is not of type "array"'),
        ("email_optional = 'yes'", '"yes" is not of type "boolean"'),
        ("merchant_ids = [", "not TOML ("),
    ],
)
def test_wrong_account(suite_run, pytester, text, message):
    """A mistake in the account file is told with the file's name and what was meant."""
    pytester.path.joinpath("mine.toml").write_text(text)
    result = suite_run("--provider=atlast", "--account=mine.toml")
    [line] = [each for each in result.errlines if each.startswith("ERROR:")]
    assert line.startswith("ERROR: mine.toml: ")
    assert message in line
    wrong(result, line.removeprefix("ERROR: "))


@pytest.mark.parametrize("header", ["Authorization: Bearer canary-1", "content-type: text/plain; canary"])
def test_header_that_cases_set(suite_run, monkeypatch, header):
    """A header that cases are about cannot be given for all requests."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    result = suite_run("--provider=atlast", "--endpoint=http://127.0.0.1:9", f"--header={header}")
    name = header.partition(":")[0].lower()
    wrong(result, f"--header: cases about {name} set it themselves; credentials belong into the environment")


@pytest.mark.parametrize("path", ["there", "there/below"])
def test_report_where_no_folder_can_be(suite_run, pytester, monkeypatch, path):
    """A report that cannot be written is told before anything is sent."""
    pytester.path.joinpath("there").write_text("a file")
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    with Endpoint().serving() as endpoint:
        result = suite_run("--provider=atlast", f"--endpoint={endpoint.url}", f"--report={path}")
    there = "there" if path == "there" else pytester.path / "there"
    wrong(result, f"--report={path}: {there} is not a folder")
    assert endpoint.calls == []


def test_wrong_use_with_workers(suite_run):
    """With workers, too, a wrong use is one line."""
    result = suite_run("--provider=atlast", "-n2", "--case=AL-034/reference.to-short", plugins=XDIST)
    wrong(result, f"there is no case 'AL-034/reference.to-short'; did you mean '{SHORT}'?")


def test_wrong_value_in_ini(suite_run, pytester):
    """A wrong value in the ini file is told like one on the command line."""
    pytester.makeini("[pytest]\nconformance_provider = atlast\nconformance_seed = x\n")
    wrong(suite_run(), "--seed=x: not a number; write for example --seed=10")
    pytester.makeini("[pytest]\nconformance_provider = atlast\nconformance_no_pack = perhaps\n")
    wrong(suite_run(), "conformance_no_pack: invalid truth value 'perhaps'")
