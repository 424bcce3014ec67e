"""The reference endpoint of a pack whose orders are stored under ids, updated, read back and deleted."""

import base64
import copy
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest

from conformance import providers
from conformance.model import Request
from conformance.reference.app import CREDENTIALS, Endpoint
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport
from conformance.reference.store import Store
from conformance.scrub import Vault

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
JSON = ("content-type", "application/json")
BASIC = ("authorization", "Basic {{public_key:secret_key}}")
BEARER = ("authorization", "Bearer {{access_token}}")
FORM = ("content-type", "application/x-www-form-urlencoded")
PREFIX = "/data/attributes/"


def order(name="T-1", **members):
    """An order with what the schema requires."""
    made = {
        "order_id": name,
        "order_number": f"N-{name}",
        "order_details": {
            "integration": {"id": 7},
            "status": {"code": "fulfilled"},
            "order_created_at": "2026-06-14T09:30:00.000Z",
            "order_items": [line("Beeswax candle")],
        },
        "payment_details": {"total_price": {"value": 3.5, "currency": "EUR"}, "status": {"code": "paid"}},
    }
    return made | members


def line(name, quantity=1):
    return {"name": name, "quantity": quantity, "total_price": {"value": 3.5, "currency": "EUR"}}


def without(made, *path):
    """A copy of an order that lacks the member at the end of a path."""
    made = copy.deepcopy(made)
    node = made
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    return made


def detailed(name="T-1", **details):
    """An order with other details."""
    made = order(name)
    return made | {"order_details": made["order_details"] | details}


class Caller:
    """Calls one endpoint in-process; keeps the last answer's status and headers."""

    def __init__(self, *, strict=False, delay=0.0, path=":memory:", **changes):
        self.pack = providers.load("sendcloud")
        how = replace(healthy(self.pack, strict=strict), **changes)
        account = providers.reference_account(self.pack)
        self.endpoint = Endpoint(self.pack, account, how, Store(path), lambda: NOW, delay=delay)
        self.transport = AppTransport(self.endpoint.app(), self.pack.main.base_path, Vault(CREDENTIALS))
        self.status, self.headers = 0, {}

    def __call__(self, method, path, body=None, *, query="", headers=(BASIC, JSON), root=False):
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = Request(method, path, query, tuple(headers), raw, root)
        response = self.transport.send(request, "any", "e-1", NOW).response
        self.status, self.headers = response.status, dict(response.headers)
        return json.loads(response.body) if response.body else None

    def send(self, *orders, **more):
        """The answer to a batch."""
        return self("POST", "/orders", list(orders), **more)

    def ids(self, *orders):
        """The ids of an accepted batch."""
        answer = self.send(*orders)
        assert self.status == 201, answer
        return [each["id"] for each in answer["data"]]

    def refused(self, *orders):
        """The pointers of a refused batch."""
        errors = self.send(*orders)["errors"]
        assert self.status == 400
        assert {each["status"] for each in errors} == {"400"}
        return [each.get("source", {}).get("pointer") for each in errors]

    def one(self, number):
        return self("GET", f"/orders/{number}")

    def list(self, **query):
        """The order ids of a list."""
        answer = self("GET", "/orders", query=urlencode(query))
        return [each["order_id"] for each in answer["data"]] if self.status == 200 else answer["errors"][0]


# Taking orders


def test_an_answer_has_an_entry_an_order_in_the_order_of_the_request():
    call = Caller()
    answer = call.send(order("b"), order("a"))
    assert call.status == 201
    assert call.headers["content-type"] == "application/json"
    assert [list(each) for each in answer["data"]] == [["id", "order_id", "order_number"]] * 2
    assert [each["order_id"] for each in answer["data"]] == ["b", "a"]
    assert [each["order_number"] for each in answer["data"]] == ["N-b", "N-a"]
    assert all(type(each["id"]) is int for each in answer["data"])
    assert call.send() == {"data": []}
    assert call.endpoint.requests == 2


def test_the_same_key_updates_the_order_and_keeps_its_id():
    call = Caller()
    [first] = call.ids(order(order_number="1"))
    assert call.ids(order(order_number="2")) == [first]
    assert [each["order_number"] for each in call.endpoint.stored()] == ["2"]
    assert call.one(first)["data"]["order_number"] == "2"


