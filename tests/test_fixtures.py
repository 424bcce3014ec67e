"""The fixtures for tests of clients, as users write them."""

import json
import re
import socket
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from conformance import catalogue, drafts, plan, providers, suite, values
from conformance.batches import PLAIN, Composer
from conformance.errors import UserError
from conformance.reference import faults
from conformance.testing import endpoint

PROVIDERS = ["atlast", "centra", "ezcards", "sendcloud"]
# What users' tests begin with: a client that posts JSON, and a batch that the documentation accepts.
HEAD = """
import json
import urllib.error
import urllib.request

import pytest

def post(api, body, path="/orders", **headers):
    given = {"content-type": "application/json"} | api.headers | headers
    request = urllib.request.Request(api.url + path, json.dumps(body).encode(), given)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code

def order(number="T-1"):
    money = {"value": 3.5, "currency": "EUR"}
    return {
        "order_id": number,
        "order_number": number,
        "order_details": {
            "integration": {"id": 7},
            "status": {"code": "fulfilled"},
            "order_created_at": "2026-01-14T09:30:00.000Z",
            "order_items": [{"name": "Beeswax candle", "quantity": 1, "total_price": money}],
        },
        "payment_details": {"total_price": money, "status": {"code": "paid"}},
    }
"""


@pytest.fixture
def user_run(suite_run, pytester):
    """Run a user's test module."""

    def run(text, *args, plugins=(), **files):
        pytester.makepyfile(test_client=HEAD + text, **files)
        return suite_run(*args, plugins=plugins)

    return run


