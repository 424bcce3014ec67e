"""Credentials come from the environment, the first complete set wins, and tokens are kept fresh."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl

import pytest

from conformance import conduct, credentials, providers, suite, target
from conformance.auth import TokenEndpoint
from conformance.credentials import TokenKeeper, environment, token_url, vault
from conformance.errors import UserError
from conformance.model import Request
from conformance.scrub import Vault
from conformance.transport import HttpTransport

ATLAST = providers.load("atlast")
TOKEN = {"ATLAST_ACCESS_TOKEN": "token-1234"}
CLIENT = {"ATLAST_CLIENT_ID": "client-1234", "ATLAST_CLIENT_SECRET": "secret-1234"}


# The environment


def test_a_dotenv_file_adds_to_the_environment(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(
        "# AtLast, sandbox\n"
        "\n"
        "ATLAST_CLIENT_ID=client-1234\n"
        "export ATLAST_CLIENT_SECRET = 'a=b c'\n"
        'ATLAST_TOKEN_URL="https://sandbox.example.com/token"\n'
        "#ATLAST_OTHER=x\n"
        "not an assignment\n"
        "ATLAST_SET=from the file\n"
        "ATLAST_QUOTE=it's'\n"
        "ATLAST_EMPTY=\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ATLAST_SET", "from the shell")
    found = environment(tmp_path)
    assert found["ATLAST_CLIENT_ID"] == "client-1234"
    assert found["ATLAST_CLIENT_SECRET"] == "a=b c"
    assert found["ATLAST_TOKEN_URL"] == "https://sandbox.example.com/token"
    assert found["ATLAST_SET"] == "from the shell"
    assert found["ATLAST_QUOTE"] == "it's'", "a quote that opens nothing is part of the secret"
    assert found["ATLAST_EMPTY"] == ""
    assert "ATLAST_OTHER" not in found
    assert "#ATLAST_OTHER" not in found


def test_a_dotenv_file_of_the_folder_is_read_unless_another_is_named(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("CONFORMANCE_TEST=here\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert environment()["CONFORMANCE_TEST"] == "here"
    other = tmp_path / "other"
    other.mkdir()
    assert "CONFORMANCE_TEST" not in environment(other)


def test_a_dotenv_file_is_not_written_into_the_environment(tmp_path):
    import os

    (tmp_path / ".env").write_text("CONFORMANCE_TEST=here\n", encoding="utf-8")
    environment(tmp_path)
    assert "CONFORMANCE_TEST" not in os.environ


# Sets


def test_the_first_complete_set_wins():
    secrets, url = vault(ATLAST, TOKEN | {"ATLAST_CLIENT_ID": "client-1234"})
    assert secrets.get("access_token") == "token-1234"
    assert secrets.get("client_secret") == ""
    assert url == ""
    secrets, _ = vault(ATLAST, CLIENT)
    assert secrets.names == ("client_id", "client_secret")


def test_credentials_of_other_sets_are_known_too():
    """Some cases need them: the token endpoint is tested with client id and secret, whatever orders are sent with."""
    secrets, _ = vault(ATLAST, TOKEN | CLIENT)
    assert set(secrets.names) == {"access_token", "client_id", "client_secret"}


def test_the_token_url_is_taken_from_its_variable():
    _, url = vault(ATLAST, CLIENT | {"ATLAST_TOKEN_URL": "https://sandbox.example.com/oauth2/token"})
    assert url == "https://sandbox.example.com/oauth2/token"


@pytest.mark.parametrize(
    "variables", [{}, {"ATLAST_CLIENT_ID": "x"}, {"ATLAST_ACCESS_TOKEN": ""}, CLIENT | {"ATLAST_CLIENT_SECRET": ""}]
)
def test_missing_credentials_are_named(variables):
    with pytest.raises(UserError) as caught:
        vault(ATLAST, variables)
    assert str(caught.value) == (
        "atlast: no credentials: set ATLAST_ACCESS_TOKEN, or ATLAST_CLIENT_ID and ATLAST_CLIENT_SECRET "
        "in the environment or in a .env file"
    )


# Token endpoints


@pytest.mark.parametrize(
    ("endpoint", "configured", "expected"),
    [
        ("https://sandbox.example.com/v1", "", ("https://sandbox.example.com/v1/auth/token", "json")),
        ("https://sandbox.example.com/v1/", "", ("https://sandbox.example.com/v1/auth/token", "json")),
        ("https://a.example/v1", "https://b.example/oauth2/token", ("https://b.example/oauth2/token", "form")),
        ("https://a.example/v1", "https://b.example/oauth2/token/", ("https://b.example/oauth2/token/", "form")),
        ("https://a.example/v1", "https://b.example/v1/auth/token", ("https://b.example/v1/auth/token", "json")),
        ("https://a.example/v1", "https://b.example/elsewhere", ("https://b.example/elsewhere", "json")),
    ],
)
def test_tokens_come_from_the_endpoints_own_host_unless_told_otherwise(endpoint, configured, expected):
    """Credentials for a sandbox never go to the documented production host by themselves."""
    url, described = token_url(ATLAST, endpoint, configured)
    assert (url, described.encoding) == expected


SENDCLOUD = providers.load("sendcloud")
KEYS = {"SENDCLOUD_PUBLIC_KEY": "public-1234", "SENDCLOUD_SECRET_KEY": "secret-1234"}
OAUTH = {"SENDCLOUD_CLIENT_ID": "client:1234", "SENDCLOUD_CLIENT_SECRET": "secret-5678"}
PATH = "/oauth2/token"


@pytest.mark.parametrize(
    ("endpoint", "configured", "expected"),
    [
        # The documented server's tokens come from a host of their own, whatever base path is meant.
        ("https://panel.sendcloud.sc", "", f"https://account.sendcloud.com{PATH}"),
        ("https://panel.sendcloud.sc/api/v3", "", f"https://account.sendcloud.com{PATH}"),
        ("https://PANEL.sendcloud.sc/api/v3/", "", f"https://account.sendcloud.com{PATH}"),
        # Nobody else's do, however alike the name; the path starts at the host.
        ("https://panel.sendcloud.sc.example.com/api/v3", "", f"https://panel.sendcloud.sc.example.com{PATH}"),
        ("https://sub.panel.sendcloud.sc/api/v3", "", f"https://sub.panel.sendcloud.sc{PATH}"),
        ("http://127.0.0.1:8080/api/v3", "", f"http://127.0.0.1:8080{PATH}"),
        # What is configured wins everywhere.
        ("https://panel.sendcloud.sc", "https://b.example/token", "https://b.example/token"),
        ("http://127.0.0.1:8080", f"https://b.example{PATH}", f"https://b.example{PATH}"),
    ],
)
def test_tokens_come_from_the_documented_host_of_the_documented_server_alone(endpoint, configured, expected):
    url, described = token_url(SENDCLOUD, endpoint, configured)
    assert url == expected
    assert (described.encoding, described.client, described.scope) == ("form", "basic", "api")


def test_the_keys_win_over_the_client_and_each_set_has_its_header():
    both, _ = vault(SENDCLOUD, KEYS | OAUTH)
    assert set(both.names) == {"public_key", "secret_key", "client_id", "client_secret"}
    basic = {"authorization": "Basic {{public_key:secret_key}}"}
    bearer = {"authorization": "Bearer {{access_token}}"}
    assert SENDCLOUD.auth.ways(set(both.names)) == (basic, bearer)
    assert SENDCLOUD.auth.ways({"client_id", "client_secret"}) == (bearer,)
    assert SENDCLOUD.auth.ways(set()) == (basic,)
    assert base64.b64decode(both.fill(basic["authorization"]).removeprefix("Basic ")) == b"public-1234:secret-1234"


class TokenServer(BaseHTTPRequestHandler):
    """Gives out a token, and keeps what it was asked with."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
        answer = b'{"access_token":"issued-1234","expires_in":3600}'
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def served():
    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenServer)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", server.seen
    server.shutdown()
    server.server_close()
    thread.join()


