"""The page of a report: what it says, that it runs nothing foreign, and how it behaves in a real browser."""

import base64
import copy
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from html.parser import HTMLParser

import harness
import pytest

from conformance.report import page
from conformance.report.page import changes, commands, coverage, findings, indent, latency, summary, texts

FAULT = "AL-034"
# What a reader cannot see, or what turns the text around it: no page may contain any of it.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
HOSTILE = (
    "<script>window.harmed = 1</script>",
    '"><img src=x onerror="window.harmed = 1">',
    "</script><script>window.harmed = 1</script>",
    "<!--<script>",
    "' onmouseover='window.harmed = 1' x='",
    "javascript:window.harmed=1",
    "\x1b[2J\x1b[31mred\x07",
    "\u202egnp.exe\u2066 \u200b\u2028\ufeff",
    "__proto__",
    "{{ report.verdict }}{% raw %}",
    "\ud800 lone",
    "]]>&lt;&amp;",
)


@cache
def _report(fault=""):
    return json.dumps(harness.report(harness.run(fault)))


def report(fault=""):
    """A report of its own for every test that asks: nobody sees what another changed."""
    return json.loads(_report(fault))


def cases(of):
    return {case["id"]: case for row in of["requirements"] for case in row["cases"]}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text, self._inside = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def content(html, tag):
    """What stands inside the last element of a name."""
    return re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[-1]


def test_the_page_allows_its_own_script_and_style_and_nothing_else():
    html = page.render(report())
    policy = next(attrs["content"] for tag, attrs in Elements(html).found if attrs.get("http-equiv"))
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(content(html, tag).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_nothing_on_the_page_comes_from_elsewhere():
    """Links lead out where a person follows them; nothing is loaded."""
    for tag, attrs in Elements(page.render(report(FAULT))).found:
        assert tag not in ("img", "iframe", "object", "embed", "base", "video", "audio", "source")
        assert "src" not in attrs
        assert not any(name.startswith("on") or name == "style" for name in attrs)
        if tag == "link":
            assert attrs["href"] == "data:,"


def test_a_page_is_a_function_of_its_report():
    made = report(FAULT)
    before = copy.deepcopy(made)
    assert page.render(made) == page.render(made)
    assert made == before


@pytest.mark.parametrize(
    ("kind", "verdict", "words"),
    [
        ("live", "conformant", "This endpoint does what its documentation says."),
        ("reference", "conformant", "The suite's own reference endpoint does what its documentation says."),
        ("cassettes", "conformant", "The endpoint, as it was recorded, does what its documentation says."),
        ("live", "nonconformant", "This endpoint breaks 1 of the 134 requirements that were judged."),
        ("live", "inconclusive", "It is not settled whether this endpoint does what its documentation says."),
    ],
)
def test_the_verdict_is_said_in_a_sentence(kind, verdict, words):
    made = report(FAULT if verdict == "nonconformant" else "")
    made["target"]["kind"], made["verdict"] = kind, verdict
    judged = sum(made["counts"]["requirements"].get(each, 0) for each in ("conformant", "violation", "advisory"))
    assert summary.headline(made) == words.replace("134", str(judged))
    assert words.replace("134", str(judged)) in Elements(page.render(made)).words.replace("&#39;", "'")


def _killed(made):
    made["run"] |= {"finished_at": None, "complete": False}


def _stopped(made):
    made["run"] |= {"stopped": "the plain valid batch was refused: 401", "complete": False}


def _selected(made):
    made["run"] |= {"selection": ["AL-001/a", "AL-002/b"], "complete": False}


def _cut(made):
    made["run"]["complete"] = False
    made["not_run"] = [{"id": "AL-001/a", "reason": "not sent: the budget was spent"}]


def _unexplained(made):
    made["run"]["complete"] = False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_killed, "This run did not end."),
        (_stopped, "This run stopped early. the plain valid batch was refused: 401"),
        (_selected, "This is a part of the suite. 2 cases selected"),
        (_cut, "Some cases were not sent. 1 case,"),
        (_unexplained, "This run is not complete."),
    ],
)
def test_an_incomplete_run_says_so_before_anything_else(change, words):
    made = report()
    change(made)
    shown = Elements(page.render(made)).words
    assert words in shown
    assert shown.index(words) < shown.index("Conformance report", shown.index("Skip to"))


