"""The plan of a run: which requests, in which order, so that few of them judge most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.model import Case, Expect, Level, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.model import Operations
    from conformance.suite import Suite


@dataclass(frozen=True, slots=True)
class Atom:
    """
    An order that can share a batch with others: a case's or a twin's.

    It must be taken, unless ``expect`` says otherwise, which it can where each order of a
    batch has a fate of its own.
    """

    id: str
    recipe: Recipe
    change: Operations = ()
    expect: Expect = Expect.ACCEPT


@dataclass(frozen=True, slots=True)
class Plan:
    """
    ``atoms`` are sent first, several in a batch where that is sound; ``singles`` each on their own.

    ``probe`` is the case whose bad order shows whether a bad order takes its batch with it.
    """

    atoms: tuple[Atom, ...]
    singles: tuple[Case, ...]
    probe: Case | None

    @property
    def orders(self) -> int:
        """How many orders the endpoint may create for the planned cases, controls apart."""
        return sum(atom.expect is not Expect.REFUSE for atom in self.atoms) + sum(case.orders for case in self.singles)

    def requests(self, pack_size: int) -> int:
        """How many requests the plan takes when nothing unexpected happens, controls apart."""
        return -(-len(self.atoms) // pack_size) + sum(len(case.steps) for case in self.singles)


def make(suite: Suite, selected: Iterable[str]) -> Plan:
    """The plan for the selected cases and whatever they need: twins, groups and the cases they read."""
    wanted = _closure(suite, selected)
    cases = sorted((case for case in suite.cases if case.id in wanted and case.sends), key=lambda case: case.rank)
    fates = suite.provider.main.mixed_batch == "per-order"
    atoms = [
        Atom(case.id, case.recipe, case.steps[0].change, case.expect) for case in cases if _packable(case, fates=fates)
    ]
    atoms += [Atom(name, recipe) for name, recipe in suite.twins.items() if name in wanted]
    probe = _probe(suite)
    singles = tuple(case for case in cases if not _packable(case, fates=fates))
    return Plan(tuple(atoms), singles, probe)


def by_yield(suite: Suite, todo: Plan) -> Plan:
    """
    The plan with those cases first that judge most.

    One refusal of each constraint comes first, then one of each further requirement, and what
    asks the same thing again later; scenarios and requirements below must come last.
    """
    seen: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[tuple[int, int], Case]] = []
    for case in todo.singles:
        strong = case.requirement.level is Level.MUST and case.expect is not Expect.OBSERVE and not case.reading
        key = (case.operation, case.site or case.requirement.id)
        about = 0 if case.site and case.operation == suite.provider.main.id else 1 if not case.is_scenario else 2
        rank = (seen[key], about) if strong else (len(todo.singles), 0)
        seen[key] += strong
        ranked.append((rank, case))
    ranked.sort(key=lambda each: each[0])
    return replace(todo, singles=tuple(case for _, case in ranked))


def _closure(suite: Suite, selected: Iterable[str]) -> set[str]:
    by_id = suite.by_id
    wanted: set[str] = set()
    waiting = list(selected)
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted.add(name)
        case = by_id.get(name)
        if case is None:
            continue
        waiting += [case.twin, *case.reads]
        if case.standing and case.expect is Expect.REFUSE and (probe := _probe(suite)):
            # What is held against refusals needs at least one.
            waiting.append(probe.id)
        if case.group:
            waiting += [each.id for each in suite.cases if each.group == case.group]
        if case.operation != suite.provider.main.id:
            waiting += [each.id for each in suite.cases if each.operation == case.operation and each.answers_form]
    return wanted


def _probe(suite: Suite) -> Case | None:
    return min((case for case in suite.cases if _bad_order(case)), key=lambda case: case.rank, default=None)


def _packable(case: Case, *, fates: bool) -> bool:
    """Whether a case is about one order that others do not bear upon; ``fates``: each has its own."""
    return (
        (case.expect is Expect.ACCEPT or (fates and case.expect in (Expect.REFUSE, Expect.OBSERVE)))
        and len(case.steps) == 1
        and case.steps[0].slots == ("changed",)
        and case.steps[0].scope == "order"
        and not case.steps[0].names
    )


def _bad_order(case: Case) -> bool:
    """A refusal that needs nothing but a plain order with one change."""
    return (
        case.sends
        and case.expect is Expect.REFUSE
        and not case.reading
        and case.twin == "control"
        and len(case.steps) == 1
        and case.steps[0].slots == ("changed",)
        and case.steps[0].scope == "order"
    )
