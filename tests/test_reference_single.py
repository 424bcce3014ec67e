"""The reference endpoint of a pack whose requests are one order each, priced and filled later."""

import copy
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from conformance import providers
from conformance.model import Request
from conformance.reference import faults
from conformance.reference.app import CREDENTIALS, Endpoint
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport
from conformance.reference.store import Store
from conformance.scrub import Vault

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
JSON = ("content-type", "application/json")
KEY = ("x-api-key", "{{api_key}}")
TOKEN = ("authorization", "Bearer {{access_token}}")
# Of the pack's account: two products in dollars, one in euros, one in pounds, which has no wallet.
DOLLARS, MORE_DOLLARS, EUROS, POUNDS = "V4X-LT-9HB", "C3N-WE-P8S", "E5R-KC-T1Y", "L2B-HQ-6WG"


def order(*lines, **members):
    """An order of (sku, quantity) lines."""
    return members | {"products": [{"sku": sku, "quantity": count} for sku, count in lines or ((DOLLARS, 1),)]}


def numbered(number, *lines, check=True):
    return order(*lines, clientOrderNumber=number, enableClientOrderNumberDupCheck=check)


class Caller:
    """Calls one endpoint in-process; keeps the last status."""

    def __init__(self, *, revision="", strict=False, delay=0.0, path=":memory:", **changes):
        self.pack = providers.load("ezcards", revision)
        how = replace(healthy(self.pack, strict=strict), **changes)
        account = providers.reference_account(self.pack)
        self.endpoint = Endpoint(self.pack, account, how, Store(path), lambda: NOW, delay=delay)
        self.transport = AppTransport(self.endpoint.app(), self.pack.main.base_path, Vault(CREDENTIALS))
        self.status = 0

    def __call__(self, method, path, body=None, *, headers=(KEY, TOKEN, JSON), **query):
        raw = body if isinstance(body, bytes) or method == "GET" else json.dumps(body).encode()
        request = Request(method, path, urlencode(query), tuple(headers), raw)
        response = self.transport.send(request, "any", "e-1", NOW).response
        self.status = response.status
        return json.loads(response.body)

    def send(self, body, **more):
        return self("POST", "/orders", body, **more)

    def taken(self, body):
        answer = self.send(body)
        assert self.status == 200, answer
        return answer["data"]

    def refused(self, body, **more):
        answer = self.send(body, **more)
        assert "data" not in answer
        return self.status, answer["error"]

    def list(self, **query):
        return self("GET", "/orders", **query)["data"]


# Taking orders


def test_an_answer_repeats_the_order_with_its_prices():
    call = Caller()
    answer = call.send(numbered("N-1", (DOLLARS, 10), (MORE_DOLLARS, 100)))
    assert call.status == 200
    assert list(answer) == ["requestId", "data"]
    assert answer["data"] == {
        "transactionId": "1",
        "clientOrderNumber": "N-1",
        "grandTotal": {"amount": "1,197.50", "currency": "USD"},
        "createdAt": "2026-06-15T12:00:00Z",
        "status": "PROCESSING",
        "products": [
            {
                "sku": DOLLARS,
                "quantity": 10,
                "unitPrice": {"amount": "24.75", "currency": "USD"},
                "totalPrice": {"amount": "247.50", "currency": "USD"},
                "status": "PROCESSING",
            },
            {
                "sku": MORE_DOLLARS,
                "quantity": 100,
                "unitPrice": {"amount": "9.5", "currency": "USD"},
                "totalPrice": {"amount": "950.0", "currency": "USD"},
                "status": "PROCESSING",
            },
        ],
    }


def test_an_order_without_a_number_shows_null():
    assert Caller().taken(order())["clientOrderNumber"] is None


def test_every_request_and_every_order_has_its_own_id():
    call = Caller()
    answers = [call.send(order()) for _ in range(3)]
    assert len({each["requestId"] for each in answers}) == 3
    assert [each["data"]["transactionId"] for each in answers] == ["1", "2", "3"]


