"""Faults of answers: a member left out, renamed, of another type or value, for every member that is documented."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from conformance import catalogue
from conformance.model import Level
from conformance.reference.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.catalogue import Catalogue
    from conformance.model import Json
    from conformance.operations import Operation
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour
    from conformance.schemas import Site

# What an answer can have wrong, by the keyword of the site that says so.
_EDITS = {
    "required": ("left-out", "renamed"),
    "type": ("other-type",),
    "enum": ("other-value",),
    "const": ("other-value",),
    "pattern": ("other-value",),
    "format": ("other-value",),
    "minLength": ("empty",),
    "minItems": ("empty",),
}


def of(provider: Provider, known: Catalogue, requirement: str) -> Iterator[Fault]:
    """The faults of one requirement's answers."""
    demanded = _demanded(provider.main)
    for each in known.answers:
        if each.requirement.id == requirement:
            yield from _of_site(requirement, each.operation, each.answer, each.site)
            if each.answer == "success" and each.site.keyword == "type" and each.site.path in demanded:
                yield from _missing(requirement, each.operation, each.answer, each.site)
    for operation in provider.operations:
        if operation.response_schema and _owner(known, operation.id) == requirement:
            for site in catalogue.sites(operation.response_schema).values():
                yield from _of_site(requirement, operation.id, "success", site)


def _owner(known: Catalogue, operation: str) -> str:
    """The requirement that holds the answers of another operation against their schema: the first that is a must."""
    for each in known.requirements:
        for case in known.cases[each.id] if each.level is Level.MUST else ():
            if case.get("response") and case.get("operation") == operation:
                return each.id
    return ""


def _demanded(operation: Operation) -> set[str]:
    """Members that no schema requires, and by which an order is found again in the answer."""
    outcome = operation.outcome
    if outcome is None or not outcome.entries:
        return set()
    pointers = [f"{outcome.entries}/*{each}" for each in outcome.echo]
    return {each.strip("/").replace("/*", "[]").replace("/", ".") for each in pointers}


def _of_site(requirement: str, operation: str, answer: str, site: Site) -> Iterator[Fault]:
    for word, edit, value in _edits(site):
        yield _fault(requirement, operation, answer, site, (word, edit, value))


def _missing(requirement: str, operation: str, answer: str, site: Site) -> Iterator[Fault]:
    if not site.required:
        for word in ("left-out", "renamed"):
            yield _fault(requirement, operation, answer, site, (word, word, None))


def _edits(site: Site) -> Iterator[tuple[str, str, Json]]:
    """What can be wrong at one site: a word for it, the edit that does it, and the edit's value."""
    keyword, value = site.keyword, site.value
    for word in _EDITS.get(keyword, ()):
        yield word, word, "array" if keyword == "minItems" else value
    types = cast("list[str]", value if isinstance(value, list) else [value])
    if keyword == "type" and site.path not in ("$", "[]", "*"):
        if "null" not in types:
            yield "null", "set", None
        if "string" not in types and {"integer", "number", "boolean"} & {*types}:
            yield "as-text", "text", None
    if keyword in ("minimum", "maximum") and isinstance(value, int | float):
        yield "out-of-range", "set", value - 1 if keyword == "minimum" else value + 1


def _fault(requirement: str, operation: str, answer: str, site: Site, what: tuple[str, str, Json]) -> Fault:
    word, edit, value = what
    change = {"operation": operation, "answer": answer, "path": site.path, "edit": edit, "value": value}
    name = f"{requirement}/{answer}.{site.path}.{site.keyword}/{word}"
    return Fault(name, requirement, f"{answer}: {site.path}: {site.keyword} {word}", _editing(change), word)


def _editing(change: dict[str, Any]) -> Callable[[Behaviour], Behaviour]:
    return lambda behaviour: replace(behaviour, answer_edits=(*behaviour.answer_edits, change))
