"""The command line: what it prints, what it serves, and how it takes mistakes."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from conformance.reference.app import CREDENTIALS

MAIN = "from conformance.cli import main; main()"


def conformance(*arguments):
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def served(*arguments):
    """``conformance serve`` in a process of its own; gives the URL that it prints."""
    command = [sys.executable, "-u", "-c", MAIN, "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+\S*", process.stdout.readline())[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def order(**more):
    money = {"value": 10, "currency": "GBP"}
    address = {"line1": "14 Orchard Way", "city": "Leeds", "postCode": "LS1 4DY", "country": "GB"}
    return {
        "id": "T-1",
        "createdAt": more.pop("createdAt"),
        "orderNumber": "N-1",
        "orderTotal": money,
        "itemSubTotal": money,
        "shippingTotal": {"value": 0, "currency": "GBP"},
        "items": [{"id": "L-1", "quantity": 1, "price": money}],
        "customer": {"lastName": "Okafor", "address": address},
        **more,
    }


def status_of(url, one, token=CREDENTIALS["access_token"]):
    request = urllib.request.Request(
        f"{url}/orders/bulk",
        json.dumps({"orders": [one]}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def yesterday():
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_providers_are_listed_with_their_counts():
    done = conformance("providers")
    assert done.returncode == 0
    assert re.search(r"^atlast +POST /v1/orders/bulk +v1 +128 +8 +37 +1 +\d+ *$", done.stdout, re.MULTILINE)


def test_providers_are_listed_as_json():
    rows = json.loads(conformance("providers", "--json").stdout)
    atlast = next(row for row in rows if row["name"] == "atlast")
    assert atlast["requirements"] == {"must": 128, "should": 8, "silent": 37, "contradictory": 1}
    assert atlast["operations"] == ["create-orders", "create-token"]


def test_a_served_endpoint_keeps_its_documented_rules(yesterday, tmp_path):
    with served("atlast", "--db", str(tmp_path / "orders.db")) as url:
        assert status_of(url, order(createdAt=yesterday)) == 201
        assert status_of(url, order(createdAt=yesterday, reference="")) == 400
        assert status_of(url, order(createdAt="2020-01-01T00:00:00Z")) == 400
        assert status_of(url, order(createdAt=yesterday), token="nobody-issued-it") == 401
        assert status_of(url, order(createdAt=yesterday, xUnknown=1)) == 201
    stored = sqlite3.connect(tmp_path / "orders.db").execute("select body from orders").fetchall()
    assert [json.loads(body)["id"] for (body,) in stored] == ["T-1", "T-1"]


def test_a_strict_endpoint_refuses_what_the_documentation_is_silent_about(yesterday):
    with served("atlast", "--strict") as url:
        assert status_of(url, order(createdAt=yesterday, xUnknown=1)) == 400
        assert status_of(url, order(createdAt=yesterday)) == 201
        assert status_of(url, order(createdAt=yesterday)) == 400  # the same id again


def test_a_fault_breaks_its_rule_and_no_other(yesterday):
    with served("atlast", "--fault", "AL-034") as url:
        assert status_of(url, order(createdAt=yesterday, reference="")) == 201
        assert status_of(url, order(createdAt=yesterday, reference={})) == 400
        assert status_of(url, order(createdAt="2020-01-01T00:00:00Z")) == 400


def test_faults_are_listed():
    lines = conformance("serve", "atlast", "--fault", "list").stdout.splitlines()
    assert "AL-166/first-10-only  Only the first 10 orders of a batch are looked at." in lines
    assert sum(line.startswith("AL-034 ") for line in lines) == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["serve", "atlas"], "conformance: there is no provider 'atlas'; did you mean 'atlast'?"),
        (
            ["serve", "atlast", "--fault", "AL-166/first-10"],
            "conformance: --fault AL-166/first-10: atlast has no such fault; did you mean 'AL-166/first-10-only'?",
        ),
        (["serve", "atlast", "--account", "none.toml"], "conformance: none.toml: cannot be read (No such file or directory)"),
        (["serv", "atlast"], "conformance: No such command 'serv'. Did you mean 'serve'?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_4(arguments, line):
    done = conformance(*arguments)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.splitlines() == [line]