def test_an_order_in_a_currency_without_a_wallet_is_settled_in_another():
    call = Caller()
    assert call.refused(order((POUNDS, 2))) == (422, "UNSUPPORTED_CURRENCY")
    assert call.refused(order((POUNDS, 2), payWithCurrency="XTS")) == (422, "UNSUPPORTED_CURRENCY")
    made = call.taken(order((POUNDS, 2), payWithCurrency="USD"))
    assert made["payWithCurrency"] == "USD"
    assert made["grandTotal"] == {"amount": "21.00", "currency": "USD"}
    assert made["fxSummary"] == [{"pair": "GBP/USD", "rate": 1.25, "asOfDate": "2026-06-15T12:00:00Z"}]
    [line] = made["products"]
    assert line["unitPriceOriginal"] == {"amount": "8.40", "currency": "GBP"}
    assert line["unitPrice"] == {"amount": "10.50", "currency": "USD"}


def test_naming_the_currency_of_the_products_changes_nothing():
    call = Caller()
    plain, named = call.taken(order()), call.taken(order(payWithCurrency="USD"))
    assert named.pop("payWithCurrency") == "USD"
    assert named | {"transactionId": "1"} == plain


# Refusing orders


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        1,
        None,
        {},
        b"",
        b'{"products":[',
        {"products": None},
        {"products": []},
        {"products": {"sku": DOLLARS, "quantity": 1}},
        {"products": ["x"]},
        order((DOLLARS, "abc")),
        order((DOLLARS, 1.5)),
        order((DOLLARS, 0)),
        order(("ZZZ-ZZ-ZZZ", 1)),
        order((DOLLARS, 1), (EUROS, 1)),
        order(clientOrderNumber={"a": 1}),
    ],
)
def test_a_body_with_a_mistake_is_refused_and_not_stored(body):
    call = Caller()
    assert call.refused(body) == (400, "BAD_REQUEST")
    assert call.endpoint.stored() == []


def test_a_used_number_is_refused_where_the_check_is_on():
    call = Caller()
    call.taken(numbered("N", check=False))
    call.taken(numbered("N", check=False))
    answer = call.send(numbered("N"))
    assert call.status == 409
    assert answer == {"error": "CLIENT_ORDER_NUMBER_DUPLICATE", "clientOrderNumber": "N"}
    assert call.list(clientOrderNumber="N")["total"] == 2


def test_a_refused_number_stays_free():
    call = Caller()
    call.refused(numbered("N", ("ZZZ-ZZ-ZZZ", 1)))
    call.taken(numbered("N"))


def test_the_older_rendering_knows_one_status_and_no_settlement():
    call = Caller(revision="seed")
    call.taken(numbered("N"))
    assert call.refused(numbered("N")) == (400, "BAD_REQUEST")
    assert call.refused(order((POUNDS, 1))) == (400, "BAD_REQUEST")
    assert "payWithCurrency" not in call.taken(order(payWithCurrency="USD"))


@pytest.mark.parametrize("headers", [(KEY, JSON), (TOKEN, JSON), (("x-api-key", "{{api_key}}x"), TOKEN, JSON)])
def test_both_headers_are_needed_for_everything(headers):
    call = Caller()
    assert call.refused(order(), headers=headers) == (401, "UNAUTHORIZED")
    assert call("GET", "/orders", headers=headers)["error"] == "UNAUTHORIZED"


def test_strict_refuses_what_the_documentation_does_not_name():
    assert Caller().taken(order(foo=1))
    assert Caller(strict=True).refused(order(foo=1)) == (400, "BAD_REQUEST")


# Reading


def test_orders_are_listed_in_pages_and_by_filters():
    call = Caller()
    for number in range(12):
        call.taken(order(clientOrderNumber=f"N-{number}"))
    first = call.list()
    assert (first["total"], first["page"], first["pageSize"], first["totalPage"]) == (12, 1, 10, 2)
    assert [each["transactionId"] for each in first["items"]] == [str(number) for number in range(12, 2, -1)]
    assert [each["transactionId"] for each in call.list(page=2)["items"]] == ["2", "1"]
    assert len(call.list(limit=5, page=3)["items"]) == 2
    assert [each["transactionId"] for each in call.list(clientOrderNumber="N-4")["items"]] == ["5"]
    assert [each["clientOrderNumber"] for each in call.list(transactionId="5")["items"]] == ["N-4"]
    assert call.list(transactionId="99")["items"] == []
    assert call("GET", "/orders", limit=0)["error"] == "BAD_REQUEST"


