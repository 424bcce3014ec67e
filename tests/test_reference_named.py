"""The reference endpoint of a pack whose orders have names and fates of their own."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from conformance import providers
from conformance.model import Account, Request
from conformance.reference import faults
from conformance.reference.app import CREDENTIALS, Endpoint
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport
from conformance.reference.templates import fill
from conformance.scrub import Vault

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
JSON = ("content-type", "application/json")
KEY = ("api-authorization", "{{api_key}}")
READING_KEY = ("api-authorization", "{{key_no_create}}")
DENIED = {"status": "Not Allowed"}
ADDRESS = {"email": "conformance@example.com", "country": "SE"}


def prepared(**members):
    """An order that waits for being finished."""
    return {"address": ADDRESS, "products": [line()], "createOnly": True} | members


def finished(**members):
    made = prepared(**members)
    del made["createOnly"]
    return made


def line(sku="MUG-BLUE-1", qty=1, **members):
    return {"sku": sku, "qty": qty} | members


def without(made, name):
    return {key: value for key, value in made.items() if key != name}


class Caller:
    """Calls one endpoint in-process; keeps the last status and the answer's text."""

    def __init__(self, *, revision="", strict=False, facts=None, **changes):
        self.pack = providers.load("centra", revision)
        how = replace(healthy(self.pack, strict=strict), **changes)
        account = Account(providers.reference_account(self.pack).facts | (facts or {}))
        self.endpoint = Endpoint(self.pack, account, how, clock=lambda: NOW)
        self.transport = AppTransport(self.endpoint.app(), self.pack.main.base_path, Vault(CREDENTIALS))
        self.status, self.kind = 0, ""

    def __call__(self, method, path, body=None, *, headers=(KEY, JSON), **query):
        raw = body if isinstance(body, bytes) or method == "GET" else json.dumps(body).encode()
        request = Request(method, path, urlencode(query), tuple(headers), raw)
        response = self.transport.send(request, "any", "e-1", NOW).response
        self.status, self.kind = response.status, response.header("content-type")
        return json.loads(response.body)

    def send(self, body, **more):
        return self("POST", "/orders", body, **more)

    def one(self, order):
        """What became of a single order: its number or numbers, or the code of its failure."""
        answer = self.send({"a": order})["a"]
        if answer["status"] == "ok":
            return answer.get("order", answer.get("orders"))
        assert set(answer) == {"status", "code", "msg"}
        return answer["code"]

    def listed(self, **query):
        answer = self("GET", "/orders", **query)
        assert answer["status"] == "ok"
        return [each["orderId"] for each in answer["orders"]]


# Taking orders


def test_every_name_has_a_fate_of_its_own():
    call = Caller()
    answer = call.send({"p": prepared(), "f": finished(), "bad": {}, "öß 7": prepared(), "0": prepared()})
    assert (call.status, call.kind) == (200, "application/json")
    assert answer == {
        "p": {"status": "ok", "order": 1234},
        "f": {"status": "ok", "orders": [1235]},
        "bad": {"status": "no", "code": -4, "msg": '"products" is a required property'},
        "öß 7": {"status": "ok", "order": 1236},
        "0": {"status": "ok", "order": 1237},
    }
    assert len(call.endpoint.stored()) == 4
    assert call.send({"0": prepared(), "1": prepared()}).keys() == {"0", "1"}
    assert call.send({}) == {}
    assert {each["status"] for each in call.send({"x": {}, "y": {}}).values()} == {"no"}


def test_the_older_state_knows_no_codes():
    answer = Caller(revision="seed").send({"a": {}})
    assert answer == {"a": {"status": "no", "msg": '"products" is a required property'}}


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ("text", -7),
        (None, -7),
        ([], -7),
        (without(prepared(), "address"), -4),
        (prepared(address=without(ADDRESS, "email")), -4),
        (prepared(address=without(ADDRESS, "country")), -4),
        (prepared(products=[]), -3),
        (prepared(products=[without(line(), "qty")]), -4),
        (prepared(products=[without(line(), "sku")]), -4),
        (prepared(products=[line(qty="abc")]), -7),
        (prepared(products=[line(), line("conf-no-such-sku")]), -1),
        (prepared(products=[line("SOLD-OUT-1")]), -2),
        (prepared(createdFromOrigin={"type": "order"}), -4),
        (prepared(createdFromOrigin={"type": "basket", "id": 1001}), -7),
        (prepared(createdFromOrigin={"type": "order", "id": 2147483647}), -7),
        (prepared(createdFromOrigin={"type": "order", "id": 2**80}), -7),
        (prepared(orderNumber=1001), -5),
    ],
)
def test_a_bad_order_fails_with_its_code(order, code):
    call = Caller()
    assert call.one(order) == code
    assert call.endpoint.stored() == []