def test_an_update_replaces_the_whole_order():
    call = Caller()
    [first] = call.ids(detailed(notes="n", order_items=[line("a"), line("b")]))
    assert call.ids(detailed(order_items=[line("c")])) == [first]
    shown = call.one(first)["data"]["order_details"]
    assert [each["name"] for each in shown["order_items"]] == ["c"]
    assert "notes" not in shown


def test_another_integration_makes_another_order():
    call = Caller()
    assert len(set(call.ids(order(), detailed(integration={"id": 8})))) == 2
    assert call.list(order_id="T-1", integration=8) == ["T-1"]
    assert call.list(order_id="t-1", integration="7,8") == ["T-1", "T-1"]


def test_the_same_key_twice_in_a_batch_is_applied_in_order():
    call = Caller()
    first, second = call.ids(order(order_number="1"), order(order_number="2"))
    assert first == second
    assert call.one(first)["data"]["order_number"] == "2"


def test_an_id_addresses_the_stored_order():
    call = Caller()
    [first] = call.ids(order())
    assert call.ids(order(id=str(first), order_number="2")) == [first]
    assert call.one(first)["data"]["order_number"] == "2"


def test_an_order_id_cannot_change():
    call = Caller()
    [first] = call.ids(order())
    assert call.refused(order("other", id=str(first))) == [f"{PREFIX}[0]/order_id"]
    assert [each["order_id"] for each in call.endpoint.stored()] == ["T-1"]


@pytest.mark.parametrize("unknown", ["999", "abc", ""])
def test_an_id_that_does_not_exist_is_a_matter_of_strictness(unknown):
    """The documentation is silent."""
    assert Caller().ids(order(id=unknown))
    assert Caller(strict=True).refused(order(id=unknown)) == [f"{PREFIX}[0]/id"]


def test_one_bad_order_takes_its_batch_with_it():
    call = Caller()
    [first] = call.ids(order("old", order_number="1"))
    bad = without(order("bad"), "order_number")
    assert call.refused(order("new"), bad, order("old", order_number="2")) == [f"{PREFIX}[1]/order_number"]
    assert call.list() == ["old"]
    assert call.one(first)["data"]["order_number"] == "1"
    assert len(call.ids(order("new"), order("bad"), order("old"))) == 3


# The documented refusals


def test_missing_members_are_named_in_the_pointer():
    call = Caller()
    assert call.refused(without(order(), "order_id")) == [f"{PREFIX}[0]/order_id"]
    second = without(order("b"), "order_details", "integration")
    assert call.refused(order("a"), second) == [f"{PREFIX}[1]/order_details/integration"]


def test_positions_below_the_order_are_plain_numbers():
    negative = detailed(order_items=[line("a", -1)])
    assert Caller().refused(negative) == [f"{PREFIX}[0]/order_details/order_items/0/quantity"]


def test_all_mistakes_are_reported_together():
    call = Caller()
    found = call.refused(
        order("a", shipping_details={"is_local_pickup": False, "delivery_indicator": "x", "ship_with": {}}),
        order("b"),
        detailed("c", integration={"id": 99999999}),
        without(order("d"), "order_number"),
    )
    place = f"{PREFIX}[0]/shipping_details/ship_with"
    expected = {f"{place}/properties", f"{place}/type"}
    expected |= {f"{PREFIX}[2]/order_details/integration/id", f"{PREFIX}[3]/order_number"}
    assert expected <= set(found)
    assert len(found) == len(set(found))


def test_an_unknown_integration_is_refused():
    assert Caller().refused(detailed(integration={"id": 99999999})) == [f"{PREFIX}[0]/order_details/integration/id"]


def test_an_id_is_a_text():
    assert Caller().refused(order(id=669)) == [f"{PREFIX}[0]/id"]


def test_a_batch_has_at_most_a_hundred_orders():
    call = Caller()
    assert call.refused(*(order(f"T-{number}") for number in range(101))) == [PREFIX]
    assert call.list() == []
    assert len(call.ids(*(order(f"T-{number}") for number in range(100)))) == 100