def test_an_order_is_listed_at_once_and_done_after_the_delay(tmp_path):
    call = Caller(delay=0.2, path=str(tmp_path / "orders.db"))
    call.taken(order())
    assert call.list()["items"][0]["status"] == "PROCESSING"
    assert call("GET", "/orders/1/codes")["data"][0]["codes"] == [
        {"stockId": 1000, "status": "PROCESSING", "redeemCode": None, "pinCode": None}
    ]
    time.sleep(0.25)
    assert call.list()["items"][0]["status"] == "COMPLETED"
    assert call("GET", "/orders/1/codes")["data"][0]["codes"][0]["status"] == "COMPLETED"
    again = Caller(path=str(tmp_path / "orders.db"))
    assert again.list()["total"] == 1


def test_neighbouring_reads_answer_from_the_account():
    call = Caller()
    assert [each["currency"] for each in call("GET", "/balances")["data"]] == ["USD", "EUR"]
    assert [each["currency"] for each in call("GET", "/balances", currency="EUR")["data"]] == ["EUR"]
    items = call("GET", "/products", sku=f"{EUROS},{POUNDS}")["data"]["items"]
    assert [each["prices"][0]["price"] for each in items] == ["19.95", "8.40"]
    assert call("GET", "/exchange-rates", quote="USD")["data"]["rates"][0]["rate"] == "1.2500"
    assert call("GET", "/orders/7/codes")["error"] == "NOT_FOUND"
    assert call.status == 404


# Behaving badly


def answered(*lines, **changes):
    return Caller(**changes).taken(order(*(lines or ((DOLLARS, 2), (MORE_DOLLARS, 3)))))


def amounts(data):
    return [each["totalPrice"]["amount"] for each in data["products"]], data["grandTotal"]["amount"]


def test_totals_can_be_wrong():
    assert amounts(answered()) == (["49.50", "28.5"], "78.00")
    assert amounts(answered(totals="without-quantity")) == (["24.75", "9.5"], "34.25")
    assert amounts(answered(totals="first-line")) == (["49.50", "28.5"], "49.50")
    assert amounts(answered(totals="a-cent-more")) == (["49.50", "28.5"], "78.01")
    assert amounts(answered(totals="line-a-cent-more")) == (["49.51", "28.51"], "78.02")
    assert amounts(answered(amount_form="decimal-comma")) == (["49,50", "28,5"], "78,00")
    assert amounts(answered(amount_form="with-currency")) == (["49.50 USD", "28.5 USD"], "78.00 USD")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("first-only", [(DOLLARS, 2)]),
        ("one-more", [(DOLLARS, 2), (MORE_DOLLARS, 3), (DOLLARS, 4), (DOLLARS, 4)]),
        ("merged", [(DOLLARS, 6), (MORE_DOLLARS, 3)]),
        ("quantity-one", [(DOLLARS, 1), (MORE_DOLLARS, 1), (DOLLARS, 1)]),
        ("crossed", [(DOLLARS, 3), (MORE_DOLLARS, 4), (DOLLARS, 2)]),
        ("reversed", [(DOLLARS, 4), (MORE_DOLLARS, 3), (DOLLARS, 2)]),
    ],
)
def test_lines_can_come_back_as_others(kind, expected):
    data = answered((DOLLARS, 2), (MORE_DOLLARS, 3), (DOLLARS, 4), lines_shown=kind)
    assert [(each["sku"], each["quantity"]) for each in data["products"]] == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("", ("USD", "USD", "USD", "GBP")),
        ("not-converted", ("GBP", "GBP", "GBP", "GBP")),
        ("original-in-settlement", ("USD", "USD", "USD", "USD")),
        ("unit-in-product", ("USD", "GBP", "USD", "GBP")),
    ],
)
def test_currencies_can_be_mixed_up(kind, expected):
    data = Caller(cross_currency=kind).taken(order((POUNDS, 1), payWithCurrency="USD"))
    [line] = data["products"]
    prices = (data["grandTotal"], line["unitPrice"], line["totalPrice"], line["unitPriceOriginal"])
    assert tuple(each["currency"] for each in prices) == expected


