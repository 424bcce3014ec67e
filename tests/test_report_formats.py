"""What is made of a report for others: Markdown, JUnit XML, CTRF, EARL and PDF, each read back by another's reader."""

import http.server
import io
import itertools
import json
import re
import socket
import sys
import threading
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import harness
import jsonschema
import junitparser
import pypdf
import pytest
import rdflib
import small_reports
from markdown_it import MarkdownIt
from small_reports import HOSTILE, case, report, requirement

from conformance import schemas
from conformance.errors import UserError
from conformance.report import ctrf, earl, junit, markdown, pdf, words

# rdflib's own parser uses a class that rdflib would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")

DOCUMENT = Path(__file__).parents[1] / "docs/report-formats.md"
SCHEMA = Path(words.__file__).with_name("report.schema.json")
VERDICTS = ("violation", "inconclusive", "advisory", "conformant", "observed", "not-applicable", "untested")
EARL = rdflib.Namespace("http://www.w3.org/ns/earl#")
DCT = rdflib.Namespace("http://purl.org/dc/terms/")
OURS = rdflib.Namespace("urn:bulk-order-conformance:terms:")


def one_of_each():
    """A report with a requirement of every verdict, named after it."""
    levels = {"advisory": "should", "observed": "silent"}
    rows = [
        requirement(f"AC-{number:03}", verdict, levels.get(verdict, "must"))
        for number, verdict in enumerate(VERDICTS, 1)
    ]
    return report(*rows, verdict="nonconformant")


@cache
def real(fault=""):
    """The report of a real run, at the reference endpoint in-process."""
    return harness.report(harness.run(fault, provider="ezcards"))


@pytest.fixture(params=range(len(HOSTILE)), ids=lambda number: ascii(HOSTILE[number][:20]))
def hostile(request):
    """Reports in which everything that can be hostile is."""
    return small_reports.hostile(one_of_each(), HOSTILE[request.param])


def test_reports_made_by_hand_are_reports():
    """What the tests here are about could have come from a run."""
    mistakes = schemas.validator(schemas.load(SCHEMA)).mistakes(json.loads(json.dumps(one_of_each())))
    assert [each.message for each in mistakes] == []


@pytest.mark.parametrize("form", [markdown, junit, ctrf, earl])
def test_equal_reports_make_equal_files_and_stay_as_they_are(form):
    made = one_of_each()
    before = json.dumps(made)
    assert form.render(made) == form.render(json.loads(before))
    assert json.dumps(made) == before


# Markdown


def parsed(text):
    """Tokens of GitHub-flavoured Markdown, flat."""
    tokens = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        tokens += [token, *(token.children or [])]
    return tokens


def test_markdown_says_what_matters():
    text = markdown.render(one_of_each())
    assert text.startswith("# acme orders: nonconformant\n\nIt breaks 1 of 3 requirements that were judged.\n")
    assert "| must | 1 | 1 | - | 1 | - | 1 | 1 |" in text
    assert "**AC-001** (must): The sentence of AC-001." in text
    assert "- case `AC-001/one`, documented in `docs, section AC-001`" in text
    assert '- change `replace /0/order_number = ""`' in text
    assert "- response status: expected `a refusal (4xx)`, got `201 text/plain hello`" in text
    assert (
        "- again: `pytest --provider=acme --case=AC-001/one --endpoint=https://sandbox.acme.example/v1"
        " --account=account.toml --allow=orders`" in text
    )
    assert "**AC-007** (must): The sentence of AC-007. it cannot be seen from outside" in text


def test_markdown_of_a_real_run_has_its_violation():
    text = markdown.render(real("EZ-060/mixed"))
    assert "## Violations (1)" in text
    assert "**EZ-060** (must): Products of two currencies in one order are refused." in text
    assert "pytest --provider=ezcards --case=EZ-060/products.two-currencies" in text
    assert "refused (401)" in text


def test_markdown_tells_of_a_run_that_proves_little():
    made = report(verdict="inconclusive")
    made["run"] |= {"selection": ["AC-001/one"], "complete": False, "stopped": "the endpoint went away"}
    first = markdown.render(made).splitlines()[2]
    assert "not known: the run stopped early (the endpoint went away); 1 cases were selected, not all of them" in first


