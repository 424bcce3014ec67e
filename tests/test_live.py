"""Live endpoints, healthy and not: what each is reported as, and that none of the bad ones looks conformant."""

import json
import re
import socket

import pytest
from endpoints import (
    CLIENT,
    TOKEN,
    Constant,
    DroppingSilently,
    Echoing,
    Endpoint,
    ExpiringAt,
    Hanging,
    HangingUp,
    ManyRefusals,
    Reply,
    ShortTokens,
)

SHORT = "AL-034/reference.too-short"
WITH_TOKEN = {"ATLAST_ACCESS_TOKEN": TOKEN}
WITH_CLIENT = {"ATLAST_CLIENT_ID": CLIENT["client_id"], "ATLAST_CLIENT_SECRET": CLIENT["client_secret"]}
HEADER_SECRET = "partner-4be1 d09c77aa52"
NOT_ACCEPTED = "POST /orders/bulk: the plain valid batch was not accepted: "


@pytest.fixture
def live(run_pytest, tmp_path):
    """Run the suite against an endpoint, with an access token if nothing else is said."""

    def run(endpoint, *args, env=None, plugins=()):
        url = endpoint if isinstance(endpoint, str) else endpoint.url
        return run_pytest(
            tmp_path,
            "--provider=atlast",
            f"--endpoint={url}",
            "--report=out",
            *args,
            env=WITH_TOKEN if env is None else env,
            plugins=plugins,
        )

    return run


def serve_and_run(run_pytest, folder, endpoint, *args, env):
    with endpoint.serving():
        outcome = run_pytest(folder, "--provider=atlast", f"--endpoint={endpoint.url}", "--report=out", *args, env=env)
    return outcome, endpoint


@pytest.fixture(scope="module")
def healthy(run_pytest, tmp_path_factory):
    """A whole run, one request at a time, against an endpoint that follows the documentation and repeats all it is sent."""
    folder = tmp_path_factory.mktemp("healthy")
    arguments = ("-vv", "-rA", "--junitxml=junit.xml", f"--header=X-Partner-Key: {HEADER_SECRET}")
    return serve_and_run(run_pytest, folder, Echoing(), *arguments, env=WITH_TOKEN)


@pytest.fixture(scope="module")
def renewed(run_pytest, tmp_path_factory):
    """A whole run with client credentials, whose tokens are good for a hundred requests each."""
    return serve_and_run(run_pytest, tmp_path_factory.mktemp("renewed"), ShortTokens(), "-vv", env=WITH_CLIENT)


@pytest.fixture(scope="module")
def concurrent(run_pytest, tmp_path_factory):
    """A whole run with eight requests in flight."""
    folder = tmp_path_factory.mktemp("concurrent")
    return serve_and_run(run_pytest, folder, Endpoint(delay=0.003), "--concurrency=8", env=WITH_TOKEN)


def stopped(outcome, reason):
    """The run ended with one clear message, exit 1, and nothing about it is conformant."""
    report = outcome.report
    assert outcome.ret == 1
    assert report["verdict"] == "inconclusive"
    assert report["run"]["complete"] is False
    assert "violation" not in report["counts"]["cases"]
    assert "conformant" not in report["counts"]["cases"]
    assert report["run"]["stopped"] == reason
    assert outcome.lines.count(f"The run stopped: {reason}") == 1
    errors = [line for line in outcome.lines if line.startswith("ERROR atlast::")]
    assert len(errors) == 1
    assert [line for line in outcome.lines if line.startswith("  reason ")] == [f"  reason    {reason}"]
    assert "Traceback" not in outcome.text


# Healthy endpoints


def test_healthy_is_conformant(healthy):
    """An endpoint that follows the documentation is conformant, whatever it says in its answers."""
    outcome, _ = healthy
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    assert outcome.report["run"]["complete"] is True


def test_every_request_is_counted(healthy, concurrent):
    """The report counts the requests that the endpoint saw, and no order more or less than it took."""
    for outcome, endpoint in (healthy, concurrent):
        counts = outcome.report["counts"]
        assert counts["requests"] == len(endpoint.calls) == len(outcome.report["exchanges"])
        assert counts["orders_created"] == endpoint.created


def test_target_is_named(healthy):
    """The report says where the endpoint was and which account facts were used."""
    outcome, endpoint = healthy
    assert outcome.report["target"] == {"kind": "live", "url": endpoint.url, "strict": False}
    assert outcome.report["account"] == {}