def test_a_complete_run_has_no_banner():
    assert summary.banners(report()) == []


def test_a_replay_says_that_nothing_was_sent():
    made = report()
    made["target"]["kind"] = "cassettes"
    made["run"]["recording"] = {"source": "live", "recorded_at": "2026-03-04T10:00:00Z", "pack": "another"}
    shown = Elements(page.render(made)).words
    assert "nothing was sent, and the answers were recorded on 2026-03-04 from a live endpoint" in shown
    assert "The documentation was read anew since this was recorded." in shown


def test_an_endpoint_that_refuses_everything_gets_a_page():
    """Its verdict, its reason, and no claim that anything held."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    made = harness.report(harness.run(app=app))
    shown = Elements(page.render(made)).words
    assert "This run stopped early." in shown
    assert "The run stopped before its end." in shown
    assert "No requirement of level must was judged" in shown
    told = sum(case["verdict"] in ("conformant", "observed") for case in cases(made).values())
    assert f"{told} of {len(cases(made))} cases, by" in shown
    assert told < 10
    told = sum(case["verdict"] in ("conformant", "observed") for case in cases(made).values())
    assert f"{told} of {len(cases(made))} cases, by" in shown
    assert told < 10
    assert coverage.tally(coverage.cards(made)).keys() == {"unsettled"}


def row(name, site, expectation, verdict="conformant", **more):
    base = {
        "id": name,
        "expectation": expectation,
        "verdict": verdict,
        "change": [],
        "exchange_ids": [],
        "findings": [],
    }
    return base | {"site": site, "order_index": 0} | more


def cells(*rows):
    """The states of the map made from these cases of one requirement, by field and column."""
    made = {"requirements": [{"id": "XX-1", "cases": list(rows)}], "exchanges": {}}
    return {cell.key: cell.state for card in coverage.cards(made) for each in card.rows for cell in each.cells if cell}


@pytest.mark.parametrize(
    ("keyword", "column", "rows", "state"),
    [
        ("minLength", "length", [("accept", "conformant"), ("refuse", "conformant")], "both"),
        ("minLength", "length", [("accept", "conformant")], "accepted"),
        ("minLength", "length", [("refuse", "conformant")], "refused"),
        ("minLength", "length", [("observe", "observed"), ("refuse", "conformant")], "both"),
        ("minLength", "length", [("accept", "conformant"), ("refuse", "violation")], "violated"),
        ("minLength", "length", [("accept", "conformant"), ("refuse", "inconclusive")], "unsettled"),
        ("minLength", "length", [("refuse", "not-applicable")], "untested"),
        ("minLength", "length", [("accept", "not-applicable"), ("refuse", "conformant")], "refused"),
        ("required", "presence", [("refuse", "conformant")], "both"),
        ("type", "type", [("refuse", "advisory"), ("refuse", "conformant")], "advisory"),
        ("optional", "presence", [("accept", "conformant"), ("accept", "conformant")], "both"),
        ("optional", "presence", [("accept", "conformant")], "accepted"),
        ("dependentRequired", "dependentRequired", [("refuse", "conformant")], "refused"),
    ],
)
def test_a_cell_says_which_sides_were_tested(keyword, column, rows, state):
    site = f"orders[].id {keyword}"
    made = [row(f"XX-1/{at}", site, *each, twin="control") for at, each in enumerate(rows)]
    assert cells(*made) == {f"orders[].id {column}": state}


def test_a_cell_is_no_better_than_the_worst_of_its_constraints():
    both = [row("XX-1/a", "id minLength", "accept"), row("XX-1/b", "id minLength", "refuse")]
    assert cells(*both, row("XX-1/c", "id maxLength", "refuse")) == {"id length": "refused"}


def test_a_case_made_by_hand_stands_beside_the_constraint_of_its_requirement():
    by_hand = row("XX-1/b", "", "accept", change=[{"op": "replace", "path": "/orders/3/id", "value": "x"}])
    assert cells(row("XX-1/a", "orders[].id maxLength", "refuse"), by_hand) == {"orders[].id length": "both"}


def test_a_member_that_nobody_knows_belongs_to_what_holds_it():
    known = [row("XX-1/a", "orders[].id type", "refuse", twin="control"), row("XX-1/b", "orders[] type", "refuse")]
    unknown = row("XX-1/c", "", "observe", "observed", change=[{"op": "add", "path": "/orders/0/xUnknown", "value": 1}])
    assert "orders[] rules" in cells(*known, unknown)


def test_every_case_about_a_field_is_behind_a_cell():
    made = report()
    keys = coverage.by_case(coverage.cards(made))
    assert [name for name, case in cases(made).items() if case.get("site") and name not in keys] == []


def test_the_diff_shows_what_the_accepted_twin_has():
    """The twin may stand elsewhere in a batch of others."""

    def exchange(body):
        return {"request": {"body": body}, "response": {"status": 200}}

    made = {
        "exchanges": {
            "x1": exchange('{"orders": [{"id": "a"}, {"id": "b"}]}'),
            "x2": exchange('{"orders": [{"id": 1}]}'),
        }
    }
    twin = {"id": "XX-1/twin", "exchange_ids": ["x1"], "order_index": 1}
    case = {"exchange_ids": ["x2"], "order_index": 0, "twin": "XX-1/twin"}
    change = [{"op": "replace", "path": "/orders/0/id", "value": 1}, {"op": "add", "path": "/orders/0/x", "value": {}}]
    shown = changes.rows(made, case | {"change": change}, {"XX-1/twin": twin})
    assert shown == [changes.Row("/orders/0/id", '"b"', "1"), changes.Row("/orders/0/x", "", "{}")]
    removed = changes.rows(made, case | {"change": [{"op": "remove", "path": "/orders/0/id"}]}, {"XX-1/twin": twin})
    assert removed == [changes.Row("/orders/0/id", '"b"', "")]


def test_the_diff_shows_nothing_that_is_not_known():
    case = {"change": [{"op": "replace", "path": "/orders/0/id", "value": 1}], "twin": "control", "order_index": 0}
    assert changes.rows({"exchanges": {}}, case | {"exchange_ids": []}, {}) == [changes.Row("/orders/0/id", "", "1")]


def test_the_diff_knows_the_control_where_the_report_names_it():
    def exchange(body, status, **more):
        return {"request": {"body": body}, "response": {"status": status}, **more}

    made = {"exchanges": {"x1": exchange('[{"id": "a"}]', 201, purpose="control"), "x2": exchange('[{"id": 1}]', 400)}}
    case = {"change": [{"op": "replace", "path": "/0/id", "value": 1}], "twin": "control", "order_index": 0}
    assert changes.rows(made, case | {"exchange_ids": ["x2"]}, {}) == [changes.Row("/0/id", '"a"', "1")]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([{}, {}], "/1"),
        ({"orders": [{}, {}]}, "/orders/1"),
        ({"A": {}, "B/1": {}}, "/B~11"),
        ({"sku": "x", "products": []}, ""),
        (None, ""),
    ],
)
def test_an_order_is_found_in_every_envelope(body, place):
    assert changes.order_at(body, 1) == place


def shell(command, **variables):
    """The words that a shell makes of a command: curl and jq only say what they were given."""
    stub = "curl() { printf '%s\\0' \"$@\"; }; jq() { :; }; "
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run(["bash", "-c", stub + command], capture_output=True, check=True, env=env)
    return done.stdout.decode().split("\0")[:-1]


def sent(**changed):
    headers = [["content-type", "application/json"], ["accept", "*/*"], ["authorization", "Bearer {{access_token}}"]]
    request = {"method": "POST", "path": "/orders", "query": "", "headers": headers, "body": "{}"}
    return {
        "exchanges": {"x1": {"request": request | changed}},
        "target": {"kind": "live", "url": "https://example.com/v1/"},
    }


def test_the_curl_line_sends_what_was_sent_with_secrets_from_variables():
    words = shell(commands.curl(sent(), "x1"), ACCESS_TOKEN="not-a-real-token")
    assert words[:4] == ["-i", "-X", "POST", "https://example.com/v1/orders"]
    assert words[4:] == [
        "-H", "content-type: application/json", "-H", "accept: */*", "-H", "authorization: Bearer not-a-real-token",
        "--data-raw", "{}",
    ]  # fmt: skip


@pytest.mark.parametrize("body", ['it\'s $HOME `id` \\ "x" !!', "@file", "line\nline", "é 😀", "-x", "%00 #"])
def test_the_curl_line_survives_any_body(body):
    assert shell(commands.curl(sent(body=body), "x1"))[-1] == body


def test_the_curl_line_writes_out_what_nobody_sees():
    """What is read is what is run, though the text turns direction."""
    line = commands.curl(sent(body="a\u202eb'\x1b"), "x1")
    assert not UNSEEN.search(line)
    assert shell(line)[-1] == "a\u202eb'\x1b"


def test_a_user_and_a_password_are_variables_too():
    line = commands.curl(sent(headers=[["Authorization", "Basic {{public_key:secret_key}}"]]), "x1")
    words = shell(line, PUBLIC_KEY="key", SECRET_KEY="secret")
    assert words[words.index("-u") + 1] == "key:secret"
    # curl adds neither a media type nor an Accept that was not sent.
    assert {"accept:", "content-type:"} <= set(words)


def test_what_is_too_long_for_a_line_is_read_from_the_report():
    assert commands.curl(sent(body="x" * 9000), "x1").startswith(
        """jq -j '.exchanges["x1"].request.body' report.json | curl"""
    )
    line = commands.curl(sent(body="", body_base64="/w=="), "x1")
    assert line.startswith("""jq -j '.exchanges["x1"].request.body_base64' report.json | base64 -d | curl""")


def test_the_embedded_endpoint_is_a_variable_because_its_port_is_chance():
    made = sent() | {"target": {"kind": "reference", "url": "http://127.0.0.1/v1"}}
    assert shell(commands.curl(made, "x1"), ENDPOINT="http://127.0.0.1:8080/v1")[3] == "http://127.0.0.1:8080/v1/orders"


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"target": {"kind": "reference", "url": "", "strict": True}}, "--reference-strict"),
        ({"target": {"kind": "cassettes", "url": "", "strict": False}}, "--record-mode=none"),
        (
            {"target": {"kind": "live", "url": "https://example.com", "strict": False}, "account": {"a": 1}},
            "--endpoint=https://example.com --account=account.toml --allow=money,orders --seed=7",
        ),
        (
            {
                "target": {"kind": "reference", "url": "", "strict": False},
                "run": {"allowed": [], "seed": 1, "revision": "old"},
            },
            "--revision=old",
        ),
    ],
)
def test_the_pytest_command_runs_a_case_again_where_it_was_run(change, more):
    made = {"provider": {"name": "acme"}, "account": {}, "run": {"allowed": ["money", "orders"], "seed": 7}} | change
    if made["target"]["kind"] != "live":
        made["run"]["seed"] = 1
    assert commands.pytest(made, "AC-1/x.y") == f"pytest --provider=acme --case=AC-1/x.y {more}"


def test_a_body_is_indented_with_every_token_as_it_was():
    lines = indent.lines('{"a":1.50,"a":[{}, "x,y:{"],"b/c":{"d":[1,{"e":[]}]}}')
    assert [each.text for each in lines] == [
        "{", '  "a": 1.50,', '  "a": [', "    {},", '    "x,y:{"', "  ],", '  "b/c": {', '    "d": [', "      1,",
        "      {", '        "e": []', "      }", "    ]", "  }", "}",
    ]  # fmt: skip
    assert lines[9].pointer == "/b~1c/d/1"
    assert [each.text for each in indent.lines("no\njson")] == ["no", "json"]


def test_unseen_characters_are_written_out_and_endless_text_is_cut():
    assert texts.visible("a\u202e\x1b\ud800\tb\n") == "a\\u202e\\u001b\\ud800\tb\n"
    assert texts.visible("x" * 30, 10) == "x" * 10 + "… (30 characters; report.json has all of them)"


def test_open_questions_share_a_row_where_they_are_answered_alike():
    policy = {
        "batch": "all-or-nothing",
        "empty text: a.b.one": "refused (400)",
        "empty text: a.b.two": "refused (400)",
        "empty text: a.b.three": "accepted (201)",
        "an id sent twice": "accepted (201), then refused (409)",
    }
    found = findings.observed({"policy": policy})
    assert list(found) == ["Refused", "Answered in another way", "Accepted"]
    assert found["Refused"] == [findings.Answer("empty text", "refused (400)", "a.b", ("one", "two"))]
    made = report()
    made["policy"] = policy
    assert "One bad order in a batch of good ones: all-or-nothing" in Elements(page.render(made)).words


def test_a_cause_that_shows_in_many_cases_is_told_once():
    made = report(FAULT)
    broken = next(row for row in made["requirements"] if row["id"] == FAULT)
    failing = next(case for case in broken["cases"] if case["verdict"] == "violation")
    broken["cases"] += [{**failing, "id": f"{failing['id']}-{at}"} for at in range(40)]
    (failure,) = findings.failures(made, "violation", cases(made))
    assert len(failure.others) == 40
    assert page.render(made).count('<article class="failure') == 1


def test_a_failure_has_all_that_is_needed_to_mend_it():
    made = report(FAULT)
    html = page.render(made)
    shown = Elements(html).words
    failing = next(case for case in cases(made).values() if case["verdict"] == "violation")
    broken = next(row for row in made["requirements"] if row["id"] == FAULT)
    for text in (
        broken["title"],
        broken["source"],
        failing["findings"][0]["expected"],
        f"--case={failing['id']}",
        "curl -i",
    ):
        assert " ".join(text.split()) in shown
    assert re.search(r"<mark>[^<]*reference", html)


def test_deviations_and_detection_power_are_shown_when_they_are_there():
    made = report(FAULT)
    failing = next(name for name, case in cases(made).items() if case["verdict"] == "violation")
    made["deviations"] = [
        {"id": FAULT, "reason": "Mended in May.", "owner": "Ada", "link": "javascript:alert(1)", "expires": "2027-01-31",
         "status": "seen", "cases": [failing]},
    ]  # fmt: skip
    made["detection"] = {"faults": 464, "noticed": {"violation": 430, "control": 34}, "suite_version": "0.1.0"}
    html = page.render(made)
    shown = Elements(html).words
    assert "A known deviation: Mended in May." in shown
    assert "All violations are known deviations." in shown
    assert "violation 430, control 34" in shown
    assert 'href="javascript' not in html


def test_the_latency_strip_counts_what_had_no_answer():
    def exchange(milliseconds, *, answered=True):
        return {
            "operation": "create",
            "request": {"method": "POST"},
            "duration_ms": milliseconds,
            "response": answered or None,
        }

    many = [exchange(10 + at % 7) for at in range(999)] + [exchange(30_000, answered=False)]
    made = latency.strip({"exchanges": dict(enumerate(many))})
    assert (
        made.words
        == "1,000 requests to create: half within 13 ms, 95 % within 16 ms, the slowest 30 s; 1 had no answer"
    )
    assert made.path.count("M") <= 240
    assert latency.strip({"exchanges": {"x1": exchange(0)}}) is None


def large(count=2000):
    """A report of so many cases, each with an exchange of its own and a long answer."""
    made = report(FAULT)
    rows = [(row, case) for row in made["requirements"] for case in row["cases"] if len(case["exchange_ids"]) == 1]
    for at in range(count - len(cases(made))):
        requirement, case = rows[at % len(rows)]
        name = f"y{at:05}"
        old = made["exchanges"][case["exchange_ids"][0]]
        made["exchanges"][name] = old | {"response": {"status": 400, "headers": [], "body": "<&>é" * 3000}}
        requirement["cases"].append(case | {"id": f"{case['id']}.{at}", "exchange_ids": [name]})
    return made


def test_a_page_of_two_thousand_cases_stays_light():
    """It opens within two seconds (benchmarks/page.py); what is counted here is what makes it so."""
    made = large()
    assert len(cases(made)) == 2000
    html = page.render(made)
    assert len(html.encode()) < 10_000_000
    assert len(Elements(html).found) < 40_000


def test_endless_strings_are_cut_on_the_page():
    made = report(FAULT)
    for exchange in made["exchanges"].values():
        if exchange["response"]:
            exchange["response"]["body"] = "A" * 100_000
            exchange["response"]["headers"].append(["x-long", "B" * 100_000])
    next(iter(made["exchanges"].values()))["response"]["body"] = "C" * 5_000_000
    for case in cases(made).values():
        for finding in case["findings"]:
            finding["got"] = "D" * 100_000
    made["policy"] = {"E" * 5_000_000: "F" * 5_000_000}
    html = page.render(made)
    assert len(html.encode()) < 10_000_000
    assert "(100,000 characters; report.json has all of them)" in html


# --- hostile ---------------------------------------------------------------------------------------------------------

# Words that the format fixes; everything else in a report may come from somebody who means harm.
FIXED = {
    "format", "verdict", "level", "expectation", "op", "path", "kind", "pack_sha256", "started_at", "finished_at",
    "sent_at", "selection", "change_of", "site", "twin", "method", "operation",
}  # fmt: skip


def hostile(value, key="", counter=None):
    """``value`` with a hostile text in place of every text that is not a word of the format, keys included."""
    counter = counter if counter is not None else [0]
    if isinstance(value, dict):
        return {name: each if name in FIXED else hostile(each, name, counter) for name, each in value.items()}
    if isinstance(value, list):
        return [each if key == "exchange_ids" else hostile(each, key, counter) for each in value]
    if isinstance(value, str):
        counter[0] += 1
        return f"{HOSTILE[counter[0] % len(HOSTILE)]} {counter[0]}"
    return value


@cache
def _hostile():
    made = report(FAULT)
    made["policy"] = {}
    bad = hostile(made)
    bad["policy"] = {each: each for each in HOSTILE} | {"__proto__": "constructor", "batch": HOSTILE[1]}
    bad["run"]["stopped"] = HOSTILE[2]
    bad["not_run"] = [{"id": each, "reason": each} for each in HOSTILE]
    for each in list(bad["exchanges"].values())[:40]:
        body = {"__proto__": {"harmed": 1}, "constructor": HOSTILE[0], "x": list(HOSTILE)}
        each["response"] = {"status": 400, "headers": [[text, text] for text in HOSTILE], "body": json.dumps(body)}
        each["request"]["body"] = json.dumps([body] * 3)
    return page.render(bad)


def test_hostile_strings_make_no_element_and_nothing_unseen():
    html = _hostile()
    usual = Elements(page.render(report(FAULT)))
    found = Elements(html)
    assert not UNSEEN.search(html)
    assert {tag for tag, _ in found.found} <= {tag for tag, _ in usual.found} | {"dd", "dt", "ul", "li"}
    assert Counter(tag for tag, _ in found.found)["script"] == 2
    assert not any(name.startswith("on") or name == "style" for _, attrs in found.found for name in attrs)
    island = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    assert json.loads(island).keys() == {"cells", "cases", "exchanges"}
    assert "<" not in island


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Debian's Chromium without a window, one for all tests of a worker."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for each in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", "window-size=1280,900",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{each}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver))
    driver.set_script_timeout(120)
    yield driver
    driver.quit()


class Opened:
    """A page in the browser. Leaving it shows whether anything was asked of the network or complained about."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        self.open()

    def open(self, fragment=""):
        self.driver.get("about:blank")
        self.driver.get(self.address + fragment)
        return self

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def click(self, selector):
        self.run("arguments[0].scrollIntoView({block: 'center'})", self.all(selector)[0])
        self.all(selector)[0].click()

    @property
    def shown(self):
        """The ids of the cases that the filters leave."""
        return self.run(
            "return [...document.querySelectorAll('#list .case:not([hidden])')].map(each => each.id.slice(5))"
        )

    def media(self, kind="", scheme="light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": features})

    def complaints(self):
        """Console messages, and addresses that were asked for beside the page itself."""
        found = [each["message"] for each in self.driver.get_log("browser")]
        for each in self.driver.get_log("performance"):
            message = json.loads(each["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                if not address.startswith((self.address, "about:", "data:", "chrome:")):
                    found.append(address)
        return found


@pytest.fixture
def opened(browser, tmp_path):
    made = []

    def give(html=None):
        path = tmp_path / f"report{len(made)}.html"
        path.write_text(page.render(report(FAULT)) if html is None else html, encoding="utf-8")
        browser.get_log("browser"), browser.get_log("performance")
        made.append(Opened(browser, path.as_uri()))
        return made[-1]

    yield give
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    if made:
        assert made[-1].complaints() == []


def wanted(made, **words):
    return [
        case["id"]
        for row in made["requirements"]
        for case in row["cases"]
        if all((row if name == "level" else case)[name] == word for name, word in words.items())
    ]


def test_it_opens_and_shows_every_case_without_a_request_or_a_complaint(opened):
    """What the console says and the network is asked for is looked at when the page is left."""
    shown = opened()
    # The events that fill a case come after the script that opens it.
    shown.run("document.querySelectorAll('#list .req, #list .case').forEach(each => { each.open = true })")
    count = "return [...document.querySelectorAll('#list .case')].filter(each => each.querySelector('.detail')).length"
    shown.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 0))")
    assert shown.run(count) == len(cases(report(FAULT)))


