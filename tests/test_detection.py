"""The suite sees every fault of the reference endpoint, and none in an endpoint that has none."""

import itertools
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import jsonschema
import pytest
from harness import (
    CREDENTIALS,
    NOW,
    advisory,
    all_faults,
    behaviour,
    behind,
    inconclusive,
    overall,
    red,
    report,
    run,
    suite,
    verdicts,
)

from conformance.errors import PackError
from conformance.model import Request, Response
from conformance.reference import detection, detection_page
from conformance.reference.app import Endpoint
from conformance.reference.faults import Fault
from conformance.reference.inprocess import AppTransport
from conformance.scrub import Vault

ROOT = Path(__file__).parents[1]
OFFICIAL = ROOT.parent / "shared/sources/atlast-v1-orders-bulk.openapi.yml"
# What no case of its own can show as a violation, by the way in which it is noticed.
# Mistakes of JSON that parsers in wide use read past: taking them is advisory.
READ_PAST = ("nan", "infinity", "trailing-text", "trailing-comma", "single-quotes", "control-character")
OTHERWISE = {
    "advisory": {f"{name}/takes-{kind}" for name in ("AL-016", "SC-019", "CE-010", "EZ-010") for kind in READ_PAST},
    # Whoever refuses these refuses the control: nothing else can be judged then.
    "control": {
        "AL-012/media-type",
        "AL-058/orders[].orderTotal.value.type/whole-numbers",
        "AL-058/orders[].itemSubTotal.value.type/whole-numbers",
        "AL-058/orders[].shippingTotal.value.type/whole-numbers",
        "AL-058/orders[].items[].price.value.type/whole-numbers",
        "SC-001/not-there",
        "SC-012/partner-demanded",
        "SC-016/media-type",
        "SC-032/[].id.optional/demanded",
        "SC-043/second-integration-only",
        "SC-120/[].order_details.order_items[].total_price.value.type/whole-numbers",
        "SC-127/[].payment_details.total_price.value.type/whole-numbers",
        "EZ-001/not-there",
        "EZ-008/media-type",
        "CE-001/not-there",
        "CE-008/media-type",
        "CE-020/wrapped",
        "CE-062/*.invoiceAddress.optional/demanded",
        "CE-062/*.deliveryAddress.optional/demanded",
        "CE-063/*.address.optional/refused",
        "CE-088/ean-too",
        "CE-121/*.buyerId.optional/demanded",
        "CE-122/*.buyerName.optional/demanded",
        "CE-122/*.deliveryWindow.optional/demanded",
        "CE-122/*.poNumber.optional/demanded",
        "CE-145/always-sent",
        "CE-145/*.sendEmail.optional/refused",
        "CE-150/*.createOnly.optional/refused",
    },
    # That these may be there is what other requirements are about; without an echo nobody finds an order again.
    "elsewhere": {
        "CE-062/*.invoiceAddress.optional/refused",
        "CE-062/*.deliveryAddress.optional/refused",
        "EZ-020/clientOrderNumber.optional/refused",
        "EZ-030/enableClientOrderNumberDupCheck.optional/refused",
        "EZ-070/payWithCurrency.optional/refused",
        "SC-032/[].id.optional/refused",
        "SC-261/success.data[].order_id.type/left-out",
        "SC-261/success.data[].order_id.type/renamed",
        "SC-262/success.data[].order_number.type/left-out",
        "SC-262/success.data[].order_number.type/renamed",
    },
    # Nothing at all that was accepted can be read: who knows how long that takes (RESOLUTIONS 3)?
    "inconclusive": {"EZ-094/empty-list"},
    "invisible": {
        # Nobody can make working credentials of exactly 100 characters.
        "AL-008/client_id.maxLength/one-less",
        "AL-008/client_secret.maxLength/one-less",
        # An order has an order for its origin; returns and plug-ins are known to nobody outside.
        "CE-131/*.createdFromOrigin.type.enum/without-return",
        "CE-131/*.createdFromOrigin.type.enum/without-plugin",
        # Without the member mail may be sent, which no case risks.
        "CE-145/*.sendEmail.optional/demanded",
    },
}
CONTROL = OTHERWISE["control"]
# One of two members is needed, so that a null in the only one is no value.
CLEAR = {"SC-249/[].service_point_details.id.type/nullable"}
PACKS = ("atlast", "sendcloud", "ezcards", "centra")
# Requirements that are no must and have a fault all the same.
BEYOND = {name: set() for name in PACKS}