def test_missing_facts_are_named(healthy):
    """Cases that need what the account or the environment does not have are not applicable, with the reason."""
    reasons = {case["reason"] for case in healthy[0].cases.values() if case["verdict"] == "not-applicable"}
    assert reasons
    for reason in reasons:
        assert re.search(r"the account file has no \w+|is not set|no token URL is set", reason), reason


def test_header_reaches_the_endpoint(healthy):
    """An extra header goes with every request."""
    outcome, endpoint = healthy
    assert {call.headers.get("x-partner-key") for call in endpoint.calls} == {HEADER_SECRET}
    assert "x-partner-key" not in {
        name for each in outcome.report["exchanges"].values() for name, _ in each["request"]["headers"]
    }


def leaks(outcome, *secrets):
    """The places in which a secret, or a good part of it, can be read."""
    texts = {"stdout": outcome.out.encode(), "stderr": outcome.err.encode()}
    texts |= {str(path): path.read_bytes() for path in outcome.folder.rglob("*") if path.is_file()}
    assert "out/report.json" in {path.removeprefix(f"{outcome.folder}/") for path in texts}
    return [name for name, text in texts.items() for secret in secrets if secret.encode() in text]


def test_no_secret_is_written(healthy):
    """Token and header value are in no byte of output or files, although the endpoint repeats them in every answer."""
    outcome, _ = healthy
    assert (outcome.folder / "junit.xml").is_file()
    assert leaks(outcome, TOKEN, HEADER_SECRET, *HEADER_SECRET.split()[1:]) == []
    report = json.dumps(outcome.report)
    assert "Bearer {{access_token}}" in report
    assert "{{header x-partner-key}}" in report


def test_no_secret_of_a_client_is_written(renewed):
    """Client id and secret, and every token they were exchanged for, are in no byte of output or files."""
    outcome, endpoint = renewed
    assert len(endpoint.tokens) > 5
    assert leaks(outcome, *CLIENT.values(), *endpoint.tokens) == []


def test_no_secret_in_failures(live):
    """Nor are they in the messages of failures and stops, or in a traceback."""
    with Echoing(tokens=set()).serving() as endpoint:
        outcome = live(endpoint, "-vv", "--tb=long", "--showlocals", f"--header=X-Partner-Key: {HEADER_SECRET}")
    assert outcome.ret == 1
    assert "401" in outcome.report["run"]["stopped"]
    assert leaks(outcome, TOKEN, HEADER_SECRET, HEADER_SECRET.split()[1]) == []


def test_concurrency_changes_no_verdict(healthy, concurrent):
    """With eight requests in flight the verdicts are the same, and several really are in flight."""
    outcome, endpoint = concurrent
    assert outcome.ret == 0
    assert outcome.verdicts == healthy[0].verdicts
    assert 1 < endpoint.most_in_flight <= 8
    # One case sends an order in two calls at once, however few are allowed.
    assert healthy[1].most_in_flight <= 2


def test_token_is_renewed(renewed):
    """A token that expires in mid-run is fetched anew, and what it was refused for is sent again: conformant."""
    outcome, endpoint = renewed
    assert endpoint.refusals() > 0
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    assert "inconclusive" not in outcome.report["counts"]["cases"]


def test_any_refusal_is_a_refusal(run_pytest, tmp_path):
    """Plain text, 409, 413, 415, 422, no body, extra headers, bytes that are no text: no false alarm."""
    outcome, endpoint = serve_and_run(run_pytest, tmp_path, ManyRefusals(), env=WITH_TOKEN)
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    statuses = {each["response"]["status"] for each in outcome.report["exchanges"].values()}
    assert statuses >= {form.status for form in endpoint.forms}
    assert "\x1b" not in outcome.text


@pytest.mark.parametrize(
    ("base", "given"),
    [("/v1", "{origin}/v1"), ("/v1", "{origin}"), ("/v1", "{origin}/v1/"), ("/v1", "{origin}/"), ("", "{origin}"), ("/shop/api", "{origin}/shop/api")],
)  # fmt: skip
def test_base_url(live, base, given):
    """The endpoint may be given with or without the documented base path, and with a slash at its end."""
    with Endpoint(base=base).serving() as endpoint:
        outcome = live(given.format(origin=endpoint.origin), f"--case={SHORT}")
    assert outcome.ret == 0
    assert outcome.verdicts == {SHORT: "conformant"}
    assert outcome.report["counts"]["requests"] == len(endpoint.calls)