def test_the_search_finds_cases_by_id_title_and_field(opened):
    shown = opened()
    made = report(FAULT)
    box = shown.all("#query")[0]
    broken = next(row for row in made["requirements"] if row["id"] == FAULT)
    for query in (f"{FAULT.lower()}/", broken["title"][:30]):
        box.clear()
        box.send_keys(query)
        assert shown.shown == [case["id"] for case in broken["cases"]], query
    box.clear()
    box.send_keys("orders[].items[].quantity number")
    assert {cases(made)[name].get("site") for name in shown.shown} >= {"orders[].items[].quantity minimum"}
    assert all("quantity" in name for name in shown.shown)
    box.clear()
    box.send_keys("no such thing anywhere")
    assert shown.shown == []
    assert shown.all("#count")[0].text == f"0 of {len(cases(made))} cases"


def test_the_filters_combine_and_a_link_keeps_them(opened):
    shown, made = opened(), report(FAULT)
    shown.click(".chip:has([value=observed])")
    shown.click(".chip:has([value=silent])")
    expected = wanted(made, verdict="observed", level="silent")
    assert shown.shown == expected
    fragment = shown.run("return location.hash")
    assert shown.open(fragment).shown == expected
    shown.click("#clear")
    assert len(shown.shown) == len(cases(made))


