"""Secrets: put in on the wire, taken out of everything that comes back."""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache
from html import escape
from string import ascii_letters
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PLACEHOLDER = re.compile(r"\{\{([a-z_]+(?::[a-z_]+)?(?:![a-z]+)?)\}\}")
HIDDEN = "{{hidden}}"
# The password of cases about wrong ones.
WRONG = "wrong"
_HEXADECIMAL = re.compile(r"[0-9a-fA-F{}-]*")
_SWAPPED = str.maketrans(ascii_letters, ascii_letters.swapcase())


def _other_tail(value: str) -> str:
    """
    A secret with another last character.

    It differs in the upper bits of base64 too, since decoders may ignore the lower ones, and in what hexadecimals say.
    """
    body = value.rstrip("=") or value
    return body[:-1] + ("0" if body[-1].isalpha() else "A") + value[len(body) :]


def _other_case(value: str) -> str:
    """A secret in the other letter case; what means the same in either gets another tail."""
    swapped = value.translate(_SWAPPED)
    return _other_tail(value) if swapped == value or _HEXADECIMAL.fullmatch(value) else swapped


_ALTERED: dict[str, Callable[[str], str]] = {
    "tail": _other_tail,
    "case": _other_case,
    # For who looks at no more than the beginning.
    "more": lambda value: f"{value}x",
    # No shorter: what is left of a secret must not be an ordinary word, since it is scrubbed too.
    "cut": lambda value: value.rstrip("=")[:-1] or _other_tail(value),
}
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


# Escapes of JSON that are no number; more than one backslash where JSON stands in a text of JSON.
_SHORT_ESCAPES = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_ESCAPE = re.compile(r"\\+(?:u[0-9A-Fa-f]{4}|/)")


@lru_cache(maxsize=256)
def _escaped(value: str) -> re.Pattern[str]:
    """A secret in JSON, whichever of its characters are escaped and however."""
    return re.compile("".join(map(_character, value)))


def _character(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    number = "".join(rf"\\+u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4))
    if character in _SHORT_ESCAPES:
        return rf"(?:{re.escape(character)}|\\+{_SHORT_ESCAPES[character]}|{number})"
    if character == "\\":
        return rf"(?:{number}|\\+)"
    slash = r"\\*" if character in '"/' else ""
    return rf"(?:{slash}{re.escape(character)}|{number})"


def has_escapes(text: str) -> bool:
    """Whether a text may hold JSON that escapes more than it must."""
    return "\\" in text and _ESCAPE.search(text) is not None


def unescaped(value: str, placeholder: str, text: str) -> str:
    """A text that :func:`has_escapes`, without a secret that is written with them."""
    return _escaped(value).sub(lambda _: placeholder, text)


class Vault:
    """
    The secrets of a run, by placeholder name.

    Requests carry ``{{name}}``; only :meth:`fill` puts the value in, and :meth:`scrub` puts
    the placeholder back wherever a value shows up, so equality of secrets survives.
    ``{{user:password}}`` stands for both in the form of RFC 7617, base64 of ``user:password``;
    ``{{name!tail}}``, ``!case``, ``!cut`` and ``!more`` for a secret that is not quite the one of that name.
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
        for name, value in self.secrets():
            for form in _forms(value):
                yield name, form

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Every secret of this run that is long enough to be told, behind the name of its placeholder."""
        for name, value in [*self._values.items(), *((name, value) for value, name in self._old)]:
            if len(value) >= _SHORTEST:
                yield name, value

    def fill(self, text: str, quote: Callable[[str], str] = str) -> str:
        """``text`` with placeholders of known names replaced; unknown ones stay."""
        return _PLACEHOLDER.sub(lambda found: quote(self._value(found[1]) or found[0]), text)

    def _value(self, name: str) -> str:
        user, colon, password = name.partition(":")
        if not colon:
            return self._one(name)
        pair = [self._one(each) or {WRONG: "not-the-secret"}.get(each, "") for each in (user, password)]
        return self._kept(name, base64.b64encode(":".join(pair).encode()).decode()) if all(pair) else ""

    def _one(self, name: str) -> str:
        base, _, kind = name.partition("!")
        value = self._values.get(base, "")
        return self._kept(name, _ALTERED[kind](value)) if value and kind in _ALTERED else self._values.get(name, "")

    def _kept(self, name: str, value: str) -> str:
        """What is made of secrets is one, and what is nearly one: whoever reads it in a report could guess the rest."""
        if self._values.get(name) != value:
            self.put(name, value)
        return value

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
        escapes = has_escapes(text)
        for value, name in sorted(pairs, key=lambda pair: -len(pair[0])):
            if len(value) >= _SHORTEST:
                for form in _forms(value):
                    text = text.replace(form, f"{{{{{name}}}}}")
                if escapes:
                    text = unescaped(value, f"{{{{{name}}}}}", text)
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
