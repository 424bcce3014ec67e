"""Secrets: put in on the wire, taken out of everything that comes back."""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PLACEHOLDER = re.compile(r"\{\{([a-z_]+(?::[a-z_]+)?)\}\}")
HIDDEN = "{{hidden}}"
# The password of cases about wrong ones.
WRONG = "wrong"
# Ends the name of a secret that is meant with its letters in the other case.
OTHER_CASE = "_in_other_case"
# Members that hold tokens, whoever sends them.
_TOKEN_MEMBERS = re.compile(r'("(?:access|refresh|id)_token"\s*:\s*)"(?:[^"\\]|\\.)+"')
# Replacing shorter texts would tear ordinary words apart; no credential is that short.
_SHORTEST = 4


@lru_cache(maxsize=64)
def _forms(value: str) -> tuple[str, ...]:
    """A secret as an endpoint may echo it: plain, in JSON, in HTML and in a URL, longest first."""
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    in_urls = {quote(value), quote(value, safe=""), quote_plus(value)}
    forms = {value, escape(value), escape(value, quote=False), *in_json, *in_urls}
    # Some writers of JSON escape the slash, and some of URLs write their hexadecimals small.
    forms |= {each.replace("/", "\\/") for each in in_json}
    forms |= {re.sub("%..", lambda found: found[0].lower(), each) for each in in_urls}
    return tuple(sorted(forms, key=lambda each: (-len(each), each)))


class Vault:
    """
    The secrets of a run, by placeholder name.

    Requests carry ``{{name}}``; only :meth:`fill` puts the value in, and :meth:`scrub` puts
    the placeholder back wherever a value shows up, so equality of secrets survives.
    ``{{user:password}}`` stands for both in the form of RFC 7617, base64 of ``user:password``.
    """

    def __init__(self, values: dict[str, str], members: Iterable[str] = ()) -> None:
        self._values = {key: value for key, value in values.items() if value}
        # Members of answers whose values are worth money, whatever they are.
        self._members = frozenset(members)
        names = "|".join(re.escape(each) for each in self._members)
        # In a body that is no whole JSON, and in JSON inside a text, all that follows may belong to the value.
        self._loose = re.compile(rf'((?<!\\)\\*"(?:{names})\\*"\s*:\s*)[^,}}\]]*') if names else None
        self._old: list[tuple[str, str]] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders whose values are known."""
        return tuple(self._values)

    def get(self, name: str) -> str:
        """The value of a placeholder, or an empty string."""
        return self._values.get(name, "")

    def put(self, name: str, value: str) -> None:
        """Set a secret; the one it replaces is still scrubbed."""
        if name in self._values:
            self._old.append((self._values[name], name))
        self._values[name] = value

    def forms(self) -> Iterator[tuple[str, str]]:
        """Every form that a secret of this run could be written in, with the name of its placeholder."""
        for name, value in [*self._values.items(), *((name, value) for value, name in self._old)]:
            if len(value) >= _SHORTEST:
                for form in _forms(value):
                    yield name, form

    def fill(self, text: str, quote: Callable[[str], str] = str) -> str:
        """``text`` with placeholders of known names replaced; unknown ones stay."""
        return _PLACEHOLDER.sub(lambda found: quote(self._value(found[1]) or found[0]), text)

    def _value(self, name: str) -> str:
        user, colon, password = name.partition(":")
        known = {WRONG: "not-the-secret", **self._values}
        if (genuine := password.removesuffix(OTHER_CASE)) != password and genuine in known:
            # For who compares secrets without regard to letter case; one without letters is merely another one.
            swapped = known[genuine].swapcase()
            known[password] = swapped if swapped != known[genuine] else f"{swapped}x"
            if self._values.get(password) != known[password]:
                # Nobody who repeats it should give the genuine one away.
                self.put(password, known[password])
        if colon and user in known and password in known:
            pair = base64.b64encode(f"{known[user]}:{known[password]}".encode()).decode()
            if self._values.get(name) != pair:
                self.put(name, pair)
        return self._values.get(name, "")

    def fill_body(self, body: bytes, content_type: str) -> bytes:
        """A body with its placeholders replaced, escaped as its media type asks."""
        if b"{{" not in body:
            return body
        form = "form" in content_type
        return self.fill(body.decode(), quote_plus if form else lambda value: json.dumps(value)[1:-1]).encode()

    def scrub(self, text: str) -> str:
        """``text`` without any secret of this run, nor any token."""
        # Other threads may put a pair in meanwhile.
        pairs = [(value, name) for name, value in list(self._values.items())] + list(self._old)
        for value, name in sorted(pairs, key=lambda pair: -len(pair[0])):
            if len(value) >= _SHORTEST:
                for form in _forms(value):
                    text = text.replace(form, f"{{{{{name}}}}}")
        if self._loose and self._loose.search(text):
            text = self._without_members(text)
        return _TOKEN_MEMBERS.sub(r'\1"{{access_token}}"', text)

    def _without_members(self, text: str) -> str:
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            assert self._loose is not None
            return self._loose.sub(rf'\1"{HIDDEN}"', text)
        hidden = self._hidden(whole)
        # What had nothing to hide stays as it was written.
        return text if hidden == whole else json.dumps(hidden, ensure_ascii=False)

    def _hidden(self, value: object) -> object:
        if isinstance(value, dict):
            return {
                key: HIDDEN if key in self._members and each not in (None, [], {}) else self._hidden(each)
                for key, each in cast("dict[str, object]", value).items()
            }
        if isinstance(value, list):
            return [self._hidden(each) for each in cast("list[object]", value)]
        if isinstance(value, str) and self._loose and self._loose.search(value):
            return self._without_members(value)
        return value

    def scrub_bytes(self, body: bytes) -> bytes:
        """As :meth:`scrub`; bytes that are no UTF-8 keep their other bytes."""
        return self.scrub(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
