"""Security schemes of a composed document, from the headers and token endpoints of a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urljoin

if TYPE_CHECKING:
    from conformance.auth import CredentialSet
    from conformance.model import Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider

_HTTP = ("basic", "bearer")


def demanded(provider: Provider) -> list[Json]:
    """One entry for each way to authenticate; any of them will do."""
    found: list[Json] = []
    for each in provider.auth.credentials:
        entry: JsonObject = dict.fromkeys(_names(each))
        for name in entry:
            entry[name] = cast("Json", _scopes(provider) if name == "oauth2" else [])
        if entry not in found:
            found.append(entry)
    return found


def of_operation(operation: Operation) -> JsonObject:
    """What an operation demands where that is not what all do."""
    if operation.authorization:
        return {"security": [{_scheme("authorization", operation.authorization): []}]}
    return {"security": []} if operation.anonymous else {}


def schemes(provider: Provider) -> JsonObject:
    """Every scheme that something in the document demands."""
    found: JsonObject = {}
    for each in provider.auth.credentials:
        for name, (header, value) in zip(_names(each), each.headers.items(), strict=True):
            found[name] = _described(header, value) if name != "oauth2" else _oauth2(provider)
    for operation in provider.operations:
        if operation.authorization:
            name = _scheme("authorization", operation.authorization)
            found.setdefault(name, _described("authorization", operation.authorization))
    return found


def _names(credentials: CredentialSet) -> list[str]:
    fetched = "access_token" not in credentials.variables
    names = (_scheme(header, value) for header, value in credentials.headers.items())
    return ["oauth2" if name == "bearer" and fetched and credentials.token_url else name for name in names]


def _scheme(header: str, value: str) -> str:
    word = value.partition(" ")[0].lower()
    return word if header.lower() == "authorization" and word in _HTTP else header.lower()


def _described(header: str, value: str) -> JsonObject:
    name = _scheme(header, value)
    return {"type": "http", "scheme": name} if name in _HTTP else {"type": "apiKey", "in": "header", "name": header}


def _scopes(provider: Provider) -> list[str]:
    return provider.auth.token_endpoints[0].scope.split() if provider.auth.token_endpoints else []


def _oauth2(provider: Provider) -> JsonObject:
    """Tokens by client credentials, from the first endpoint of the pack."""
    host = next(iter((*provider.production_hosts, *provider.sandbox_hosts)), "")
    url = ""
    if provider.auth.token_endpoints:
        endpoint = provider.auth.token_endpoints[0]
        path = endpoint.path if endpoint.root else f"{provider.main.base_path}{endpoint.path}"
        base = dict(endpoint.hosts).get(host) or (f"https://{host}" if host and not host.startswith(".") else "")
        url = urljoin(base, path)
    scopes: JsonObject = dict.fromkeys(_scopes(provider), "")
    return {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": url or "/token", "scopes": scopes}}}