def expected(fault, provider="atlast"):
    for word, names in OTHERWISE.items():
        if fault.id in names:
            return word
    if fault.kind == "whole":
        # It is the first one made by hand, or else all constraints dropped and options demanded.
        others = [each for each in all_faults(provider).values() if each.requirement == fault.requirement]
        hand = [each for each in others if each.kind == "hand-made"]
        if hand:
            return expected(hand[0], provider)
        parts = [each.id for each in others if each.kind in ("dropped", "demanded")]
        return "control" if CONTROL & {*parts} else "violation"
    optional = {
        f"{each.requirement.id}/{each.site.path}.type/nullable"
        for each in suite(provider).catalogue.sites
        if not each.site.required
    }
    return "advisory" if fault.id in optional - CLEAR else "violation"


# Every fault


EVERY = [
    (name, each)
    for name in PACKS
    for each in dict.fromkeys(one.requirement for one in all_faults(name).values())
]  # fmt: skip
# Full runs, which tell what else turns red, take minutes for all: the command that writes the pages does them.
SAMPLE = EVERY[::12]


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "requirement"), EVERY)
def test_every_fault_is_noticed_by_its_own_requirement(provider, requirement):
    rows = detection.measure(provider, requirement, others=False)
    assert {row.fault: row.noticed for row in rows} == {
        each.id: expected(each, provider) for each in all_faults(provider).values() if each.requirement == requirement
    }
    assert all(row.reason for row in rows if row.noticed != "violation")


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "requirement"), SAMPLE)
def test_the_page_is_what_is_measured(provider, requirement):
    rows = detection.measure(provider, requirement)
    page = (ROOT / f"docs/detection/{provider}.md").read_text(encoding="utf-8")
    assert f"\n{detection_page.requirement_line(rows)}\n" in page


# One in eight of the requirements, and those whose faults let something through that a strict endpoint's own rules
# (readable texts, totals that add up) would refuse or could not read.
# Leap days lie too far back for it (AL-075).
STRICT = [*dict.fromkeys(each.requirement for each in all_faults().values() if expected(each) != "control")][::8]


@pytest.mark.slow
@pytest.mark.parametrize(
    "requirement", sorted({*STRICT, "AL-034", "AL-053", "AL-058", "AL-091", "AL-124"} - {"AL-075"})
)
def test_a_strict_endpoint_shows_its_faults_too(requirement):
    assert requirement in red(run(requirement, strict=True))


@pytest.mark.parametrize("provider", PACKS)
def test_every_must_but_the_untestable_has_a_fault(provider):
    faulty = {each.requirement for each in all_faults(provider).values()}
    known = suite(provider).catalogue.requirements
    assert faulty == {each.id for each in known if each.level == "must" and not each.untestable} | BEYOND[provider]


@pytest.mark.parametrize("provider", PACKS)
@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_every_fault_changes_the_endpoint(strict, provider):
    healthy = behaviour(strict=strict, provider=provider)
    names = all_faults(provider)
    assert [name for name in names if behaviour(name, strict=strict, provider=provider) == healthy] == []


def test_a_fault_that_changes_nothing_is_a_mistake_of_the_pack(monkeypatch):
    same = Fault("AL-001/same", "AL-001", "Nothing.", lambda given: given)
    bench = detection._bench("atlast")
    monkeypatch.setattr(bench, "faults", {same.id: same})
    with pytest.raises(PackError, match="AL-001/same: this fault leaves the endpoint as it is"):
        detection.measure("atlast", "AL-001")