def asked(served, endpoint):
    """What a token is asked for with, by the transport, before the first request that needs one."""
    base, seen = served
    secrets = Vault({"client_id": "client:1234", "client_secret": "s&cret=5678+"})
    transport = HttpTransport(f"{base}/api/v3", secrets, token=(f"{base}{PATH}", endpoint))
    request = Request("POST", "/orders", headers=(("authorization", "Bearer {{access_token}}"),), body=b"[]")
    exchange = transport.send(request, "create-orders", "e1", datetime.now(UTC))
    transport.close()
    token, order = seen
    assert order[0] == "/api/v3/orders"
    assert order[1]["authorization"] == "Bearer issued-1234"
    assert exchange.request == request, "the record keeps the placeholder"
    return token


def test_the_client_authenticates_in_the_header_where_the_pack_says_so(served):
    """RFC 6749, section 2.3.1: client and secret stand in the header, and then not in the body as well."""
    _, described = token_url(SENDCLOUD, served[0], "")
    path, headers, body = asked(served, described)
    assert path == PATH
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"client:1234:s&cret=5678+"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode(), strict_parsing=True) == {"grant_type": ["client_credentials"], "scope": ["api"]}


@pytest.mark.parametrize("scope", ["", "api", "orders read&write"])
@pytest.mark.parametrize("encoding", ["form", "json"])
def test_the_client_stands_in_the_body_otherwise_and_a_scope_where_there_is_one(served, encoding, scope):
    _, headers, body = asked(served, TokenEndpoint(PATH, encoding, scope=scope))
    form = encoding == "form"
    found = dict(parse_qsl(body.decode(), strict_parsing=True)) if form else json.loads(body)
    wanted = {"grant_type": "client_credentials", "client_id": "client:1234", "client_secret": "s&cret=5678+"}
    assert found == wanted | ({"scope": scope} if scope else {})
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SENDCLOUD_TOKEN_URL": f"https://b.example{PATH}"},
    ],
)
def test_cases_about_tokens_ask_where_tokens_come_from(monkeypatch, variables):
    """And not the API's own host: it would answer 404, and the client's secret would go where it does not belong."""
    monkeypatch.setattr(credentials, "environment", lambda: OAUTH | variables)
    made = {}

    class Kept(HttpTransport):
        def __init__(self, endpoint, secrets, **options):
            made.update(options)
            super().__init__(endpoint, secrets, **options)

    monkeypatch.setattr(conduct, "HttpTransport", Kept)
    secrets, _ = vault(SENDCLOUD, OAUTH)
    account = providers.reference_account(SENDCLOUD)
    endpoint = "https://panel.sendcloud.sc"
    ready = target.Target(
        "live",
        target.Options("sendcloud", endpoint),
        suite.build(SENDCLOUD, account, secrets.names),
        secrets,
        endpoint,
    )
    with conduct.runner(ready):
        pass
    assert ready.suite.case("SC-009/token.issued").excluded == ""
    assert made["places"] == {PATH: made["token"][0]}


