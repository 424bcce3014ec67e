"""A run touches nobody's endpoint without being told that it may."""

from dataclasses import replace

import pytest

from conformance import providers, resources
from conformance.errors import UserError
from conformance.safety import EFFECTS, check_endpoint, is_loopback, parse_allowed, permit

ATLAST = providers.load("atlast")


def refusal(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


# --allow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        ("orders", {"orders"}),
        (" orders , email,", {"orders", "email"}),
        ("orders,orders", {"orders"}),
        (",".join(EFFECTS), {"orders", "money", "email", "load", "production"}),
    ],
)
def test_effects_are_listed_with_commas(text, expected):
    assert parse_allowed(text) == expected


def test_an_unknown_effect_is_named():
    assert refusal(parse_allowed, "orders,prodction") == (
        "--allow=prodction: there is no such effect; did you mean 'production'?"
    )
    assert refusal(parse_allowed, "Orders") == "--allow=Orders: there is no such effect; did you mean 'orders'?"
    assert refusal(parse_allowed, "xyz") == (
        "--allow=xyz: there is no such effect; known: email, load, money, orders, production"
    )


# Loopback


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "localhost.example.com", "notlocalhost", "127.0.0.1.example.com", "0.0.0.0", "10.0.0.1", "192.168.0.1", "::",
        "169.254.169.254", "api.atlast.co", "2001:db8::1", "0x7f.1",
    ],
)  # fmt: skip
def test_other_machines(host):
    """A name may be anybody's; an address of another machine in the house is another machine."""
    assert not is_loopback(host)


# --endpoint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com:8443/v1/", "https://api.example.com:8443/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://api.example.com/a@b", "https://api.example.com/a@b"),
    ],
)
def test_endpoints(url, expected):
    assert check_endpoint(url) == expected


@pytest.mark.parametrize(
    "url", ["api.example.com", "ftp://api.example.com", "https://", "https:///v1", "//api.example.com", ""]
)
def test_an_endpoint_that_is_no_url(url):
    assert (
        refusal(check_endpoint, url) == f"--endpoint={url}: not an http or https URL; write https://host[:port][/path]"
    )


@pytest.mark.parametrize("url", ["https://api.example.com:port", "https://api.example.com:99999", "https://[::1"])
def test_an_endpoint_that_cannot_be_read(url):
    text = refusal(check_endpoint, url)
    assert text.startswith(f"--endpoint={url}: ")
    assert text.endswith("; write https://host[:port][/path]")


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:pa55word@api.example.com",
        "https://ada@api.example.com",
        "https://ada:pa55word@api.example.com:port",
        "https://ada:pa55word@[::1",
        "ftp://ada:pa55word@api.example.com",
        "https://ada:pa55word@api.example.com?x=1",
        "https://ada:pa55word@",
        "//ada:pa55word@api.example.com",
        "ada:pa55word@api.example.com",
    ],
)
def test_credentials_in_an_endpoint_are_refused_and_not_repeated(url):
    """Messages end in logs that others read."""
    text = refusal(check_endpoint, url)
    assert text == "--endpoint: credentials do not belong into the URL; set them in the environment"


@pytest.mark.parametrize(
    ("url", "mark"), [("https://a.example/v1?key=s3cret", "?"), ("https://a.example/v1#s3cret", "#")]
)
def test_an_endpoint_with_more_than_a_path(url, mark):
    text = refusal(check_endpoint, url)
    assert text == f"--endpoint=https://a.example/v1: leave out the part from {mark} on"


# Permission


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost", "http://[::1]:9"])
def test_loopback_needs_no_permission(url):
    assert permit(ATLAST, url, frozenset()) is None


def test_another_host_needs_permission_for_orders():
    url = "https://sandbox.example.com/v1"
    assert refusal(permit, ATLAST, url, frozenset()) == (
        "atlast: the run on sandbox.example.com creates real orders; if that is meant, add --allow=orders"
    )
    assert refusal(permit, ATLAST, url, frozenset({"email", "production"})).endswith("add --allow=orders")
    assert permit(ATLAST, url, frozenset({"orders"})) is None


