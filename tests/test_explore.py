"""``--explore N``: orders that a library makes up, judged by what the documentation says of them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest
from harness import CREDENTIALS, NOW, behaviour
from wrapping import Way

from conformance import catalogue, providers, schemas, target
from conformance import suite as suites
from conformance.errors import UserError
from conformance.exploration import drawing, plan, simpler
from conformance.exploration.cases import Explored, Explorer, is_explored, read, written
from conformance.exploration.parts import parts
from conformance.model import Expect, Response, Verdict
from conformance.reference.app import Endpoint
from conformance.reference.inprocess import AppTransport, patience
from conformance.report.build import build, change_of_case
from conformance.runner import Runner, Settings
from conformance.scrub import Vault

QUANTITY = "/order_details/order_items/0/quantity"
CITY = "/shipping_address/city"
NAME = "/shipping_address/name"


def put(path, value):
    return {"op": "replace", "path": path, "value": value}


@cache
def explorer(name):
    pack = providers.load(name)
    return Explorer(pack, catalogue.load(name), providers.reference_account(pack))


@cache
def drawn(name):
    """Two dozen examples of a provider: drawing takes some seconds, and several tests look at them."""
    pack = providers.load(name)
    return plan.explore(pack, catalogue.load(name), providers.reference_account(pack), 24, 1)


def made(name, changes):
    pack = providers.load(name)
    account = providers.reference_account(pack)
    return suites.build(pack, account, CREDENTIALS, explored=Explored(len(changes), tuple(changes)))


class Sick(Way):
    """A transport to an endpoint that answers bodies of one kind with another status."""

    def __init__(self, inside, bad, status):
        super().__init__(inside)
        self._bad, self._status = bad, status

    def send(self, request, operation, name, now):
        exchange = super().send(request, operation, name, now)
        if request.method == "POST" and self._bad(json.loads(request.body)):
            return replace(exchange, response=Response(self._status, (), b"{}"))
        return exchange


def run(suite, *, fault="", strict=False, bad=None, status=500):
    """One run of the made-up cases alone."""
    pack = suite.provider
    how = behaviour(fault, strict=strict, provider=pack.name)
    app = Endpoint(pack, suite.account, how, clock=lambda: NOW).app()
    transport = AppTransport(app, pack.main.base_path, Vault(CREDENTIALS))
    settings = Settings(seed=1, token="tests1", instant=NOW, patience=patience)
    runner = Runner(suite, Sick(transport, bad, status) if bad else transport, settings)
    return runner.run([case.id for case in suite.cases if is_explored(case)])


def found(done, *verdicts):
    return {name for name in done.selected if done.judgements[name].verdict in verdicts}


def changed(done, name):
    """The changes that the report shows, by place."""
    operations, _ = change_of_case(done.suite.by_id[name], done.judgements[name], done)
    return {each["path"]: each.get("value") for each in operations}


def quantities(orders):
    return [line["quantity"] for order in orders for line in order["order_details"]["order_items"]]


# What is made up


def test_equal_seeds_draw_equal_values_whatever_is_loaded_and_wherever(tmp_path):
    """Neither the hash seed nor the folder nor somebody's own modules bear upon what is drawn, and no file is left."""
    (tmp_path / "conftest.py").write_text("SECRET = 'a constant of a local module'\n", encoding="utf-8")
    program = (
        "import json, conftest; from conformance.exploration import drawing;"
        "print(json.dumps(drawing.draw([({'type': 'string'}, False, 12), ({'type': 'integer'}, True, 12)], 3)))"
    )
    here = drawing.draw([({"type": "string"}, False, 12), ({"type": "integer"}, True, 12)], 3)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    variables = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == here
    assert [each.name for each in tmp_path.iterdir()] == ["conftest.py"]