@pytest.mark.parametrize("root", [{}, order(), {"orders": [order()]}, "x", None, 7])
def test_another_root_has_a_code_of_its_own_and_no_place(root):
    call = Caller()
    [error] = call("POST", "/orders", root if root is not None else b"null")["errors"]
    assert call.status == 400
    assert set(error) == {"status", "code", "detail"}
    assert error["code"] == "non_field_errors"


@pytest.mark.parametrize("element", [1, "x", None, []])
def test_an_element_that_is_no_object_is_named_by_its_index(element):
    assert Caller().refused(element) == [f"{PREFIX}[0]"]


@pytest.mark.parametrize("raw", [b"", b'[{"order_id": "1"', b"\xff"])
def test_what_is_not_json_is_refused(raw):
    call = Caller()
    assert call("POST", "/orders", raw)["errors"]
    assert call.status == 400


def test_a_batch_that_touches_an_order_in_storage_is_dropped():
    call = Caller(delay=0.2, busy_while_storing=True)
    call.ids(order())
    assert call.refused(order("other"), order(order_number="2")) == ["/data"]
    assert len(call.endpoint.stored()) == 1
    time.sleep(0.25)
    assert len(call.ids(order("other"), order(order_number="2"))) == 2


# Credentials


def basic(user, password):
    return ("authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


@pytest.mark.parametrize("given", [BASIC, BEARER])
def test_both_logins_are_taken(given):
    call = Caller()
    call.send(order(), headers=(given, JSON))
    assert call.status == 201


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (basic(CREDENTIALS["public_key"], "wrong"),),
        (basic("", ""),),
        (("authorization", "Basic ???"),),
        (("authorization", "Bearer not-a-token"),),
        (("authorization", "Bearer"),),
    ],
)
def test_no_call_is_served_without_credentials(headers):
    call = Caller()
    [number] = call.endpoint.preload([order()])
    calls = [("POST", "/orders"), ("GET", "/orders"), ("GET", f"/orders/{number}"), ("DELETE", f"/orders/{number}")]
    for method, path in calls:
        [error] = call(method, path, [], headers=(*headers, JSON))["errors"]
        assert call.status == 401
        assert (error["status"], error["code"]) == ("401", "authentication_failed")
        assert "source" not in error
    assert len(call.endpoint.stored()) == 1


def test_tokens_are_for_clients_who_name_themselves_in_the_header():
    call = Caller()
    client = ("authorization", "Basic {{client_id:client_secret}}")
    body = b"grant_type=client_credentials&scope=api"
    answer = call("POST", "/oauth2/token", body, headers=(client, FORM), root=True)
    assert call.status == 200
    assert (answer["expires_in"], answer["scope"]) == (3600, "api")
    assert answer["token_type"].lower() == "bearer"
    call("POST", "/oauth2/token", body, headers=(basic("reference-client", "wrong"), FORM), root=True)
    assert call.status == 401
    call("POST", "/oauth2/token", body, headers=(FORM,), root=True)
    assert call.status == 401


def test_a_lenient_endpoint_takes_the_client_from_the_form():
    body = b"grant_type=client_credentials&client_id={{client_id}}&client_secret={{client_secret}}"
    for strict, status in ((False, 200), (True, 401)):
        call = Caller(strict=strict)
        call("POST", "/oauth2/token", body, headers=(FORM,), root=True)
        assert call.status == status


def test_a_partner_is_checked_when_one_is_named():
    call = Caller()
    known = str(call.endpoint.account.get("partner_uuid"))
    call.send(order(), headers=(BASIC, JSON, ("sendcloud-partner-id", known)))
    assert call.status == 201
    for unknown in ("not-a-uuid", "00000000-0000-4000-8000-000000000000"):
        answer = call.send(order(), headers=(BASIC, JSON, ("sendcloud-partner-id", unknown)))
        assert call.status == 400
        assert answer["errors"][0]["source"] == {"header": "sendcloud-partner-id"}


# Reading back


def test_a_stored_order_is_shown_as_it_was_sent():
    call = Caller()
    sent = order()
    [number] = call.ids(sent)
    shown = call.one(number)["data"]
    assert call.status == 200
    assert shown == sent | {"id": str(number), "created_at": NOW.isoformat(), "modified_at": NOW.isoformat()}
    assert call("GET", "/orders")["data"] == [shown]
    assert call.endpoint.reads == 2


