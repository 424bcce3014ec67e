"""Preflight: what is known of an endpoint before an order is created, and that it never stops a run that works."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime

import pytest
import sendcloud_variants
from click.testing import CliRunner
from endpoints import CLIENT, TOKEN, Endpoint
from variants import CREDENTIALS, pack, served
from wrapping import Said

from conformance import preflight, providers, resources, suite
from conformance.cli import cli
from conformance.model import Account, Exchange, Response, Trouble
from conformance.scrub import Vault
from conformance.transport import Files, HttpTransport

KEYS = {"SENDCLOUD_PUBLIC_KEY": CREDENTIALS["public_key"], "SENDCLOUD_SECRET_KEY": CREDENTIALS["secret_key"]}
ACCOUNT = pack("sendcloud").provider.folders.fixtures / "account.toml"

pytestmark = pytest.mark.usefixtures("clean_environment")


@dataclass(frozen=True)
class Told:
    """What the command said: exit status, output, and each check by its name."""

    ret: int
    out: str

    @property
    def checks(self):
        rows = [(line[:15].strip(), line[15:28].strip(), line[28:]) for line in self.out.splitlines()]
        return {name: (status, detail) for name, status, detail in rows}

    @property
    def statuses(self):
        return {name: status for name, (status, _) in self.checks.items()}


def command(*arguments, env):
    done = CliRunner().invoke(cli, ["preflight", *map(str, arguments)], env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Told(done.exit_code, done.output)


class Recording(sendcloud_variants.Around):
    """Notes the methods of all requests, and answers lists with ``status``, if there is one."""

    status = 0
    methods: list

    async def answer(self, call):
        self.methods.append(call.method)
        if call.is_list and self.status:
            return Said(self.status, [(b"content-type", b"application/json")], b'{"no": 1}')
        return await super().answer(call)


@contextmanager
def sendcloud(status=0):
    """Sendcloud's reference endpoint, whose listing may be broken; gives its URL and the methods of its requests."""
    around = type("Around", (Recording,), {"status": status, "methods": []})
    with served(pack("sendcloud"), around) as url:
        yield url, around.methods