@pytest.mark.parametrize("name", ["atlast", "sendcloud"])
def test_every_example_is_about_what_the_documentation_says(name):
    """A refusal breaks one constraint and nothing else; what has to be taken satisfies the schema."""
    suite = made(name, drawn(name))
    pack = suite.provider
    cases = [case for case in suite.cases if is_explored(case)]
    assert len(cases) == 24
    assert {case.expect for case in cases} == {Expect.ACCEPT, Expect.REFUSE, Expect.OBSERVE}
    from conformance.batches import Composer

    composer = Composer(suite, 1, "tests1")
    validator = schemas.validator(pack.main.request_schema)
    for case in cases:
        sent = json.loads(composer.step(case, 0, "", NOW).request.body)
        mistakes = validator.mistakes(sent)
        assert bool(mistakes) <= (case.expect is not Expect.ACCEPT)
        assert case.expect is not Expect.REFUSE or len({each.pointer for each in mistakes}) == 1


def test_a_part_is_drawn_of_every_object_of_an_order():
    known = {(each.pointer, each.way) for each in parts(providers.load("atlast").main, explorer("atlast").places)}
    assert {("", "wrong"), ("/items/0", "wrong"), ("/items/0", "sure"), ("/customer/address", "odd")} <= known


def test_the_seed_decides():
    one, other = (drawing.draw([({"type": "string"}, False, 12)], seed) for seed in (1, 2))
    assert one != other


# What is expected of it


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put(QUANTITY, 5000), "accept"),
        (put(QUANTITY, 2_000_000_000), "observe"),
        (put(QUANTITY, 5000.0), "observe"),
        (put(QUANTITY, 0), "refuse"),
        (put(QUANTITY, 1.5), "refuse"),
        (put(QUANTITY, 1.0000001), "observe"),
        (put(QUANTITY, "twelve"), "refuse"),
        (put(QUANTITY, "12"), "refuse, a reading"),
        (put(QUANTITY, True), "refuse, a reading"),
        (put(QUANTITY, None), "refuse"),
        (put(CITY, "'s-Hertogenbosch"), "observe"),
        (put(CITY, "L'Aquila & Co."), "accept"),
        (put(CITY, ""), "refuse"),
        (put("/order_details/order_items/0/description", ""), "observe"),
        (put(CITY, "a\u0000b"), "observe"),
        (put(CITY, "\U0001f600"), "observe"),
        (put(CITY, "x" * 300), "observe"),
        (put(CITY, {"a": 1}), "refuse"),
        (put(CITY, 7), "refuse, a reading"),
        (put("/order_details/order_created_at", "2001-01-01T00:00:00Z"), None),
        (put("/order_details/order_created_at", "yesterday"), "refuse"),
        (put("/order_details/order_created_at", "2026-01-01 00:00:00"), None),
        (put("/shipping_address/email", "nobody"), "refuse"),
        (put("/customer_details/email", "nobody"), None),
        (put("/order_id", "another"), None),
        (put("/order_id", 0), None),
        (put("/order_details/integration/id", 12), None),
        (put("/payment_details/total_price/value", 5), None),
        (put("/payment_details/total_price/currency", "GBP"), None),
        (put("/order_details/order_items/0/measurement/weight/unit", "lbs"), "accept"),
        (put("/order_details/order_items/0/measurement/weight/unit", "stone"), "refuse"),
        (put("/order_details/order_items/0/measurement/weight/value", -1), "refuse"),
        (put("/order_details/order_items/0/measurement/weight/value", -0.001), "observe"),
        (put("/order_details/order_items/0/measurement/weight/value", 1e300), "observe"),
        (put("/order_details/order_items/0/properties", {"a": {"b": {"c": 1}}}), "accept"),
        (put("/order_details/order_items/0/properties", {"a": {"b": {"c": {}}}}), "observe"),
        (put("/order_details/order_items/0/properties", {"a b": 1}), "observe"),
        ({"op": "remove", "path": "/payment_details"}, "refuse"),
        ({"op": "remove", "path": "/shipping_address"}, None),
        ({"op": "remove", "path": "/no/such/place"}, None),
        ({"op": "test", "path": CITY, "value": 1}, None),
        ({"op": "replace", "path": "", "value": {}}, None),
        ({"op": "replace", "path": CITY, "value": "@nonsense"}, None),
    ],
)
def test_what_is_expected_follows_from_the_change_and_the_pack(change, expected):
    """Only what the documentation surely allows must be taken, and only what is wrong by every reading be refused."""
    case = explorer("sendcloud").case((change,))
    told = case and f"{case.expect}{', a reading' if case.reading else ''}"
    assert told == expected


