"""Loaded in everybody's pytest: other plugins, foreign options, strict settings and odd folders all keep working."""

import sysconfig
import venv
from pathlib import Path

import pytest
from endpoints import TOKEN, Constant, Endpoint, Reply

import conformance

HTML = ("html", "html_fixtures", "metadata")
XDIST = ("xdist", "xdist.looponfail")
EVERYONE = ("recording", "base_url", *HTML, "randomly", "timeout", "rerunfailures", *XDIST)
SHORT = "AL-034/reference.too-short"
ONE = ("--provider=atlast", f"--case={SHORT}")

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture(autouse=True)
def installed():
    """The plugins that this module is about; without one of them its tests would prove nothing."""
    for name in (
        "pytest_recording",
        "pytest_base_url",
        "pytest_html",
        "pytest_timeout",
        "pytest_rerunfailures",
        "xdist",
    ):
        pytest.importorskip(name)


def ran(result, **outcomes):
    """The run went well, with these outcomes."""
    assert result.ret == 0
    counts = {key: value for key, value in result.parseoutcomes().items() if key not in ("deselected", "warnings")}
    assert counts == outcomes


# All at once


def test_suite_among_all_plugins(run_pytest, tmp_path):
    """With all of them at work a whole run is conformant, in any order, on two workers, with their reports beside ours."""
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 5\nbase_url = http://127.0.0.1:9\n")
    # Not --reruns: under xdist it costs its own protocol's 40 ms for every test, ours or anybody's.
    arguments = ("--provider=atlast", "--report=out", "-n2", "--html=page.html", "--record-mode=none")
    outcome = run_pytest(tmp_path, *arguments, plugins=EVERYONE)
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    assert f"{len(outcome.cases)} passed in " in outcome.lines[-1]
    assert SHORT in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_plain_project_among_all_plugins(suite_run, pytester):
    """A project that uses each of them, and us not at all, is not disturbed."""
    pytester.makeini("[pytest]\ntimeout = 20\n")
    pytester.makepyfile(
        """
        import time

        import pytest

        tries = []

        def test_recording(record_mode, vcr_config):
            assert record_mode == "none"

        def test_base_url(base_url):
            assert base_url == "http://shop.example"

        def test_flaky():
            tries.append(1)
            assert len(tries) == 3

        def test_worker(worker_id):
            assert worker_id.startswith("gw")

        @pytest.mark.timeout(0.2)
        @pytest.mark.xfail(strict=True)
        def test_timeout():
            time.sleep(10)
        """
    )
    arguments = ("-n2", "--html=page.html", "--reruns=2", "--record-mode=none", "--base-url=http://shop.example")
    result = suite_run(*arguments, plugins=EVERYONE)
    ran(result, passed=4, xfailed=1, rerun=2)
    assert "test_flaky" in pytester.path.joinpath("page.html").read_text(encoding="utf-8")
    assert not [line for line in result.outlines if line.startswith("conformance ")]


# One by one


def test_time_limit_is_for_tests(suite_run, pytester, monkeypatch):
    """pytest-timeout's limit is for one test: the run that all cases share may take longer."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    pytester.makeini("[pytest]\ntimeout = 1\n")
    with Endpoint(delay=0.4).serving() as endpoint:
        result = suite_run(*ONE, f"--endpoint={endpoint.url}", "--durations=1", plugins=["timeout"])
    ran(result, passed=1)
    assert len(endpoint.calls) * endpoint.delay > 1


def test_reruns_send_nothing_again(suite_run, monkeypatch):
    """pytest-rerunfailures runs a failed item again: it reads the same verdict, and nothing is sent for it."""
    monkeypatch.setenv("ATLAST_ACCESS_TOKEN", TOKEN)
    calls = []
    for arguments in ((), ("--reruns=2",), ("--reruns=2", "-n2")):
        with Constant(reply=Reply(201)).serving() as endpoint:
            result = suite_run(*ONE, f"--endpoint={endpoint.url}", *arguments, plugins=["rerunfailures", *XDIST])
        assert result.ret == 1
        calls.append(len(endpoint.calls))
    assert result.parseoutcomes()["rerun"] == 2
    assert calls == calls[:1] * 3


def test_base_url_is_not_the_endpoint(suite_run):
    """pytest-base-url's option is about something else: the embedded endpoint is tested."""
    result = suite_run(*ONE, "--base-url=http://127.0.0.1:9", plugins=["base_url"])
    ran(result, passed=1)
    result.stdout.fnmatch_lines(["conformance *: atlast (v1) at the embedded reference endpoint (lenient), seed 1"])


