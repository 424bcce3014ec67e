"""Linting: what in an OpenAPI file has no effect or contradicts itself, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.linting import bounds, examples, kinds, operations, references, text, unions, words
from conformance.linting.registry import RULES, Book
from conformance.linting.walk import places
from conformance.openapi import document

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.linting.registry import Finding

__all__ = ["MODULES", "RULES", "lint"]
# The modules whose rules are registered by being imported.
MODULES = (bounds, examples, kinds, operations, references, text, unions, words)


def lint(path: Path, shown: str = "") -> list[Finding]:
    """What every rule finds in a file and those it refers to, by place. Raises UserError for a file that cannot be read."""
    book = Book(document.load(path, shown))
    found: dict[Finding, None] = {}
    for place in places(book):
        for rule in RULES.values():
            if rule.kind == place.kind:
                found |= dict.fromkeys(rule.look(place, book))
    return sorted(found, key=lambda each: (each.file, each.line, each.column, each.rule))