def test_markdown_keeps_hostile_text_in_code(hostile):
    """No markup, picture, link or HTML but our own, and nothing outside of code that GitHub would make a link of."""
    ours = {token.type for token in parsed(markdown.render(one_of_each()))}
    assert "html_inline" not in ours
    tokens = parsed(markdown.render(hostile))
    assert {token.type for token in tokens} <= ours
    outside = " ".join(token.content for token in tokens if token.type == "text")
    assert not re.search(r"@|://|www\.|#\d|GH-\d|:\w+:|[<>`]|evil\.example|[\x00-\x1f\u202e\u2066\ud800]", outside)


def test_markdown_tables_keep_their_columns(hostile):
    width, cells = 0, 0
    for token in parsed(markdown.render(hostile)):
        if token.type == "thead_open":
            width, cells = 0, 0
        elif token.type == "th_open":
            width += 1
        elif token.type == "tr_open":
            cells = 0
        elif token.type == "td_open":
            cells += 1
        elif token.type == "tr_close" and cells:
            assert cells == width
    # markdown-it drops cells that are too many, so the bars are counted as well.
    for line in markdown.render(hostile).splitlines():
        if line.startswith(("| `question", "| one bad order")):
            assert line.count("|") == 3


def test_markdown_is_short_whatever_happens():
    rows = [
        requirement(f"AC-{number:03}", verdict, cases=[case(f"AC-{number:03}/{each}", verdict) for each in range(20)])
        for number in range(1, 300)
        for verdict in [VERDICTS[number % 6]]
    ]
    made = report(*rows, verdict="nonconformant")
    made["policy"] = {f"question {number}": "accepted (201)" for number in range(1000)}
    made["deviations"] = [{"id": f"AC-{number:03}", "reason": "ticket", "status": "seen"} for number in range(100)]
    made["run"] |= {"selection": ["AC-001/one"], "stopped": "the endpoint went away"}
    for each in (made, small_reports.hostile(made, "\U0001f600" * 10_000)):
        text = markdown.render(each)
        assert len(text.splitlines()) <= 200
        assert len(text.encode()) <= 60_000


def test_markdown_that_was_cut_says_so():
    rows = [requirement(f"AC-{number:03}", "violation") for number in range(1, 60)]
    made = small_reports.hostile(report(*rows, verdict="nonconformant"), "\U0001f600" * 10_000)
    assert markdown.render(made).rstrip().endswith("Cut here: report.html and report.json have everything.")


# JUnit

# Jenkins' junit-10.xsd: the children and attributes of each element that may occur here.
JUNIT = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package"},
    ),
    "properties": ({"property"}, set()),
    "property": (set(), {"name", "value"}),
    "testcase": ({"skipped", "error", "failure", "system-out", "system-err"}, {"name", "time", "classname", "group"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
    "skipped": (set(), {"type", "message"}),
    "system-out": (set(), set()),
}


def conforms(element):
    children, attributes = JUNIT[element.tag]
    assert {each.tag for each in element} <= children
    assert set(element.attrib) <= attributes
    for each in element:
        conforms(each)


def suite_of(made):
    text = junit.render(made)
    conforms(ET.fromstring(text))
    [suite] = junitparser.JUnitXml.fromstring(text.encode())
    return suite


def outcomes(made):
    """What another reader makes of each test case: its requirement, and ``passed`` or the kinds of its results."""
    return {
        each.name.partition(" ")[0]: "/".join(type(result).__name__.lower() for result in each.result) or "passed"
        for each in suite_of(made)
    }


def test_junit_has_a_case_for_each_requirement():
    suite = suite_of(one_of_each())
    assert suite.name == "acme"
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 1, 1, 2)
    cases = list(suite)
    assert cases[0].name == "AC-001 The sentence of AC-001."
    assert cases[0].classname == "acme.order"
    [failure] = cases[0].result
    assert failure.message == "violation in 1 of 1 cases"
    for told in (
        "source    docs, section AC-001",
        "AC-001/one",
        "got       201 text/plain hello",
        "replay    pytest --pro",
    ):
        assert told in failure.text
    assert cases[0].time == pytest.approx(0.0125, abs=0.001)
    properties = {each.name: each.value for each in suite.properties()}
    assert properties["verdict"] == "nonconformant"
    assert properties["endpoint"] == "https://sandbox.acme.example/v1"


