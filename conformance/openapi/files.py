"""The files of a description: each read once, and ``$ref`` followed from one to the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from conformance.errors import UserError
from conformance.openapi import yamlfile
from conformance.openapi.jsonfile import JsonText

if TYPE_CHECKING:
    from collections.abc import Iterator

Tokens = tuple[str | int, ...]


class Lost(UserError):  # noqa: N818  # the reference is wrong, not the program
    """A ``$ref`` that cannot be followed; ``remote`` if it leads to another host."""

    def __init__(self, message: str, *, remote: bool = False) -> None:
        super().__init__(message)
        self.remote = remote


@dataclass(slots=True, eq=False)
class Source:
    """One file: what it says, and where."""

    path: Path
    shown: str
    text: JsonText | yamlfile.Tree

    @property
    def data(self) -> Any:
        """The file as JSON."""
        return self.text.data

    def place(self, tokens: Tokens) -> tuple[int, int]:
        """Line and column of a member, or of its nearest ancestor, counted from 1."""
        if isinstance(self.text, JsonText):
            return self.text.place(tokens)
        node, found = self.text.data, (1, 1)
        for token in tokens:
            found = self.text.places.get(id(node), {}).get(token, found)
            try:
                node = node[token]
            except (LookupError, TypeError):
                break
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A value with the place it stands at."""

    source: Source
    tokens: Tokens
    value: Any

    @property
    def key(self) -> tuple[Path, Tokens]:
        """What tells this place from all others."""
        return self.source.path, self.tokens

    @property
    def pointer(self) -> str:
        """The JSON Pointer of the place."""
        return "".join("/" + str(each).replace("~", "~0").replace("/", "~1") for each in self.tokens)

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.source.shown}:{self.source.place(self.tokens)[0]}"

    def get(self, token: str | int) -> Any:
        """The value of a member; None where there is none."""
        value = self.value
        if isinstance(value, dict):
            return value.get(token)
        return value[token] if isinstance(value, list) and isinstance(token, int) and token < len(value) else None

    def child(self, *tokens: str | int) -> Spot:
        """The spot of a member, whose value is None where there is none."""
        spot = self
        for token in tokens:
            spot = Spot(spot.source, (*spot.tokens, token), spot.get(token))
        return spot

    def children(self) -> Iterator[tuple[Any, Spot]]:
        """Every member with its spot."""
        pairs = self.value.items() if isinstance(self.value, dict) else enumerate(self.value or ())
        if isinstance(self.value, dict | list):
            for token, value in pairs:
                yield token, Spot(self.source, (*self.tokens, token), value)


@dataclass(slots=True)
class Files:
    """All files of one description."""

    _known: dict[Path, Source] = field(default_factory=dict[Path, Source])
    _anchors: dict[Path, dict[str, Tokens]] = field(default_factory=dict[Path, dict[str, Tokens]])

    def open(self, path: Path, shown: str = "") -> Source:
        """A file. Raises UserError with file, line and column for one that is neither JSON nor YAML."""
        place = path.resolve()
        if place not in self._known:
            self._known[place] = Source(place, shown or str(path), _read(path, shown or str(path)))
        return self._known[place]

    def all(self) -> list[Source]:
        """The files read so far."""
        return list(self._known.values())

    def follow(self, spot: Spot) -> Spot:
        """
        What a spot with a ``$ref`` stands for, however many references lead there.

        Raises Lost for a reference to another host, into nothing or in a circle.
        """
        seen: set[Any] = set()
        while isinstance(spot.value, dict) and isinstance(spot.get("$ref"), str):
            if spot.key in seen:
                raise Lost(f"{spot.where}: $ref {spot.get('$ref')!r} leads only back to itself")
            seen.add(spot.key)
            spot = self.target(spot)
        return spot

    def target(self, spot: Spot) -> Spot:
        """What the ``$ref`` of a spot names. Raises Lost."""
        reference = str(spot.get("$ref"))
        where = spot.child("$ref").where
        parts = urlsplit(reference)
        if parts.scheme or parts.netloc:
            raise Lost(f"{where}: $ref {reference!r} leads to another host; put a copy beside the file", remote=True)
        source = spot.source
        if parts.path:
            path = source.path.parent / unquote(parts.path)
            if not path.is_file():
                raise Lost(f"{where}: $ref {reference!r}: there is no file {unquote(parts.path)!r}")
            try:
                source = self.open(path, str(Path(source.shown).parent / unquote(parts.path)))
            except UserError as error:
                raise Lost(f"{where}: $ref {reference!r}: {error}") from None
        fragment = unquote(parts.fragment)
        found = Spot(source, (), source.data)
        if fragment and not fragment.startswith("/"):
            tokens = self._named(source).get(fragment)
            if tokens is None:
                raise Lost(f"{where}: $ref {reference!r}: nothing there has that $anchor")
            return found.child(*tokens)
        for part in fragment.split("/")[1:]:
            token: str | int = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found.value, list) and str(token).isdecimal():
                token = int(token)
            if found.get(token) is None:
                raise Lost(f"{where}: $ref {reference!r} leads nowhere: there is no {part!r} in {found.pointer or '/'}")
            found = found.child(token)
        return found

    def _named(self, source: Source) -> dict[str, Tokens]:
        """The places of a file by ``$anchor``."""
        if source.path not in self._anchors:
            found: dict[str, Tokens] = {}
            waiting = [Spot(source, (), source.data)]
            while waiting:
                spot = waiting.pop()
                if isinstance(spot.get("$anchor"), str):
                    found.setdefault(str(spot.get("$anchor")), spot.tokens)
                waiting += [child for _, child in spot.children() if isinstance(child.value, dict | list)]
            self._anchors[source.path] = found
        return self._anchors[source.path]


def _read(path: Path, shown: str) -> JsonText | yamlfile.Tree:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{shown}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{shown}: not UTF-8 (at byte {error.start}); save it as UTF-8") from None
    try:
        # JSON is nearly YAML, but faster read for what it is, and YAML does not know all its escapes.
        return (
            JsonText(text)
            if text.lstrip()[:1] in ("{", "[") and path.suffix not in (".yaml", ".yml")
            else yamlfile.read(text)
        )
    except yamlfile.Malformed as error:
        place = f":{error.line}:{error.column}" if error.line else ""
        raise UserError(
            f"{shown}{place}: not {'JSON' if path.suffix == '.json' else 'YAML or JSON'}: {error}"
        ) from None
