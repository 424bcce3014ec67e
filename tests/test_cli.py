"""The command ``conformance``, as an installed program."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sysconfig
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance import __version__, plan, providers, resources, suite
from conformance.batches import PLAIN, Composer
from conformance.model import Account
from conformance.reference.app import CREDENTIALS

PROGRAM = Path(sysconfig.get_path("scripts")) / ("conformance.exe" if os.name == "nt" else "conformance")
PACK = providers.load("atlast")


def conformance(*arguments):
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


def wrong(done, message):
    """One line that says what is wrong, and exit 4."""
    assert done.stderr == f"conformance: {message}\n"
    assert done.stdout == ""
    assert done.returncode == 4


# providers


def test_providers_as_json():
    """``providers --json`` tells each pack's operations, revisions and counts."""
    done = conformance("providers", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    row = next(each for each in json.loads(done.stdout) if each["name"] == "atlast")
    made = suite.build(PACK, providers.reference_account(PACK), ["access_token", "client_id", "client_secret"])
    assert row["title"] == "AtLast bulk order ingestion"
    assert row["operation"] == "POST /v1/orders/bulk"
    assert row["operations"] == ["create-orders", "create-token"]
    assert row["revisions"] == ["v1"]
    assert row["cases"] == len(made.cases)
    assert sum(row["requirements"].values()) == len(made.catalogue.requirements)


def test_providers_as_table():
    """``providers`` shows the same as a table, one line a provider."""
    [row] = [each for each in json.loads(conformance("providers", "--json").stdout) if each["name"] == "atlast"]
    done = conformance("providers")
    assert (done.returncode, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title.split() == ["provider", "operation", "revisions", "must", "should", "silent", "contradictory", "cases"]
    [line] = [each for each in lines if each.startswith("atlast")]
    counts = [str(row["requirements"].get(level, 0)) for level in ("must", "should", "silent", "contradictory")]
    assert line.split() == ["atlast", "POST", "/v1/orders/bulk", "v1", *counts, str(row["cases"])]


# serve


@contextmanager
def serving(*arguments, provider="atlast"):
    """A served reference endpoint; gives what it said at the start, and the function that posts to it."""
    process = subprocess.Popen(
        [PROGRAM, "serve", provider, "--port=0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if line.startswith("  pytest "):
                break
        else:
            raise AssertionError(process.stderr.read())
        url = re.search(r" at (http://127\.0\.0\.1:\d+\S*)$", said[0])[1]
        yield said, Poster(url, CREDENTIALS["access_token"])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


class Poster:
    """Posts JSON to an endpoint."""

    def __init__(self, url, token):
        self.url = url
        self._token = token

    def __call__(self, body, token=None, path="/orders/bulk", kind="application/json"):
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"content-type": kind, "authorization": f"Bearer {self._token if token is None else token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


def fresh(tag, **members):
    """A batch of one plain valid order, made by the suite's own composer for this very moment."""
    made = Composer(suite.build(PACK, Account()), 1, tag)
    composed = made.orders([plan.Atom("control", PLAIN)], tag, datetime.now(UTC))
    body = json.loads(composed.request.body)
    for key, value in members.items():
        body["orders"][0][key] = value
    return body


@pytest.fixture(scope="module")
def served():
    """A lenient endpoint without faults, for all tests that only ask."""
    with serving() as (said, post):
        yield said, post


def test_serve_says_how_to_use_it(served):
    """The first lines name the endpoint, credentials to export and the command that tests it."""
    said, post = served
    assert said[0] == f"AtLast bulk order ingestion (lenient) at {post.url}"
    assert [line for line in said if line.startswith("  export ")]
    account = PACK.folders.fixtures / "account.toml"
    assert said[-1] == f"  pytest --provider=atlast --endpoint={post.url} --account={account}"


def test_serve_takes_and_refuses(served):
    """A served endpoint takes a valid batch, refuses a bad one with the place, and wants a token."""
    _, post = served
    assert post(fresh("a1"))[0] == 201
    status, body = post(fresh("a2", reference=""))
    assert status == 400
    assert json.loads(body)["path"] == "/orders/0/reference"
    assert post(fresh("a3"), token="somebody-else")[0] == 401
    assert post(fresh("a4"), path="/orders")[0] == 404


def test_serve_issues_tokens(served):
    """A served endpoint issues tokens that it then takes."""
    _, post = served
    form = {key: CREDENTIALS[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    status, body = post(form, path="/auth/token")
    assert status == 200
    assert post(fresh("b1"), token=json.loads(body)["access_token"])[0] == 201


def test_serve_lenient_and_strict(served):
    """What the documentation is silent about is taken by default and refused by --strict."""
    unknown = fresh("c1", surprise=1)
    assert served[1](unknown)[0] == 201
    with serving("--strict") as (said, post):
        assert said[0] == f"AtLast bulk order ingestion (strict) at {post.url}"
        assert post(unknown)[0] == 400
        assert post(fresh("c2"))[0] == 201


def test_serve_with_a_fault_and_a_database(tmp_path):
    """--fault breaks that rule and no other; --db keeps the orders that were taken."""
    path = tmp_path / "orders.db"
    with serving("--fault=AL-034", f"--db={path}") as (said, post):
        assert said[1].startswith("with the fault AL-034: ")
        assert post(fresh("d1", reference=""))[0] == 201
        assert post(fresh("d2", reference=7))[0] == 400
        assert post(fresh("d3", orderNumber=None))[0] == 400
        assert post(fresh("d4"))[0] == 201
    with sqlite3.connect(path) as database:
        orders = [json.loads(row[0]) for row in database.execute("select body from orders order by id")]
    database.close()
    assert [order.get("reference") for order in orders] == ["", None]


def test_serve_lists_faults():
    """``--fault list`` lists ids with what each breaks, and serves nothing."""
    done = conformance("serve", "atlast", "--fault", "list")
    assert (done.returncode, done.stderr) == (0, "")
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["AL-001/status-200"] == "A valid batch is answered 200 instead of 201."
    assert {"AL-034", "AL-034/orders[].reference.minLength/dropped"} <= set(rows)
    assert all(rows.values())


def test_program_and_suite_fit_together(served, suite_run, monkeypatch):
    """What ``serve`` says can be typed in: the suite runs against it."""
    said, _ = served
    for line in said:
        if line.startswith("  export "):
            name, _, value = line.removeprefix("  export ").partition("=")
            monkeypatch.setenv(name, value)
    command = said[-1].split()
    result = suite_run(*command[1:], "-k", "AL-034")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"conformance *: atlast (v1) at {command[2].partition('=')[2]}, seed 1"])


@pytest.mark.parametrize("provider", list(resources.providers()))
def test_serve_names_what_each_pack_needs(provider):
    """Of every provider, one way to authenticate is exported whole, and the account is the one that is served."""
    pack = providers.load(provider)
    with serving(provider=provider) as (said, _):
        names = {line.removeprefix("  export ").partition("=")[0] for line in said if line.startswith("  export ")}
        assert any(names >= set(each.variables.values()) for each in pack.auth.credentials)
        assert names <= {variable for known in pack.auth.variables.values() for variable in known}
        assert said[-1].endswith(f" --account={pack.folders.fixtures / 'account.toml'}")


def test_serve_with_an_account_of_ones_own(tmp_path):
    """The account that is served is the one to test with."""
    path = tmp_path / "mine.toml"
    path.write_text('merchant_ids = ["m-7"]\n', encoding="utf-8")
    with serving(f"--account={path}") as (said, post):
        assert said[-1] == f"  pytest --provider=atlast --endpoint={post.url} --account={path}"
        assert post(fresh("e1", merchantId="m-7"))[0] == 201


# Wrong uses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "atlst"], "there is no provider 'atlst'; did you mean 'atlast'?"),
        (
            ["serve", "atlast", "--fault=AL-001/status-20"],
            "--fault AL-001/status-20: atlast has no such fault; did you mean 'AL-001/status-200'?",
        ),
        (["serve", "atlast", "--port=x"], "Invalid value for '--port': 'x' is not a valid integer range."),
        (["serve", "atlast", "--port=70000"], "Invalid value for '--port': 70000 is not in the range 0<=x<=65535."),
        (["serve", "atlast", "--account=nope.toml"], "nope.toml: cannot be read (No such file or directory)"),
        (["serve"], "Missing argument 'PROVIDER'."),
        (["servw"], "No such command 'servw'. Did you mean 'serve'?"),
        (["providers", "--jsn"], "No such option '--jsn'. Did you mean '--json'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(arguments, message):
    """A user's mistake is one line and exit 4."""
    wrong(conformance(*arguments), message)


def test_port_in_use(served):
    """A port that is taken is told as such."""
    port = re.search(r":(\d+)/", served[1].url)[1]
    wrong(
        conformance("serve", "atlast", f"--port={port}"), f"--port {port}: Address already in use; choose another port"
    )


@pytest.mark.parametrize("content", [None, b"this is no database, and long enough to be taken for one" * 20])
def test_database_that_is_none(tmp_path, content):
    """A database that cannot be opened, or is no database, is told with its name."""
    path = tmp_path / "orders.db"
    if content is None:
        path = tmp_path / "nowhere" / "orders.db"
    else:
        path.write_bytes(content)
    done = conformance("serve", "atlast", "--port=0", f"--db={path}")
    assert done.returncode == 4
    assert done.stderr.startswith(f"conformance: --db={path}: ")
    assert done.stderr.count("\n") == 1


def test_help_and_version():
    """--help lists the commands; --version tells the version that reports carry."""
    done = conformance("--help")
    assert done.returncode == 0
    assert re.search(r"^  providers  ", done.stdout, re.MULTILINE)
    assert re.search(r"^  serve  ", done.stdout, re.MULTILINE)
    assert conformance("--version").stdout == f"conformance, version {__version__}\n"
    assert conformance("serve", "--help").returncode == 0


def test_without_a_command():
    """Without a command the help is shown, and it is a wrong use."""
    done = conformance()
    assert done.returncode == 4
    assert done.stderr.startswith("Usage: conformance ")
    assert done.stdout == ""
