"""A mock in the hands of a test: what it was sent, what was wrong with that, and what it does next."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import providers
from conformance.mock.control import Control
from conformance.mock.door import Door
from conformance.mock.trouble import failure
from conformance.mock.violations import Violations
from conformance.reference import behaviour
from conformance.reference.app import Endpoint, credentials
from conformance.reference.store import Store
from conformance.scrub import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from conformance.mock.received import Received
    from conformance.model import Json
    from conformance.reference.server import App

# Requests that are remembered; a test asks for fewer.
_KEEP = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a mock is made.

    ``account`` are facts that replace those of the pack's own account, or a TOML file in place of it. ``ignore`` are
    requirements of which nothing is said. ``keep`` requests are remembered; ``told`` hears of each.
    """

    revision: str = ""
    strict: bool = False
    fault: str = ""
    account: Mapping[str, Json] | str | Path | None = None
    db: str = ""
    delay: float = 0.0
    latency: float = 0.0
    ignore: Collection[str] = ()
    keep: int = _KEEP
    told: Callable[[Received], None] | None = None


class MockEndpoint:
    """
    One mock. ``url`` is where clients find it, the base path of the documentation included.

    Everything can be asked and changed while clients talk to it, from any thread.
    """

    def __init__(self, provider: str, settings: Settings) -> None:
        pack = providers.load(provider, settings.revision)
        given = settings.account
        if isinstance(given, str | Path):
            account = providers.read_account(pack, Path(given))
        else:
            account = providers.changed_account(pack, dict(given or {}))
        how = behaviour.healthy(pack, strict=settings.strict)
        store = Store(settings.db or ":memory:")
        self._endpoint = Endpoint(pack, account, how, store, delay=settings.delay)
        self._door = Door(self._endpoint, keep=settings.keep, ignore=settings.ignore, told=settings.told)
        self._origin = ""
        # The orders when it was closed.
        self._left: list[Json] | None = None
        self.provider = provider
        self.strict = settings.strict
        self.latency = settings.latency
        self.fault = settings.fault

    # Where and who

    @property
    def url(self) -> str:
        """The URL that clients are given."""
        return self._origin + self._endpoint.provider.main.base_path

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._origin

    @property
    def credentials(self) -> dict[str, str]:
        """What it takes for credentials, by the words of the pack: ``public_key``, ``access_token`` …"""
        known = credentials(self._endpoint.provider)
        return {name: known[name] for name in self._endpoint.provider.auth.variables}

    @property
    def environment(self) -> dict[str, str]:
        """The same by environment variable, as clients and the suite read them; ready-made tokens only where need be."""
        pack, known = self._endpoint.provider, self.credentials
        sets = [each.variables for each in pack.auth.credentials]
        chosen = [each for each in sets if set(each) != {"access_token"}] or sets
        return {variable: known[name] for one in chosen for name, variable in one.items()}

    @property
    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request, in the first way that the pack documents."""
        vault = Vault(self.credentials)
        return {name: vault.fill(value) for name, value in self._endpoint.provider.auth.credentials[0].headers.items()}

    @property
    def account(self) -> dict[str, Json]:
        """The account facts: which integrations, products … there are."""
        return copy.deepcopy(self._endpoint.account.facts)

    # What came in

    @property
    def orders(self) -> list[Json]:
        """The stored orders as they were sent last, oldest first."""
        return self._endpoint.stored() if self._left is None else self._left

    @property
    def requests(self) -> list[Received]:
        """What was received, in the order in which it came in."""
        return self._door.kept

    @property
    def violations(self) -> Violations:
        """What the client sent or did otherwise than the documentation has it."""
        return Violations(each for received in self._door.kept for each in received.violations)

    @property
    def advice(self) -> Violations:
        """What it had better do otherwise: documented advice, limits of rate, and what nobody documents."""
        return Violations(each for received in self._door.kept for each in received.advice)

    # What it does

    def fail_next(self, what: int | str, times: int = 1, *, on: str = "", retry_after: float | None = None) -> None:
        """
        Let the next request, or so many, fail.

        ``what`` is a status, ``reset``, ``reset-before``, ``timeout``, ``timeout-before``, ``throttle``, ``busy`` or
        the id of a fault. ``on`` is an operation or ``any``, else the one that takes orders. Raises UserError.
        """
        planned = failure(self._endpoint.provider, what, retry_after)
        if planned.fault:
            # Made ready now, so that no client waits for it.
            self._door.behaving(planned.fault)
        self._door.trouble.plan(planned, times, on)

    @property
    def failures_left(self) -> int:
        """How many of the failures that were asked for are still to come."""
        return self._door.trouble.left

    @property
    def fault(self) -> str:
        """The documented rule that it breaks all the time, by the id of the fault; empty for none."""
        return self._door.fault

    @fault.setter
    def fault(self, name: str | None) -> None:
        self._door.behaving(name or "")
        self._door.fault = name or ""

    @property
    def delay(self) -> float:
        """Orders can be read, or are done, so many seconds after they were taken."""
        return self._endpoint.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._endpoint.delay = seconds

    @property
    def latency(self) -> float:
        """Answers leave so many seconds after they are known."""
        return self._door.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._door.latency = seconds

    def preload(self, orders: Sequence[Json]) -> None:
        """Store orders as if they had been there before."""
        self._endpoint.preload(orders)

    def reset(self) -> None:
        """Forget orders, requests, violations and failures that were still to come; settings stay."""
        self._door.clear()

    # Serving

    def app(self, *, control: bool = True) -> App:
        """The ASGI application, with the control API or without."""
        return Control(self, self._door) if control else self._door

    def served_at(self, origin: str) -> None:
        """Clients find it there."""
        self._origin = origin

    def hang_up(self) -> None:
        """Whoever waits for an answer that does not come need not wait longer."""
        self._door.closed = True

    def close(self) -> None:
        """Let go of the store; what it held and what was received can still be asked."""
        self._left = self.orders
        self._endpoint.store.close()

    def __repr__(self) -> str:
        return f"<{self.provider} endpoint at {self.url}>"