def test_an_order_can_be_read_after_the_delay():
    call = Caller(delay=0.2)
    [number] = call.ids(order(order_number="1"))
    call.one(number)
    assert (call.status, call.list()) == (404, [])
    time.sleep(0.25)
    assert call.list() == ["T-1"]
    assert call.ids(order(order_number="2")) == [number]
    assert call.one(number)["data"]["order_number"] == "1"
    time.sleep(0.25)
    assert call.one(number)["data"]["order_number"] == "2"


def test_orders_that_were_there_before_can_be_read_at_once():
    call = Caller(delay=60)
    [number] = call.endpoint.preload([order("old")])
    assert call.list() == ["old"]
    assert call.ids(order("old")) == [number]
    assert call.endpoint.requests == 1


def test_a_file_keeps_orders_with_their_ids(tmp_path):
    path = str(tmp_path / "orders.db")
    [number] = Caller(path=path, delay=60).ids(order())
    again = Caller(path=path)
    assert again.one(number)["data"]["order_id"] == "T-1"
    assert again.ids(order()) == [number]


def test_filters_choose_orders():
    call = Caller()
    call.ids(order("a"), order("b", order_number="X-1"), detailed("c", status={"code": "Unfulfilled"}))
    assert call.list() == ["c", "b", "a"]
    assert call.list(sort="pk") == ["a", "b", "c"]
    assert call.list(order_id="A") == ["a"]
    assert call.list(order_number="x-1") == ["b"]
    assert call.list(status="unfulfilled") == ["c"]
    assert call.list(order_id="a", status="unfulfilled") == []
    assert call.list(integration=8) == []


def test_filters_look_at_what_can_be_read():
    call = Caller()
    call.ids(order(order_number="1"))
    call.ids(order(order_number="2"))
    assert (call.list(order_number="1"), call.list(order_number="2")) == ([], ["T-1"])


@pytest.mark.parametrize("integration", ["99", "7,99", "x"])
def test_an_integration_of_somebody_else_is_no_filter(integration):
    call = Caller()
    error = call.list(integration=integration)
    assert call.status == 400
    assert (error["code"], error["source"]) == ("invalid_choice", {"parameter": "integration"})


def test_pages_are_linked():
    call = Caller()
    names = [f"T-{number}" for number in range(5)]
    call.ids(*map(order, names))
    for sort, expected in (("-pk", names[::-1]), ("pk", names)):
        found, query = [], f"page_size=2&sort={sort}&integration=7"
        while query:
            found += [each["order_id"] for each in call("GET", "/orders", query=query)["data"]]
            link = call.headers.get("link", "")
            query = ""
            if link:
                url = urlsplit(re.fullmatch(r'<(.+)>; rel="next"', link)[1])
                assert (url.scheme, url.netloc, url.path) == ("http", "127.0.0.1", "/api/v3/orders")
                query = url.query
        assert found == expected
        assert call.status == 200


def test_a_page_holds_a_hundred_orders_unless_asked_otherwise():
    call = Caller()
    call.endpoint.preload([order(f"T-{number}") for number in range(201)])
    assert len(call.list()) == 100
    assert len(call.list(page_size=200)) == 200
    for size in ("0", "201", "x", "-1"):
        assert call.list(page_size=size)["source"] == {"parameter": "page_size"}
        assert call.status == 400
    assert call.list(cursor="nonsense")["code"] == "not_found"
    assert call.status == 404


def test_a_deleted_order_is_gone_and_its_key_free():
    call = Caller()
    first, second = call.ids(order("a"), order("b"))
    assert (call("DELETE", f"/orders/{first}"), call.status) == (None, 204)
    assert call.one(first)["errors"][0]["code"] == "not_found"
    assert call.status == 404
    assert call("DELETE", f"/orders/{first}")["errors"][0]["code"] == "not_found"
    assert call.list() == ["b"]
    assert [each["order_id"] for each in call.endpoint.stored()] == ["b"]
    assert call.ids(order("a"))[0] not in (first, second)
    assert call.endpoint.deletes == 2


