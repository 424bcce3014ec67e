"""How an API authenticates: headers with placeholders, the environment variables behind them, and token endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """
    Where access tokens come from; ``root`` paths start at the host, others at the endpoint.

    ``client`` is ``basic`` where the client authenticates in the header (RFC 6749, section
    2.3.1); ``hosts`` gives the documented token host of an API host, where they differ.
    """

    path: str
    encoding: str
    root: bool = False
    client: str = ""
    scope: str = ""
    hosts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """
    One complete way to authenticate: header to value with ``{{placeholders}}``, and placeholder to environment variable.

    ``{{a:b}}`` is the pair in the form of RFC 7617.
    """

    headers: dict[str, str]
    variables: dict[str, str]
    token_url: str = ""


@dataclass(frozen=True, slots=True)
class Auth:
    """The ways to authenticate; ``extra`` maps further placeholders to environment variables, which some cases need."""

    credentials: tuple[CredentialSet, ...]
    token_endpoints: tuple[TokenEndpoint, ...]
    extra: dict[str, str]

    @property
    def headers(self) -> frozenset[str]:
        """The names of all headers that authenticate, in small letters."""
        return frozenset(name.lower() for each in self.credentials for name in each.headers)

    @property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """Environment variables by placeholder."""
        found: dict[str, tuple[str, ...]] = {}
        for one in (*(each.variables for each in self.credentials), self.extra):
            for name, variable in one.items():
                found[name] = (*found.get(name, ()), variable)
        return found

    def ways(self, known: set[str]) -> tuple[dict[str, str], ...]:
        """The headers of each set of credentials that is known, the first to be used; of the first set if none is."""
        complete = [each.headers for each in self.credentials if known.issuperset(each.variables)]
        return tuple(each for index, each in enumerate(complete) if each not in complete[:index]) or (
            self.credentials[0].headers,
        )


def auth(data: dict[str, Any]) -> Auth:
    """The ``[auth]`` of provider.toml."""
    return Auth(
        tuple(
            CredentialSet(dict(each["headers"]), dict(each["variables"]), each.get("token-url", ""))
            for each in data["credentials"]
        ),
        tuple(
            TokenEndpoint(
                each["path"],
                each["encoding"],
                each.get("root", False),
                each.get("client", ""),
                each.get("scope", ""),
                tuple(each.get("hosts", {}).items()),
            )
            for each in data.get("token-endpoint", ())
        ),
        {name: variable for each in data.get("extra", ()) for name, variable in each["variables"].items()},
    )
