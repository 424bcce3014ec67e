"""Parameters of a composed operation: those of its path, its query and its headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider


def of_operation(provider: Provider, operation: Operation) -> list[Json]:
    """The documented parameters; none of the query or a header has to be there."""
    known: list[JsonObject] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{([^}]+)}", operation.path)
    ]
    for name, kind in _query(provider, operation).items():
        known.append({"name": name, "in": "query", "required": False, "schema": {"type": kind}})
    if operation.main:
        for each in cast("list[dict[str, Any]]", provider.reference.get("headers", [])):
            known.append({"name": each["name"], "in": "header", "required": False, "schema": {"type": "string"}})
    return [*known]


def _query(provider: Provider, operation: Operation) -> dict[str, str]:
    """Query parameters with their types: those that pages are counted by are numbers."""
    found: dict[str, str] = {}
    reference = cast("dict[str, Any]", provider.reference)
    read = provider.read_back
    if operation.method == "GET" and operation.id in (reference.get("lists"), read.list if read else ""):
        texts = [*reference.get("filters", ()), *(name for name, _ in (read.find if read else ()))]
        found |= dict.fromkeys(texts, "string")
        page: dict[str, Any] = reference.get("page", {})
        found |= {page[word]: kind for word, kind in _PAGES if word in page}
        found |= {name: found.get(name, "string") for name, _ in parse_qsl(read.query if read else "")}
        if read and read.page:
            found[read.page] = "integer"
    for each in reference.get("reads", {}).get(operation.id, {}).get("choose", ()):
        found[each["parameter"]] = "string"
    return found


_PAGES = (("parameter", "integer"), ("offset", "integer"), ("cursor", "string"))