def test_blocked_network_is_for_tests(suite_run):
    """pytest-recording's --block-network is for the code of tests, which cases have none of."""
    ran(suite_run(*ONE, "--block-network", "--record-mode=none", plugins=["recording"]), passed=1)


# Foreign options

OPTIONS = """
def pytest_addoption(parser):
    parser.addoption("--provider", default="nobody")
    parser.addoption("--seed", dest="seed")
    group = parser.getgroup("shop")
    group.addoption("--endpoint", action="store", type=int)
    group.addoption("--case", action="store_true")
"""
OWN_TEST = """
def test_own(request):
    option = request.config.option
    assert (option.provider, option.seed, option.endpoint, option.case) == ("shop", "abc", 9, True)
"""
OWN_ARGUMENTS = ("--provider=shop", "--seed=abc", "--endpoint=9", "--case")


@pytest.fixture(params=["conftest", "pytest_plugins", "plugin"])
def foreign(request, pytester):
    """A project that has options of its own by our names; gives what has to be said for them to be there."""
    pytester.makepyfile(test_own=OWN_TEST)
    if request.param == "conftest":
        pytester.makeconftest(OPTIONS)
        return ()
    pytester.makepyfile(shop_options=OPTIONS)
    pytester.makeini("[pytest]\npythonpath = .\n")
    if request.param == "pytest_plugins":
        pytester.makeconftest("pytest_plugins = ['shop_options']")
        return ()
    return ("-pshop_options",)


def test_foreign_options_stay_foreign(suite_run, foreign):
    """A project's own --provider, --seed, --endpoint and --case mean to it what they always meant."""
    ran(suite_run(*foreign, *OWN_ARGUMENTS), passed=1)


def test_ours_are_reached_by_their_long_names(suite_run, foreign):
    """Ours are reached by their long names, in the same run or in one of their own."""
    ours = ("--conformance-provider=atlast", "--conformance-seed=7", f"--conformance-case={SHORT}")
    alone = suite_run(*foreign, *OWN_ARGUMENTS, *ours)
    ran(alone, passed=1)
    alone.stdout.fnmatch_lines(["conformance *: atlast (v1) at the embedded reference endpoint (lenient), seed 7"])
    both = suite_run(*foreign, *OWN_ARGUMENTS, *ours, "test_own.py", "-v")
    ran(both, passed=2)
    both.stdout.fnmatch_lines_random([f"atlast::{SHORT} PASSED*", "test_own.py::test_own PASSED*"])


def test_long_names_need_no_rival(suite_run):
    """The long names work where the short ones are ours too."""
    ran(suite_run("--conformance-provider=atlast", f"--conformance-case={SHORT}"), passed=1)


# Strict settings


def test_warnings_as_errors(run_pytest, tmp_path):
    """A whole run warns of nothing, and knows every mark and ini key that it uses."""
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config\nconformance_seed = 1\n"
    )
    outcome = run_pytest(tmp_path, "--provider=atlast", "--report=out", "-W", "error")
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    assert "warnings summary" not in outcome.text
    assert outcome.lines[-1].strip("= ").startswith(f"{len(outcome.cases)} passed in ")


@pytest.mark.skipif(int(pytest.__version__.partition(".")[0]) < 9, reason="strict mode came with pytest 9")
def test_strict_mode(suite_run, pytester):
    """pytest's strict mode is kept."""
    pytester.makeini("[pytest]\nstrict = true\nconformance_seed = 7\n")
    ran(suite_run(*ONE, "-m", "must"), passed=1)