def raw_answer(api, body, path="/orders", *, method="POST", headers=None, timeout=10):
    """One request over a connection of its own, by no library; gives the bytes of the answer."""
    raw = body.encode()
    lines = (
        {"host": "test", "content-type": "application/json", "content-length": len(raw)} | api.headers | (headers or {})
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    host, _, port = api.origin.removeprefix("http://").rpartition(":")
    base = api.url.removeprefix(api.origin)
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(f"{method} {base}{path} HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode() + raw)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def send(*args, **kwargs):
    """The same, gives the status."""
    return int(raw_answer(*args, **kwargs).split()[1])


def read(api):
    """What a listing of orders shows."""
    return json.loads(raw_answer(api, "", method="GET").partition(b"\r\n\r\n")[2])["data"]


def wait_for(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@cache
def plain(provider, tag="a"):
    """A batch of one plain valid order."""
    pack = providers.load(provider)
    composer = Composer(suite.build(pack, providers.reference_account(pack)), 1, tag)
    return composer.orders([plan.Atom("control", PLAIN)], tag, datetime.now(UTC)).request.body.decode()


def examples(provider):
    return providers.load(provider).folders.fixtures / "examples"


def expectations(provider):
    return tomllib.loads((examples(provider) / "expectations.toml").read_text(encoding="utf-8"))["example"]


def filled(provider, row):
    """An example with its markers filled in for this very moment."""
    body, now = json.loads((examples(provider) / row["file"]).read_text(encoding="utf-8")), datetime.now(UTC)
    draft = drafts.draft("example", now=now, token="k7m2qd")
    return values.fill(body, values.Scope(draft, now, providers.reference_account(providers.load(provider)), "example"))


# What a user writes


def test_three_lines(user_run):
    """The fixture is there without an import, and gives what a client needs."""
    done = user_run(
        """
def test_client(sendcloud_endpoint):
    assert post(sendcloud_endpoint, [order()]) == 201
    assert not sendcloud_endpoint.violations
    assert [each["order_id"] for each in sendcloud_endpoint.orders] == ["T-1"]
    assert sendcloud_endpoint.requests[0].json[0]["order_number"] == "T-1"
"""
    )
    done.assert_outcomes(passed=1)


def test_a_failing_test_shows_every_violation(user_run):
    """Also those that pytest's own line has no room for, and also where something else failed."""
    done = user_run(
        """
def test_client(sendcloud_endpoint):
    wrong = [order(f"T-{each}") for each in range(9)]
    for each in wrong:
        each["order_number"] = ""
    post(sendcloud_endpoint, wrong)
    assert not sendcloud_endpoint.violations

def test_another(sendcloud_endpoint):
    assert post(sendcloud_endpoint, {"orders": []}) == 201

def test_without():
    assert False
"""
    )
    done.assert_outcomes(failed=3)
    text = done.stdout.str()
    line = r'^SC-051 \(must\) /(\d)/order_number: expected .+ 1 character.*, got .*"" \(request 1, order \1\)$'
    assert re.findall(line, text, re.MULTILINE) == list("012345678")
    assert "assert not <9 violations: SC-051 (must) /0/order_number: expected " in text
    assert text.count("- sendcloud: what the client did wrong -") == 2
    assert re.search(r"^SC-020 \(must\): expected an array, got an object", text, re.MULTILINE), text


def test_one_fixture_a_provider(user_run):
    done = user_run(
        """
def test_all(atlast_endpoint, centra_endpoint, ezcards_endpoint, sendcloud_endpoint):
    every = [atlast_endpoint, centra_endpoint, ezcards_endpoint, sendcloud_endpoint]
    assert [each.provider for each in every] == ["atlast", "centra", "ezcards", "sendcloud"]
    assert len({each.url for each in every}) == 4
    assert post(sendcloud_endpoint, []) == 201
    assert [len(each.requests) for each in every] == [0, 0, 0, 1]

def test_fresh(sendcloud_endpoint):
    assert sendcloud_endpoint.requests == []
"""
    )
    done.assert_outcomes(passed=2)


def test_endpoints_as_one_wants_them(user_run):
    """``bulk_endpoint`` makes any number of them, strict, faulty, or with facts of one's own."""
    done = user_run(
        """
def test_settings(bulk_endpoint):
    plain, strict = bulk_endpoint("sendcloud"), bulk_endpoint("sendcloud", strict=True)
    odd = [order() | {"x_unknown": 1}]
    assert (post(plain, odd), post(strict, odd)) == (201, 400)
    assert not plain.violations
    own = bulk_endpoint("sendcloud", account={"integration_ids": [99]})
    assert post(own, [order()]) == 400
    assert own.violations.requirements == ["SC-042"]
    faulty = bulk_endpoint("sendcloud", fault="SC-051")
    assert post(faulty, [order() | {"order_number": ""}]) == 201
    assert faulty.violations.requirements == ["SC-051"]
    quiet = bulk_endpoint("sendcloud", ignore=["SC-051"])
    assert post(quiet, [order() | {"order_number": ""}]) == 400
    assert not quiet.violations

def test_a_misspelt_name(bulk_endpoint):
    with pytest.raises(Exception, match="did you mean 'sendcloud'"):
        bulk_endpoint("sendclud")
"""
    )
    done.assert_outcomes(passed=2)


def test_a_pack_of_somebody_elses(user_run, monkeypatch):
    """Any installed provider, though its pack says nothing of clients."""
    monkeypatch.setenv("CONFORMANCE_PACKS", str(Path(__file__).parent / "third_party" / "birch_orders"))
    done = user_run(
        """
def test_birch(bulk_endpoint):
    api = bulk_endpoint("birch")
    api.fail_next("reset")
    with pytest.raises(OSError):
        post(api, {"orders": []})
    assert post(api, {}, authorization="wrong") == 401
    assert api.violations.requirements[:2] == ["BI-003", "BI-002"], api.violations
"""
    )
    done.assert_outcomes(passed=1)


def test_one_for_the_session(user_run):
    done = user_run(
        """
@pytest.fixture(scope="session")
def shop(bulk_endpoints):
    return bulk_endpoints("sendcloud")

@pytest.mark.parametrize("number", [1, 2])
def test_shared(shop, number):
    post(shop, [order(f"T-{number}")])
    assert len(shop.orders) == number
"""
    )
    done.assert_outcomes(passed=2)


def test_under_xdist(user_run):
    """Every worker has endpoints of its own."""
    done = user_run(
        """
@pytest.mark.parametrize("number", range(6))
def test_each(sendcloud_endpoint, number):
    post(sendcloud_endpoint, [order(f"T-{number}")])
    assert [each["order_id"] for each in sendcloud_endpoint.orders] == [f"T-{number}"]
""",
        "-n2",
        plugins=("xdist", "xdist.looponfail"),
    )
    done.assert_outcomes(passed=6)


def test_an_asynchronous_client(user_run):
    """The endpoint has a thread of its own, so a client's event loop runs on."""
    done = user_run(
        """
import asyncio
import httpx

def test_async(sendcloud_endpoint):
    async def client():
        async with httpx.AsyncClient(base_url=sendcloud_endpoint.url, headers=sendcloud_endpoint.headers) as http:
            return await asyncio.gather(*(http.post("/orders", json=[order(f"T-{each}")]) for each in range(20)))

    assert {each.status_code for each in asyncio.run(client())} == {201}
    assert len(sendcloud_endpoint.orders) == 20
    assert not sendcloud_endpoint.violations
"""
    )
    done.assert_outcomes(passed=1)


def test_a_fixture_of_the_users_own_wins(user_run):
    done = user_run(
        """
def test_own(sendcloud_endpoint):
    assert sendcloud_endpoint == "mine"
""",
        conftest="import pytest\n\n@pytest.fixture\ndef sendcloud_endpoint():\n    return 'mine'\n",
    )
    done.assert_outcomes(passed=1)


def test_a_plain_pytest_loads_nothing_for_them():
    """The fixtures are declared by a module that brings nothing but pytest."""
    code = "import sys, conformance.plugins.fixtures; print([n for n in sys.modules if n.startswith('conformance.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['conformance.plugins', 'conformance.plugins.fixtures']"


# Trouble on request


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_status_that_was_asked_for(provider, status):
    """It comes as often as it was asked for, in the form of the provider; nothing is stored meanwhile."""
    with endpoint(provider) as api:
        path = providers.load(provider).main.path
        api.fail_next(status, times=2)
        assert [send(api, "{}", path) for _ in range(2)] == [status, status]
        assert api.failures_left == 0
        assert send(api, "{", path) == 400
        assert [each.failure for each in api.requests] == [str(status), str(status), ""]
        assert api.orders == []


@pytest.mark.parametrize(("name", "stored"), [("reset", 1), ("reset-before", 0), ("timeout", 1), ("timeout-before", 0)])
def test_an_answer_that_never_comes(name, stored):
    """What was asked for is done, or is not; the client cannot know which."""
    with endpoint("centra") as api:
        api.fail_next(name)
        with pytest.raises(ConnectionResetError if name.startswith("reset") else TimeoutError):
            send(api, plain("centra"), timeout=0.3)
        assert len(api.orders) == stored
        assert [(each.status, each.failure) for each in api.requests] == [(0, name)]
        assert send(api, plain("centra")) == 200


def test_throttling():
    """The answer says how long to wait; whoever comes sooner is advised of it."""
    with endpoint("sendcloud") as api:
        api.fail_next("throttle", retry_after=30)
        assert raw_answer(api, plain("sendcloud")).startswith(b"HTTP/1.1 429")
        assert api.requests[0].failure == "throttle"
        assert not api.advice
        send(api, plain("sendcloud"))
        assert api.advice.requirements == ["SC-290"]
        assert not api.violations


def test_retry_after_is_sent():
    with endpoint("sendcloud") as api:
        api.fail_next("throttle", retry_after=30)
        assert b"\r\nretry-after: 30\r\n" in raw_answer(api, plain("sendcloud"))
        api.fail_next(503, retry_after=2)
        assert b"\r\nretry-after: 2\r\n" in raw_answer(api, plain("sendcloud"))
        api.fail_next(503)
        assert b"retry-after" not in raw_answer(api, plain("sendcloud"))


def test_the_documented_refusal_for_the_moment():
    """Sendcloud names a place for it."""
    with endpoint("sendcloud") as api:
        api.fail_next("busy")
        assert b'"source":{"pointer":"/data"}' in raw_answer(api, plain("sendcloud"))
        assert api.orders == []


def test_a_fault_for_one_request():
    """The endpoint takes what it ought to refuse, once, and keeps it with its other orders."""
    with endpoint("sendcloud") as api:
        wrong = json.dumps([json.loads(plain("sendcloud", "b"))[0] | {"order_number": ""}])
        api.fail_next("SC-051")
        assert [send(api, wrong), send(api, wrong), send(api, plain("sendcloud"))] == [201, 400, 201]
        assert len(api.orders) == 2
        api.fault = "SC-051"
        assert [send(api, wrong), send(api, wrong)] == [201, 201]
        api.fault = ""
        assert send(api, wrong) == 400


def test_failures_of_other_operations():
    """``on`` names another operation, or any."""
    with endpoint("sendcloud") as api:
        api.fail_next(500, on="list-orders")
        assert [send(api, "[]"), send(api, "", method="GET"), send(api, "", method="GET")] == [201, 500, 200]
        api.fail_next(503, on="any", times=2)
        assert [send(api, "", method="GET"), send(api, "[]"), send(api, "[]")] == [503, 503, 201]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (200, "only statuses from 400 to 599 are failures"),
        ("timeuot", "did you mean 'timeout'?"),
        ("SC-51", "did you mean 'SC-"),
        ("busy", "neither a status nor a fault of atlast"),
    ],
)
def test_failures_that_there_are_not(what, message):
    with endpoint("atlast" if what == "busy" else "sendcloud") as api:
        with pytest.raises(UserError, match=re.escape(message)):
            api.fail_next(what)
        with pytest.raises(UserError, match="no operation 'orders'"):
            api.fail_next(500, on="orders")
        with pytest.raises(UserError, match="once at least"):
            api.fail_next(500, times=0)
        assert api.failures_left == 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_fault_can_be_asked_for(provider):
    """The ids are those of ``conformance serve --fault list``."""
    with endpoint(provider) as api:
        for name in list(faults.of(providers.load(provider)))[::40]:
            api.fail_next(name)


def test_latency_and_delay():
    """Answers that take their time, and orders that cannot be read at once."""
    with endpoint("sendcloud", latency=0.2) as api:
        started = time.monotonic()
        send(api, plain("sendcloud"))
        assert time.monotonic() - started > 0.2
        with pytest.raises(TimeoutError):
            send(api, plain("sendcloud", "b"), timeout=0.05)
        wait_for(lambda: [each.failure for each in api.requests] == ["", "gone"])
        api.latency, api.delay = 0.0, 3600.0
        send(api, plain("sendcloud", "c"))
        assert len(api.orders) == 3
        assert len(read(api)) == 2
        # Whoever gives up and then sends the same again does what another client does after a reset.
        send(api, plain("sendcloud", "b"))
        assert not api.violations, "the orders were looked up meanwhile"


def test_reset_forgets_everything_but_settings():
    with endpoint("ezcards", latency=0.01) as api:
        path = "/orders"
        assert send(api, plain("ezcards"), path) == 200
        send(api, "{", path)
        api.fail_next(500)
        assert (len(api.orders), len(api.requests), len(api.violations)) == (1, 2, 1)
        api.reset()
        assert (api.orders, api.requests, list(api.violations), api.failures_left) == ([], [], [], 0)
        assert api.latency == 0.01
        assert send(api, plain("ezcards"), path) == 200
        assert [each.number for each in api.requests] == [1]


def test_orders_that_were_there_before():
    with endpoint("sendcloud") as api:
        api.preload(json.loads(plain("sendcloud")))
        assert len(read(api)) == 1


# What is wrong with what a client does


@pytest.mark.parametrize("provider", PROVIDERS)
def test_valid_examples_are_taken_without_a_word(provider):
    """Every example of a pack that is to be accepted is, and nothing is said of it."""
    with endpoint(provider) as api:
        path = providers.load(provider).main.path
        for row in expectations(provider):
            if row["expect"] == "accept":
                api.reset()
                status = send(api, json.dumps(filled(provider, row)), path)
                assert not api.violations, row["file"]
                assert status in (200, 201), row["file"]


@pytest.mark.parametrize(
    ("provider", "lacking", "requirement"),
    [
        ("sendcloud", {"authorization": None}, "SC-005"),
        ("sendcloud", {"authorization": "Basic d3Jvbmc6d3Jvbmc="}, "SC-006"),
        ("atlast", {"authorization": None}, "AL-002"),
        ("atlast", {"authorization": "Bearer wrong"}, "AL-003"),
        ("ezcards", {"x-api-key": None}, "EZ-002"),
        ("ezcards", {"authorization": None}, "EZ-003"),
        ("ezcards", {"x-api-key": "wrong"}, "EZ-004"),
        ("ezcards", {"authorization": "Bearer wrong"}, "EZ-005"),
        ("centra", {"api-authorization": None}, "CE-002"),
        ("centra", {"api-authorization": "wrong"}, "CE-003"),
        ("centra", {"api-authorization": "reference-key-that-only-reads"}, "CE-006"),
        ("sendcloud", {"content-type": None}, "SC-016"),
        ("atlast", {"content-type": "text/plain"}, "AL-012"),
        ("ezcards", {"content-type": "application/x-www-form-urlencoded"}, "EZ-008"),
        ("centra", {"content-type": "text/json"}, "CE-008"),
    ],
)
def test_headers(provider, lacking, requirement):
    with endpoint(provider) as api:
        send(api, plain(provider), providers.load(provider).main.path, headers=lacking)
        assert api.violations.requirements == [requirement]
        [found] = api.violations
        assert found.title == catalogue.load(provider).requirement(requirement).title
        assert (found.pointer, found.order, found.request) == ("", None, 1)


def test_headers_that_are_right():
    """Parameters of a media type, other ways to authenticate and names in any letter case are no mistakes."""
    with endpoint("sendcloud") as api:
        token = f"Bearer {api.credentials.get('access_token', 'reference-access-token')}"
        send(api, "[]", headers={"content-type": "Application/JSON; charset=utf-8", "authorization": token})
        send(api, "[]", headers={"authorization": None, "AUTHORIZATION": api.headers["authorization"]})
        send(api, "", "/integrations", method="GET")
        assert not api.violations
        # The documentation knows this operation, the pack does not.
        assert api.advice.requirements == ["SC-001"]


def test_asking_for_a_token_is_no_mistake():
    with endpoint("atlast") as api:
        known = api.credentials
        told = {name: known[name] for name in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
        assert send(api, json.dumps(told), "/auth/token", headers={"authorization": None}) == 200
        assert not api.violations
        assert not api.advice


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("trouble", ["reset", "timeout-before"])
def test_the_same_batch_again_after_its_answer_was_lost(provider, trouble):
    """A mistake where orders can be looked up; where they cannot, a client is told that nobody knows."""
    expected = {"atlast": "AL-028", "centra": "CE-153", "ezcards": "EZ-033", "sendcloud": "SC-283"}[provider]
    path, body = providers.load(provider).main.path, plain(provider)
    with endpoint(provider) as api:
        api.fail_next(trouble)
        with pytest.raises(OSError, match=r"timed out|reset"):
            send(api, body, path, timeout=0.3)
        send(api, body, path)
        told, other = (api.advice, api.violations) if provider == "atlast" else (api.violations, api.advice)
        assert (told.requirements, list(other)) == ([expected], [])
        assert "request 1 again" in told[0].got
        # Answered now, it may come as often as it likes.
        send(api, body, path)
        assert len(told) == 1


def test_an_order_that_cannot_be_doubled_may_be_sent_again():
    """With EZ Cards' check for duplicates, the second order is refused."""
    order = json.loads(plain("ezcards")) | {"clientOrderNumber": "N-1", "enableClientOrderNumberDupCheck": True}
    with endpoint("ezcards") as api:
        api.fail_next("reset")
        with pytest.raises(ConnectionResetError):
            send(api, json.dumps(order), "/orders")
        assert send(api, json.dumps(order), "/orders") == 409
        assert not api.violations
        # Without a reason it is a mistake like any other.
        api.reset()
        assert [send(api, json.dumps(order), "/orders") for _ in range(2)] == [200, 409]
        assert api.violations.requirements == ["EZ-034"]


def test_too_many_requests():
    """A documented rate is advice, and given once."""
    with endpoint("sendcloud") as api:
        for _ in range(20):
            send(api, "[]")
        assert not api.violations
        [told] = api.advice
        assert (told.requirement, told.request, told.expected) == ("SC-290", 16, "at most 15 requests in 1 s")


def test_credentials_are_not_kept():
    with endpoint("ezcards") as api:
        send(api, plain("ezcards"), "/orders")
        assert {api.requests[0].headers[name] for name in ("x-api-key", "authorization")} == {"(hidden)"}


def test_what_was_received_outlives_the_endpoint():
    with endpoint("sendcloud") as api:
        send(api, plain("sendcloud"))
    assert (len(api.orders), len(api.requests)) == (1, 1)
    with pytest.raises(ConnectionRefusedError):
        send(api, "[]")


def test_hostile_clients_stay_in_one_line():
    """What is shown in a terminal or a log has no characters that steer it."""
    with endpoint("sendcloud") as api:
        send(api, "[]", "/a%0Ab?c=%0A", headers={"content-type": "text/\x9b31m"})
        send(api, "[]", headers={"content-type": "text/\x9b31m"})
        assert api.violations.requirements == ["SC-016"]
        assert all(str(each).isprintable() for each in (*api.violations, *api.advice))
        assert all(each.line.isprintable() for each in api.requests)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_pack_names_requirements_that_there_are(provider):
    """In every revision, or in one of them."""
    pack = providers.load(provider)
    known = {one.id for name in pack.revisions for one in catalogue.load(provider, name).requirements}
    client = pack.client
    named = {client.get("media-type"), client.get("rate"), client["again"]["requirement"]}
    named |= {each[word] for each in client.get("credentials", []) for word in each if word != "header"}
    assert named - {None} <= known


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["sendcloud"])
def test_the_suite_finds_it_conformant(provider, run_pytest, tmp_path):
    """Reached through the fixtures' endpoint, and what the suite sends wrongly on purpose is noticed."""
    account = providers.load(provider).folders.fixtures / "account.toml"
    with endpoint(provider) as api:
        done = run_pytest(
            tmp_path,
            f"--provider={provider}",
            f"--endpoint={api.url}",
            f"--account={account}",
            "-q",
            env=api.environment,
        )
        assert done.ret == 0
        assert f"{provider}: conformant" in done.out
        musts = {each.requirement for each in api.violations}
    assert len(musts) > 100
