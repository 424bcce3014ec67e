"""Redaction: what an endpoint says that is secret or personal, hidden before anything is judged or kept."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.scrub import has_escapes, unescaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.model import Exchange, Record, Request, Response
    from conformance.providers import Provider
    from conformance.scrub import Vault

_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-auth-token", "x-access-token", "x-csrf-token"}
)
_COOKIES = frozenset({"set-cookie", "set-cookie2", "cookie"})
_COOKIE = re.compile(r"(^|[;,]\s*)([!#$%&'*+.^_`|~0-9A-Za-z-]+=)(\"?)([^;,\"]*)")
_ATTRIBUTES = frozenset({"expires", "max-age", "domain", "path", "samesite", "version", "priority", "comment"})
_NAMES = (
    r"(?:(?:access|refresh|id|auth|api|session|csrf|xsrf|bearer|secret|user|client|private)[_-]?)?(?:token|secret)"
    r"|(?:api|access|secret|private|auth|public)[_-]?key|pass(?:word|wd|phrase)|session[_-]?id|jwt|credentials?|authorization"
)
_MEMBER = re.compile(rf'"((?i:{_NAMES}))"(\s*:\s*)"((?:[^"\\]|\\.)*)"')
_PARAMETER = re.compile(rf'([?&;]|^)((?i:{_NAMES}|sig|signature|auth|key)=)([^&#;\s"\'<>\\]+)')
# Credentials in running text. A digit keeps sentences such as "Basic authentication is needed" out.
_TEXT = re.compile(r"(?i:\b(bearer|basic)\s+)((?=[^\s\"']*\d)[A-Za-z0-9._~+/-]{16,}=*)")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_HIDDEN = re.compile(r"\s*(?:\{\{[a-z_:0-9 -]+\}\}\s*)+")
# A shorter text is replaced where it was recognised and nowhere else.
_TELLING = 8
_REMEMBERED = 64
# A cookie that somebody forgot to hide.
_BARE = re.compile(rb"(?mi)^ +(set-cookie|cookie): *\[['\"]?[^=\]\n]+=(?!\"?\{\{)[^;\]\n]")
_TEXTS = re.compile(rb'"((?:[^"\\]|\\.)*)"')


class Redactor:
    """Hides what is secret. Equal values get equal placeholders, so that equality survives."""

    def __init__(self, provider: Provider, records: Iterable[Record]) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._count: Counter[str] = Counter()
        self._tell: list[tuple[str, str]] = []
        self._headers = _HEADERS | {each.lower() for each in provider.auth.headers}
        names = "|".join(map(re.escape, provider.personal_members))
        self._personal = re.compile(rf'"({names})"(\s*:\s*)("(?:[^"\\]|\\.)*"|-?[0-9.]+)') if names else None
        self._ours: set[str] = set()
        for record in records:
            self._learn(record)

    def records(self, records: Sequence[Record]) -> list[Record]:
        """The records without what is secret; those without anything are the same objects."""
        return [self._record(each) for each in records]

    def record(self, record: Record) -> Record:
        """One record more, of a run that goes on, without what is secret."""
        self._learn(record)
        return self._record(record)

    def _learn(self, record: Record) -> None:
        """What we sent ourselves is made up, and is compared with what is read back."""
        if self._personal:
            # An answer may escape what we did not.
            self._ours.update(
                _unescaped(found.decode("utf-8", "replace"))
                for found in _TEXTS.findall(record.exchange.request.body or b"")
            )

    def _record(self, record: Record) -> Record:
        exchange = self._exchange(record.exchange)
        earlier = tuple(self._exchange(each) for each in record.earlier)
        if exchange is record.exchange and all(a is b for a, b in zip(earlier, record.earlier, strict=True)):
            return record
        return replace(record, exchange=exchange, earlier=earlier)

    def _exchange(self, exchange: Exchange) -> Exchange:
        request = self._request(exchange.request)
        response = self._response(exchange.response) if exchange.response else None
        if request is exchange.request and response is exchange.response:
            return exchange
        return replace(exchange, request=request, response=response)

    def _request(self, request: Request) -> Request:
        query = _PARAMETER.sub(self._in_place, request.query) if request.query else ""
        headers = tuple(
            (name, self._cookies(value) if name.lower() in _COOKIES else value) for name, value in request.headers
        )
        if query == request.query and headers == request.headers:
            return request
        return replace(request, query=query, headers=headers)

    def _response(self, response: Response) -> Response:
        headers = tuple((name, self._header(name.lower(), value)) for name, value in response.headers)
        body = response.body
        if body:
            text = body.decode("utf-8", "surrogateescape")
            hidden = self._text(_MEMBER.sub(self._member, text))
            if self._personal:
                hidden = self._personal.sub(self._person, hidden)
            if hidden is not text and hidden != text:
                body = hidden.encode("utf-8", "surrogateescape")
        if headers == response.headers and body is response.body:
            return response
        return replace(response, headers=headers, body=body)

    def _header(self, name: str, value: str) -> str:
        if name in _COOKIES:
            return self._cookies(value)
        if name in self._headers:
            return self._hide(value)
        return self._text(value)

    def _cookies(self, value: str) -> str:
        def put(found: re.Match[str]) -> str:
            known = found[2][:-1].lower() in _ATTRIBUTES or not found[4].strip()
            return found[0] if known else found[1] + found[2] + found[3] + self._hide(found[4])

        # A date has a comma in it and no equals sign, so it is no cookie.
        return _COOKIE.sub(put, value)

    def _text(self, text: str) -> str:
        text = _PARAMETER.sub(self._in_place, text) if "=" in text else text
        text = _TEXT.sub(lambda found: found[0][: -len(found[2])] + self._hide(found[2]), text)
        text = _JWT.sub(lambda found: self._hide(found[0]), text)
        escapes = has_escapes(text)
        for secret, placeholder in self._tell:
            if secret in text:
                text = text.replace(secret, placeholder)
            if escapes:
                text = unescaped(secret, placeholder, text)
        return text

    def _in_place(self, found: re.Match[str]) -> str:
        return found[1] + found[2] + self._hide(found[3])

    def _member(self, found: re.Match[str]) -> str:
        if not found[3]:
            return found[0]
        return f'"{found[1]}"{found[2]}"{self._hide(found[3])}"'

    def _person(self, found: re.Match[str]) -> str:
        value = found[3][1:-1] if found[3].startswith('"') else found[3]
        if not value or _unescaped(value) in self._ours or _HIDDEN.fullmatch(value):
            return found[0]
        return f'"{found[1]}"{found[2]}"{self._placeholder("personal", value)}"'

    def _hide(self, value: str) -> str:
        """The placeholder of a secret; one that is hidden already stays."""
        if "{{" in value:
            return value
        placeholder = self._placeholder("hidden", value)
        if len(value) >= _TELLING and len(self._tell) < _REMEMBERED:
            # As it was written, and as it reads without the escapes of JSON.
            pairs = ((value, placeholder), (_unescaped(value), placeholder))
            self._tell += [pair for pair in dict.fromkeys(pairs) if pair not in self._tell]
        return placeholder

    def _placeholder(self, kind: str, value: str) -> str:
        plain = _unescaped(value)
        if (kind, plain) not in self._known:
            self._count[kind] += 1
            self._known[kind, plain] = f"{{{{{kind}-{self._count[kind]}}}}}"
        return self._known[kind, plain]


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value


def leak(texts: Iterable[tuple[str, bytes]], vault: Vault) -> tuple[str, str] | None:
    """The first (file, name of a secret) of a file that a secret stands in, in whatever form; or None."""
    wanted = [(name, form.encode("utf-8", "surrogateescape")) for name, form in vault.forms()]
    for file, content in texts:
        for name, form in wanted:
            if form in content:
                return file, name
        text = content.decode("utf-8", "surrogateescape")
        for name, value in vault.secrets():
            if unescaped(value, "", text) != text:
                return file, name
        if found := _BARE.search(content):
            return file, f"the value of {found[1].decode().lower()}"
    return None