# Endpoints that take nothing


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply.of(400, {"no": 1}), '400 application/json {"no": 1}; check the account facts (--account); where they are right, it refuses valid orders'),
        (Reply(401), "401 (empty body); check the credentials and what they allow"),
        (Reply(403, b"go away"), "403 go away; check the credentials and what they allow"),
        (Reply(404), "404 (empty body); check --endpoint: it is the part before /orders/bulk"),
        (Reply(302, headers=(("location", "/login"),)), "302 (empty body); check --endpoint: it is the part before /orders/bulk"),
        (Reply(500, b"<h1>oops</h1>", (("content-type", "text/html"),)), "500 text/html <h1>oops</h1>; try again later"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)  # fmt: skip
def test_takes_nothing(live, reply, reason):
    """An endpoint that refuses everything alike stops the run at once, with its answer and what to check."""
    with Constant(reply=reply).serving() as endpoint:
        outcome = live(endpoint)
    stopped(outcome, NOT_ACCEPTED + reason)
    # A refusal may be of the plain batch alone: the other controls are tried before the run is given up.
    tries = 1 + 4 if reply.status == 400 else 1
    assert len(endpoint.calls) == outcome.report["counts"]["requests"] == tries
    assert len({call.body for call in endpoint.calls}) == tries
    assert outcome.report["counts"]["orders_created"] == 0


def test_redirect_is_not_followed(live):
    """A redirect is not followed: credentials stay with the endpoint that they are for."""
    with Endpoint().serving() as other, Constant().serving() as endpoint:
        endpoint.reply = Reply(307, headers=(("location", f"{other.url}/orders/bulk"),))
        outcome = live(endpoint)
    assert other.calls == []
    stopped(outcome, f"{NOT_ACCEPTED}307 (empty body); check --endpoint: it is the part before /orders/bulk")


def test_not_there(live):
    """A closed port is told as such."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        outcome = live(f"http://{place}")
    reason = f"preflight: {place}: Connection refused; check that the endpoint is running and its URL is right"
    stopped(outcome, reason)


def test_hangs(live):
    """An endpoint that never answers is given up after --request-timeout."""
    with Hanging().serving() as endpoint:
        outcome = live(endpoint, "--request-timeout=1")
        endpoint.released.set()
    reason = "POST /orders/bulk: no answer: nothing within 1 s (the request may have arrived); check that the endpoint is running and its URL is right"
    stopped(outcome, reason)
    assert len(endpoint.calls) == 1


def test_no_token_to_be_had(live):
    """Credentials that no token is given for stop the run with the token's address and what to check."""
    with Endpoint().serving() as endpoint:
        outcome = live(endpoint, env=WITH_CLIENT | {"ATLAST_CLIENT_SECRET": "wrong-secret"})
    reason = f"no access token from {endpoint.url}/auth/token: status 401; check the credentials"
    stopped(outcome, f"preflight: {reason}")
    assert "wrong-secret" not in outcome.text + json.dumps(outcome.report)


# Endpoints that take too much


def caught(outcome, *cases):
    """The endpoint is found out: exit 1, nonconformant, with these violations among others."""
    assert outcome.ret == 1
    assert outcome.report["verdict"] == "nonconformant"
    for case in cases:
        assert outcome.verdicts[case] == "violation"


def test_takes_everything(live):
    """An endpoint that takes everything violates every refusal that the documentation asks for."""
    with Constant(reply=Reply(201)).serving() as endpoint:
        outcome = live(endpoint, "--tb=no", "-rN")
    caught(outcome, SHORT, "AL-002/token.none")
    musts = {case["id"] for row in outcome.report["requirements"] if row["level"] == "must" for case in row["cases"]}
    unharmed = {
        name
        for name, case in outcome.cases.items()
        if name in musts
        and case["expectation"] in ("refuse", "deny")
        and case["verdict"] not in ("violation", "advisory", "not-applicable")
    }
    assert unharmed == set()
    first = next(row for row in outcome.report["requirements"] if row["verdict"] == "violation")
    assert any(line.startswith(f"Violated: {first['id']} {first['title']}  [{first['id']}/") for line in outcome.lines)