@pytest.fixture
def closed():
    """A port of loopback that nobody listens at, as long as the test lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def hasty(monkeypatch):
    """Second tries come at once."""
    monkeypatch.setattr(preflight, "_PAUSE_S", 0)


# The command


def test_a_documented_call_that_reads_tells_most():
    """Path, credentials and clock are known by a listing, and no order is created."""
    with sendcloud() as (url, methods):
        told = command("sendcloud", f"--endpoint={url}", f"--account={ACCOUNT}", env=KEYS)
    assert told.ret == 0
    assert methods == ["GET"]
    assert told.statuses == {
        "permission": "ok",
        "account facts": "ok",
        "name": "ok",
        "connection": "ok",
        "encryption": "not checked",
        "access token": "not checked",
        "path": "ok",
        "credentials": "ok",
        "clock": "ok",
        "orders": "not checked",
    }
    assert told.checks["account facts"][1] == "1 cases do not apply without foreign_integration_id"
    assert told.checks["orders"][1] == "only creating one shows whether they are taken"


def test_the_documented_base_path_may_be_left_out():
    with sendcloud() as (url, methods):
        told = command("sendcloud", f"--endpoint={url.removesuffix('/api/v3')}", f"--account={ACCOUNT}", env=KEYS)
    assert told.ret == 0
    assert methods == ["GET"]


def test_wrong_credentials_are_found():
    with sendcloud() as (url, methods):
        wrong = KEYS | {"SENDCLOUD_SECRET_KEY": "obviously-wrong"}
        told = command("sendcloud", f"--endpoint={url}", f"--account={ACCOUNT}", env=wrong)
    assert told.ret == 1
    assert told.statuses["credentials"] == "failed"
    assert told.checks["credentials"][1].startswith("GET /orders: 401 ")
    assert "obviously-wrong" not in told.out
    assert set(methods) == {"GET"}


def test_a_wrong_path_is_found():
    with sendcloud() as (url, _):
        told = command("sendcloud", f"--endpoint={url}/beside", f"--account={ACCOUNT}", env=KEYS)
    assert told.ret == 1
    assert told.statuses["path"] == "failed"
    assert told.checks["path"][1].endswith("check --endpoint: it is the part before /orders")
    assert told.statuses["credentials"] == "not checked"


def test_where_nothing_can_be_read_it_says_so():
    """AtLast documents no call that reads: reachability is checked, and nothing is sent at all."""
    with Endpoint().serving() as endpoint:
        told = command("atlast", f"--endpoint={endpoint.url}", env={"ATLAST_ACCESS_TOKEN": TOKEN})
    assert told.ret == 0
    assert endpoint.calls == []
    for name in ("path", "credentials", "clock"):
        assert told.checks[name] == (
            "not checked",
            "the API documents no call that only reads, so only an order shows it",
        )


@pytest.mark.parametrize("secret", [CLIENT["client_secret"], "obviously-wrong"])
def test_a_token_is_fetched(secret):
    """Where tokens are fetched, one is; otherwise the reason is told without a secret."""
    with Endpoint().serving() as endpoint:
        env = {"ATLAST_CLIENT_ID": CLIENT["client_id"], "ATLAST_CLIENT_SECRET": secret}
        told = command("atlast", f"--endpoint={endpoint.url}", env=env)
    assert [call.path for call in endpoint.calls] == ["/v1/auth/token"]
    if secret == CLIENT["client_secret"]:
        assert told.ret == 0
        assert told.checks["access token"] == ("ok", "fetched")
    else:
        assert told.ret == 1
        reason = f"no access token from {endpoint.url}/auth/token: status 401; check the credentials"
        assert told.checks["access token"] == ("failed", reason)
        assert told.checks["path"] == ("not checked", "for what failed above")
    assert secret not in told.out


def test_permission_is_a_check_of_its_own(monkeypatch, hasty):
    """What the tests would want is told beforehand; the rest is looked at all the same."""
    monkeypatch.setattr(preflight.socket, "getaddrinfo", unknown)
    arguments = ("atlast", "--endpoint=https://sandbox.example")
    told = command(*arguments, env={"ATLAST_ACCESS_TOKEN": TOKEN})
    assert told.ret == 1
    assert told.statuses["permission"] == "failed"
    assert told.checks["permission"][1].endswith("if that is meant, add --allow=orders")
    assert command(*arguments, "--allow=orders", env={"ATLAST_ACCESS_TOKEN": TOKEN}).statuses["permission"] == "ok"


def test_as_json(closed, hasty):
    told = command("atlast", f"--endpoint=http://{closed}", "--format=json", env={"ATLAST_ACCESS_TOKEN": TOKEN})
    data = json.loads(told.out)
    assert told.ret == 1
    assert (data["provider"], data["endpoint"], data["ok"]) == ("atlast", f"http://{closed}", False)
    assert {"name": "orders", "status": "not checked", "detail": "only creating one shows whether they are taken"} in data["checks"]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sendclud", "--endpoint=http://127.0.0.1:9"), "there is no provider 'sendclud'; did you mean 'sendcloud'?"),
        (("atlast", "--endpoint=nonsense"), "--endpoint=nonsense: not an http or https URL; write https://host[:port][/path]"),
        (("atlast", "--endpoint=http://127.0.0.1:9", "--header=secret"), "--header: write 'Name: value'"),
        (("atlast", "--endpoint=http://127.0.0.1:9", "--allow=oders"), "--allow=oders: there is no such effect; did you mean 'orders'?"),
    ],
)  # fmt: skip
def test_wrong_uses_are_told(arguments, message):
    done = CliRunner().invoke(cli, ["preflight", *arguments], env={"ATLAST_ACCESS_TOKEN": TOKEN})
    assert str(done.exception) == message


# The line


def unknown(*_args, **_kinds):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def line(endpoint, **files):
    """The last check of the connection to an endpoint."""
    return preflight.connection(way(endpoint, **files), 5.0)[-1]


def way(endpoint, **files):
    return HttpTransport(endpoint, Vault({}), files=Files(**files))


def test_a_name_without_address_is_told(monkeypatch, hasty):
    monkeypatch.setattr(preflight.socket, "getaddrinfo", unknown)
    found = line("https://sandbox.example/v1")
    why = "sandbox.example has no address: Name or service not known; check the host's name in --endpoint"
    assert (found.name, found.status, found.detail) == ("name", "failed", why)


def test_a_closed_port_is_told(closed, hasty):
    found = line(f"http://{closed}/v1")
    why = f"{closed}: Connection refused; check that the endpoint is running and its URL is right"
    assert (found.name, found.status, found.detail) == ("connection", "failed", why)


def test_a_server_that_is_coming_up_is_waited_for(monkeypatch, hasty):
    """One refused connection is no reason to give up."""
    connect, tries = socket.create_connection, iter([ConnectionRefusedError(111, "Connection refused"), None])

    def flaky(address, timeout):
        if (trouble := next(tries)) is not None:
            raise trouble
        return connect(address, timeout)

    monkeypatch.setattr(preflight.socket, "create_connection", flaky)
    with Endpoint().serving() as endpoint:
        found = preflight.connection(way(endpoint.url), 5.0)
    assert [each.status for each in found] == ["ok", "ok", "not checked"]


def test_a_port_that_speaks_no_tls_is_told(hasty):
    with Endpoint().serving() as endpoint:
        found = line(endpoint.origin.replace("http:", "https:"))
    assert (found.name, found.status) == ("encryption", "failed")
    assert "TLS" in found.detail


@contextmanager
def encrypted(tmp_path):
    """A server on loopback with a certificate that nobody vouches for; gives its place and the certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", certificate
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_is_held_against_those_of_the_machine(tmp_path, hasty, monkeypatch):
    """As the transport does it: nobody vouches for this one until somebody says so."""
    with encrypted(tmp_path) as (url, certificate):
        found = line(url)
        assert (found.name, found.status) == ("encryption", "failed")
        assert "issued by nobody that this machine trusts" in found.detail
        assert "--ca-bundle=FILE" in found.detail
        trusted = line(url, ca_bundle=str(certificate))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        for found in (trusted, line(url)):
            assert (found.name, found.status) == ("encryption", "ok")
            assert found.detail.startswith("TLSv1.")