def test_a_cell_of_the_map_leads_to_its_cases(opened):
    shown, made = opened(), report(FAULT)
    failing = next(case for case in cases(made).values() if case["verdict"] == "violation")
    shown.click("a[data-cell]:has(.s-violated)")
    assert failing["id"] in shown.shown
    assert len(shown.shown) < 20
    first = shown.run("return document.activeElement.closest('.case').id.slice(5)")
    assert first == shown.shown[0]
    # The address alone gives somebody else the same view.
    before = shown.shown
    assert shown.open(shown.run("return location.hash")).shown == before


def test_a_link_to_a_case_opens_it(opened):
    made = report(FAULT)
    name = next(name for name, case in cases(made).items() if case["verdict"] == "violation")
    shown = opened().open(f"#case-{name}")
    shown.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 0))")
    text = shown.run("return document.getElementById(arguments[0]).innerText", f"case-{name}")
    assert "a refusal" in text
    assert "The one change" in text


def test_a_case_opens_by_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    shown = opened()
    summary_ = shown.all("#list .req summary")[0]
    summary_.send_keys(Keys.ENTER)
    case = shown.all("#list .case summary")[0]
    case.send_keys(Keys.SPACE)
    assert shown.run("return document.querySelector('#list .case').open")


def test_a_command_is_copied_as_it_stands(opened):
    shown = opened()
    # The clipboard of a machine is nothing that tests could share.
    shown.run("navigator.clipboard.writeText = async text => { window.copied = text }")
    shown.click(".command button")
    text = shown.run("return window.copied")
    assert text == shown.run("return document.querySelector('.command pre').textContent")
    assert text.startswith("pytest --provider=atlast --case=AL-034/")