@pytest.mark.parametrize("member", ["client_id", "client_secret"])
def test_an_invisible_fault_is_there_for_whoever_has_such_credentials(member):
    """The suite cannot try it, but an account with credentials of 100 characters could."""
    credentials = CREDENTIALS | {member: "x" * 100}
    body = json.dumps(
        {"grant_type": "client_credentials"} | {key: credentials[key] for key in ("client_id", "client_secret")}
    )
    request = Request("POST", "/auth/token", headers=(("content-type", "application/json"),), body=body.encode())
    answers = []
    for fault in ("", f"AL-008/{member}.maxLength/one-less"):
        endpoint = Endpoint(
            suite().provider, suite().account, behaviour(fault), clock=lambda: NOW, credentials=credentials
        )
        exchange = AppTransport(endpoint.app(), "/v1", Vault({})).send(request, "create-token", "x", NOW)
        answers.append(exchange.response.status)
    assert answers == [200, 400]


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("CE-131/*.createdFromOrigin.type.enum/without-return", {"createdFromOrigin": {"type": "return", "id": 1}}),
        ("CE-131/*.createdFromOrigin.type.enum/without-plugin", {"createdFromOrigin": {"type": "plugin", "id": 1}}),
        ("CE-145/*.sendEmail.optional/demanded", {"sendEmail": None}),
    ],
)
def test_a_fault_that_no_case_risks_to_show_is_one_all_the_same(fault, change):
    """What the suite may not send shows it at once."""
    made = suite("centra")
    control = run(provider="centra").records[0].exchange.request
    (name, order), *_ = json.loads(control.body).items()
    order = {key: value for key, value in (order | change).items() if value is not None}
    request = replace(control, body=json.dumps({name: order}).encode())
    answers = []
    for each in ("", fault):
        app = Endpoint(made.provider, made.account, behaviour(each, provider="centra"), clock=lambda: NOW).app()
        exchange = AppTransport(app, "", Vault(CREDENTIALS)).send(request, "create-orders", "x", NOW)
        answers.append(json.loads(exchange.response.body)[name]["status"])
    assert answers == ["ok", "no"]


def test_a_fault_that_changes_no_answer_is_not_proven(monkeypatch):
    """The endpoint differs, and nobody can tell."""
    same = Fault("AL-001/same", "AL-001", "Nothing to see.", lambda given: replace(given, page_default=7))
    bench = detection._Bench("atlast")
    bench.faults = {same.id: same}
    monkeypatch.setattr(detection, "_bench", lambda _: bench)
    (row,) = detection.measure("atlast", "AL-001")
    assert (row.noticed, row.reason) == ("unproven", "every answer is as it should be")


def test_a_refused_first_step_is_a_violation_though_the_next_one_cannot_be_sent():
    done = run("EZ-020/clientOrderNumber.optional/refused", provider="ezcards")
    assert verdicts(done)["EZ-021/clientOrderNumber.echoed"] == "violation"


def test_a_loosened_token_request_still_needs_the_right_secret():
    """A fault breaks its own rule alone: what is observed of wrong secrets stays as it is."""
    healthy = run().judgements["AL-011/client_secret.wrong"]
    for fault in ("AL-007/client_id.required/dropped", "AL-008/client_id.maxLength/one-more"):
        assert run(fault).judgements["AL-011/client_secret.wrong"].policy == healthy.policy


@pytest.mark.parametrize("provider", PACKS)
def test_the_page_counts_the_faults_there_are(provider):
    text = (ROOT / f"docs/detection/{provider}.md").read_text(encoding="utf-8")
    known = all_faults(provider).values()
    counts = Counter(each.kind for each in known)
    ways = Counter(expected(each, provider) for each in known)
    assert set(counts) <= set(detection_page.KINDS)
    for kind in counts:
        about = detection_page.KINDS[kind]
        ways_of_kind = Counter(expected(each, provider) for each in known if each.kind == kind)
        figures = [counts[kind], *(ways_of_kind[word] for word in detection_page.NOTICED)]
        assert f"\n| {about} | {' | '.join(map(str, figures))} |\n" in text
    figures = [len(known), *(ways[word] for word in detection_page.NOTICED)]
    assert f"\n| **all** | {' | '.join(map(str, figures))} |\n" in text


