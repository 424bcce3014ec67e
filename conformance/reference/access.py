"""Who may ask: the credentials that an endpoint takes, and the tokens it gives out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from conformance import schemas
from conformance.reference.refusals import Flaw, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.auth import TokenEndpoint
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.reference.refusals import Refusals

# What the embedded endpoint takes for credentials; obviously not a secret.
CREDENTIALS = {
    "access_token": "reference-access-token",
    "client_id": "reference-client",
    "client_secret": "reference-client-secret",
    "public_key": "reference-public-key",
    "secret_key": "reference-secret-key",
    "api_key": "reference-api-key",
    "key_no_create": "reference-key-that-only-reads",
}
_TOKEN_LIFE_S = 3600


def credentials(provider: Provider) -> dict[str, str]:
    """What the endpoint of a pack takes for credentials: a made-up value for every placeholder it names."""
    return CREDENTIALS | {name: f"reference-{name}" for name in provider.auth.variables if name not in CREDENTIALS}


_NAMES = re.compile(r"\{\{([a-z_]+)(?::([a-z_]+))?\}\}")


class Access:
    """Knows the credentials of one endpoint, in every form that its pack documents."""

    def __init__(
        self, provider: Provider, behaviour: Behaviour, refusals: Refusals, credentials: dict[str, str]
    ) -> None:
        self._provider = provider
        self._behaviour = behaviour
        self._refusals = refusals
        self._credentials = credentials
        self._ways = [each.headers for each in provider.auth.credentials]
        # Keys that may read but not create.
        names = cast("list[str]", provider.reference.get("reading-keys", []))
        self._reading = [credentials[each] for each in names if each in credentials]

    def granted(self, given: Mapping[str, str], *, creating: bool = True, operation: str = "") -> bool:
        """Whether the headers of a request authenticate it, in one of the documented ways."""
        careless = self._behaviour.unguarded
        unseen = careless.get("header", "") if careless and careless["operation"] == operation else None
        if unseen is not None:
            ways = [{name: value for name, value in way.items() if name.lower() != unseen} for way in self._ways]
            return not unseen or any(all(self._has(given, *each, []) for each in way.items()) for way in ways)
        others = self._reading if not creating or self._behaviour.rights_unchecked else []
        return any(all(self._has(given, *each, others) for each in way.items()) for way in self._ways)

    def lacking(self, given: Mapping[str, str], *, creating: bool = True) -> dict[str, str]:
        """
        What keeps a request from being authenticated: header to ``missing``, ``wrong`` or ``unentitled``.

        Of several ways to authenticate, the one that comes nearest counts. Empty where nothing is lacking.
        """
        if self.granted(given, creating=creating):
            return {}
        found: list[dict[str, str]] = []
        for way in self._ways:
            lacking = {name.lower(): "missing" for name in way if name.lower() not in given}
            for name, value in way.items():
                if name.lower() not in lacking and not self._has(given, name, value, []):
                    entitled = not self._has(given, name, value, self._reading)
                    lacking[name.lower()] = "wrong" if entitled else "unentitled"
            found.append(lacking)
        return min(found, key=len, default={})

    def _has(self, given: Mapping[str, str], name: str, value: str, others: list[str]) -> bool:
        sent = given.get(name.lower())
        if sent is None:
            return self._behaviour.token_optional or name.lower() == self._behaviour.optional_header
        return (
            name.lower() == self._behaviour.unchecked_header
            or self._fits(sent, value)
            or sent in others
            or self._nearly(sent, name, value)
        )

    def _nearly(self, sent: str, name: str, value: str) -> bool:
        """Whether a header is good enough for who compares it carelessly."""
        careless = self._behaviour.careless_header
        if not careless or careless["header"] != name.lower():
            return False
        form, _, names = value.rpartition(" ")
        found = _NAMES.fullmatch(names)
        known = self._credentials.get(found[1], "") if found else ""
        given = sent.removeprefix(form).strip()
        return {
            "case": given.lower() == known.lower(),
            "half": len(given) >= len(known) // 2 and known.startswith(given),
            "tail": len(given) == len(known) and given[:-1] == known[:-1],
            "empty": not given,
        }[careless["how"]]

    def _fits(self, given: str, value: str) -> bool:
        """Whether a header's value is one of the form ``Bearer {{access_token}}``, ``Basic {{a:b}}`` or ``{{key}}``."""
        form, _, names = value.rpartition(" ")
        scheme, _, sent = given.partition(" ") if form else ("", "", given)
        if scheme.lower() != form.lower() or (self._behaviour.strict and scheme != form):
            return False
        if form and form.lower() == self._behaviour.scheme_refused:
            return False
        found = _NAMES.fullmatch(names)
        if found is None:
            return sent == names
        user, secret = found.groups()
        if secret:
            return self._pair(sent, user, secret)
        known = self._credentials.get(user)
        ours = tuple(each for each in (known, *self._issued()) if each is not None)
        begins = self._behaviour.key_begins and sent.startswith(ours)
        return begins or self._behaviour.token_unchecked or sent in ours

    def _pair(self, sent: str, user: str, secret: str) -> bool:
        given = _decoded(sent)
        known = (self._credentials.get(user, ""), self._credentials.get(secret, ""))
        alike = self._behaviour.secret_any_case and given[1].lower() == known[1].lower()
        begins = self._behaviour.key_begins and given[1].startswith(known[1])
        careless = self._behaviour.secret_unchecked or alike or begins
        return given == known or (careless and given[0] == known[0])

    def _issued(self) -> tuple[str, ...]:
        """The token that was given out, where tokens are."""
        if not self._provider.auth.token_endpoints:
            return ()
        secret = self._credentials["client_secret"]
        return ("issued-" + hashlib.sha256(secret.encode()).hexdigest()[:24],)

    # Tokens

    def token(self, path: str, root_path: str, headers: dict[str, str], raw: bytes) -> Reply:
        """The answer to a token request; ``path`` is relative to the endpoint, ``root_path`` to the host."""
        form = "form" in headers.get("content-type", "")
        try:
            body: Any = dict(parse_qsl(raw.decode())) if form else json.loads(raw)
        except ValueError:
            return self._refused(400, "invalid_request", "not JSON")
        operation = next((each for each in self._provider.operations if each.path == path), None)
        documented = True
        if operation:
            mistakes = schemas.validator(self._behaviour.schemas[operation.id]).mistakes(body)
            if mistakes:
                return self._refused(400, "invalid_request", mistakes[0].message, mistakes[0].pointer)
            documented = schemas.validator(operation.request_schema).accepts(body)
        place = next(
            each for each in self._provider.auth.token_endpoints if each.path == (root_path if each.root else path)
        )
        fields = cast("dict[str, Json]", body) if isinstance(body, dict) else {}
        if place.client and fields.get("grant_type") != "client_credentials":
            return self._refused(400, "invalid_request", "unsupported grant type", "/grant_type")
        # A body that only a fault let through gets its token, since that is the fault; credentials that are merely
        # wrong get none.
        if documented and not self._client_known(fields, headers.get("authorization", ""), place):
            return self._refused(401, "invalid_client", "unknown client")
        answer: JsonObject = {"access_token": self._issued()[0], "expires_in": _TOKEN_LIFE_S, "token_type": "Bearer"}
        if place.scope:
            answer["scope"] = place.scope
        if self._behaviour.token_answer:
            answer = {
                key: answer.get(key) if value == "text" else value
                for key, value in self._behaviour.token_answer.items()
            }
        return Reply(self._behaviour.token_status or 200, answer)

    def _client_known(self, fields: dict[str, Json], basic: str, place: TokenEndpoint) -> bool:
        if self._behaviour.client_unchecked:
            return True
        known = (self._credentials["client_id"], self._credentials["client_secret"])
        if basic.startswith("Basic "):
            return _decoded(basic[6:]) == known
        if place.client == "basic" and self._behaviour.strict:
            return False
        return (fields.get("client_id"), fields.get("client_secret")) == known

    def _refused(self, status: int, code: str, message: str, pointer: str = "") -> Reply:
        return self._refusals.reply(status, [Flaw(message, pointer, code=code)])


def _decoded(text: str) -> tuple[str, str]:
    """User name and password of HTTP Basic authentication (RFC 7617); two empty texts for anything else."""
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password
