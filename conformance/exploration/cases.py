"""Cases of made-up changes: what the documentation expects of a change follows from the change and the pack alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from conformance import changes, operations, schemas, values
from conformance.errors import PackError
from conformance.exploration import places, wrongness
from conformance.model import Case, Expect, Level, Recipe, Step
from conformance.orders import OrderMaker, needed_members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.catalogue import Catalogue, Owned
    from conformance.model import Account, Json, JsonObject, Operations, Requirement
    from conformance.providers import Provider
    from conformance.schemas import Mistake

# An order of any instant shows what is wrong with a change.
_INSTANT = datetime(2026, 1, 1, 12, tzinfo=UTC)
_RANK = 55
WORD = "explored"


def digest(change: Operations) -> str:
    """What the id of a change's case ends with."""
    return hashlib.sha256(json.dumps(change, sort_keys=True).encode()).hexdigest()[:10]


def is_explored(case: Case) -> bool:
    """Whether a case is one of a made-up change."""
    return case.id.partition("/")[2].startswith(f"{WORD}.")


@dataclass(frozen=True, slots=True)
class Explored:
    """Made-up changes that are part of a suite, and how many of them were ``asked`` for."""

    asked: int = 0
    changes: tuple[Operations, ...] = ()


def written(explored: Explored) -> tuple[str, ...]:
    """The changes as JSON texts, for recordings and journals."""
    return tuple(json.dumps(list(each)) for each in explored.changes)