def test_rows_become_a_page():
    rows = [
        detection.Row("X-1/a", "X-1", "One | two.", "hand-made", "violation", "", 3),
        detection.Row(
            "X-1/a[].type/nullable", "X-1", "a[]: type nullable", "nullable", "advisory", "X-1/a.null: 201", 0
        ),
        detection.Row("X-2", "X-2", "Not so: b.", "whole", "missed", "nothing", 0),
    ]
    page = detection_page.markdown("acme", rows)
    assert "`python -m conformance.reference.detection acme --write docs/detection/acme.md`" in page
    assert "| **all** | 3 | 1 | 0 | 1 | 0 | 0 | 0 | 0 | 1 | 0 |" in page
    assert "| `X-1/a[].type/nullable` | advisory | X-1/a.null: 201 |" in page
    assert "| X-1 | 2 | 1 violation, 1 advisory | 3 | `X-1/a` One &#124; two. |" in page
    assert "| X-2 | 1 | 1 missed | 0 |  |" in page


def test_the_command_writes_the_page(monkeypatch, tmp_path, capsys):
    rows = [detection.Row("X-2", "X-2", "Not so: b.", "whole", "violation", "", 0)]
    monkeypatch.setattr(
        detection, "measure_all", lambda provider, jobs: rows if (provider, jobs) == ("acme", 3) else []
    )
    folders = SimpleNamespace(detection=tmp_path / "detection.json")
    monkeypatch.setattr(detection.providers, "load", lambda name: SimpleNamespace(folders=folders))
    monkeypatch.setattr("sys.argv", ["detection", "acme", "--jobs", "3", "--write", str(tmp_path / "page.md")])
    detection.main()
    page = detection_page.markdown("acme", rows)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page
    assert json.loads(folders.detection.read_text(encoding="utf-8"))["faults"] == 1
    monkeypatch.setattr("sys.argv", ["detection", "acme", "--jobs", "3"])
    detection.main()
    assert capsys.readouterr().out == page


def test_requirements_can_be_measured_side_by_side():
    rows = detection.measure_all("atlast", jobs=2, only=("AL-002", "AL-012"))
    assert [row.fault for row in rows] == [
        name for name, each in all_faults().items() if each.requirement in ("AL-002", "AL-012")
    ]
    assert rows == [*detection.measure("atlast", "AL-002"), *detection.measure("atlast", "AL-012")]


# The healthy endpoint


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_healthy_endpoint_is_conformant(strict):
    done = run(strict=strict)
    found = report(done)
    assert (found["verdict"], found["run"]["complete"]) == ("conformant", True)
    assert red(done) == advisory(done) == inconclusive(done) == set()
    musts = [each for each in found["requirements"] if each["level"] == "must"]
    assert [each["id"] for each in musts if each["verdict"] != "conformant" and "untestable" not in each] == []
    assert sum(each.exchange.operation == "create-orders" for each in done.records) <= 500


def test_equal_runs_are_equal():
    first, second = run(), run()
    assert first.records == second.records
    assert report(first) == report(second)


PACKED = [
    "",
    "AL-001/status-200",
    "AL-003/any-token",
    "AL-016/not-json",
    "AL-025/orders[].id.required/dropped",
    "AL-034/orders[].reference.minLength/one-more",
    "AL-039/stricter-age",
    "AL-054/orders[].discount.optional/demanded",
    "AL-083/orders[].items.minItems/one-more",
    "AL-119/orders[].items[].weight.unit.enum/without-GRAMS",
    "AL-127/orders[].customer.phone.type/nullable",
    "AL-160/not-all",
    "AL-166/first-10-only",
    "AL-169/one-order",
]


@pytest.mark.parametrize("fault", PACKED, ids=lambda fault: fault or "healthy")
def test_one_case_a_request_comes_to_the_same_verdicts(fault):
    assert verdicts(run(fault, pack=False)) == verdicts(run(fault))