@pytest.mark.parametrize(("root", "body"), [("array", [order()]), ("empty", []), ("text", "x"), ("text", None)])
def test_other_roots_can_be_taken(root, body):
    assert Caller(root_taken=root).taken(body)["transactionId"] == "1"


def test_other_carelessness():
    call = Caller(on_known_key="ignore")
    assert [call.taken(numbered("N", check=False))["transactionId"] for _ in range(2)] == ["1", "1"]
    bad = order((DOLLARS, 1))
    bad["products"].append({"quantity": 1})
    assert Caller(lines_looked_at=1).taken(bad)
    call = Caller(kept_when_refused="lone")
    call.refused(order((DOLLARS, 0)))
    assert call.list()["total"] == 1
    assert Caller(optional_header="x-api-key").send(order(), headers=(TOKEN, JSON))["data"]
    assert Caller(unchecked_header="x-api-key").send(order(), headers=(("x-api-key", "no"), TOKEN, JSON))["data"]
    call = Caller(one_request_id=True)
    assert call.send(order())["requestId"] == call.send(order())["requestId"]
    assert Caller(first_status="COMPLETED").taken(order())["status"] == "COMPLETED"
    call = Caller(later_status="DONE", stored_edits=({"at": "/products/*/quantity", "value": 9},), page_default=20)
    assert call.taken(order())["products"][0]["quantity"] == 1
    listed = call.list()
    assert listed["pageSize"] == 20
    assert (listed["items"][0]["status"], listed["items"][0]["products"][0]["quantity"]) == ("DONE", 9)
    assert Caller(first_page=0).list()["page"] == 0


def test_a_fault_in_a_pattern_shows_another_value():
    pack = providers.load("ezcards")
    [fault] = [each for each in faults.of(pack).values() if re.search(r"data\.grandTotal\.amount\.pattern/", each.id)]
    how = fault.apply(healthy(pack))
    call = Caller(answer_edits=how.answer_edits)
    assert call.taken(order())["grandTotal"] == {"amount": "no-such-value", "currency": "USD"}


def test_no_fault_breaks_the_endpoint():
    pack = providers.load("ezcards")
    bodies = [order(), order((POUNDS, "x"), payWithCurrency=3), {"products": [None]}, {"products": 3}, "x", None, [[]]]
    bodies += [order(({"a": 1}, 10**40)), order((DOLLARS, 1e300)), copy.deepcopy(order()) | {"clientOrderNumber": 7}]
    for fault in faults.of(pack).values():
        how = fault.apply(healthy(pack))
        call = Caller(**{name: getattr(how, name) for name in how.__dataclass_fields__})
        for body in bodies:
            call.send(body)
            assert call.status < 500 or how.refusal_status, fault.id
        call("GET", "/orders")
        assert call.status < 500, fault.id


def test_a_refusal_is_quick():
    call = Caller()
    body = json.dumps(order((DOLLARS, "x"))).encode()
    times = []
    for _ in range(200):
        start = time.perf_counter()
        call.send(body)
        times.append(time.perf_counter() - start)
    assert sorted(times)[len(times) // 2] < 0.003, "it is a tenth of this on a quiet machine"


@pytest.mark.parametrize(
    ("how", "key"),
    [("tail", "{{api_key!tail}}"), ("case", "{{api_key!case}}"), ("half", "{{api_key!cut}}"), ("empty", "")],
)
def test_keys_are_compared_carelessly_by_the_fault_alone(how, key):
    headers = (("x-api-key", key), TOKEN, JSON)
    for careless, status in (({}, 401), ({"header": "x-api-key", "how": how}, 200)):
        caller = Caller(careless_header=careless)
        caller.send(order(), headers=headers)
        assert caller.status == status


@pytest.mark.parametrize(("header", "lacking"), [("", (JSON,)), ("x-api-key", (TOKEN,)), ("authorization", (KEY,))])
def test_one_operation_may_be_open(header, lacking):
    for unguarded, status in (({}, 401), ({"operation": "list-orders", "header": header}, 200)):
        caller = Caller(unguarded=unguarded)
        caller("GET", "/orders", headers=lacking)
        assert caller.status == status
        caller.send(order(), headers=(*lacking, JSON))
        assert caller.status == 401
