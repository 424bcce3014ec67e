"""What a reference endpoint does, as a value that faults change."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider


@dataclass(frozen=True, slots=True)
class Behaviour:
    """
    ``schemas`` holds the inlined request schema by operation id; ``rules`` the settings of
    the rules in force; ``strict`` whether it refuses where the documentation is silent.
    ``look_at_first`` orders of a batch are validated (0: all of them).
    """

    schemas: dict[str, JsonObject]
    rules: tuple[dict[str, Any], ...]
    status: int
    strict: bool = False
    token_optional: bool = False
    token_unchecked: bool = False
    media_type: str = ""
    empty_body: bool = False
    not_json: bool = False
    look_at_first: int = 0
    skip_last: bool = False
    lone_orders_only: bool = False
    token_answer: dict[str, Json] = field(default_factory=dict["str", "Json"])


def healthy(provider: Provider, *, strict: bool = False) -> Behaviour:
    """The behaviour that the pack documents; ``strict`` refuses what it is silent about."""
    schemas = {each.id: copy.deepcopy(each.request_schema) for each in provider.operations}
    rules = tuple(cast("list[dict[str, Any]]", provider.reference.get("always", [])))
    if strict:
        rules += tuple(cast("list[dict[str, Any]]", provider.reference.get("strict", [])))
        schemas = {name: cast("JsonObject", _closed(schema)) for name, schema in schemas.items()}
    return Behaviour(schemas, rules, provider.main.success[0], strict=strict)


def _closed(node: Json) -> Json:
    """A schema that refuses members it does not name."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    result: JsonObject = {key: _closed(each) for key, each in node.items()}
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    return result