# Endpoints that do not look at every order


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize(
    "careless",
    [*({"look_at_first": number} for number in (1, 2, 10, 50, 99)), {"skip_last": True}, {"lone_orders_only": True}],
    ids=lambda careless: "-".join(map(str, itertools.chain(*careless.items()))),
)
def test_an_endpoint_that_looks_at_some_orders_only_is_found(careless, strict):
    done = run(how=behaviour(strict=strict, **careless))
    assert "AL-166" in red(done)
    assert overall(done) == "nonconformant"


# What stands between the endpoint and the suite


def refusals(**changes):
    """Change what the endpoint says of bodies; 401 speaks of the caller."""
    return lambda _, response: replace(response, **changes) if response.status == 400 else response


def successes(**changes):
    return lambda _, response: replace(response, **changes) if response.status == 201 else response


def typed(kind):
    return (("content-type", kind),)


HTML = b"<!doctype html><html><head><title>Error</title></head><body><h1>Something was wrong</h1></body></html>"
CONFORMING = {
    "409": refusals(status=409),
    "413": refusals(status=413),
    "415": refusals(status=415),
    "422": refusals(status=422),
    "plain-text": refusals(headers=typed("text/plain; charset=utf-8"), body=b"no, thanks"),
    "empty-refusals": refusals(headers=(), body=b""),
    "html-refusals": refusals(headers=typed("text/html"), body=HTML),
    "broken-json-refusals": refusals(body=b'{"error": '),
    "other-error-object": refusals(body=b'{"statusCode": 400, "errors": [{"order": 1, "why": "bad"}]}'),
    "extra-headers": lambda _, response: replace(
        response, headers=(*response.headers, ("x-request-id", "1"), ("retry-after", "0"), ("set-cookie", "a=b"))
    ),
    "no-headers": lambda _, response: replace(response, headers=()),
    "201-with-body": successes(
        headers=typed("application/json"), body=b'{"created": [{"id": "x", "new": true}], "v": 2}'
    ),
    "201-with-text": successes(headers=typed("text/plain"), body="angelegt ✓".encode()),
    "403-for-tokens": lambda _, response: replace(response, status=403) if response.status == 401 else response,
    "400-for-tokens": lambda _, response: replace(response, status=400) if response.status == 401 else response,
}


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("change", CONFORMING.values(), ids=CONFORMING)
def test_what_the_documentation_leaves_open_raises_no_alarm(change, strict):
    done = behind(change, strict=strict)
    assert red(done) == advisory(done) == inconclusive(done) == set()
    assert overall(done) == "conformant"


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_refusal_that_could_mean_something_else_counts_once_it_is_confirmed(status):
    done = behind(refusals(status=status))
    assert red(done) == advisory(done) == inconclusive(done) == set()
    assert overall(done) == "conformant"
    again = {each.case for each in done.records if each.purpose == "confirm"}
    refused = {
        case.id
        for case in done.suite.cases
        if case.sends and case.expect == "refuse" and case.operation == "create-orders"
    }
    assert refused <= again


def test_a_404_that_a_second_try_does_not_repeat_is_no_refusal():
    turns = itertools.cycle([404, 201])

    def flaky(request, response):
        return replace(response, status=next(turns)) if b'"quantity":1.5' in (request.body or b"") else response

    done = behind(flaky, fault="AL-091/orders[].items[].quantity.type/dropped")
    found = verdicts(done)
    assert found["AL-091/items.quantity.type-fraction"] == found["AL-091/items.quantity.one-and-a-half"] == "violation"


# Broken endpoints


def always(status, body=b"", headers=()):
    return lambda *_: Response(status, headers, body)


def dropping(_, response):
    """A bad order is left out without a word; a body that is no batch is still refused."""
    if response.status == 400 and json.loads(response.body)["path"].startswith("/orders/"):
        return Response(201)
    return response


def expiring_at(number):
    count = itertools.count(1)
    return lambda _, response: Response(401, (), b"token expired") if next(count) >= number else response