def test_several_changes_that_are_allowed_are_one_valid_batch():
    case = explorer("sendcloud").case((put(CITY, "Delft"), put(QUANTITY, 7)))
    assert (case.requirement.id, case.expect) == ("SC-001", Expect.ACCEPT)
    assert explorer("sendcloud").case((put(CITY, "Delft"), put(QUANTITY, 0))) is None


def test_changes_are_written_and_read_again():
    explored = Explored(3, ((put(CITY, "\u0000\U0001f600"),), (put(QUANTITY, 1e-300), {"op": "remove", "path": "/a"})))
    assert read(3, written(explored)) == explored


# What endpoints make of it


@pytest.mark.parametrize("name", ["atlast", "sendcloud"])
@pytest.mark.parametrize("strict", [False, True])
def test_a_healthy_endpoint_raises_no_alarm(name, strict):
    done = run(made(name, drawn(name)), strict=strict)
    assert found(done, Verdict.VIOLATION, Verdict.ADVISORY, Verdict.INCONCLUSIVE) == set()


@pytest.mark.parametrize(
    ("fault", "requirement", "change"),
    [
        ("AL-092/orders[].items[].quantity.minimum/dropped", "AL-092", put("/items/0/quantity", -3)),
        ("AL-091/orders[].items[].quantity.type/dropped", "AL-091", put("/items/1/quantity", "dozen")),
        ("AL-111/orders[].items[].countryCodeOfOrigin.maxLength/dropped", "AL-111",
         put("/items/0/countryCodeOfOrigin", "Nowhere")),
        ("AL-090/orders[].items[].quantity.required/dropped", "AL-090", {"op": "remove", "path": "/items/2/quantity"}),
    ],
)  # fmt: skip
def test_a_dropped_constraint_is_found_by_made_up_changes_alone(fault, requirement, change):
    done = run(made("atlast", [(change,)]), fault=fault)
    [name] = found(done, Verdict.VIOLATION)
    assert done.suite.by_id[name].requirement.id == requirement


def test_drawn_examples_find_dropped_constraints():
    """Of what the examples of a seed are about, everything is found when the endpoint forgets it."""
    suite = made("atlast", drawn("atlast"))
    refused = [case for case in suite.cases if is_explored(case) and case.expect is Expect.REFUSE and not case.reading]
    case = next(each for each in refused if each.site.endswith(" type"))
    fault = f"{case.requirement.id}/{case.site.replace(' ', '.')}/dropped"
    assert case.id in found(run(suite, fault=fault), Verdict.VIOLATION)


def test_a_fault_nobody_thought_of_is_shrunk_to_what_causes_it():
    """500 on quantities above 1000: of ten changes one is left, and of its value what is needed."""
    changes = [put(NAME, "Ann Droste"), put(CITY, "Delft"), put(QUANTITY, 5321),
               put("/billing_address/city", "Gouda")]  # fmt: skip
    suite = made("sendcloud", [tuple(changes)])
    done = run(suite, bad=lambda body: max(quantities(body)) > 1000)
    [name] = found(done, Verdict.VIOLATION)
    [(place, value)] = changed(done, name).items()
    assert place == f"/0{QUANTITY}"
    assert 1000 < value < 1100
    assert done.judgements[name].findings[0].got.startswith("500")
    assert sum(each.purpose == "shrink" for each in done.records) <= 25
    # The rest of the run is judged as if nothing had been.
    assert build(done, target.Target("reference", target.Options("sendcloud"), suite, None, ""))["run"]["explore"] == 1


def test_a_refused_name_is_shrunk_to_the_letter():
    suite = made("sendcloud", [(put(CITY, "Saint-L'Ouest 7, bis"),)])
    done = run(suite, bad=lambda body: "'" in body[0].get("shipping_address", {}).get("city", ""), status=422)
    [name] = found(done, Verdict.VIOLATION)
    assert list(changed(done, name).values()) == ["a'a"]


def test_what_is_refused_for_several_changes_together_is_observed():
    """No requirement is about two members at once: that is told, and is no violation."""
    suite = made("sendcloud", [(put(CITY, "Delft"), put(QUANTITY, 9))])
    done = run(
        suite,
        bad=lambda body: 9 in quantities(body) and body[0].get("shipping_address", {}).get("city") == "Delft",
        status=422,
    )
    [name] = found(done, Verdict.OBSERVED)
    assert done.judgements[name].reason.startswith("it is refused for several changes together")


