"""What an inspection goes by: the rules that apply to an account, and the schema of a strict reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from conformance import catalogue, schemas
from conformance.changes import tokens
from conformance.model import Level
from conformance.rules import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Account, Json, JsonObject
    from conformance.providers import Provider
    from conformance.schemas import Validator


@dataclass(frozen=True, slots=True)
class Rules:
    """
    A rule of a pack with its settings, and the requirement whose it is, or nothing.

    Of ``silent`` ones, and of orders that ``documented`` does not take, the documentation says nothing.
    """

    settings: dict[str, Any]
    requirement: str
    silent: bool
    documented: Validator

    def speaks_of(self, order: Json) -> bool:
        """Whether the documentation has this rule for an order like this."""
        return bool(self.requirement) and not self.silent and self.documented.accepts(order)

    def reads(self, pointer: str) -> bool:
        """Whether a rule looks at a place of an order, around it or below it."""
        place = [_any(part) for part in tokens(pointer)]
        paths = (tokens(each) for each in _texts(self.settings) if each.startswith("/"))
        return any(all(map(_meet, place, path)) for path in paths)


def rules(provider: Provider, account: Account | None) -> tuple[Rules, ...]:
    """The rules of a pack that an inspection can hold an order against; those about facts need an account that has some."""
    found: list[Rules] = []
    for kind in ("always", "strict"):
        for row in cast("list[dict[str, Any]]", provider.reference.get(kind, [])):
            facts = [each for each in _texts(row) if each in _facts(provider)]
            known = [] if account is None else [each for each in facts if account.get(each) is not None]
            is_meant = all(account and account.get(key) == value for key, value in row.get("account-is", {}).items())
            in_force = provider.revision in row.get("revision", (provider.revision,))
            if in_force and is_meant and (known or not facts):
                settings = {**row, **row.get("inspected", {})}
                check(settings)
                owner = row.get("requirement", "")
                documented = schemas.validator(row.get("documented-for", {}))
                found.append(Rules(settings, owner, kind == "strict" and not _advised(provider, owner), documented))
    return tuple(found)


def _any(part: str) -> str:
    return "*" if part.isdigit() else part


def _meet(one: str, other: str) -> bool:
    return one == other or "*" in (one, other)


def _advised(provider: Provider, requirement: str) -> bool:
    """Whether a choice of strict endpoints is what the documentation advises."""
    known = catalogue.load(provider.name, provider.revision)
    return bool(requirement) and known.requirement(requirement).level is Level.SHOULD


def _facts(provider: Provider) -> set[str]:
    return {*provider.account_keys, *(str(each["key"]) for each in provider.derived)}


def _texts(value: Json) -> Iterator[str]:
    """Every text in the settings of a rule."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in ("rule", "account-is"):
                yield from _texts(each)


def documented(schema: JsonObject, rule: Sequence[str | int]) -> JsonObject:
    """The node of a schema that the path of a broken keyword leads to."""
    node: Any = schema
    for part in rule:
        node = node[part]
    return cast("JsonObject", node)