def test_what_goes_through_a_proxy_is_left_to_the_first_request(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    found = line("https://sandbox.example/v1")
    assert (found.name, found.status) == ("connection", "not checked")


# What the answer of a reading call says


class Carrier:
    """A transport that has one answer."""

    def __init__(self, status, kind="application/json", skew=0, *, other=False):
        self._status, self._kind, self._skew, self._other = status, kind, skew, other
        self.turned = False

    def send(self, request, operation, name, now):
        if not self._status:
            return Exchange(name, operation, request, now, 1.0, trouble=Trouble("timeout", "nothing within 5 s"))
        headers = [("content-type", self._kind)]
        if self._skew is not None:
            headers.append(("date", format_datetime(now + timedelta(seconds=self._skew), usegmt=True)))
        return Exchange(name, operation, request, now, 1.0, Response(self._status, tuple(headers), b"{}"))

    def other_base(self):
        """Beside the documented base path there is another place, where something is."""
        found = self._other and not self.turned
        if found:
            self._status, self.turned = 200, True
        return found


def read(status, **more):
    """Path, credentials and clock by an answer."""
    return {each.name: each.status for each in preflight.reading(pack("ezcards"), Carrier(status, **more))}


@pytest.mark.parametrize(
    ("status", "path", "credentials"),
    [
        (200, "ok", "ok"),
        (401, "ok", "failed"),
        (403, "ok", "failed"),
        (400, "ok", "not checked"),
        (429, "ok", "not checked"),
        (302, "failed", "not checked"),
        (404, "failed", "not checked"),
        (405, "failed", "not checked"),
        (500, "failed", "not checked"),
        (0, "failed", "not checked"),
    ],
)
def test_what_an_answer_says(status, path, credentials):
    found = read(status)
    assert (found["path"], found["credentials"]) == (path, credentials)


@pytest.mark.parametrize("status", [404, 405])
def test_an_api_may_lie_beside_its_documented_path(status):
    """As in a run, where the first control is sent to both places."""
    assert read(status, other=True) == {"path": "ok", "credentials": "ok", "clock": "ok"}


@pytest.mark.parametrize(
    ("skew", "clock"), [(0, "ok"), (90, "ok"), (-90, "ok"), (300, "failed"), (-300, "failed"), (None, "not checked")]
)
def test_clocks_are_compared(skew, clock):
    assert read(200, skew=skew)["clock"] == clock


def test_a_web_page_is_no_api():
    found = read(200, kind="text/html")
    assert (found["path"], found["clock"]) == ("failed", "ok")


# The account


@pytest.mark.parametrize("name", resources.providers())
def test_the_facts_of_each_pack_make_a_valid_order(name):
    for revision in providers.load(name).revisions:
        assert preflight.facts(pack(name, revision)).status == "ok"


def test_facts_that_make_no_valid_order_are_told():
    """A fact of the right type may still be none that the documentation allows."""
    provider = pack("sendcloud").provider
    facts = pack("sendcloud").account.facts | {"integration_ids": ["seven"]}
    found = preflight.facts(suite.build(provider, Account(facts), CREDENTIALS))
    assert found.status == "failed"
    assert found.detail.startswith("an order made of them is not valid: /0/order_details/integration/id: ")


# First in every live run


def test_a_run_without_connection_ends_before_it_began(run_pytest, tmp_path, closed):
    """One message, nothing sent, nothing created, and a report that says so."""
    arguments = ("--provider=atlast", f"--endpoint=http://{closed}", "--report=out", "-k", "AL-034")
    outcome = run_pytest(tmp_path, *arguments, env={"ATLAST_ACCESS_TOKEN": TOKEN})
    reason = f"preflight: {closed}: Connection refused; check that the endpoint is running and its URL is right"
    assert outcome.ret == 1
    assert outcome.lines.count(f"The run stopped: {reason}") == 1
    assert outcome.report["run"]["stopped"] == reason
    assert outcome.report["exchanges"] == {}
    assert outcome.report["verdict"] == "inconclusive"
    assert set(outcome.verdicts.values()) == {"inconclusive"}
    assert {each["reason"] for each in outcome.report["not_run"]} == {f"not sent: {reason}"}


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_listing_that_does_not_work_stops_no_run(run_pytest, tmp_path, status):
    """Credentials that may not read may create: only the first control can tell."""
    with sendcloud(status) as (url, _):
        arguments = ("--provider=sendcloud", f"--endpoint={url}", f"--account={ACCOUNT}", "--visibility-timeout=1")
        outcome = run_pytest(tmp_path, *arguments, "--case=SC-051/order_number.too-short", "--report=out", env=KEYS)
    assert outcome.ret == 0
    assert outcome.report["run"]["stopped"] == ""
    assert outcome.verdicts == {"SC-051/order_number.too-short": "conformant"}


def test_a_run_sends_nothing_for_it(run_pytest, tmp_path):
    """A token is fetched once, for preflight and run together; no other request is added."""
    with Endpoint().serving() as endpoint:
        env = {"ATLAST_CLIENT_ID": CLIENT["client_id"], "ATLAST_CLIENT_SECRET": CLIENT["client_secret"]}
        arguments = ("--provider=atlast", f"--endpoint={endpoint.url}", "--case=AL-034/reference.too-short")
        outcome = run_pytest(tmp_path, *arguments, "--report=out", env=env)
    assert outcome.ret == 0
    paths = [call.path for call in endpoint.calls]
    assert paths.count("/v1/auth/token") == 1
    assert len(paths) - 1 == outcome.report["counts"]["requests"]