def read(asked: int, texts: Iterable[str]) -> Explored:
    """What JSON texts say. Raises ValueError or TypeError for texts of something else."""
    return Explored(int(asked), tuple(tuple(json.loads(each)) for each in texts))


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a change is about, and what is expected of it."""

    requirement: Requirement
    expect: Expect
    owners: tuple[Owned, ...] = ()
    reading: bool = False


class Explorer:
    """Gives changes of one pack and account their meaning."""

    def __init__(self, provider: Provider, catalogue: Catalogue, account: Account) -> None:
        main = provider.main
        self._operation = main
        self.places = places.of_order(provider, catalogue)
        self._maker = OrderMaker(main, account, 0, "")
        self._validator = schemas.validator(operations.order_schema(main.envelope, main.wrapper, main.request_schema))
        self._success = _success(catalogue)

    def cases(self, explored: Iterable[Operations]) -> list[Case]:
        """The cases of changes, each once; changes that the documentation has no word for have none."""
        found: dict[str, Case] = {}
        for change in explored:
            case = self.case(change)
            if case is not None:
                found.setdefault(case.id, case)
        return list(found.values())

    def case(self, change: Operations) -> Case | None:
        """The case of a change to a plain order, or None where the documentation has no word for it."""
        meant = self._meaning(change)
        if meant is None:
            return None
        owners = meant.owners
        return Case(
            id=f"{meant.requirement.id}/{WORD}.{digest(change)}",
            requirement=meant.requirement,
            operation=self._operation.id,
            expect=meant.expect,
            recipe=self.recipe(change),
            steps=(Step(change=change),),
            reading=meant.reading,
            rank=_RANK,
            site=owners[0].site.key if len(owners) == 1 else "",
            needs=tuple(dict.fromkeys(need for each in owners for need in each.needs)),
            needs_credentials=tuple(dict.fromkeys(need for each in owners for need in each.needs_credentials)),
            when=tuple(dict.fromkeys(fact for each in owners for fact in each.when)),
        )

    def recipe(self, change: Operations) -> Recipe:
        """The order before the change: with the members and the lines that it speaks of."""
        form = self._operation.order
        assert form is not None
        count, free = 0, False
        for each in change:
            path = str(each["path"])
            place = self.places.get(places.normal(path))
            # Where nothing costs anything, any quantity still adds up.
            free |= place is not None and place.fact == "@line.quantity"
            if form.lines and path.startswith(f"{form.lines}/"):
                count = max(count, int(changes.tokens(path.removeprefix(form.lines))[0]) + 1)
        return Recipe(lines=count if count > 1 else 0, free=free, carry=needed_members(change))

    def _meaning(self, change: Operations) -> _Meaning | None:
        if not change or not all(map(_well_formed, change)):
            return None
        try:
            order, scope = self._maker.make(self.recipe(change), WORD, _INSTANT)
            if not all(changes.exists(order, str(each["path"])) for each in change) or not self._validator.accepts(
                order
            ):
                return None
            mistakes = self._validator.mistakes(changes.apply(order, values.filled_operations(change, scope)))
        except (PackError, ValueError, LookupError, RecursionError):
            return None
        if mistakes:
            return self._wrong(change[0], mistakes) if len(change) == 1 else None
        return self._right(change)

    def _right(self, change: Operations) -> _Meaning | None:
        """What satisfies the schema: expected to be taken where the documentation surely allows it, else observed."""
        met = [self.places.get(places.normal(str(each["path"]))) for each in change]
        owners = tuple(each.speaks for each in met if each and each.kind and each.speaks)
        if len(owners) < len(change):
            return None
        sure = all(place and place.allows(_plain(each.get("value"))) for place, each in zip(met, change, strict=True))
        if len(change) > 1:
            return _Meaning(self._success, Expect.ACCEPT, owners) if sure and self._success else None
        return _Meaning(owners[0].requirement, Expect.ACCEPT if sure else Expect.OBSERVE, owners)

    def _wrong(self, operation: JsonObject, mistakes: list[Mistake]) -> _Meaning | None:
        """What breaks exactly one documented constraint, at the place of the change."""
        place = self.places.get(places.normal(str(operation["path"])))
        keyword = wrongness.keyword(operation, mistakes)
        owned = place.owned.get(keyword) if place else None
        if place is None or owned is None or owned.refuse_side:
            return None
        silent = owned.requirement.level in (Level.SILENT, Level.CONTRADICTORY)
        told = _Meaning(owned.requirement, Expect.OBSERVE if silent else Expect.REFUSE, (owned,))
        if keyword == "required":
            return told
        value = _plain(operation.get("value"))
        if wrongness.is_reading(place, keyword, value):
            # What is made of it is known to do no harm at some places only.
            return replace(told, reading=True) if place.kind and value != "" else None
        if wrongness.is_certain(place, keyword, value):
            return told
        return replace(told, expect=Expect.OBSERVE) if place.kind else None


def _well_formed(operation: object) -> bool:
    """Whether an operation puts another value somewhere or takes one away; recordings may come from anywhere."""
    members = {"replace": {"op", "path", "value"}, "remove": {"op", "path"}}
    if not isinstance(operation, dict):
        return False
    row = cast("dict[str, object]", operation)
    return members.get(str(row.get("op"))) == row.keys() and isinstance(row["path"], str) and row["path"] != ""


def _success(catalogue: Catalogue) -> Requirement | None:
    """The requirement that a valid batch succeeds: that of the first case that changes nothing."""
    asked = catalogue.questions.get("plain-batch", "").partition("/")[0]
    for each in catalogue.requirements:
        bare = any(
            case.get("expect") == "accept"
            and not case.keys() & {"change", "standing", "reads", "step", "values", "recipe"}
            for case in catalogue.cases[each.id]
        )
        if each.level is Level.MUST and (each.id == asked or (bare and not asked)):
            return each
    return None


def escaped(value: Json) -> Json:
    """A value in which no text is taken for an expression."""
    if isinstance(value, dict):
        return {name: escaped(each) for name, each in value.items()}
    if isinstance(value, list):
        return [escaped(each) for each in value]
    return f"@{value}" if isinstance(value, str) and value.startswith("@") else value


def _plain(value: Json) -> Json:
    """The value that is sent for an escaped one."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value[1:] if isinstance(value, str) and value.startswith("@@") else value
