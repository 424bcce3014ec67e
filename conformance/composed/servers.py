"""The servers of a composed document: the documented hosts, those for tests first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider


def of_provider(provider: Provider) -> list[Json]:
    """Where the operations of a pack are found; a path alone where no host is documented."""
    return [*_servers(provider, provider.main.base_path)]


def of_path(provider: Provider, operation: Operation) -> JsonObject:
    """A path item, with servers of its own where the path begins at the host."""
    return {"servers": [*_servers(provider, "")]} if operation.root and provider.main.base_path else {}


def _servers(provider: Provider, base: str) -> list[JsonObject]:
    kinds = (("sandbox", provider.sandbox_hosts), ("production", provider.production_hosts))
    return [_server(host, base, kind) for kind, hosts in kinds for host in hosts] or [{"url": base or "/"}]


def _server(host: str, base: str, kind: str) -> JsonObject:
    if not host.startswith("."):
        return {"url": f"https://{host}{base}", "description": kind}
    # Every client has a host below this one.
    return {
        "url": f"https://{{client}}{host}{base}",
        "description": kind,
        "variables": {"client": {"default": "client", "description": "the installation of the account"}},
    }
