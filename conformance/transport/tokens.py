"""Asking a token endpoint for an access token (RFC 6749, client credentials)."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from conformance.transport.failures import LostError

if TYPE_CHECKING:
    from conformance.auth import TokenEndpoint
    from conformance.scrub import Vault
    from conformance.transport.wire import Wire

_USUAL_LIFETIME_S = 3600.0


def fetch(wire: Wire, url: str, endpoint: TokenEndpoint | None, secrets: Vault) -> tuple[str, float]:
    """A token and the seconds it lives. Raises OSError with the reason why there is none."""
    form = endpoint is not None and endpoint.encoding == "form"
    fields = {"grant_type": "client_credentials"}
    headers = {
        "accept-encoding": "identity",
        "content-type": "application/x-www-form-urlencoded" if form else "application/json",
    }
    if endpoint is not None and endpoint.client == "basic":
        headers["authorization"] = secrets.fill("Basic {{client_id:client_secret}}")
    else:
        fields |= {each: secrets.get(each) for each in ("client_id", "client_secret")}
    if endpoint is not None and endpoint.scope:
        fields["scope"] = endpoint.scope
    body = urlencode(fields) if form else json.dumps(fields)
    parts = urlsplit(url)
    # A login or a query may be a secret.
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    try:
        answer = wire.exchange("POST", url, body.encode(), headers)
    except LostError as error:
        raise OSError(f"no access token from {shown}: {error.reason}") from None
    token, lifetime = _read(answer.body)
    if not token:
        raise OSError(f"no access token from {shown}: status {answer.status}; check the credentials")
    return token, lifetime


def _read(body: bytes) -> tuple[str, float]:
    try:
        data = json.loads(body)
        token, lifetime = data["access_token"], float(data.get("expires_in", _USUAL_LIFETIME_S))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError):
        return "", 0.0
    # With no lifetime to speak of, each request would fetch a token; one that expires is renewed when it is refused.
    known = math.isfinite(lifetime) and lifetime > 0
    return token if isinstance(token, str) else "", lifetime if known else _USUAL_LIFETIME_S
