"""Permissions: what a run may do to an endpoint that is not on this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance.errors import UserError, nearest

if TYPE_CHECKING:
    from conformance.providers import Provider

# What follows may hold a token and is not repeated in messages.
_UP_TO_QUERY = re.compile(r"([^?#]*)([?#]?)(.*)", re.DOTALL)
EFFECTS = ("orders", "money", "email", "load", "production")


def parse_allowed(text: str) -> frozenset[str]:
    """The effects in a comma-separated list. Raises UserError for an unknown one."""
    names = [each.strip() for each in text.split(",") if each.strip()]
    for name in names:
        if name not in EFFECTS:
            raise UserError(f"--allow={name}: there is no such effect; {nearest(name, EFFECTS)}")
    return frozenset(names)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_endpoint(url: str) -> str:
    """The URL without a trailing slash. Raises UserError for anything but http(s)://host[:port][/path]."""
    authority = re.split(r"[/?#]", url.partition("//")[2] or url)[0]
    if "@" in authority:
        raise UserError("--endpoint: credentials do not belong into the URL; set them in the environment")
    shown, mark, _ = _UP_TO_QUERY.match(url).groups()  # type: ignore[union-attr]  # it matches anything
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UserError(f"--endpoint={shown}: {error}; write https://host[:port][/path]") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UserError(f"--endpoint={shown}: not an http or https URL; write https://host[:port][/path]")
    if mark:
        raise UserError(f"--endpoint={shown}: leave out the part from {mark} on")
    return url.rstrip("/")


def knows(provider: Provider, url: str) -> bool:
    """Whether the pack names the host of an endpoint."""
    return _is_among(_host(url), (*provider.production_hosts, *provider.sandbox_hosts))


def _host(url: str) -> str:
    # A name may end in the dot of the root and is the same host.
    return (urlsplit(url).hostname or "").rstrip(".")


def _is_among(host: str, hosts: tuple[str, ...]) -> bool:
    return any(host == each.lstrip(".") or host.endswith(f".{each.lstrip('.')}") for each in hosts)


def permit(provider: Provider, url: str, allowed: frozenset[str], also: frozenset[str] = frozenset()) -> None:
    """
    Whether a run may touch this endpoint at all; ``also`` are effects of its own kind.

    Raises UserError naming the effects that ``--allow`` lacks.
    """
    host = _host(url)
    if is_loopback(host):
        return
    needed = [each for each in EFFECTS if each in provider.main.effects or each in also]
    if _is_among(host, provider.production_hosts):
        needed.append("production")
    if not allowed.issuperset(needed):
        why = f"{host} is a production host and the run" if "production" in needed else f"the run on {host}"
        what = "spends money on real orders" if "money" in needed else "creates real orders"
        raise UserError(f"{provider.name}: {why} {what}; if that is meant, add --allow={','.join(needed)}")