# What has to be known of an account


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Make a live endpoint ready for Sendcloud, with an account file of this text; nothing is sent."""

    def prepare(text=None, variables=KEYS):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(credentials, "environment", lambda: dict(variables))
        path = tmp_path / "account.toml"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        account = str(path) if text is not None else ""
        return target.prepare(target.Options("sendcloud", endpoint="http://127.0.0.1:9", account=account))

    return prepare


@pytest.mark.parametrize("text", [None, "", "integration_ids = []\n", "contract_id = 517\n"])
def test_a_fact_that_no_order_can_do_without_is_asked_for_by_its_name(prepared, text):
    with pytest.raises(UserError) as caught:
        prepared(text)
    assert str(caught.value) == (
        "sendcloud: --account FILE with integration_ids is needed: ids of the account's Sendcloud API integrations "
        "(GET /integrations lists them); the second is used where two are needed"
    )


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("integration_ids = [7, 8]\n", [7, 8]),
        ("integration_id = 7\n", [7]),
        ("integration_id = 7\nsecond_integration_id = 8\n", [7, 8]),
        ("second_integration_id = 8\nintegration_id = 7\n", [7, 8]),
        ("integration_ids = [7]\nintegration_id = 7\n", [7]),
    ],
)
def test_a_fact_can_be_written_another_way(prepared, text, known):
    made = prepared(text)
    assert made.suite.account.get("integration_ids") == known
    needy = {case.id for case in made.suite.cases if "integration_ids.1" in case.needs}
    assert needy
    gone = {case.id for case in made.suite.cases if case.excluded == "the account file has no integration_ids.1"}
    assert gone == (set() if len(known) > 1 else needy)


def test_facts_are_asked_for_before_credentials_and_credentials_before_anything_is_sent(prepared):
    with pytest.raises(UserError, match="integration_ids is needed"):
        prepared("", {})
    with pytest.raises(UserError) as caught:
        prepared("integration_id = 7\n", {})
    assert str(caught.value) == (
        "sendcloud: no credentials: set SENDCLOUD_PUBLIC_KEY and SENDCLOUD_SECRET_KEY, or SENDCLOUD_CLIENT_ID and "
        "SENDCLOUD_CLIENT_SECRET in the environment or in a .env file"
    )


def test_a_secret_in_the_account_file_is_refused(prepared):
    with pytest.raises(
        UserError, match="'secret_key' is a secret; set SENDCLOUD_SECRET_KEY in the environment instead"
    ):
        prepared('integration_id = 7\nsecret_key = "x"\n')


# Fresh tokens


class Clock:
    """A clock that is put forward by hand, and a count of the tokens asked for."""

    def __init__(self, lifetime):
        self.now = 1000.0
        self.lifetime = lifetime
        self.fetched = 0

    def fetch(self):
        self.fetched += 1
        return f"token-{self.fetched}", self.lifetime


@pytest.fixture
def keeper(monkeypatch):
    def make(lifetime, values=None):
        clock = Clock(lifetime)
        monkeypatch.setattr(credentials, "time", SimpleNamespace(monotonic=lambda: clock.now))
        secrets = Vault({"client_secret": "secret-1234"} if values is None else values)
        return clock, secrets, TokenKeeper(secrets, clock.fetch)

    return make


@pytest.mark.parametrize(("lifetime", "kept"), [(3600, 3540), (100, 50), (10, 5), (120, 60)])
def test_a_token_is_fetched_again_well_before_it_expires(keeper, lifetime, kept):
    """A minute before, or halfway for those that live less than two minutes."""
    clock, secrets, tokens = keeper(lifetime)
    tokens.ensure()
    clock.now += kept - 0.5
    tokens.ensure()
    assert (clock.fetched, secrets.get("access_token")) == (1, "token-1")
    clock.now += 1
    tokens.ensure()
    assert (clock.fetched, secrets.get("access_token")) == (2, "token-2")


def test_a_token_that_was_given_is_kept(keeper):
    clock, secrets, tokens = keeper(1, {"access_token": "given-1234", "client_secret": "secret-1234"})
    clock.now += 10_000
    tokens.ensure()
    assert not tokens.renew()
    tokens.ensure()
    assert (clock.fetched, secrets.get("access_token")) == (0, "given-1234")


def test_a_renewed_token_is_fetched_at_once(keeper):
    clock, secrets, tokens = keeper(3600)
    tokens.ensure()
    assert tokens.renew()
    tokens.ensure()
    assert (clock.fetched, secrets.get("access_token")) == (2, "token-2")


def test_without_a_way_to_fetch_there_is_nothing_to_renew():
    tokens = TokenKeeper(Vault({}), None)
    tokens.ensure()
    assert not tokens.renew()


def test_a_failed_fetch_is_told_and_tried_again():
    answers = [OSError("no access token"), ("token-2", 3600.0)]

    def fetch():
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    secrets = Vault({"client_secret": "secret-1234"})
    tokens = TokenKeeper(secrets, fetch)
    with pytest.raises(OSError, match="no access token"):
        tokens.ensure()
    tokens.ensure()
    assert secrets.get("access_token") == "token-2"


def test_threads_wait_for_one_fetch():
    fetched = []
    start = threading.Barrier(8)

    def fetch():
        time.sleep(0.02)
        fetched.append(1)
        return "token-1", 3600.0

    tokens = TokenKeeper(Vault({"client_secret": "secret-1234"}), fetch)

    def ensure(_):
        start.wait()
        tokens.ensure()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ensure, range(8)))
    assert fetched == [1]
