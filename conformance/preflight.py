"""Preflight: what can be known of an endpoint and an account before an order is created."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance import bodies, changes, plan, schemas
from conformance.answers import Answer, classify, clock_skew, describe
from conformance.batches import PLAIN, Composer, Unmade
from conformance.evidence import MAX_SKEW
from conformance.judge import judge
from conformance.plan import Atom
from conformance.sender import Run
from conformance.transport import tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conformance.model import Exchange
    from conformance.operations import Operation
    from conformance.providers import Provider
    from conformance.runner import Runner
    from conformance.scrub import Vault
    from conformance.sender import Settings
    from conformance.suite import Suite
    from conformance.transport import HttpTransport

OK, FAILED, UNCHECKED = "ok", "failed", "not checked"
_CONNECT_S = 10.0
# A server that is just coming up refuses connections: before anything is given up it is tried once more.
_PAUSE_S = 1.0
_READ = ("path", "credentials", "clock")
_RUNNING = "check that the endpoint is running and its URL is right"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``status`` is ``ok``, ``failed`` or ``not checked``."""

    name: str
    status: str
    detail: str


def obstacle(suite: Suite, transport: HttpTransport, vault: Vault, timeout: float) -> str:
    """
    Why a run need not begin, or an empty text.

    Only what no run can do without: a connection and, where tokens are fetched, a token. Credentials that
    may not read may still create, so the rest is left to the first control.
    """
    found = [*connection(transport, timeout), token(suite, transport, vault)]
    return next((f"preflight: {each.detail}" for each in found if each.status == FAILED), "")


class Cautious:
    """A runner that looks before it begins."""

    def __init__(self, runner: Runner, suite: Suite, settings: Settings, look: Callable[[], str]) -> None:
        self._runner, self._suite, self._settings, self._look = runner, suite, settings, look

    def run(self, selected: Iterable[str]) -> Run:
        """Run and judge the selected cases, unless there is an obstacle: then nothing is sent, and each case says why."""
        names = tuple(selected)
        reason = self._look()
        return self._halted(names, reason) if reason else self._runner.run(names)

    def _halted(self, selected: tuple[str, ...], reason: str) -> Run:
        now = datetime.now(UTC)
        run = Run(self._suite, self._settings, selected, now, stopped=reason, finished_at=now)
        todo = plan.make(self._suite, selected)
        names = (*(atom.id for atom in todo.atoms), *(case.id for case in todo.singles))
        run.not_run = {name: f"not sent: {reason}" for name in names if name in self._suite.by_id}
        run.judgements = judge(self._suite, run.records, run.not_run, self._settings.token)
        return run


def checks(suite: Suite, transport: HttpTransport, vault: Vault, timeout: float) -> Iterator[Check]:
    """Everything that can be looked at without creating an order, and in the end what cannot."""
    yield facts(suite)
    found = [*connection(transport, timeout)]
    if found[-1].status != FAILED:
        found.append(token(suite, transport, vault))
    yield from found
    if found[-1].status != FAILED:
        yield from reading(suite, transport)
    else:
        yield from (Check(name, UNCHECKED, "for what failed above") for name in _READ)
    yield Check("orders", UNCHECKED, "only creating one shows whether they are taken")


# The endpoint


def connection(transport: HttpTransport, timeout: float) -> list[Check]:
    """Name, connection and encryption, told apart; what comes after a failure is left out."""
    if transport.proxied:
        # It is the proxy that looks the name up and connects.
        return [Check("connection", UNCHECKED, "it goes through a proxy, which the first request will show")]
    found = _connection(transport, timeout)
    if found[-1].status == FAILED:
        time.sleep(_PAUSE_S)
        found = _connection(transport, timeout)
    return found


def _connection(transport: HttpTransport, timeout: float) -> list[Check]:
    parts = urlsplit(transport.endpoint)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = parts.netloc if parts.port else f"{parts.netloc}:{port}"
    try:
        addresses = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        return [Check("name", FAILED, f"{host} has no address: {why}; check the host's name in --endpoint")]
    found = [Check("name", OK, "it is an address" if host in addresses else f"{host} is {', '.join(addresses)}")]
    try:
        line = socket.create_connection((host, port), min(_CONNECT_S, timeout))
    except OSError as error:
        why = "no connection in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return [*found, Check("connection", FAILED, f"{place}: {why}; {_RUNNING}")]
    with line:
        found.append(Check("connection", OK, place))
        if parts.scheme != "https":
            return [*found, Check("encryption", UNCHECKED, "http has none")]
        try:
            return [*found, Check("encryption", OK, _secured(line, host.rstrip("."), transport))]
        except (OSError, ValueError) as error:
            return [*found, Check("encryption", FAILED, f"{place}: {_why_not(error)}")]


def _secured(line: socket.socket, host: str, transport: HttpTransport) -> str:
    """The protocol of a TLS connection, with the certificates that the transport trusts and shows. Raises OSError."""
    context = tls.context(transport.files)
    context.sslsocket_class = ssl.SSLSocket
    with context.wrap_socket(line, server_hostname=host) as secured:
        return secured.version() or "TLS"