@pytest.mark.parametrize("number", ["0", "999", "abc", "-1", "1.5", "9" * 40, "١"])
def test_an_id_that_is_none_is_not_found(number):
    call = Caller()
    for method in ("GET", "DELETE"):
        [error] = call(method, f"/orders/{number}")["errors"]
        assert (call.status, error["code"], error["status"]) == (404, "not_found", "404")


def test_texts_that_utf_8_cannot_write_are_read_back_all_the_same():
    call = Caller()
    [number] = call.ids(order("\ud800"))
    assert call.one(number)["data"]["order_id"] == "\ud800"


@pytest.mark.parametrize("body", [[{"order_id": "\ud800"}], [{"\ud800": "a"}]])
def test_texts_that_utf_8_cannot_write_are_refused_like_others(body):
    """They break the schema, and are named with what stands for them."""
    call = Caller()
    assert call("POST", "/orders", body)["errors"]
    assert call.status == 400


# Faults, by what an endpoint with them does


def bad(name="bad"):
    return without(order(name), "order_number")


def pointers(*orders, **behaviour):
    return Caller(**behaviour).refused(*orders)


@pytest.mark.parametrize(
    ("behaviour", "headers", "status"),
    [
        ({"token_optional": True}, (), 201),
        ({"token_unchecked": True}, (("authorization", "Bearer x"),), 201),
        ({"token_unchecked": True}, (basic("x", "y"),), 401),
        ({"secret_unchecked": True}, (basic(CREDENTIALS["public_key"], "x"),), 201),
        ({"secret_unchecked": True}, (basic("x", CREDENTIALS["secret_key"]),), 401),
        ({"scheme_refused": "basic"}, (BASIC,), 401),
        ({"scheme_refused": "basic"}, (BEARER,), 201),
        ({"scheme_refused": "bearer"}, (BEARER,), 401),
        ({"header_demanded": "x-partner"}, (BASIC,), 400),
        ({"header_demanded": "x-partner"}, (BASIC, ("x-partner", "1")), 201),
        ({"headers_unchecked": True}, (BASIC, ("sendcloud-partner-id", "x")), 201),
        ({"media_type": "text/plain"}, (BASIC,), 415),
    ],
)
def test_faults_of_access(behaviour, headers, status):
    call = Caller(**behaviour)
    call.send(order(), headers=(*headers, JSON))
    assert call.status == status


@pytest.mark.parametrize(
    ("kind", "body", "count"),
    [("empty", {}, 0), ("order", order(), 1), ("wrapped", {"orders": [order()]}, 1), ("text", "x", 0)],
)
def test_faults_of_the_root(kind, body, count):
    call = Caller(root_taken=kind)
    assert len(call("POST", "/orders", body)["data"]) == count
    assert call.status == 201
    others = [each for each in ({}, order(), {"orders": [order()]}, "x") if each != body]
    for other in others:
        call("POST", "/orders", other)
        assert call.status == 400


def test_faults_of_the_batch():
    assert len(Caller(skip_non_objects=True).ids(1, order(), None)) == 1
    place = "/order_details/integration/id"
    both = (order(), detailed(integration={"id": 8}))
    assert pointers(*both, alike_in_batch=place) == [f"{PREFIX}[1]{place}"]
    assert pointers(*both, known_from={"integration_ids": 1}) == [f"{PREFIX}[0]{place}"]
    assert len(Caller(look_at_first=1).ids(order(), bad())) == 2
    assert len(Caller(skip_last=True).ids(order(), bad())) == 2
    assert Caller(not_json=True)("POST", "/orders", b"[{") == {"data": []}


def test_faults_of_identity():
    assert len(set(Caller(on_known_key="add").ids(order(), order()))) == 2
    call = Caller(on_known_key="refuse")
    call.ids(order())
    assert call.refused(order()) == [f"{PREFIX}[0]/order_id"]
    call = Caller(on_known_key="ignore")
    assert len(set(call.ids(order(order_number="1"), order(order_number="2")))) == 1
    assert call.endpoint.stored()[0]["order_number"] == "1"
    assert len(set(Caller(key_length=1).ids(order(), detailed(integration={"id": 8})))) == 1
    call = Caller(on_id="refuse")
    [first] = call.ids(order())
    assert call.refused(order(id=str(first))) == [f"{PREFIX}[0]/id"]
    call = Caller(on_id="add")
    [first] = call.ids(order())
    assert call.ids(order(id=str(first))) != [first]


