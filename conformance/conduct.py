"""A run conducted: from a target over its transport to what came of it."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance import credentials, journal, preflight, safety
from conformance.errors import UserError
from conformance.memory import Memory
from conformance.pace import Pace
from conformance.patience import Patience
from conformance.runner import Runner, Settings
from conformance.target import head, instant_of, token, vault
from conformance.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

    from conformance.preflight import Cautious
    from conformance.runner import Run
    from conformance.target import Target
    from conformance.transport import Room

# How often garbage is looked for among the youngest objects, in net allocations, and how seldom among older ones.
_COLLECTIONS = (2_000, 1_000, 1_000)


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


@contextmanager
def _fewer_collections() -> Generator[None]:
    """
    Python looks for cyclic garbage among old objects hardly ever, as long as the context.

    A run makes next to none, and keeps very much else: a search through all of it holds up every request in flight.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_fewer_collections()
def run(target: Target, selected: list[str], progress: Callable[[int, int], None] | None = None) -> Run:
    """Run the selected cases against the target, or what is left of them in a run that is taken up again."""
    options = target.options
    if not options.report:
        with runner(target, progress) as made:
            return made.run(selected)
    from conformance import parts  # noqa: PLC0415  # for those who keep a report
    from conformance.cassettes.redact import Redactor  # noqa: PLC0415

    before = parts.earlier(options.resume, options.provider) if options.resume else None
    run_token = before.get("token") if before else options.token or token(target)
    path = before.path if before else Path(options.report) / journal.NAME
    target = replace(target, options=replace(options, token=run_token, state=str(path.parent / journal.STATE)))
    about = head(target, selected)
    redactor = Redactor(target.suite.provider, ())
    with (
        parts.journaled(path, about, target.suite, redactor.record, before) as memory,
        runner(target, progress, memory) as made,
    ):
        done = made.run(selected)
        if done.interrupted:
            done.stopped += f"; --resume={options.resume or options.report} takes it up again"
        return done


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
        options.token or token(target),
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
def transport(target: Target, pace: Pace | None = None, room: Room | None = None) -> Generator[HttpTransport]:
    """
    The way to a live endpoint, open as long as the context.

    Its pace is the documented one unless another is given, its room that of a run whose answers are all kept.
    """
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
        pace=pace or Pace(options.max_rps, () if safety.is_loopback(parts.hostname or "") else provider.rates),
        bases=bases[1:],
        places=places,
        files=options.files,
        room=room,
    )
    try:
        yield made
    finally:
        made.close()