def test_junit_of_a_real_run():
    made = real("EZ-060/mixed")
    found = outcomes(made)
    assert set(found) == {row["id"] for row in made["requirements"]}
    assert [name for name, outcome in found.items() if outcome not in ("passed", "skipped")] == ["EZ-060"]


def test_junit_of_a_run_that_proves_too_little_is_not_plain_green():
    partial = report(verdict="inconclusive")
    partial["run"] |= {"selection": ["AC-001/one"], "complete": False}
    assert outcomes(partial) == {"AC-001": "passed", "the": "skipped"}
    nothing = report(requirement("AC-001", "not-applicable"), verdict="inconclusive")
    assert outcomes(nothing) == {"AC-001": "skipped", "the": "error"}


def test_known_deviations_do_not_fail_but_wrong_entries_do():
    """As pytest has it: an expected failure is skipped, one that passes or has expired fails the run."""
    made = report(requirement("AC-001", "violation"), requirement("AC-002", "violation"), verdict="nonconformant")
    made["deviations"] = [
        {"id": "AC-001", "reason": "ticket 7", "status": "seen", "cases": ["AC-001/one"]},
        {"id": "AC-009", "reason": "ticket 8", "status": "passed", "cases": ["AC-009/one"]},
    ]
    assert outcomes(made) == {"AC-001": "skipped", "AC-002": "failure", "known": "failure"}
    assert [each["status"] for each in json.loads(ctrf.render(made))["results"]["tests"]] == [
        "skipped", "failed", "failed",
    ]  # fmt: skip


def test_junit_holds_hostile_text(hostile):
    """It parses, has no more elements than with harmless text, and no character that XML or a terminal minds."""
    text = junit.render(hostile)
    conforms(ET.fromstring(text))
    assert len(list(suite_of(hostile))) == 8  # seven requirements and an expired deviation
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066\ud800\uffff]", text)
    assert len(text) < 100_000


# CTRF

# The essentials of the specification's version 0.1.0: what has to be there, of which type, and nothing else.
_TEXT, _NUMBER, _ANY = {"type": "string"}, {"type": "integer"}, {"type": "object"}


def _object(required, **properties):
    return {"type": "object", "additionalProperties": False, "required": required.split(), "properties": properties}


