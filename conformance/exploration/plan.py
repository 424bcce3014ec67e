"""Exploring: so many made-up changes for the main operation of a pack, each with a meaning."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from conformance.exploration import drawing
from conformance.exploration.cases import Explorer
from conformance.exploration.parts import ODD, SURE, WRONG, Reducer, parts
from conformance.model import Expect

if TYPE_CHECKING:
    from conformance.catalogue import Catalogue
    from conformance.model import Account, JsonObject, Operations
    from conformance.providers import Provider

# Of ten examples, how many are of each way; where a way has not so many, the others have more.
_TOGETHER = "together"
_SHARES = {SURE: 2, _TOGETHER: 2, WRONG: 5, ODD: 1}
_EXPECTED = {SURE: Expect.ACCEPT, _TOGETHER: Expect.ACCEPT, WRONG: Expect.REFUSE, ODD: Expect.OBSERVE}
_ROUNDS = 2
# Of each part, beside its share; the first examples of a schema are its simplest ones.
_LEAST = {SURE: 7, WRONG: 7, ODD: 3}
_MOST = 30
# Few examples need not come from everywhere.
_PARTS = 4
# At one place, of one way: the next of the same kind finds little that is new.
_ALIKE = 10
# Changes that are surely allowed, in one order.
_MANY = (8, 16)


def explore(
    provider: Provider, catalogue: Catalogue, account: Account, count: int, seed: int
) -> tuple[Operations, ...]:
    """
    ``count`` changes of a plain order, fewer where the pack has not so many. Equal arguments give equal changes.

    Raises UserError where the extra is not installed.
    """
    if provider.main.order is None:
        return ()
    explorer = Explorer(provider, catalogue, account)
    chance = random.Random(f"explore/{provider.name}/{provider.revision}/{seed}")
    known = parts(provider.main, explorer.places)
    known = chance.sample(known, min(len(known), _PARTS + count))
    reducer = Reducer(provider.main, chance)
    found: dict[str, dict[str, Operations]] = {way: {} for way in _SHARES}
    sure: dict[str, list[JsonObject]] = {}
    for turn in range(_ROUNDS):
        more = min(3 * count * (turn + 1) // max(len(known), 1), _MOST)
        wanted = [(each.schema, each.way == WRONG, _LEAST[each.way] + more) for each in known]
        drawn = drawing.draw(wanted, seed * 1000003 + turn * 1009)
        # The first of each is the simplest that there is.
        rows = [(part, value) for part, values in zip(known, drawn, strict=True) for value in values[1:]]
        chance.shuffle(rows)
        for part, value in rows:
            change = reducer.changes(part, value)
            _add(found[part.way], explorer, part.way, change[:1])
            if part.way == SURE:
                for each in change:
                    sure.setdefault(str(each["path"]), []).append(each)
        for _ in range(count * _SHARES[_TOGETHER] // 10 if len(sure) > 1 else 0):
            _add(found[_TOGETHER], explorer, _TOGETHER, _together(sure, chance))
        if sum(map(len, found.values())) >= count:
            break
    return _chosen(found, count)


def _together(sure: dict[str, list[JsonObject]], chance: random.Random) -> Operations:
    """What is allowed at one place after the other is allowed together too, and more is found at once."""
    places = chance.sample(list(sure), min(chance.randint(*_MANY), len(sure)))
    return tuple(chance.choice(sure[each]) for each in sorted(places))


def _add(found: dict[str, Operations], explorer: Explorer, way: str, change: Operations) -> None:
    case = explorer.case(change) if change else None
    if case is None or case.expect is not _EXPECTED[way]:
        return
    place = str(change[0]["path"])
    if way == _TOGETHER or sum(str(each[0]["path"]) == place for each in found.values()) < _ALIKE:
        found.setdefault(case.id, change)


def _chosen(found: dict[str, dict[str, Operations]], count: int) -> tuple[Operations, ...]:
    """The shares of each way; what one lacks is made up by the others."""
    chosen = {way: list(found[way].values())[: -(-count * share // 10)] for way, share in _SHARES.items()}
    for way in (_TOGETHER, WRONG, SURE):
        rest = list(found[way].values())[len(chosen[way]) :]
        missing = count - sum(map(len, chosen.values()))
        chosen[way] += rest[: max(missing, 0)]
    return tuple(each for way in _SHARES for each in chosen[way])[:count]