@pytest.mark.parametrize(
    "order",
    [
        prepared(products=[line("conf-no-such-sku")], forceCreate=True),
        prepared(products=[line("SOLD-OUT-1")], adjustStock=False),
        prepared(products=[{"ean": "7340112910426", "qty": 1}]),
        prepared(products=[{"id": 3001, "qty": 2}]),
        prepared(createdFromOrigin={"type": "order", "id": 1001}),
        without(prepared(), "address") | {"invoiceAddress": ADDRESS, "deliveryAddress": without(ADDRESS, "email")},
    ],
)
def test_a_good_order_is_taken(order):
    assert Caller().one(order) == 1234


def test_a_free_number_is_given_and_then_taken():
    call = Caller()
    answer = call.send({"a": prepared(orderNumber=77), "b": prepared(orderNumber=77), "c": prepared()})
    assert [each.get("order", each.get("code")) for each in answer.values()] == [77, -5, 78]
    assert call.one(prepared(createdFromOrigin={"type": "order", "id": 77})) == 79


def test_a_wholesale_order_names_an_account_and_needs_no_address():
    call = Caller(facts={"store_type": "b2b"})
    order = {"products": [line()], "createOnly": True}
    assert call.one(order) == -4
    assert call.one(order | {"accountId": 41}) == 1234


@pytest.mark.parametrize("body", [b'{"a":{', b"", [prepared()], "x", 1, True, None])
def test_what_is_no_batch_is_refused_as_a_whole(body):
    call = Caller()
    answer = call.send(body)
    assert (call.status, answer["status"]) == (400, "no")
    assert call.endpoint.stored() == []


def test_a_key_is_needed_and_has_to_be_allowed_to_create():
    call = Caller()
    for headers in ((JSON,), (("api-authorization", "{{api_key}}x"), JSON), (("api-authorization", ""), JSON)):
        assert call.send({"a": prepared()}, headers=headers) == DENIED
        assert call.status == 403
    assert call.send({"a": prepared()}, headers=(READING_KEY, JSON)) == DENIED
    assert call("GET", "/orders", headers=(READING_KEY,)) == {"status": "ok", "orders": []}


def test_strict_refuses_what_the_documentation_does_not_name():
    assert Caller().one(prepared(foo=1)) == 1234
    assert Caller(strict=True).one(prepared(foo=1)) == -7
    assert Caller(strict=True).one(prepared(products=[line(qty=0)])) == -7


# Reading and finishing


def test_only_finished_orders_are_listed():
    call = Caller()
    call.send({"p": prepared(), "f": finished(products=[line(unitPrice=14.11)])})
    assert call.listed() == ["1235"]
    assert call.listed(order=1234) == []
    [order] = call("GET", "/orders", order=1235)["orders"]
    assert order["products"] == [{"lineId": "1", "sku": "MUG-BLUE-1", "ean": "7340112910426", "qty": 1, "price": 14.11}]
    assert call("POST", "/order/1234", {}) == {"status": "ok", "orders": ["1234"], "msg": "finished"}
    assert call("POST", "/order/1234", {})["status"] == "ok"
    assert call.listed() == ["1235", "1234"]
    assert call("POST", "/order/99", {})["status"] == "no"


def test_the_list_has_a_limit_and_an_offset():
    call = Caller()
    call.send({str(number): finished() for number in range(25)})
    assert len(call.listed()) == 20
    assert call.listed(limit=2, offset=1) == ["1257", "1256"]
    assert call("GET", "/orders", limit="x")["status"] == "no"


# Behaving badly


def test_an_order_of_several_lines_may_become_several():
    call = Caller(split_orders=True)
    assert call.one(finished(products=[line(), line("SOAP-OLIVE-1")])) == [1234, 1235]
    assert call.listed() == ["1235", "1234"]


@pytest.mark.parametrize(
    ("kind", "sent", "got"),
    [
        ("numbered", ["a", "b"], ["0", "1"]),
        ("small", ["A"], ["a"]),
        ("trimmed", ["a b"], ["ab"]),
        ("ascii", ["öß"], ["??"]),
        ("integers", ["007"], ["7"]),
        ("one-less", ["a", "b"], ["a"]),
        ("one-more", ["a", "b"], ["a", "b", ""]),
    ],
)
def test_names_can_come_back_as_others(kind, sent, got):
    assert list(Caller(names=kind).send({name: prepared() for name in sent})) == got


def test_digits_can_make_an_array():
    call = Caller(array_of_digits=True)
    assert call.send({"0": prepared(), "1": {}})[0] == {"status": "ok", "order": 1234}
    assert list(call.send({"a": prepared(), "1": {}})) == ["a", "1"]


@pytest.mark.parametrize(
    ("changes", "fates"),
    [
        ({}, "ok no ok no ok"),
        ({"stopped_by_bad": "all"}, "no no no no no"),
        ({"stopped_by_bad": "after"}, "ok no no no no"),
        ({"look_at_first": 2}, "ok no ok ok ok"),
        ({"lone_orders_only": True}, "ok ok ok ok ok"),
        ({"refused_left_out": True}, "ok ok ok"),
        ({"refused_word": "error"}, "ok error ok error ok"),
    ],
)
def test_a_bad_order_can_matter_to_others(changes, fates):
    batch = {"a": prepared(), "b": {}, "c": prepared(), "d": prepared(products=[]), "e": prepared()}
    answer = Caller(**changes).send(batch)
    assert [each["status"] for each in answer.values()] == fates.split()


