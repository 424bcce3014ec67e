"""Credentials come from the environment, the first complete set wins, and tokens are kept fresh."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from conformance import credentials, providers
from conformance.credentials import TokenKeeper, environment, token_url, vault
from conformance.errors import UserError
from conformance.scrub import Vault

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