def test_it_is_dark_where_the_reader_likes_it_dark_or_says_so(opened):
    shown = opened()
    background = "return getComputedStyle(document.body).backgroundColor"
    shown.media(scheme="light")
    light = shown.run(background)
    shown.media(scheme="dark")
    dark = shown.run(background)
    assert light != dark
    shown.click("#theme")
    assert shown.run(background) == light
    shown.click("#theme")
    shown.media(scheme="light")
    assert shown.run(background) == dark


def test_paper_gets_the_verdict_and_the_failures_and_no_controls(opened):
    shown = opened()
    shown.media("print", "dark")
    visible = "return document.querySelector(arguments[0]).checkVisibility()"
    assert not any(shown.run(visible, each) for each in ("#tools", ".bar", ".command button", "#list .case"))
    assert all(
        shown.run(visible, each) for each in (".headline", ".map", ".failure .message pre", "#list .req summary")
    )
    assert shown.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_it_can_be_read_without_javascript(opened):
    shown = opened()
    shown.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    shown.open()
    text = shown.all("main")[0].text
    made = report(FAULT)
    for words in (summary.headline(made), "What it does not cover", "curl -i", "Not tested, and why"):
        assert words in text
    assert not shown.all("#tools")[0].is_displayed()
    shown.click("#list .req summary")
    assert shown.all("#list .case")[0].is_displayed()


