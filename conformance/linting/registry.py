"""The registry of lint rules, and what one of them finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.openapi.dialect import Bundler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conformance.openapi.document import Document, Operation
    from conformance.openapi.files import Spot

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """
    Something that rules look at: a ``schema``, ``operation``, ``media``, ``parameter`` or the ``document``.

    ``top`` is the outermost schema that speaks of the same value, above ``allOf`` and its like.
    ``operation`` is the one that a place belongs to, ``request`` whether it is sent or answered; both
    may be unknown.
    """

    kind: str
    spot: Spot
    top: Spot
    operation: Operation | None = None
    request: bool | None = None


@dataclass(slots=True)
class Book:
    """A document with what rules ask of it again and again."""

    document: Document
    # Schemas that speak of the same value as the one that refers to them, by place: the outermost of these.
    users: dict[Any, list[Spot]] = field(default_factory=dict[Any, "list[Spot]"])
    # Everything that is referred to.
    referred: set[Any] = field(default_factory=set[Any])
    bundler: Bundler = field(init=False)

    def __post_init__(self) -> None:
        self.bundler = Bundler(self.document)

    @property
    def modern(self) -> bool:
        """Whether the version is 3.1 or later."""
        return self.document.modern


@dataclass(frozen=True, slots=True)
class Slip:
    """What a rule noticed: the member it stands at, what is wrong there, and what to write instead."""

    spot: Spot
    message: str
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One slip with its place; lines and columns are counted from 1."""

    rule: str
    severity: str
    file: str
    line: int
    column: int
    pointer: str
    message: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name: what it looks at, what it says in a list of rules, and why that matters to an integrator."""

    name: str
    kind: str
    severity: str
    title: str
    why: str
    check: Callable[[Place, Book], Iterable[Slip]]

    def look(self, place: Place, book: Book) -> Iterator[Finding]:
        """The rule's findings at a place."""
        for slip in self.check(place, book):
            spot = slip.spot
            line, column = spot.source.place(spot.tokens)
            yield Finding(
                self.name,
                self.severity,
                spot.source.shown,
                line,
                column,
                spot.pointer,
                slip.message,
                self.why,
                slip.instead,
            )


RULES: dict[str, Rule] = {}


def rule(
    name: str, kind: str, severity: str, why: str
) -> Callable[[Callable[[Place, Book], Iterable[Slip]]], Callable[[Place, Book], Iterable[Slip]]]:
    """Register a function as the rule that its docstring states; names are for ever, since people ignore rules by them."""

    def register(check: Callable[[Place, Book], Iterable[Slip]]) -> Callable[[Place, Book], Iterable[Slip]]:
        assert name not in RULES, name
        assert severity in SEVERITIES, severity
        RULES[name] = Rule(name, kind, severity, str(check.__doc__), why, check)
        return check

    return register