CTRF = _object(
    "reportFormat specVersion results",
    reportFormat={"const": "CTRF"},
    specVersion={"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
    reportId={"type": "string", "format": "uuid"},
    timestamp={"type": "string", "format": "date-time"},
    generatedBy=_TEXT,
    extra=_ANY,
    results=_object(
        "tool summary tests",
        tool=_object("name", name={"type": "string", "minLength": 1}, version=_TEXT, extra=_ANY),
        summary=_object(
            "tests passed failed skipped pending other start stop",
            **dict.fromkeys(("tests", "passed", "failed", "skipped", "pending", "other", "start", "stop"), _NUMBER),
            **dict.fromkeys(("flaky", "suites", "duration"), _NUMBER),
            extra=_ANY,
        ),
        tests={
            "type": "array",
            "items": _object(
                "name status duration",
                name={"type": "string", "minLength": 1},
                status={"enum": ["passed", "failed", "skipped", "pending", "other"]},
                duration=_NUMBER,
                suite={"type": "array", "minItems": 1, "items": _TEXT},
                tags={"type": "array", "items": _TEXT},
                message=_TEXT,
                trace=_TEXT,
                rawStatus=_TEXT,
                extra=_ANY,
            ),
        },
        environment=_object("", appName=_TEXT, appVersion=_TEXT, testEnvironment=_TEXT, extra=_ANY),
        extra=_ANY,
    ),
)


def ctrf_of(made):
    text = ctrf.render(made)
    document = json.loads(text)
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    jsonschema.Draft7Validator(CTRF, format_checker=checker).validate(document)
    assert text.isascii()
    return document


def test_ctrf_counts_what_it_lists():
    for made in (one_of_each(), real(), real("EZ-060/mixed")):
        results = ctrf_of(made)["results"]
        statuses = [each["status"] for each in results["tests"]]
        assert results["summary"]["tests"] == len(statuses) == len(made["requirements"])
        for status in ("passed", "failed", "skipped", "pending", "other"):
            assert results["summary"][status] == statuses.count(status)
    failed = [each for each in results["tests"] if each["status"] == "failed"]
    assert [each["name"].partition(" ")[0] for each in failed] == ["EZ-060"]
    assert "EZ-060/products.two-currencies" in failed[0]["trace"]


def test_ctrf_holds_hostile_text(hostile):
    assert len(ctrf_of(hostile)["results"]["tests"]) == 8
    assert len(ctrf.render(hostile)) < 150_000


# EARL


@pytest.fixture
def no_network(monkeypatch):
    """Whoever connects fails the test."""

    def connect(*_):
        pytest.fail("somebody wants the network")

    monkeypatch.setattr(socket.socket, "connect", connect)


def graph_of(made):
    text = earl.render(made)
    assert text.isascii()
    return rdflib.Graph().parse(data=text, format="json-ld")


def outcomes_of(graph, kind):
    """Outcome and verdict of each assertion about a thing of a kind, by its title; each has all its parts."""
    found = {}
    for assertion in graph.subjects(rdflib.RDF.type, EARL.Assertion):
        test, result = graph.value(assertion, EARL.test), graph.value(assertion, EARL.result)
        assert (graph.value(assertion, EARL.subject), rdflib.RDF.type, EARL.TestSubject) in graph
        assert (graph.value(assertion, EARL.assertedBy), rdflib.RDF.type, EARL.Assertor) in graph
        assert graph.value(assertion, EARL.mode) == EARL.automatic
        assert (result, rdflib.RDF.type, EARL.TestResult) in graph
        if (test, rdflib.RDF.type, EARL[kind]) in graph:
            outcome, verdict = graph.value(result, EARL.outcome), graph.value(result, OURS.verdict)
            found[str(graph.value(test, DCT.title))] = (str(outcome).removeprefix(str(EARL)), str(verdict))
    return found


def test_earl_asserts_every_requirement_and_case(no_network):
    made = real("EZ-060/mixed")
    graph = graph_of(made)
    requirements = outcomes_of(graph, "TestRequirement")
    assert {title: verdict for title, (_, verdict) in requirements.items()} == {
        row["title"]: row["verdict"] for row in made["requirements"]
    }
    broken = {title for title, (outcome, _) in requirements.items() if outcome == "failed"}
    assert broken == {"Products of two currencies in one order are refused."}
    cases = outcomes_of(graph, "TestCase")
    assert {name: verdict for name, (_, verdict) in cases.items()} == {
        each["id"]: each["verdict"] for row in made["requirements"] for each in row["cases"]
    }


def test_earl_cases_are_parts_of_their_requirements(no_network):
    graph = graph_of(one_of_each())
    parts = {str(part): str(whole) for part, whole in graph.subject_objects(DCT.isPartOf)}
    assert all(isinstance(whole, rdflib.URIRef) for whole in graph.objects(None, DCT.isPartOf))
    assert parts["urn:bulk-order-conformance:acme:AC-001%2Fone"] == "urn:bulk-order-conformance:acme:AC-001"
    assert len(parts) == 6


def test_earl_holds_hostile_text(no_network, hostile):
    graph = graph_of(hostile)
    kinds = [graph.value(assertion, EARL.test) for assertion in graph.subjects(rdflib.RDF.type, EARL.Assertion)]
    assert len(kinds) == 13  # seven requirements, six cases
    assert all(str(each).startswith("urn:bulk-order-conformance:acme:AC-") for each in kinds)


# An endpoint that means harm


@cache
def harmed():
    """The report of a run against an endpoint that takes everything and answers with hostile bytes throughout."""
    text = "\n".join(each[:200] for each in HOSTILE).encode("utf-8", "surrogatepass")
    bodies = itertools.cycle(
        [b"<script>\xff\xfe" + text, text + b"x" * 1_000_000, json.dumps({text.hex(): list(HOSTILE[:12])}).encode()]
    )

    async def app(scope, receive, send):
        while scope["type"] == "http" and (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b'"><script>/`|@x\x1b[31m'), (b"x-evil", b"\x1b]0;title\x07")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": next(bodies)})

    return harness.report(harness.run(provider="ezcards", app=app))


def test_an_endpoint_that_means_harm_does_none(no_network):
    made = harmed()
    assert made["verdict"] == "nonconformant"
    tokens = parsed(markdown.render(made))
    assert {token.type for token in tokens} <= {token.type for token in parsed(markdown.render(real("EZ-060/mixed")))}
    assert len(markdown.render(made).encode()) <= 60_000
    broken = {row["id"] for row in made["requirements"] if row["verdict"] == "violation"}
    assert len(broken) > 10
    assert {name for name, outcome in outcomes(made).items() if outcome == "failure"} == broken
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", junit.render(made))
    assert ctrf_of(made)["results"]["summary"]["failed"] >= len(broken)
    failed = [outcome for outcome, _ in outcomes_of(graph_of(made), "TestRequirement").values() if outcome == "failed"]
    assert len(failed) == len(broken)


# The table of the documentation


def documented():
    """Verdict to the words of each form, from the table in the documentation."""
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return {verdict: tuple(re.findall(r"`([\w:-]+)`", cell)[0] for cell in cells) for verdict, *cells in rows}


@pytest.mark.skipif(not DOCUMENT.is_file(), reason="there is no checkout with the document")
@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_are_mapped_as_documented(verdict):
    made = one_of_each()
    name = f"AC-{VERDICTS.index(verdict) + 1:03}"
    told = {each["name"].partition(" ")[0]: each for each in ctrf_of(made)["results"]["tests"]}[name]
    assert told["rawStatus"] == verdict
    outcome, _ = outcomes_of(graph_of(made), "TestRequirement")[f"The sentence of {name}."]
    assert documented()[verdict] == (outcomes(made)[name], told["status"], f"earl:{outcome}")


# PDF


def text_of(document):
    return " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


def test_pdf_shows_the_page():
    document = pdf.render("<h1>acme orders: conformant</h1><p>Käse &amp; 100 &euro;</p>")
    assert document.startswith(b"%PDF-")
    assert text_of(document).split() == ["acme", "orders:", "conformant", "Käse", "&", "100", "€"]


def test_pdf_loads_nothing(tmp_path):
    """Neither from the network nor from files, however the page asks; what it carries itself is shown."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        log_message = do_GET

    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg"><text y="9">secret</text></svg>', encoding="utf-8")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        document = pdf.render(
            f'<html><head><base href="{base}/"><link rel="stylesheet" href="{base}/a.css">'
            f'<link rel="attachment" href="{base}/b.txt"><style>@import url({base}/c.css); @font-face '
            f"{{ font-family: f; src: url({base}/d.ttf) }} body {{ background: url({base}/e.png); font-family: f }}"
            f'</style></head><body>shown<img src="{base}/f.png"><img src="g.png"><img src="{secret.as_uri()}">'
            f'<object data="{base}/h.svg"></object><embed src="{base}/i.svg">'
            "<img src=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Ctext y='9'%3Ecarried"
            '%3C/text%3E%3C/svg%3E"></body></html>'
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []
    assert "shown" in text_of(document)
    assert "carried" in text_of(document)
    assert "secret" not in text_of(document)


def test_pdf_without_the_extra_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UserError) as caught:
        pdf.render("<p>")
    assert str(caught.value) == "a PDF needs WeasyPrint: pip install 'bulk-order-conformance[pdf]'"


def test_pdf_without_libraries_of_the_system_names_them(monkeypatch, capsys):
    """WeasyPrint prints a page of advice of its own then, which nobody sees."""

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                print("could not import some external libraries")
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [each for each in sys.modules if each.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(UserError, match=r"libpango.*on Debian: apt-get install libpango-1.0-0"):
        pdf.render("<p>")
    assert capsys.readouterr().out == ""