@pytest.mark.parametrize(
    "host", ["api.atlast.co", "API.AtLast.co", "eu.api.atlast.co", "api.atlast.co.", "api.atlast.co:443"]
)
def test_a_production_host_needs_permission_of_its_own(host):
    url = f"https://{host}/v1"
    text = refusal(permit, ATLAST, url, frozenset({"orders"}))
    assert text.startswith("atlast: ")
    assert text.endswith(
        " is a production host and the run creates real orders; if that is meant, add --allow=orders,production"
    )
    assert permit(ATLAST, url, frozenset({"orders", "production"})) is None


@pytest.mark.parametrize("host", ["notapi.atlast.co", "api.atlast.co.example.com", "atlast.co"])
def test_a_host_that_only_looks_like_production_is_none(host):
    assert permit(ATLAST, f"https://{host}/v1", frozenset({"orders"})) is None


def test_every_production_host_of_a_pack_counts():
    pack = replace(ATLAST, production_hosts=("one.example", "two.example"))
    for host in pack.production_hosts:
        assert "--allow=orders,production" in refusal(permit, pack, f"https://{host}", frozenset({"orders"}))


# Money, and production hosts that are a family of names


EZCARDS, CENTRA = (providers.load(name) for name in ("ezcards", "centra"))


def test_a_run_that_is_paid_for_needs_permission_for_money():
    """Nobody buys what only orders were allowed for, nor the other way round."""
    url = "https://sandboxapi.ezcards.io/v2"
    for allowed in (set(), {"orders"}, {"money"}, {"orders", "email", "load", "production"}):
        assert refusal(permit, EZCARDS, url, frozenset(allowed)) == (
            "ezcards: the run on sandboxapi.ezcards.io spends money on real orders;"
            " if that is meant, add --allow=orders,money"
        )
    assert permit(EZCARDS, url, frozenset({"orders", "money"})) is None


def test_money_in_production_needs_all_three():
    text = refusal(permit, EZCARDS, "https://api.ezcards.io/v2", frozenset({"orders", "money"}))
    assert text == (
        "ezcards: api.ezcards.io is a production host and the run spends money on real orders;"
        " if that is meant, add --allow=orders,money,production"
    )
    assert permit(EZCARDS, "https://api.ezcards.io/v2", frozenset({"orders", "money", "production"})) is None


def test_a_sandbox_beside_a_production_host_is_none():
    assert "production" not in refusal(permit, EZCARDS, "https://sandboxapi.ezcards.io", frozenset())


@pytest.mark.parametrize(
    "host", ["client.centra.com", "a.b.centra.com", "CLIENT.Centra.COM", "client.centra.com.", "centra.com"]
)
def test_every_host_below_a_suffix_is_production(host):
    text = refusal(permit, CENTRA, f"https://{host}/api/order-api", frozenset({"orders"}))
    assert text.endswith("if that is meant, add --allow=orders,production")


@pytest.mark.parametrize(
    "host", ["client.centraqa.com", "notcentra.com", "client.centra.com.example.com", "centra.example"]
)
def test_a_host_that_only_looks_like_one_below_a_suffix_is_none(host):
    assert permit(CENTRA, f"https://{host}/api/order-api", frozenset({"orders"})) is None


@pytest.mark.parametrize("name", list(resources.providers()))
def test_every_pack_says_what_its_runs_do(name):
    """Orders at least; and no run on another machine goes without permission for every effect."""
    effects = providers.load(name).main.effects
    assert "orders" in effects
    assert set(effects) <= set(EFFECTS)
    assert permit(providers.load(name), "https://other.example.com", frozenset(effects)) is None
    for one in effects:
        refusal(permit, providers.load(name), "https://other.example.com", frozenset(effects) - {one})
