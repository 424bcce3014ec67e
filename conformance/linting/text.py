"""Rules on the text of the files: what two readers of the same bytes understand differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.linting.registry import Slip, rule
from conformance.openapi.files import Source, Spot
from conformance.openapi.yamlfile import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place


class _At(Source):
    """A file seen from one of its lines, for what has no place in the tree."""

    __slots__ = ("_line",)

    def __init__(self, source: Source, line: int, column: int) -> None:
        super().__init__(source.path, source.shown, source.text)
        self._line = line, column

    def place(self, tokens: object) -> tuple[int, int]:  # noqa: ARG002  # there is but one place
        return self._line


@rule(
    "key-twice", "document", "error",
    "Readers keep the first or the last of them without a word; part of the description does not exist for them.",
)  # fmt: skip
def key_twice(_place: Place, book: Book) -> Iterator[Slip]:
    """A member that stands twice in one object."""
    for source in book.document.files.all():
        found = source.text.repeated if isinstance(source.text, Tree) else source.text.repeated()
        for key, line, column in found:
            yield Slip(Spot(_At(source, line, column), (), None), f"{key!r} stands twice in this object", "one of them")


@rule(
    "word-read-two-ways", "document", "warning",
    "YAML 1.1 reads NO, yes and off as booleans, YAML 1.2 as texts: Norway is false to half of the tools.",
)  # fmt: skip
def word_read_two_ways(_place: Place, book: Book) -> Iterator[Slip]:
    """An unquoted word that is a boolean to some readers of YAML."""
    for source in book.document.files.all():
        for word, line, column in source.text.two_ways if isinstance(source.text, Tree) else ():
            if word.lower() not in ("y", "n"):
                yield Slip(
                    Spot(_At(source, line, column), (), None),
                    f"{word} is a boolean in YAML 1.1 and a text in YAML 1.2",
                    f'"{word}", in quotes, or true or false',
                )
