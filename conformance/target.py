"""The endpoint under test, made ready: the embedded reference endpoint, or a live one with its credentials."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from conformance import __version__, credentials, journal, preflight, providers, safety, spend, suite
from conformance.errors import UserError
from conformance.memory import Memory
from conformance.model import Account
from conformance.patience import LIMIT_S, Patience
from conformance.runner import Runner, Settings
from conformance.transport import Files, HttpTransport, check_ways

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from conformance.model import Json, JsonObject
    from conformance.preflight import Cautious
    from conformance.providers import Provider
    from conformance.runner import Run
    from conformance.scrub import Vault

DEFAULT_SEED = 1
# A shorter value of an extra header (`1`, `true`, `2026`) is no secret, and hiding it would tear answers apart.
_SHORTEST_HEADER = 8
_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for, after command line, ini file and defaults were settled."""

    provider: str
    endpoint: str = ""
    account: str = ""
    revision: str = ""
    seed: int = DEFAULT_SEED
    # 0: what the pack says of its own hosts, one elsewhere.
    concurrency: int = 0
    max_rps: float = 0.0
    timeout: float = 30.0
    pack: bool = True
    allowed: frozenset[str] = frozenset()
    max_orders: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    files: Files = field(default_factory=Files)
    patience: float = LIMIT_S
    strict: bool = False
    delay: float = 0.0
    record_mode: str = ""
    cassettes: str = ""
    max_cassette_age: float | None = None
    budget: int = 0
    # The folder of the report, where the journal is written too, and that of a run to take up again.
    report: str = ""
    resume: str = ""
    # The run token, where it is settled already.
    token: str = ""
    # Where the embedded endpoint keeps its orders, so that a run can be taken up again; in memory otherwise.
    state: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """
    An endpoint that a run can be made against, or a recording: ``kind`` is ``reference``, ``live`` or ``cassettes``.

    ``credentials`` are the names of those that the suite was made for, ``closed`` the
    operations that cannot be tested, with the reason.
    """

    kind: str
    options: Options
    suite: suite.Suite
    secrets: Vault | None
    endpoint: str
    credentials: tuple[str, ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict[str, str])


def prepare(options: Options) -> Target:
    """
    Check everything that can be checked before a request is sent.

    Raises UserError for whatever the user can put right.
    """
    provider = providers.load(options.provider, options.revision)
    if not options.endpoint:
        account = providers.reference_account(provider)
        if options.account:
            account = _account(provider, options.account)
        # The embedded endpoint knows its own credentials, so every case that needs them can run.
        names = tuple(provider.auth.variables)
        return _taken_up(Target("reference", options, suite.build(provider, account, names), None, "", names))
    endpoint = safety.check_endpoint(options.endpoint)
    safety.permit(provider, endpoint, options.allowed)
    check_ways(endpoint, options.files)
    account = _account(provider, options.account)
    vault, token_url = credentials.vault(provider, credentials.environment())
    token_url = token_url or str(account.get("token_url") or "")
    closed = _closed(provider, vault, token_url)
    names = vault.names
    made = suite.build(provider, account, names, closed)
    _hide_headers(options, provider, vault)
    return _taken_up(Target("live", options, made, vault, endpoint, names, closed))


def vault(target: Target) -> Vault:
    """The secrets that a run against the target knew."""
    if target.secrets is not None:
        return target.secrets
    from conformance.reference import app  # noqa: PLC0415  # a live run needs no server
    from conformance.scrub import Vault  # noqa: PLC0415

    return Vault(app.CREDENTIALS, target.suite.provider.secret_members)


def _account(provider: Provider, path: str) -> Account:
    """The account's facts. Raises UserError naming a fact without which nothing valid can be sent."""
    account = providers.read_account(provider, Path(path)) if path else Account()
    for key, about in provider.account_keys.items():
        kind = cast("JsonObject", about.get("required-when", {}))
        needed = about.get("required") or (kind and all(account.get(name) == value for name, value in kind.items()))
        if needed and account.get(key) is None:
            raise UserError(f"{provider.name}: --account FILE with {key} is needed: {about['about']}")
    if provider.main.order and provider.main.order.cost:
        spend.check(account)
    return account