def test_an_endpoint_that_refuses_everything_stops_the_run():
    done = behind(always(400, b'{"error": "computer says no"}', typed("application/json")))
    assert overall(done) == "inconclusive"
    assert done.stopped == (
        "POST /orders/bulk: the plain valid batch was not accepted: 400 application/json"
        ' {"error": "computer says no"}; check the account facts (--account); where they are right, it refuses valid orders'
    )
    assert {each.purpose for each in done.records} == {"control"}
    assert red(done) == set()


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (302, "check --endpoint: it is the part before /orders/bulk"),
        (401, "check the credentials"),
        (403, "check the credentials"),
        (404, "check --endpoint: it is the part before /orders/bulk"),
        (405, "check --endpoint: it is the part before /orders/bulk"),
        (422, "check the account facts (--account)"),
        (500, "try again later"),
        (503, "try again later"),
    ],
)
def test_an_endpoint_that_never_accepts_is_inconclusive_and_the_message_says_what_to_check(status, hint):
    done = behind(always(status))
    assert overall(done) == "inconclusive"
    assert done.stopped.startswith(
        f"POST /orders/bulk: the plain valid batch was not accepted: {status} (empty body); {hint}"
    )
    assert not {"conformant", "violation"} & set(verdicts(done).values())


@pytest.mark.parametrize("status", [200, 201, 204])
def test_an_endpoint_that_accepts_everything_is_nonconformant(status):
    done = behind(always(status))
    assert overall(done) == "nonconformant"
    refusing = {
        case.requirement.id
        for case in done.suite.cases
        if case.sends and case.expect in ("refuse", "deny") and not case.reading
    }
    assert refusing | {"AL-010", "AL-166"} <= red(done)
    assert ({"AL-001", "AL-162"} <= red(done)) == (status != 201)


def test_an_endpoint_that_silently_drops_bad_orders_is_nonconformant():
    done = behind(dropping)
    assert overall(done) == "nonconformant"
    assert {"AL-025", "AL-037", "AL-039", "AL-092", "AL-119", "AL-166"} <= red(done)
    assert not {"AL-016", "AL-017", "AL-018", "AL-020"} & red(done)


@pytest.mark.parametrize("number", [2, 30, 200, 400])
def test_a_token_that_expires_in_mid_run_is_inconclusive(number):
    done = behind(expiring_at(number))
    assert overall(done) == "inconclusive"
    assert red(done) == set()
    assert done.stopped.startswith(
        "in mid-run POST /orders/bulk: the plain valid batch was not accepted: 401 token expired; check the credentials"
    )


def test_refusals_after_the_token_expired_prove_nothing():
    """What was refused before the last good control stands; the rest is inconclusive."""
    done = behind(expiring_at(200))
    good = max(
        i for i, each in enumerate(done.records) if each.purpose == "control" and each.exchange.response.status == 201
    )
    settled = {each.case for each in done.records[:good]} | {
        atom for each in done.records[:good] for atom in each.atoms
    }
    names = {each.id for each in done.suite.cases if each.sends and each.operation == "create-orders"}
    assert {name for name in names if done.judgements[name].verdict == "inconclusive"} >= names - settled
    assert all(
        done.judgements[name].verdict != "inconclusive" for name in names & settled if not done.suite.case(name).group
    )


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_a_server_error_for_every_refusal_is_nonconformant(strict):
    done = behind(lambda _, response: Response(500) if response.status >= 400 else response, strict=strict)
    assert overall(done) == "nonconformant"
    refusing = {case.requirement.id for case in done.suite.cases if case.sends and case.expect in ("refuse", "deny")}
    assert refusing <= red(done)


def test_an_endpoint_out_of_service_for_every_refusal_is_inconclusive():
    done = behind(refusals(status=503))
    assert overall(done) == "inconclusive"
    assert red(done) == set()


# An endpoint that shares no code with ours