def test_statuses_can_depend_on_fates():
    mixed, bad = {"a": prepared(), "b": {}}, {"a": {}, "b": {}}
    call = Caller(mixed_status=207, all_refused_status=422)
    assert [(call.send(body), call.status)[1] for body in ({"a": prepared()}, mixed, bad)] == [200, 207, 422]
    assert Caller(one_failure_for_all=True).send(bad)["status"] == "no"
    call = Caller(answer_media="text/html")
    call.send(mixed)
    assert call.kind.startswith("text/html")


def test_numbers_can_be_wrong():
    batch = {"a": prepared(), "b": finished(), "c": prepared()}
    assert Caller(one_id=True).send(batch) == {
        "a": {"status": "ok", "order": 1234},
        "b": {"status": "ok", "orders": [1234]},
        "c": {"status": "ok", "order": 1234},
    }
    assert list(Caller(numbers_of_refused=True).send({"a": {}})["a"]) == ["status", "orders", "code", "msg"]
    assert Caller(number_ignored=True).one(prepared(orderNumber=1001)) == 1234
    for kind, members in (("first", ["order", "order"]), ("never", ["orders", "orders"]), ("always", ["order"] * 2)):
        answer = Caller(prepared=kind).send({"a": prepared(), "b": finished()})
        assert [list(each)[1] for each in answer.values()] == members
    call = Caller(number_shown_as="number")
    call.one(finished())
    assert call.listed() == [1234]


def test_finishing_can_fail():
    call = Caller(complete_ignored=True)
    call.one(prepared())
    assert call("POST", "/order/1234", {})["status"] == "ok"
    assert call.listed() == []
    call = Caller(complete_refused=True)
    call.one(prepared())
    assert call("POST", "/order/1234", {})["status"] == "no"


def test_keys_can_be_looked_at_carelessly():
    longer = (("api-authorization", "{{api_key}}x"), JSON)
    assert Caller(key_begins=True).send({"a": prepared()}, headers=longer)["a"]["status"] == "ok"
    assert Caller(rights_unchecked=True).send({"a": prepared()}, headers=(READING_KEY, JSON))["a"]["status"] == "ok"


@pytest.mark.parametrize(
    ("changes", "body"),
    [({"root_taken": "anything"}, "x"), ({"empty_body": True}, b""), ({"not_json": True}, b"{")],
)
def test_other_roots_can_be_taken(changes, body):
    assert Caller(**changes).send(body)["0"]["status"] == "ok"


def test_edits_reach_every_name():
    edit = {"operation": "create-orders", "answer": "success"}
    left_out = edit | {"path": "*.status", "edit": "left-out", "value": "status"}
    answer = Caller(answer_edits=(left_out,)).send({"a": prepared(), "b": finished()})
    assert answer == {"a": {"order": 1234}, "b": {"orders": [1235]}}
    texts = edit | {"path": "*.orders[]", "edit": "other-type", "value": "integer"}
    answer = Caller(answer_edits=(texts,)).send({"a": prepared(), "b": finished()})
    assert answer == {"a": {"status": "ok", "order": 1234}, "b": {"status": "ok", "orders": ["other"]}}


def test_no_fault_breaks_the_endpoint():
    pack = providers.load("centra")
    orders = [prepared(), {}, "text", None, 3, [], finished(products={}), prepared(products=[None, 3, {"qty": {}}])]
    orders += [prepared(orderNumber=10**30), prepared(orderNumber="x"), prepared(address=3, createdFromOrigin=[])]
    batch = {str(index): each for index, each in enumerate(orders)}
    for fault in faults.of(pack).values():
        how = fault.apply(healthy(pack))
        call = Caller(**{name: getattr(how, name) for name in how.__dataclass_fields__})
        for body in (batch, {}, [], "x", None):
            call.send(body)
            assert call.status < 500, fault.id
        call("GET", "/orders", order=1234)


# Templates


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("@/a", 1),
        ("@/none", None),
        ("@text /a", "1"),
        ("@@/a", "@/a"),
        ({"x": "@?/none", "y": "@?/a"}, {"y": 1}),
        ({"x": {"@if": "/a", "@then": "yes"}, "y": {"@unless": "/a", "@then": "no"}}, {"x": "yes"}),
        ({"x": {"@in": ["new"], "@then": 1}, "y": {"@in": ["old"], "@then": 2}}, {"x": 1}),
        ({"x": {"@each": "/rows", "n": "@/n"}}, {"x": [{"n": 1}, {"n": 2}]}),
        ({"x": {"@each": "/words", "@then": "@"}}, {"x": ["p", "q"]}),
        ({"x": {"@each": "/none", "n": 1}}, {}),
        ([1, "@/a", {"b": True}], [1, 1, {"b": True}]),
    ],
)
def test_a_template_is_filled(template, expected):
    known = {"a": 1, "rows": [{"n": 1}, {"n": 2}], "words": ["p", "q"]}
    assert fill(template, known, "new") == expected
