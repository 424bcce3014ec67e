"""The registry of rules, and how a pack's settings are handed to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from conformance.errors import PackError, nearest

if TYPE_CHECKING:
    from datetime import datetime

    from conformance.model import Account, Json


@dataclass(frozen=True, slots=True)
class Breach:
    """Where an order breaks a rule (JSON Pointer relative to the order) and what the rule asks."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Context:
    """
    What a rule may look at beside the order: the instant of the push, the account, and values seen before.

    ``stored`` tells whether there is an order of a number.
    """

    now: datetime
    account: Account
    seen: Callable[[str, Json], bool]
    stored: Callable[[int], bool] = lambda _number: False


# A rule gets one order, the context and its settings from the pack, and yields breaches.
Rule = Callable[..., Iterator[Breach]]
_RULES: dict[str, Rule] = {}
# What a pack says of a rule that is no setting of it: whose it is, when it holds, how it is answered, and what else
# counts where payloads are looked at.
_ABOUT = frozenset(
    ("rule", "requirement", "revision", "account-is", "status", "code", "answer", "inspected", "documented-for")
)


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule under the name that packs use."""

    def register(function: Rule) -> Rule:
        _RULES[name] = function
        return function

    return register


def breaches(settings: dict[str, Any], order: Json, context: Context) -> Iterator[Breach]:
    """Apply one rule of a pack. Raises PackError for a name nobody registered."""
    yield from _function(settings["rule"])(order, context, **_settings(settings))


def check(settings: dict[str, Any]) -> None:
    """Raise PackError where a pack names a rule, or a setting of it, that does not exist."""
    known = [
        each for each in signature(_function(settings["rule"])).parameters.values() if each.kind is each.KEYWORD_ONLY
    ]
    given = _settings(settings)
    for name in given:
        if name not in {each.name for each in known}:
            hint = nearest(name.replace("_", "-"), [each.name.replace("_", "-") for each in known])
            raise PackError(f"rule {settings['rule']!r} has no setting {name.replace('_', '-')!r}; {hint}")
    for each in known:
        if each.default is each.empty and each.name not in given:
            raise PackError(f"rule {settings['rule']!r} lacks its setting {each.name.replace('_', '-')!r}")


def _function(name: str) -> Rule:
    from conformance.rules import answers, orders, products, shape  # noqa: F401, PLC0415  # to register the rules

    if name not in _RULES:
        raise PackError(f"rule {name!r}: there is no such rule; {nearest(name, _RULES)}")
    return _RULES[name]


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in settings.items() if key not in _ABOUT}