def test_a_failure_on_what_nobody_documents_is_advisory():
    suite = made("sendcloud", [(put(CITY, "ab\u0000cd"),)])
    done = run(suite, bad=lambda body: "\u0000" in body[0].get("shipping_address", {}).get("city", ""))
    [name] = found(done, Verdict.ADVISORY)
    assert list(changed(done, name).values()) == ["\u0000"]


def test_simpler_values_come_to_an_end():
    """Each is less than the one before."""
    for start in ("Zoë's", 9999, 3.25, {"a": [1, {"b": "c"}], "d": None}, [1, [2]]):
        value, steps = start, 0
        while rest := next(simpler.values(value), None):
            value, steps = rest, steps + 1
            assert steps < 50


# From the command line


def explore(suite_run, *more, plugins=()):
    return suite_run("--provider=atlast", "--explore=6", "-k", "explored", *more, plugins=plugins)


def test_a_recorded_run_is_replayed_and_verified_without_drawing(suite_run, pytester, monkeypatch):
    """The recording has the changes: what is expected of each follows again, and Schemathesis is not asked."""
    first = explore(suite_run, "--record-mode=once", "--cassettes=rec", "--report=out")
    assert first.ret == 0
    assert first.parseoutcomes()["passed"] == 6
    stub = pytester.mkdir("stub")
    (stub / "schemathesis.py").write_text("raise RuntimeError('asked')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{stub}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    told = json.loads((pytester.path / "out/report.json").read_text(encoding="utf-8"))
    assert told["run"]["explore"] == 6
    second = suite_run("--provider=atlast", "-k", "explored", "--record-mode=none", "--cassettes=rec", "--report=again")
    assert second.ret == 0
    again = json.loads((pytester.path / "again/report.json").read_text(encoding="utf-8"))
    assert again["requirements"] == told["requirements"]
    assert again["run"]["expected_cases_sha256"] == told["run"]["expected_cases_sha256"]
    assert again["run"]["explore"] == 6
    assert pytester.run(sys.executable, "-c", "from conformance.cli import main; main()", "verify", "out").ret == 0
    other = suite_run("--provider=atlast", "--explore=9", "--record-mode=none", "--cassettes=rec")
    assert other.ret == 4
    other.stderr.fnmatch_lines(["ERROR: --explore=9: recorded with --explore=6; *"])


@pytest.mark.slow
def test_workers_explore_the_same_and_a_case_runs_again_by_its_id(suite_run):
    pytest.importorskip("xdist")
    done = explore(suite_run, "-n2", "-v", plugins=("xdist", "xdist.looponfail"))
    assert done.ret == 0
    name = next(word for line in done.outlines for word in line.split() if "/explored." in word).partition("::")[2]
    assert suite_run("--provider=atlast", "--explore=6", f"--case={name}").parseoutcomes()["passed"] == 1


def test_a_finding_tells_how_it_is_seen_again(suite_run):
    """The command has the number of examples: with another one, others are drawn."""
    from conformance.plugins.messages import command

    options = target.Options("atlast", explore=12, seed=5)
    wanted = "pytest --provider=atlast --case=AL-001/explored.0123456789 --explore=12 --seed=5"
    assert command("AL-001/explored.0123456789", options) == wanted
    assert "--explore" not in command("AL-001/order.plain", options)


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^--explore needs an extra: pip install 'bulk-order-conformance\[explore\]'$"):
        target.prepare(target.Options("atlast", explore=5))


def test_a_number_that_is_none_is_told(suite_run):
    done = suite_run("--provider=atlast", "--explore=0")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["ERROR: --explore=0: must be more than 0"])


def test_a_run_is_taken_up_again_with_as_many_examples():
    from conformance import parts as earlier

    head = target.head(target.prepare(target.Options("atlast")), [])
    with pytest.raises(UserError, match=r"--resume=out: --explore was 0; take it up again with the same options"):
        earlier.agree(head, {**head, "explore": 5}, "out")
