"""The page over many bundles: verdicts by date, what broke and what was mended, and one question over all vendors."""

import base64
import hashlib
import html.parser
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import harness
import pytest
import small_reports
import worlds
from small_reports import HOSTILE, case, report, requirement

from conformance import catalogue, errors, providers, resources, suite
from conformance.report import answered, index

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(html.parser.HTMLParser):
    """The elements of a page, with their attributes and text, each closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        row = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(row)
        if tag not in VOID:
            self._open.append(row)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for row in self._open:
            row["text"] += data

    def all(self, tag):
        return [row for row in self.elements if row["tag"] == tag]


def page(*reports):
    return Page(index.render(reports))


def night(day, *requirements, provider="acme", verdict="conformant", **more):
    """A bundle of one night."""
    made = report(
        *requirements, provider=provider, verdict=verdict, started_at=f"2026-11-{day:02}T02:00:00.000Z", **more
    )
    return PurePosixPath(f"{provider}/{day}"), made


def rows(text):
    """Cells of the tables, as texts in one line each."""
    found = re.findall(r"<tr.*?</tr>", text, re.DOTALL)
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
            for row in found]  # fmt: skip


OK, BROKEN = requirement("AC-001", "conformant"), requirement("AC-001", "violation")


# Verdicts by date


def test_a_row_a_day_and_a_column_an_endpoint_newest_first():
    text = index.render([
        night(18), night(20, BROKEN, verdict="nonconformant"), night(20, provider="birch"), night(19, provider="birch"),
    ])  # fmt: skip
    table = [[cell.replace("https://sandbox.", "") for cell in row] for row in rows(text)[:4]]
    assert table == [
        ["date", "acme acme.example/v1", "birch birch.example/v1"],
        ["2026-11-20", "✗ nonconformant 02:00 1 violation newly broken AC-001", "✓ conformant 02:00 1 conformant"],
        ["2026-11-19", "no run", "✓ conformant 02:00 1 conformant"],
        ["2026-11-18", "✓ conformant 02:00 1 conformant", "no run"],
    ]


def trends(*nights):
    """What changed in each run, oldest first."""
    made = index.make(nights)
    return [
        (run.broken, run.fixed)
        for day in reversed(made.days.values())
        for runs in day.values()
        for run in reversed(runs)
    ]


def test_what_broke_and_what_was_mended():
    found = trends(night(1, OK), night(2, BROKEN), night(3, BROKEN), night(4, OK))
    assert found == [((), ()), (("AC-001",), ()), ((), ()), ((), ("AC-001",))]


def test_what_was_broken_from_the_first_is_not_newly_broken():
    assert trends(night(1, BROKEN), night(2, BROKEN)) == [((), ()), ((), ())]


@pytest.mark.parametrize("verdict", ["inconclusive", "not-applicable", "untested"])
def test_a_run_that_did_not_judge_a_requirement_neither_mends_nor_breaks_it(verdict):
    gap = requirement("AC-001", verdict)
    assert trends(night(1, BROKEN), night(2, gap), night(3, BROKEN)) == [((), ())] * 3
    assert trends(night(1, OK), night(2, gap), night(3, BROKEN))[2] == (("AC-001",), ())
    assert trends(night(1, BROKEN), night(2, gap), night(3, OK))[1:] == [((), ()), ((), ("AC-001",))]


def test_staging_is_not_compared_with_production():
    elsewhere = {"target": {"kind": "live", "url": "https://staging.acme.example/v1", "strict": False}}
    assert trends(night(1, OK), night(2, BROKEN, **elsewhere)) == [((), ()), ((), ())]


def test_two_runs_of_a_day_stand_in_the_order_of_their_times():
    later = report(BROKEN, verdict="nonconformant", started_at="2026-11-01T14:30:00.000Z")
    text = index.render([(PurePosixPath("b"), later), night(1, OK)])
    [cell] = [row[1] for row in rows(text) if row[0] == "2026-11-01"]
    assert cell == ("✗ nonconformant 14:30 1 violation newly broken AC-001 ✓ conformant 02:00 1 conformant")


def test_a_partial_run_says_so():
    made = report(verdict="inconclusive")
    made["run"] |= {"selection": ["AC-001/one"], "complete": False}
    text = index.render([(PurePosixPath("x"), made)])
    assert "1 cases were selected, not all of them" in text


# Bundles on disk


def test_bundles_are_found_however_deep(tmp_path):
    for place in ("a", "b/c/d", "."):
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(report()), encoding="utf-8")
    found = list(index.found(tmp_path))
    assert [path.as_posix() for path, _ in found] == ["a", "b/c/d", "."]
    links = {row["href"] for row in Page(index.render(found)).all("a")}
    assert {"./a/report.html", "./b/c/d/report.html", "././report.html"} <= links


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": "conformance-report/2"}', b'{"format": "conformance-report/1"}',
     b"\xff\xfe", b"[" * 200_000,
     json.dumps(report() | {"requirements": [{"id": []}]}).encode(),
     json.dumps(report() | {"run": {"started_at": 3}}).encode(),
     json.dumps(report() | {"requirements": 7}).encode()],
)  # fmt: skip
def test_a_bundle_that_cannot_be_read_is_listed_and_harms_no_other(tmp_path, content):
    """A night that is missing must not look like none."""
    for name, text in (("good", json.dumps(report()).encode()), ("torn", content)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes(text)
    text = index.render(index.found(tmp_path))
    assert "1 bundle could not be read and is missing from these tables" in text
    assert "<li><bdi>torn</bdi></li>" in text
    assert "✓</span> conformant" in text


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "report.json").write_text(json.dumps(report()), encoding="utf-8")
    (inside / "report.json").symlink_to(outside / "report.json")
    (inside / "folder").symlink_to(outside, target_is_directory=True)
    assert list(index.found(inside)) == []


def test_no_bundle_is_a_page_too():
    assert "0 runs of 0 endpoints" in index.render([])


# Hostile text


@pytest.mark.parametrize("name", [
    "javascript:alert(1)", "a b&c=d?e#f", "%2e%2e", '"><script>', "https:", "//evil.example", "\u202eabc", "é", "\udcff",
])  # fmt: skip
def test_links_stay_below_the_folder(name):
    made = page((PurePosixPath(name), report()))
    [link] = [row["href"] for row in made.all("a") if not row["href"].startswith("#")]
    at = urlsplit(urljoin("http://here.example/folder/index.html", link))
    assert (at.netloc, at.query, at.fragment) == ("here.example", "", "")
    assert unquote(
        at.path, errors="surrogateescape"
    ) == f"/folder/{PurePosixPath(name).as_posix().lstrip('/')}/report.html".replace("//", "/")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_text_is_text(text):
    """The page has the elements of a harmless one, no script, no handler, and no character that steers."""
    row = requirement("AC-001", "violation", cases=[case("AC-001/one", "violation", found="x")])
    mild = report(row, verdict="nonconformant", questions={"empty-batch": "AC-001/one"})
    before = report(OK)
    before["run"]["started_at"] = "2026-11-01T02:00:00.000Z"
    evil = small_reports.hostile(mild, text)
    evil["provider"]["name"] = text
    evil["target"]["url"] = text
    for made in (mild, evil):
        made["requirements"][0]["cases"][0]["id"] = "AC-001/one"
    rendered = index.render([(PurePosixPath("x"), evil), (PurePosixPath("y"), mild), (PurePosixPath("z"), before)])
    harmless = index.render([(PurePosixPath("x"), mild), (PurePosixPath("y"), mild), (PurePosixPath("z"), before)])
    found = Page(rendered)
    assert {row["tag"] for row in found.elements} == {row["tag"] for row in Page(harmless).elements}
    attributes = {name for row in found.elements for name in row if name not in ("tag", "text")}
    assert attributes == {name for row in Page(harmless).elements for name in row if name not in ("tag", "text")}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066\ud800\uffff]", rendered)
    assert len(rendered) < 60_000


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")
def test_a_browser_runs_nothing_and_has_nothing_to_complain_of(tmp_path):
    """Chromium shows the page as it is, and its console stays empty: the policy lets the style in, and nothing wants more."""
    evil = small_reports.hostile(report(BROKEN, verdict="nonconformant"), "\n".join(text[:200] for text in HOSTILE))
    (tmp_path / "index.html").write_text(index.render([(PurePosixPath("x"), evil), night(1)]), encoding="utf-8")
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--no-first-run", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "index.html").as_uri()], capture_output=True, text=True, timeout=60, check=False
    )
    shown = Page(done.stdout)
    assert "Conformance index" in shown.all("h1")[0]["text"]
    assert shown.all("script") == shown.all("img") == []
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


def test_policy_allows_the_one_style_and_nothing_else():
    made = page(night(1))
    [style] = made.all("style")
    digest = base64.b64encode(hashlib.sha256(style["text"].encode()).digest()).decode()
    [policy] = [row["content"] for row in made.all("meta") if row.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style["text"]
    assert "@import" not in style["text"]


def test_tables_can_be_heard():
    """Headings, a language, and cells that know their headers."""
    made = page(night(1), night(2, provider="birch"))
    assert made.all("html")[0]["lang"] == "en"
    assert [row["tag"] for row in made.elements if re.fullmatch(r"h\d", row["tag"])] == ["h1", "h2", "h2"]
    assert {row["scope"] for row in made.all("th")} == {"col", "row"}
    assert all(row.get("aria-label") or row["text"].strip() for row in made.all("a"))


# One question over all vendors


def answer(cases, level="must", **more):
    """The answer to one question, from a report with one requirement."""
    made = report(requirement("AC-001", cases["verdict"], level, cases=[cases]), **more)
    made["questions"] = {"empty-batch": cases["id"]}
    return answered.answers(made)["empty-batch"]


@pytest.mark.parametrize(
    ("cases", "found", "how"),
    [
        (case("AC-001/one", "conformant"), "refused (400)", "documented"),
        (case("AC-001/one", "conformant", exchange_ids=["x0001"]), "refused", "documented"),
        (case("AC-001/one", "conformant", expectation="accept", exchange_ids=["x0001"]), "accepted (201)", "documented"),
        (case("AC-001/one", "conformant", expectation="accept"), "accepted", "documented"),
        (case("AC-001/one", "conformant", found="refused (code -7)"), "refused (code -7)", "documented"),
        (case("AC-001/one", "violation"), "accepted (201)", "not as documented"),
        (case("AC-001/one", "violation", expectation="accept"), "201 text/plain hello", "not as documented"),
        (case("AC-001/one", "advisory"), "accepted (201)", "not as advised"),
        (case("AC-001/one", "observed"), "accepted (201)", "observed"),
        (case("AC-001/one", "inconclusive"), "the account file has no such fact", "not known"),
        (case("AC-001/one", "not-applicable"), "the account file has no such fact", "not known"),
    ],
)  # fmt: skip
def test_an_answer_says_what_was_found_and_whether_it_is_documented(cases, found, how):
    told = answer(cases)
    assert (told.found, told.how, told.requirement) == (found, how, "AC-001")


def asked(day, verdict):
    """A night on which a question was put."""
    row = requirement("AC-001", verdict, cases=[case("AC-001/one", verdict)])
    return night(day, row, questions={"empty-batch": "AC-001/one"})


def told(*nights):
    [answer] = index.make(nights).questions["empty-batch"].values()
    return answer.how


def test_the_newest_run_that_asked_answers():
    assert told(asked(1, "conformant"), asked(2, "violation"), night(3, requirement("AC-002", "conformant"))) == (
        "not as documented"
    )
    assert told(asked(1, "conformant"), asked(2, "inconclusive")) == "documented"
    assert told(asked(1, "inconclusive")) == "not known"


def test_reports_of_older_suites_have_no_answers():
    made = report()
    del made["questions"]
    text = index.render([(PurePosixPath("x"), made)])
    assert "No bundle answers any of the shared questions." in text


@cache
def real(provider, fault=""):
    """The report of a run of the cases that answer questions."""
    return harness.report(
        harness.run(fault, provider=provider, selected=list(worlds.catalogue(provider).questions.values()))
    )


def test_real_runs_answer_side_by_side():
    text = index.render([(PurePosixPath(name), real(name)) for name in ("atlast", "centra", "ezcards", "sendcloud")])
    table = {row[0]: row[1:] for row in rows(text)}
    found = [cell.partition(":")[0] for cell in table["a bad order between two good ones"]]
    assert found == [
        "refused (400), then accepted (201) observed AL-170",
        "refused documented CE-030",
        "not asked",
        "refused (400) documented SC-279",
    ]
    found = [cell.partition(":")[0] for cell in table["one order more than a batch may hold"]]
    assert found == ["refused (400) documented AL-021", "not asked", "not asked", "refused (400) documented SC-025"]
    assert table["two currencies in one order"][2].startswith("refused (400) documented EZ-060")
    assert table["one identity twice in a batch"][1].startswith("refused (code -5) observed CE-144")
    assert not [row for row in table.values() if "not known" in " ".join(row)]


def test_a_fault_shows_in_the_table():
    text = index.render([(PurePosixPath("x"), real("ezcards", "EZ-060/mixed"))])
    [cell] = [row[1] for row in rows(text) if row[0] == "two currencies in one order"]
    assert cell.startswith("accepted (200) not as documented EZ-060")


# The questions of the packs


@pytest.mark.parametrize("world", worlds.WORLDS)
def test_questions_are_answered_by_cases_of_the_requirement(world):
    """In every revision too."""
    cases = {each.id for each in worlds.suite(world).cases}
    questions = worlds.catalogue(world).questions
    assert set(questions.values()) <= cases
    assert len(questions) >= 15


@pytest.mark.parametrize("question", answered.questions())
def test_every_question_is_put_to_somebody(question):
    assert any(question in worlds.catalogue(name).questions for name in worlds.PACKS)


def test_questions_of_integrators_are_put_wherever_they_make_sense():
    """A duplicate, one too many, two currencies, a bad order in the middle; EZ Cards takes one order at a time."""
    asked = {name: set(worlds.catalogue(name).questions) for name in worlds.PACKS}
    assert [name for name in asked if "bad-order-in-the-middle" not in asked[name]] == ["ezcards"]
    assert [name for name in asked if "duplicate-in-batch" not in asked[name]] == ["ezcards"]
    assert {"atlast", "sendcloud"} <= {name for name in asked if "one-order-too-many" in asked[name]}
    assert {name for name in asked if "two-currencies-in-order" in asked[name]} == {"atlast", "ezcards", "sendcloud"}
    assert all("duplicate-later" in asked[name] and "no-lines" in asked[name] for name in asked)


@pytest.fixture
def mistake(tmp_path, monkeypatch):
    """What a user reads of a mistake in the questions of a pack."""
    ours = resources.folders_of("ezcards")
    acme = resources.PackFolders("acme", tmp_path / "schemas", tmp_path / "fixtures", tmp_path / "cassettes")
    shutil.copytree(ours.schemas, acme.schemas)
    shutil.copytree(ours.fixtures, acme.fixtures)
    descriptor = acme.schemas / "provider.toml"
    descriptor.write_text(descriptor.read_text("utf-8").replace('name = "ezcards"', 'name = "acme"', 1), "utf-8")

    def tell(old, new):
        path = acme.schemas / "requirements.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
        monkeypatch.setattr(resources, "providers", lambda: {"acme": acme})
        with pytest.raises(errors.PackError) as caught:
            suite.load("acme", providers.reference_account(providers.load("acme")))
        return str(caught.value).replace(str(acme.schemas), "PACK")

    yield tell
    # Packs are read once a process: nothing of the broken one may stay.
    providers.load.cache_clear()
    catalogue.load.cache_clear()


def test_misspelt_question(mistake):
    told = mistake("questions = { no-lines =", "questions = { no-line =")
    assert re.fullmatch(
        r"PACK/requirements\.toml: /requirement/\d+/questions: unknown key 'no-line'; did you mean 'no-lines'\?", told
    )


def test_question_answered_by_no_case(mistake):
    assert mistake('no-lines = "products.none"', 'no-lines = "products.non"') == (
        "question 'no-lines' is answered by 'EZ-046/products.non', which is no case; did you mean 'EZ-046/products.none'?"
    )


def test_question_answered_twice(mistake):
    assert mistake("questions = { quantity-zero =", "questions = { no-lines =") == (
        "PACK/requirements.toml: EZ-056: the question 'no-lines' is answered by EZ-046/products.none too"
    )