def _hide_headers(options: Options, provider: Provider, vault: Vault) -> None:
    """
    Treat the values of extra headers as secrets, wherever an endpoint repeats them.

    Raises UserError for a header that cases vary themselves.
    """
    for name, value in options.headers:
        if name in (*provider.auth.headers, "content-type", "content-length"):
            raise UserError(f"--header: cases about {name} set it themselves; credentials belong into the environment")
        for text in (value, *value.split()):
            if len(text) >= _SHORTEST_HEADER:
                vault.put(f"header {name}", text)


def _closed(provider: Provider, vault: Vault, token_url: str) -> dict[str, str]:
    """Token operations that cannot be tested, with the reason: nobody said where they are, or they are another kind."""
    operations = {each.path: each.id for each in provider.operations if each.anonymous}
    used = credentials.token_endpoint(provider, token_url)
    if used is None or used.path in operations:
        if token_url or not vault.get("access_token"):
            return {}
        reason = "the access token is given, and no token URL is set to test"
    else:
        reason = f"tokens come from {token_url}, and this is about {' and '.join(operations)}"
    return dict.fromkeys(operations.values(), reason)


def instant_of(seed: int) -> datetime:
    """The instant at which the clock of a reference run stands, so that equal seeds give equal reports."""
    return _DAY + timedelta(seconds=seed % 86400)


def token_of(seed: int) -> str:
    """The run token of a reference run."""
    return hashlib.sha256(f"token/{seed}".encode()).hexdigest()[:6]


@contextmanager
def runner(
    target: Target, progress: Callable[[int, int], None] | None = None, memory: Memory | None = None
) -> Generator[Runner | Cautious]:
    """A runner for the target; a reference endpoint lives as long as the context."""
    if target.kind == "reference":
        with _reference(target, progress, memory or Memory()) as made:
            yield made
    else:
        with _live(target, progress, memory or Memory()) as made:
            yield made


def run(target: Target, selected: list[str], progress: Callable[[int, int], None] | None = None) -> Run:
    """Run the selected cases against the target, or what is left of them in a run that is taken up again."""
    options = target.options
    if not options.report:
        with runner(target, progress) as made:
            return made.run(selected)
    from conformance import parts  # noqa: PLC0415  # for those who keep a report
    from conformance.cassettes.redact import Redactor  # noqa: PLC0415

    before = parts.earlier(options.resume, options.provider) if options.resume else None
    token = before.get("token") if before else options.token or _token(target)
    path = before.path if before else Path(options.report) / journal.NAME
    target = replace(target, options=replace(options, token=token, state=str(path.parent / journal.STATE)))
    head = _head(target, selected)
    redactor = Redactor(target.suite.provider, ())
    with (
        parts.journaled(path, head, target.suite, redactor.record, before) as memory,
        runner(target, progress, memory) as made,
    ):
        done = made.run(selected)
        if done.interrupted:
            done.stopped += f"; --resume={options.resume or options.report} takes it up again"
        return done


def _taken_up(target: Target) -> Target:
    """The target, after a look whether the run that is to be taken up again was about the same."""
    if target.options.resume:
        from conformance import parts  # noqa: PLC0415  # for those who take up a run

        before = parts.earlier(target.options.resume, target.options.provider)
        parts.agree(before.head, _head(target, []), target.options.resume)
    return target


def _head(target: Target, selected: list[str]) -> JsonObject:
    """What a journal says of its run."""
    options, provider = target.options, target.suite.provider
    return {
        "provider": provider.name,
        "revision": provider.revision,
        "pack_sha256": provider.folders.digest(),
        "suite_version": __version__,
        "kind": target.kind,
        "url": target.endpoint,
        "seed": options.seed,
        "token": options.token,
        "started_at": instant_of(options.seed).isoformat() if target.kind == "reference" else None,
        "strict": options.strict,
        "allowed": cast("Json", sorted(options.allowed)),
        "account": target.suite.account.facts,
        "credentials": cast("Json", list(target.credentials)),
        "closed": cast("Json", dict(target.closed)),
        "selected": cast("Json", list(selected)),
    }