@pytest.mark.parametrize(("rename", "status"), [("taken", 201), ("refused-but-done", 400)])
def test_faults_of_renaming(rename, status):
    call = Caller(rename=rename)
    [first] = call.ids(order())
    call.send(order("other", id=str(first)))
    assert call.status == status
    assert [each["order_id"] for each in call.endpoint.stored()] == ["other"]
    assert call.ids(order("other")) == [first]


@pytest.mark.parametrize(("how", "first", "second"), [("merge", "cb", "def"), ("append", "abc", "abcdef")])
def test_faults_of_updated_lines(how, first, second):
    call = Caller(lines_on_update=how)
    names = []
    for lines in ("ab", "c", "def"):
        [number] = call.ids(detailed(order_items=[line(name) for name in lines]))
        items = call.one(number)["data"]["order_details"]["order_items"]
        names.append("".join(each["name"] for each in items))
    assert names == ["ab", first, second]


@pytest.mark.parametrize(
    ("how", "numbers"),
    [
        ("first-only", ["N-a"]),
        ("crossed", ["N-b", "N-a"]),
        ("one-more", ["N-a", "N-b", "N-b"]),
        ("first-echo", ["N-a", "N-a"]),
    ],
)
def test_faults_of_outcomes(how, numbers):
    answer = Caller(outcomes=how).send(order("a"), order("b"))
    assert [each["order_number"] for each in answer["data"]] == numbers


def test_faults_of_ids_and_statuses():
    assert len(set(Caller(one_id=True).ids(order("a"), order("b")))) == 1
    call = Caller(new_ids=True)
    assert call.ids(order()) != call.ids(order())
    assert len(call.endpoint.stored()) == 1
    call = Caller(update_status=202)
    assert [(call.send(order()), call.status)[1] for _ in range(2)] == [201, 202]
    for status in (200, 422):
        call = Caller(refusal_status=status)
        assert call.send(bad())["errors"][0]["status"] == "400"
        assert call.status == status


@pytest.mark.parametrize(("form", "media"), [("text", "text/plain"), ("html", "text/html")])
def test_faults_of_the_form_of_refusals(form, media):
    call = Caller(refusal_form=form)
    with pytest.raises(json.JSONDecodeError):
        call.send(bad())
    assert (call.status, call.headers["content-type"].partition(";")[0]) == (400, media)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({}, ["[1]/order_details/order_items/0/quantity", "[2]/order_number"]),
        ({"first_mistake_only": True}, ["[1]/order_details/order_items/0/quantity"]),
        ({"index_by": "one-based"}, ["[2]/order_details/order_items/0/quantity", "[3]/order_number"]),
        ({"index_by": "zero"}, ["[0]/order_details/order_items/0/quantity", "[0]/order_number"]),
        ({"index_by": "from-end"}, ["[2]/order_details/order_items/0/quantity", "[1]/order_number"]),
        ({"index_by": "middle-as-last"}, ["[3]/order_details/order_items/0/quantity", "[3]/order_number"]),
        ({"pointer_form": "order-only"}, ["[1]", "[2]"]),
        ({"pointer_form": "brackets"}, ["[1]/order_details/order_items/[0]/quantity", "[2]/order_number"]),
    ],
)
def test_faults_of_pointers(behaviour, expected):
    batch = (order("a"), detailed("b", order_items=[line("x", 0)]), bad("c"), order("d"))
    assert pointers(*batch, **behaviour) == [PREFIX + each for each in expected]
    bare = pointers(*batch, **behaviour, **({} if "pointer_form" in behaviour else {"pointer_form": "bare"}))
    assert "pointer_form" in behaviour or bare == [f"/{each}" for each in expected]


