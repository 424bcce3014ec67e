"""The endpoint under test, made ready: the embedded reference endpoint, or a live one with its credentials."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from conformance import __version__, catalogue, credentials, providers, safety, spend, suite
from conformance.errors import UserError
from conformance.exploration.cases import Explored, written
from conformance.model import Account
from conformance.patience import LIMIT_S
from conformance.transport import Files, check_ways

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.scrub import Vault

DEFAULT_SEED = 1
# A shorter value of an extra header (`1`, `true`, `2026`) is no secret, and hiding it would tear answers apart.
_SHORTEST_HEADER = 8
# Two runs for one challenge need other tokens, lest their ids collide. The fewer there are to choose from, the less
# can an older run be passed off as an answer to a challenge.
_NONCE = 4
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
    # How many examples to make up beside the cases of the pack.
    explore: int = 0
    # The folder of the report, where the journal is written too, and that of a run to take up again.
    report: str = ""
    resume: str = ""
    # The run token, where it is settled already.
    token: str = ""
    # Where the embedded endpoint keeps its orders, so that a run can be taken up again; in memory otherwise.
    state: str = ""
    challenge: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """
    An endpoint that a run can be made against, or a recording: ``kind`` is ``reference``, ``live`` or ``cassettes``.

    ``credentials`` are the names of those that the suite was made for, ``closed`` the
    operations that cannot be tested, with the reason. ``nonce`` goes into the run token beside a challenge.
    """

    kind: str
    options: Options
    suite: suite.Suite
    secrets: Vault | None
    endpoint: str
    credentials: tuple[str, ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict[str, str])
    nonce: str = ""


def prepare(options: Options) -> Target:
    """
    Check everything that can be checked before a request is sent.

    Raises UserError for whatever the user can put right.
    """
    provider = providers.load(options.provider, options.revision)
    if not options.endpoint:
        account = providers.reference_account(provider)
        if options.account:
            account = account_of(provider, options.account)
        # The embedded endpoint knows its own credentials, so every case that needs them can run.
        names = tuple(provider.auth.variables)
        made = suite.build(provider, account, names, explored=_explored(provider, account, options))
        return _taken_up(Target("reference", options, made, None, "", names, nonce=_nonce(f"nonce/{options.seed}")))
    endpoint = safety.check_endpoint(options.endpoint)
    safety.permit(provider, endpoint, options.allowed)
    check_ways(endpoint, options.files)
    account = account_of(provider, options.account)
    vault, token_url = credentials.vault(provider, credentials.environment())
    token_url = token_url or str(account.get("token_url") or "")
    closed = _closed(provider, vault, token_url)
    names = vault.names
    made = suite.build(provider, account, names, closed, _explored(provider, account, options))
    _hide_headers(options, provider, vault)
    nonce = secrets.token_hex(_NONCE // 2)
    return _taken_up(Target("live", options, made, vault, endpoint, names, closed, nonce))


def _explored(provider: Provider, account: Account, options: Options) -> Explored:
    """The changes that are made up for a run."""
    if not options.explore:
        return Explored()
    from conformance.exploration import plan  # noqa: PLC0415  # for those who explore

    known = catalogue.load(provider.name, provider.revision)
    return Explored(options.explore, plan.explore(provider, known, account, options.explore, options.seed))


def vault(target: Target) -> Vault:
    """The secrets that a run against the target knew."""
    if target.secrets is not None:
        return target.secrets
    from conformance.reference import app  # noqa: PLC0415  # a live run needs no server
    from conformance.scrub import Vault  # noqa: PLC0415

    return Vault(app.CREDENTIALS, target.suite.provider.secret_members)


def account_of(provider: Provider, path: str) -> Account:
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
        reason = f"tokens come from {urlsplit(token_url).hostname}, and this is about {' and '.join(operations)}"
    return dict.fromkeys(operations.values(), reason)


def instant_of(seed: int) -> datetime:
    """The instant at which the clock of a reference run stands, so that equal seeds give equal reports."""
    return _DAY + timedelta(seconds=seed % 86400)


def token_of(seed: int) -> str:
    """The run token of a reference run."""
    return hashlib.sha256(f"token/{seed}".encode()).hexdigest()[:6]


def challenged(challenge: str, nonce: str) -> str:
    """The run token of a run that answers a challenge."""
    return hashlib.sha256(f"{challenge}\n{nonce}".encode()).hexdigest()[:6]


def _nonce(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_NONCE]


def token(target: Target) -> str:
    """The run token: it depends on the challenge where there is one, on the seed where the clock does."""
    if target.options.challenge:
        return challenged(target.options.challenge, target.nonce)
    return token_of(target.options.seed) if target.kind == "reference" else secrets.token_hex(3)


def _taken_up(target: Target) -> Target:
    """The target, after a look whether the run that is to be taken up again was about the same."""
    if target.options.resume:
        from conformance import parts  # noqa: PLC0415  # for those who take up a run

        before = parts.earlier(target.options.resume, target.options.provider)
        parts.agree(before.head, head(target, []), target.options.resume)
    return target


def head(target: Target, selected: list[str]) -> JsonObject:
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
        "explore": target.suite.explored.asked,
        "explored": cast("Json", list(written(target.suite.explored))),
        "allowed": cast("Json", sorted(options.allowed)),
        "account": target.suite.account.facts,
        "credentials": cast("Json", list(target.credentials)),
        "closed": cast("Json", dict(target.closed)),
        "selected": cast("Json", list(selected)),
    }