def _token(target: Target) -> str:
    """The run token, by which the orders of a run are known."""
    return token_of(target.options.seed) if target.kind == "reference" else secrets.token_hex(3)


def _lanes(target: Target) -> int:
    """How many requests may be in flight: as asked for, else what the pack says of hosts that it knows."""
    if target.options.concurrency or not target.endpoint:
        return target.options.concurrency or 1
    provider = target.suite.provider
    return provider.concurrency if safety.knows(provider, target.endpoint) else 1


def _settings(target: Target, instant: datetime | None) -> Settings:
    options = target.options
    # The embedded endpoint forgets everything when it ends: there is nothing to clean up.
    return Settings(
        options.seed,
        options.token or _token(target),
        _lanes(target),
        options.pack,
        options.max_orders,
        instant,
        clean_up=instant is None,
        patience=partial(Patience, options.patience),
        budget=options.budget,
    )


@contextmanager
def _reference(target: Target, progress: Callable[[int, int], None] | None, memory: Memory) -> Generator[Runner]:
    from conformance.reference import app, behaviour, server, store  # noqa: PLC0415  # a live run needs no server
    from conformance.scrub import Vault  # noqa: PLC0415

    options = target.options
    instant = instant_of(options.seed)
    healthy = behaviour.healthy(target.suite.provider, strict=options.strict)
    endpoint = app.Endpoint(
        target.suite.provider,
        target.suite.account,
        healthy,
        store.Store(options.state or ":memory:"),
        clock=lambda: instant,
        delay=options.delay,
    )
    with server.running(endpoint) as url:
        transport = HttpTransport(
            url,
            Vault(app.credentials(target.suite.provider), target.suite.provider.secret_members),
            timeout=options.timeout,
            connections=_lanes(target),
        )
        try:
            yield Runner(target.suite, transport, _settings(target, instant), progress, memory)
        finally:
            transport.close()


@contextmanager
def _live(target: Target, progress: Callable[[int, int], None] | None, memory: Memory) -> Generator[Cautious]:
    with transport(target) as made:
        settings = _settings(target, None)
        look = partial(preflight.obstacle, target.suite, made, vault(target), target.options.timeout)
        yield preflight.Cautious(Runner(target.suite, made, settings, progress, memory), target.suite, settings, look)


@contextmanager
def transport(target: Target) -> Generator[HttpTransport]:
    """The way to a live endpoint, open as long as the context."""
    options, provider = target.options, target.suite.provider
    if target.secrets is None:
        raise UserError(f"{provider.name}: no credentials")
    _, configured = credentials.vault(provider, credentials.environment())
    configured = configured or str(target.suite.account.get("token_url") or "")
    base = provider.main.base_path
    parts = urlsplit(target.endpoint)
    # People give the host alone or the documented base path with it: the first control tells which was meant.
    bases = [base, ""] if base and not parts.path else [parts.path]
    origin = f"{parts.scheme}://{parts.netloc}"
    used = credentials.token_endpoint(provider, configured)
    token = credentials.token_url(provider, origin + bases[0], configured)
    # Token requests that cases make go where tokens come from, which may be another host.
    places = {used.path: token[0]} if used and token[0] and not token[0].startswith(origin) else {}
    if used and configured:
        places = {used.path: configured}
    made = HttpTransport(
        origin + bases[0],
        target.secrets,
        timeout=options.timeout,
        headers=options.headers,
        token=token,
        connections=_lanes(target),
        max_rps=options.max_rps,
        bases=bases[1:],
        places=places,
        files=options.files,
    )
    try:
        yield made
    finally:
        made.close()