class Independent:
    """
    AtLast from its fact sheet: the official schemas under plain jsonschema, and the rules in the sheet's words.

    ``picky`` refuses whatever the sheet is silent about and has other statuses and bodies.
    """

    def __init__(self, picky):
        yaml = pytest.importorskip("yaml")
        document = yaml.safe_load(OFFICIAL.read_text(encoding="utf-8"))
        formats = jsonschema.FormatChecker(["date-time", "date", "uri"])
        formats.checks("email")(
            lambda text: not isinstance(text, str) or bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.\w+", text))
        )
        # OpenAPI 3.0 speaks the dialect of draft 4: exclusiveMinimum is true or false.
        self.batch = jsonschema.Draft4Validator(
            {"$ref": "#/components/schemas/OrderIngestRequest", "components": document["components"]},
            format_checker=formats,
        )
        text = {"type": "string", "maxLength": 100}
        self.token = jsonschema.Draft4Validator(
            {
                "type": "object",
                "required": ["client_id", "client_secret", "grant_type"],
                "properties": {
                    "client_id": text,
                    "client_secret": text,
                    "grant_type": {"enum": ["client_credentials"]},
                },
            }
        )
        self.picky = picky
        self.known = set()
        self.tokens = {CREDENTIALS["access_token"]}

    async def __call__(self, scope, receive, send):
        headers = {key.decode().lower(): value.decode("latin-1") for key, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode()))
        status, answer = self.answer(scope["method"], scope["path"], query, headers, (await receive())["body"])
        kind = [(b"content-type", b"application/problem+json")] if answer is not None else []
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": b"" if answer is None else json.dumps(answer).encode()})

    def answer(self, method, path, query, headers, raw):
        if (method, path) == ("POST", "/v1/auth/token"):
            return self.issue(raw)
        if path != "/v1/orders/bulk" or (self.picky and query):
            return 404, {"message": "no such resource"}
        if method != "POST":
            return 405, None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return (403 if self.picky else 401), {"message": "who are you?"}
        if self.picky and headers.get("content-type") != "application/json":
            return 415, None
        try:
            # Python reads NaN and Infinity too, which are no JSON.
            body = json.loads(raw.decode("utf-8"), parse_constant=int)
        except ValueError:
            return 400, {"message": "not JSON"}
        return self.ingest(body)

    def ingest(self, body):
        for error in self.batch.iter_errors(body):
            return (422 if self.picky else 400), {"message": error.message, "at": list(error.absolute_path)}
        for order in body["orders"]:
            created = datetime.fromisoformat(order["createdAt"])
            created = created if created.tzinfo else created.replace(tzinfo=UTC)
            # The other reading of the 60 days: hours, not calendar days (AL-T10).
            if NOW - created > timedelta(days=60) or (self.picky and created > NOW):
                return (422 if self.picky else 400), {"message": "createdAt"}
        if self.picky:
            ids = [("id", order["id"]) for order in body["orders"]] + [
                ("number", order["orderNumber"]) for order in body["orders"]
            ]
            if len(set(ids)) < len(ids) or self.known & set(ids):
                return 409, {"message": "known already"}
            self.known |= set(ids)
            if any(order.get("merchantId", "m-1001") not in ("m-1001", "m-1002") for order in body["orders"]):
                return 422, {"message": "merchantId"}
            return 201, {"accepted": [order["id"] for order in body["orders"]]}
        return 201, None

    def issue(self, raw):
        try:
            body = json.loads(raw)
        except ValueError:
            return 400, {"error": "invalid_request"}
        if not self.token.is_valid(body):
            return 400, {"error": "invalid_request"}
        if (body["client_id"], body["client_secret"]) != (CREDENTIALS["client_id"], CREDENTIALS["client_secret"]):
            return 401, {"error": "invalid_client"}
        self.tokens.add("another-token-entirely")
        return 200, {"access_token": "another-token-entirely", "expires_in": 0, "token_type": "Bearer", "scope": ""}


@pytest.mark.skipif(not OFFICIAL.exists(), reason=f"the official OpenAPI file is not at {OFFICIAL}")
@pytest.mark.parametrize("picky", [False, True], ids=["easy-going", "picky"])
def test_an_endpoint_written_from_the_sheet_alone_is_conformant(picky):
    done = run(app=Independent(picky))
    odd = ("violation", "advisory", "inconclusive")
    assert {name: each for name, each in done.judgements.items() if each.verdict in odd} == {}
    assert overall(done) == "conformant"