def test_a_narrow_screen_scrolls_in_one_direction_only(opened):
    shown = opened()
    metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    shown.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert shown.run("return document.documentElement.scrollWidth") <= 390
    finally:
        shown.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@cache
def axe():
    """The script of axe-core, out of the package that keeps it up to date; its own driver is not needed."""
    files = importlib.metadata.files("axe-playwright-python")
    return next(each for each in files if each.name == "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(opened, scheme):
    """Contrast, headings, names, sizes of targets: everything that axe knows of WCAG 2.2 AA and good practice."""
    shown = opened()
    shown.media(scheme=scheme)
    shown.run(axe())
    shown.run(
        "document.querySelectorAll('.req').forEach((each, at) => { each.open = at < 6 || each.querySelector('.violation') });"
        "document.querySelectorAll('.req[open] .case').forEach((each, at) => { each.open = at < 6 })"
    )
    done = shown.driver.execute_async_script(
        "const done = arguments[0]; setTimeout(() => axe.run(document, {runOnly:"
        " ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(done), 50)"
    )
    assert len(done["passes"]) > 40
    assert [(each["id"], each["nodes"][0]["html"]) for each in done["violations"]] == []


def test_hostile_strings_do_no_harm_in_a_browser(opened):
    shown = opened(_hostile())
    shown.run("document.querySelectorAll('#list .req, #list .case').forEach((each, at) => { each.open = at < 400 })")
    shown.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 50))")
    shown.all("#query")[0].send_keys("__proto__")
    assert shown.shown != []
    shown.click("#clear")
    assert shown.run("return [window.harmed ?? null, ({}).harmed ?? null]") == [None, None]
    assert (
        shown.run("return document.images.length + document.querySelectorAll('iframe, object, script[src]').length")
        == 0
    )
    assert not UNSEEN.search(shown.run("return document.body.textContent"))
    assert len(shown.all("#list .detail")) > 10
