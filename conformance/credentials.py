"""Credentials from the environment, and access tokens fetched and renewed with them."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance.errors import UserError
from conformance.scrub import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.auth import TokenEndpoint
    from conformance.providers import Provider

# A token is renewed this long before it expires, so that none runs out on its way.
_EARLY_S = 60.0


def environment(folder: Path | None = None) -> dict[str, str]:
    """The environment with what a ``.env`` file in ``folder`` adds; variables that are set win."""
    path = (folder or Path.cwd()) / ".env"
    found: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals and not name.startswith("#"):
                quoted = re.fullmatch(r"\s*(['\"])(.*)\1\s*", value)
                found[name.strip()] = quoted[2] if quoted else value.strip()
    return found | dict(os.environ)


def vault(provider: Provider, variables: Mapping[str, str]) -> tuple[Vault, str]:
    """
    The first complete set of credentials, with the token URL where one is set.

    Raises UserError naming the missing variables.
    """
    for each in provider.auth.credentials:
        if all(variables.get(variable) for variable in each.variables.values()):
            values = {name: variables[variable] for name, variable in each.variables.items()}
            # Credentials of other sets may be known too; some cases need them.
            for name, known in provider.auth.variables.items():
                for variable in known:
                    if variables.get(variable):
                        values.setdefault(name, variables[variable])
            url = next((variables.get(one.token_url, "") for one in provider.auth.credentials if one.token_url), "")
            return Vault(values, provider.secret_members), url
    wanted = ", or ".join(" and ".join(each.variables.values()) for each in provider.auth.credentials)
    raise UserError(f"{provider.name}: no credentials: set {wanted} in the environment or in a .env file")


def token_url(provider: Provider, endpoint: str, configured: str) -> tuple[str, TokenEndpoint | None]:
    """
    Where tokens come from, and how the request is written.

    The default is the endpoint's own host, or the one that is documented for that host:
    credentials for a sandbox never go elsewhere.
    """
    first = token_endpoint(provider, configured)
    if configured or first is None:
        return configured, first
    parts = urlsplit(endpoint)
    if documented := dict(first.hosts).get(parts.hostname or ""):
        return documented + first.path, first
    base = f"{parts.scheme}://{parts.netloc}" if first.root else endpoint.rstrip("/")
    return base + first.path, first


def token_endpoint(provider: Provider, configured: str) -> TokenEndpoint | None:
    """Which documented token endpoint a configured URL is; the first one when it looks like none, or none is set."""
    known = provider.auth.token_endpoints
    path = urlsplit(configured).path.rstrip("/")
    return next((each for each in known if path.endswith(each.path)), known[0] if known else None)


class TokenKeeper:
    """
    Keeps the access token of a vault fresh. Safe to use from several threads.

    ``fetch`` asks for one and gives (token, seconds it lives); it raises OSError with the reason.
    """

    def __init__(self, secrets: Vault, fetch: Callable[[], tuple[str, float]] | None) -> None:
        self._vault = secrets
        self._fetch = fetch if not secrets.get("access_token") else None
        self._until = 0.0
        self._failed: tuple[float, OSError] = (-math.inf, OSError())
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """Fetch a token when there is none or it is about to expire. Raises OSError."""
        if self._fetch is None or time.monotonic() < self._until:
            return
        asked = time.monotonic()
        with self._lock:
            if time.monotonic() < self._until:
                return
            at, error = self._failed
            if at >= asked:
                # Somebody tried while this thread waited: one after another, they would wait for ever.
                raise OSError(str(error))
            self._renew(self._fetch)

    def _renew(self, fetch: Callable[[], tuple[str, float]]) -> None:
        try:
            token, lifetime = fetch()
        except OSError as error:
            self._failed = time.monotonic(), error
            raise
        self._vault.put("access_token", token)
        self._until = time.monotonic() + max(lifetime - _EARLY_S, lifetime / 2)

    def renew(self) -> bool:
        """Forget the token, so that the next request fetches another; False when tokens are not fetched here."""
        self._until = 0.0
        return self._fetch is not None