def _why_not(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return tls.why(error)
    return f"no TLS connection: {error}; {_RUNNING}"


def token(suite: Suite, transport: HttpTransport, vault: Vault) -> Check:
    """Whether an access token can be had, where this run's credentials need one. It is kept for the run."""
    name = "access token"
    if not any("{{access_token}}" in value for value in suite.authorization[0].values()):
        return Check(name, UNCHECKED, "these credentials need none")
    if vault.get("access_token"):
        return Check(name, UNCHECKED, "it is given, and only a request shows whether it is accepted")
    try:
        transport.tokens.ensure()
    except OSError as error:
        return Check(name, FAILED, vault.scrub(str(error)))
    return Check(name, OK, "fetched") if vault.get("access_token") else Check(name, UNCHECKED, "none is fetched here")


# What a documented call that only reads tells


def reading(suite: Suite, transport: HttpTransport) -> Iterator[Check]:
    """Path, credentials and clock, by a documented call that creates nothing; unchecked where there is none."""
    operation, query = _harmless(suite.provider)
    if operation is None:
        why = "the API documents no call that only reads, so only an order shows it"
        yield from (Check(name, UNCHECKED, why) for name in _READ)
        return
    composer = Composer(suite, 0, "")

    def ask() -> Exchange:
        request = composer.read(operation, {}, query).request
        return transport.send(request, operation.id, "preflight", datetime.now(UTC))

    exchange = ask()
    if _status(exchange) in (404, 405) and transport.other_base():
        exchange = ask()
    for headers in suite.authorization[1:]:
        if _status(exchange) in (401, 403):
            composer.authorize(headers)
            exchange = ask()
    what = f"{operation.method} {operation.path}: {describe(exchange)}"
    yield _path(exchange, what, operation.path)
    yield _credentials(classify(operation, exchange), exchange, what, refused=_says_no(suite.provider, exchange))
    yield _clock(exchange)


def _harmless(provider: Provider) -> tuple[Operation | None, str]:
    """The listing that a run reads back by, or another documented call that needs neither a parameter nor a body."""
    if provider.read_back is not None:
        return provider.operation(provider.read_back.list), provider.read_back.query
    found = (each for each in provider.operations if each.method == "GET" and "{" not in each.path)
    return next(found, None), ""


def _status(exchange: Exchange) -> int:
    return exchange.response.status if exchange.response else 0


def _path(exchange: Exchange, what: str, path: str) -> Check:
    code = _status(exchange)
    if not code:
        return Check("path", FAILED, f"{what}; {_RUNNING}")
    if code >= 500:
        return Check("path", FAILED, f"{what}; try again later")
    page = exchange.response is not None and "html" in exchange.response.header("content-type")
    if code in (404, 405) or 300 <= code < 400 or (page and code < 400):
        return Check("path", FAILED, f"{what}; check --endpoint: it is the part before {path}")
    return Check("path", OK, f"answered with {code}")


def _says_no(provider: Provider, exchange: Exchange) -> bool:
    """Whether a body refuses what its status grants, in the word that answers to orders have for it."""
    outcome = provider.main.outcome
    if outcome is None or not outcome.by_name:
        return False
    return any(value == outcome.refused for _, value in changes.select(bodies.answered(exchange), outcome.status))


def _credentials(answer: Answer, exchange: Exchange, what: str, *, refused: bool) -> Check:
    code = _status(exchange)
    if refused:
        # It may mean that there is no order yet.
        return Check("credentials", UNCHECKED, f"{what}: it says no; check the credentials")
    if code in (401, 403):
        return Check("credentials", FAILED, f"{what}; check the credentials and whether they may read")
    if answer is Answer.ACCEPTED:
        return Check("credentials", OK, f"answered with {code}")
    return Check("credentials", UNCHECKED, f"{what}: that says nothing of them" if code else "there was no answer")


def _clock(exchange: Exchange) -> Check:
    if exchange.response is None or not exchange.response.header("date"):
        return Check("clock", UNCHECKED, "the answer has no Date header")
    skew = clock_skew(exchange)
    seconds = f"{int(skew.total_seconds())} s from ours"
    if skew > MAX_SKEW:
        return Check("clock", FAILED, f"{seconds}; cases about dates would prove nothing: set one of the clocks")
    return Check("clock", OK, seconds)


# The account


def facts(suite: Suite) -> Check:
    """Whether a valid order can be made of the account's facts, and what cannot be tested without more of them."""
    name, main = "account facts", suite.provider.main
    try:
        made = Composer(suite, 0, "").orders([Atom("control", PLAIN)], "", datetime.now(UTC))
    except Unmade as error:
        return Check(name, FAILED, f"no order can be made of them: {error}")
    mistakes = schemas.validator(main.request_schema).mistakes(bodies.parsed(made.request.body or b""))
    if mistakes:
        return Check(name, FAILED, f"an order made of them is not valid: {mistakes[0].pointer}: {mistakes[0].message}")
    lacking = [case.excluded for case in suite.cases if case.excluded.startswith("the account file has no ")]
    if not lacking:
        return Check(name, OK, "every case has what it needs")
    keys = ", ".join(sorted({each.rpartition(" ")[2] for each in lacking}))
    return Check(name, OK, f"{len(lacking)} cases do not apply without {keys}")