def test_answers_pages(live):
    """A page with status 200 for everything is no API: the run stops with status, media type and what to check."""
    page = Reply(200, b"<html>Welcome</html>", (("content-type", "text/html; charset=utf-8"),))
    with Constant(reply=page).serving() as endpoint:
        outcome = live(endpoint)
    reason = f"{NOT_ACCEPTED}200 text/html <html>Welcome</html>; check --endpoint: it is the part before /orders/bulk"
    assert outcome.ret == 1
    assert outcome.report["verdict"] != "conformant"
    assert outcome.report["run"]["stopped"] == reason
    assert outcome.lines.count(f"The run stopped: {reason}") == 1
    assert len(endpoint.calls) == 1


def test_drops_silently(live):
    """An endpoint that says 201 and drops the bad orders has not refused them."""
    with DroppingSilently().serving() as endpoint:
        outcome = live(endpoint, "-m", "must and items", "--tb=no")
    caught(outcome)
    refusals = [case for case in outcome.cases.values() if case["expectation"] == "refuse"]
    assert refusals
    assert {case["verdict"] for case in refusals} == {"violation", "advisory"}


# Endpoints that change their mind


def test_token_expires_in_mid_run(live):
    """With a fixed token that expires, what was asked since the last good control is inconclusive, not refused."""
    with ExpiringAt().serving() as endpoint:
        outcome = live(endpoint, "--tb=no")
    report = outcome.report
    reason = (
        f'in mid-run {NOT_ACCEPTED}401 application/json {{"error": "who are you?"}};'
        " check the credentials and what they allow"
    )
    assert outcome.ret == 1
    assert report["verdict"] == "inconclusive"
    assert "violation" not in report["counts"]["cases"]
    assert report["run"]["stopped"] == reason
    assert outcome.lines.count(f"The run stopped: {reason}") == 1
    late = {
        name
        for name, case in outcome.cases.items()
        if any(report["exchanges"][each]["response"]["status"] == 401 for each in case["exchange_ids"])
    }
    assert late - {name for name in late if name.startswith(("AL-002/", "AL-003/", "AL-004/", "AL-005/"))}
    assert {outcome.verdicts[name] for name in late if outcome.cases[name]["expectation"] == "refuse"} <= {
        "inconclusive"
    }
    assert len(endpoint.calls) == report["counts"]["requests"] < 210


def test_hangs_up_now_and_then(live):
    """A connection that closes without an answer leaves its cases inconclusive, and is never a violation."""
    with HangingUp().serving() as endpoint:
        outcome = live(endpoint, "-k", "quantity or reference", "--tb=short")
    counts = outcome.report["counts"]["cases"]
    assert outcome.ret == 1
    assert outcome.report["verdict"] == "inconclusive"
    assert "violation" not in counts
    assert counts["inconclusive"] > 2
    for name, verdict in outcome.verdicts.items():
        if verdict == "inconclusive":
            assert "quantity" in name
            assert outcome.cases[name]["reason"].startswith("no answer: ")
    assert outcome.verdicts[SHORT] == "conformant"
    assert len(endpoint.calls) == outcome.report["counts"]["requests"]


# Limits


def test_order_limit_is_kept(live):
    """--max-orders is never exceeded, not by a control either."""
    with Endpoint().serving() as endpoint:
        live(endpoint, "--max-orders=20", "--tb=no")
    assert 0 < endpoint.created <= 20


@pytest.mark.parametrize("make", [Endpoint, lambda: Constant(reply=Reply(201))], ids=["healthy", "takes everything"])
def test_order_limit(live, make):
    """--max-orders stops the creation of orders, and what was left out keeps the run from being conformant."""
    with make().serving() as endpoint:
        outcome = live(endpoint, "--max-orders=20", "--tb=no")
    assert outcome.ret == 1
    assert outcome.report["verdict"] != "conformant"
    assert outcome.report["run"]["complete"] is False
    assert outcome.report["counts"]["orders_created"] == endpoint.created
    assert any("it could create more than --max-orders=20 orders" in line for line in outcome.lines)


def test_setup_plan_sends_nothing(live):
    """--setup-plan and --setup-only show what would be done, and do none of it."""
    with Endpoint().serving() as endpoint:
        for option in ("--setup-plan", "--setup-only"):
            assert live(endpoint, option, f"--case={SHORT}").ret == 0
    assert endpoint.calls == []
