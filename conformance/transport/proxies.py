"""Proxies as the environment names them; what is on this machine is never reached through one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # it is there

from conformance.errors import UserError
from conformance.safety import is_loopback

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from conformance.scrub import Vault


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its URL without credentials, and what it is told to let us through."""

    url: str
    authorization: str = field(default="", repr=False)


def proxy_for(url: str, secrets: Vault | None = None) -> Proxy | None:
    """
    The proxy that requests to a URL go through, or None; its password is put among the secrets.

    Raises UserError for a variable that names none. The message repeats nothing of it: it may hold a password.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    known = getproxies_environment()
    given = known.get(parts.scheme, "")
    if not given or is_loopback(host) or proxy_bypass_environment(host, known):
        return None
    variable = f"{parts.scheme}_proxy".upper()
    try:
        found = urlsplit(given if "://" in given else f"http://{given}")
        address, _port = found.hostname, found.port
    except ValueError:
        address, found = None, urlsplit("")
    if found.scheme not in ("http", "https") or not address:
        raise UserError(f"{variable} in the environment: not an http or https URL; write http://host:port")
    plain = f"{found.scheme}://{found.netloc.rpartition('@')[2]}"
    return Proxy(plain, _authorization(found, secrets))


def _authorization(found: SplitResult, secrets: Vault | None) -> str:
    if found.username is None:
        return ""
    password = unquote(found.password or "")
    pair = base64.b64encode(f"{unquote(found.username)}:{password}".encode()).decode()
    if secrets is not None:
        # The user's name is often a plain word, and hiding it would tear answers apart.
        secrets.put("proxy_password", password)
        secrets.put("proxy_authorization", pair)
    return f"Basic {pair}"
