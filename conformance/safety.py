"""Permissions: what a run may do to an endpoint that is not on this machine."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance.errors import UserError, nearest

if TYPE_CHECKING:
    from conformance.providers import Provider

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
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UserError(f"--endpoint={url}: {error}; write https://host[:port][/path]") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UserError(f"--endpoint={url}: not an http or https URL; write https://host[:port][/path]")
    if parts.username or parts.password:
        raise UserError("--endpoint: credentials do not belong into the URL; set them in the environment")
    if parts.query or parts.fragment:
        raise UserError(f"--endpoint={url}: leave out the part from {'?' if parts.query else '#'} on")
    return url.rstrip("/")


def permit(provider: Provider, url: str, allowed: frozenset[str]) -> None:
    """
    Whether a run may touch this endpoint at all.

    Raises UserError naming the effects that ``--allow`` lacks.
    """
    host = urlsplit(url).hostname or ""
    if is_loopback(host):
        return
    needed = ["orders"]
    if any(host == each or host.endswith(f".{each}") for each in provider.production_hosts):
        needed.append("production")
    if not allowed.issuperset(needed):
        why = f"{host} is a production host and the run" if "production" in needed else f"the run on {host}"
        raise UserError(f"{provider.name}: {why} creates real orders; if that is meant, add --allow={','.join(needed)}")