def test_strict_config_knows_our_keys_in_a_plain_run(suite_run, pytester):
    """Our ini keys are known in runs without a provider, too."""
    pytester.makeini("[pytest]\naddopts = --strict-config\nconformance_seed = 7\nconformance_header =\n  X-A: b\n")
    pytester.makepyfile("def test_own():\n    pass")
    ran(suite_run("-W", "error"), passed=1)


def test_options_from_the_environment(suite_run, monkeypatch):
    """PYTEST_ADDOPTS is read like the command line."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"--provider=atlast --case={SHORT} --seed=7")
    result = suite_run()
    ran(result, passed=1)
    result.stdout.fnmatch_lines(["conformance *, seed 7"])


def test_options_from_addopts(suite_run, pytester):
    """So is ``addopts``, and the command line comes last."""
    pytester.makeini(f"[pytest]\naddopts = --provider=atlast --case={SHORT} --seed=7\n")
    result = suite_run("--seed=8")
    ran(result, passed=1)
    result.stdout.fnmatch_lines(["conformance *, seed 8"])


# Switched off


def test_switched_off(suite_run, pytester):
    """``-p no:conformance`` takes us out whole: no options, and a plain run as ever."""
    pytester.makepyfile("import sys\n\ndef test_own():\n    assert 'conformance' not in sys.modules")
    ran(suite_run("-pno:conformance"), passed=1)
    result = suite_run("-pno:conformance", "--provider=atlast")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*unrecognized arguments: --provider=atlast"])
    result.stdout.no_fnmatch_line("*conformance*")


# Folders


def test_virtual_environment_in_the_project(run_pytest, tmp_path):
    """A virtual environment inside the project is no part of it, and the suite runs out of it."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    python = next(each for each in (tmp_path / ".venv").glob("*/python*") if each.stem == "python")
    packages = next((tmp_path / ".venv").rglob("site-packages"))
    # What this interpreter can import, the new one can: the package (perhaps a checkout) and what it needs.
    paths = [
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        str(Path(conformance.__file__).parent.parent),
    ]
    (packages / "here.pth").write_text("\n".join(dict.fromkeys(paths)) + "\n")
    (packages / "test_not_ours.py").write_text("def test_not_ours():\n    assert False\n")
    (packages / "conftest.py").write_text("raise RuntimeError\n")
    plain = run_pytest(tmp_path, python=python)
    assert (plain.ret, plain.lines[-1].partition(" in ")[0].strip("= ")) == (0, "1 passed")
    suite = run_pytest(tmp_path, *ONE, python=python)
    assert suite.ret == 0
    assert "1 passed" in suite.lines[-1]


def test_folder_with_spaces_and_umlauts(run_pytest, tmp_path):
    """Folders may have any name."""
    folder = tmp_path / "Müller & Söhne [test] 注文"
    folder.mkdir()
    outcome = run_pytest(folder, *ONE, "--report=out")
    assert outcome.ret == 0
    assert list(outcome.cases) == [SHORT]


def test_folder_named_like_the_provider(suite_run, pytester):
    """A folder ``atlast`` beside us does not get into the way, nor do modules with names like ours."""
    pytester.mkdir("atlast").joinpath("test_fails.py").write_text("def test_fails():\n    assert False\n")
    for name in ("plan", "model", "target", "options", "session", "schemas"):
        pytester.makepyfile(**{name: "raise RuntimeError"})
    ran(suite_run(*ONE), passed=1)


def test_output_that_is_no_terminal(run_pytest, tmp_path):
    """Without a terminal, and in the C locale, nothing is lost but colours."""
    outcome = run_pytest(
        tmp_path, *ONE, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "TERM": "dumb"}
    )
    assert outcome.ret == 0
    assert "\x1b" not in outcome.text


@pytest.mark.parametrize(
    "option", ["-pno:terminal", "-s", "-pno:logging", "-pno:python", "-pno:setuponly", "--noconftest"]
)
def test_parts_of_pytest_can_be_missing(suite_run, option):
    """Parts of pytest itself may be switched off."""
    result = suite_run(*ONE, option)
    assert result.ret == 0
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