@pytest.mark.parametrize(
    ("kept", "names"),
    [("", ["old"]), ("good", ["old", "a", "c"]), ("before", ["old", "a"]), ("updates", ["old"]), ("lone", ["old"])],
)
def test_faults_of_atomicity(kept, names):
    call = Caller(kept_when_refused=kept)
    call.ids(order("old", order_number="1"))
    call.refused(order("a"), bad(), order("c"), order("old", order_number="2"))
    stored = call.endpoint.stored()
    assert [each["order_id"] for each in stored] == names
    assert stored[0]["order_number"] == ("2" if kept in ("good", "updates") else "1")
    call.refused(bad("lone"))
    assert (call.endpoint.stored()[-1]["order_id"] == "lone") is (kept == "lone")


def test_a_batch_that_is_remembered_stays_refused():
    call = Caller(remembers_refused=True)
    call.refused(order("a"), bad("b"))
    assert call.refused(order("a"), order("b")) == [None]
    assert len(call.ids(order("a"))) == 1


def test_faults_of_storage():
    call = Caller(never_stored=True)
    [number] = call.ids(order())
    call.one(number)
    assert (call.status, call.list()) == (404, [])
    call = Caller(loses_every=10)
    call.ids(*(order(f"T-{number}") for number in range(30)))
    assert len(call.list()) == 27
    place = "/order_details/order_items/*/quantity"
    call = Caller(stored_edits=({"at": place, "value": 9}, {"at": "/order_number", "value": "x"}))
    [number] = call.ids(detailed(order_items=[line("a"), line("b")]))
    shown = call.one(number)["data"]
    assert [each["quantity"] for each in shown["order_details"]["order_items"]] == [9, 9]
    assert shown["order_number"] == "x"


def test_faults_of_reading():
    call = Caller(unreadable_by_id=True)
    [number] = call.ids(order())
    call.one(number)
    assert (call.status, call.list()) == (404, ["T-1"])
    both = [order("a"), order("b")]
    for behaviour, expected in (
        ({"filters_ignored": True}, ["b", "a"]),
        ({"list_empty": True}, []),
        ({"page_size_ignored": True}, ["b"]),
    ):
        call = Caller(**behaviour)
        call.endpoint.preload(both)
        assert call.list(order_id="b") == expected
        assert len(call.list(page_size=1)) == {"list_empty": 0, "page_size_ignored": 2}.get(*behaviour, 1)
    call = Caller(no_paging=True)
    call.endpoint.preload(both)
    assert call.list(page_size=1) == ["b"]
    assert "link" not in call.headers


def test_faults_of_deletion():
    for behaviour, status, after in (
        ({"delete_status": 200}, 200, 404),
        ({"delete_ignored": True}, 204, 200),
        ({"deleted_readable": True}, 204, 200),
    ):
        call = Caller(**behaviour)
        [number] = call.ids(order())
        call("DELETE", f"/orders/{number}")
        assert call.status == status
        call.one(number)
        assert call.status == after
    assert Caller(other_codes={"not_found": "invalid"}).one(1)["errors"][0]["code"] == "invalid"


@pytest.mark.parametrize(
    ("path", "edit", "value", "expected"),
    [
        ("$", "other-type", "object", "other"),
        ("errors", "left-out", "errors", {}),
        ("errors", "empty", "array", {"errors": []}),
        ("errors[]", "other-type", "object", {"errors": ["other"]}),
        ("errors[].code", "other-value", ["invalid"], "no-such-value"),
        ("errors[].detail", "empty", 1, ""),
        ("errors[].meta", "other-type", "object", "other"),
    ],
)
def test_answers_are_edited(path, edit, value, expected):
    change = {"operation": "create-orders", "answer": "refusal", "path": path, "edit": edit, "value": value}
    call = Caller(answer_edits=(change,))
    answer = call.send(bad())
    assert (answer["errors"][0][path.rpartition(".")[2]] if "." in path else answer) == expected
    call.send(order())
    assert call.status == 201


def test_optional_members_of_answers_are_added_to_be_wrong():
    change = {"operation": "create-orders", "answer": "refusal", "edit": "other-type", "value": "string"}
    for path in ("errors[].links.about", "errors[].source.parameter"):
        *_, parent, name = re.split(r"\W+", path)
        answer = Caller(answer_edits=(change | {"path": path},)).send(bad())
        assert answer["errors"][0][parent][name] == 7
