"""The plan of a run: which requests, in which order, so that few of them judge most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.model import Case, Expect, Recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from conformance.model import Operations
    from conformance.suite import Suite


@dataclass(frozen=True, slots=True)
class Atom:
    """
    An order that can share a batch with others: a case's or a twin's.

    It must be taken, unless ``expect`` says otherwise, which it can where each order of a
    batch has a fate of its own. ``drawn`` is what its data are drawn from; its id, if nothing is said.
    """

    id: str
    recipe: Recipe
    change: Operations = ()
    expect: Expect = Expect.ACCEPT
    drawn: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    ``atoms`` are sent first, several in a batch where that is sound; ``singles`` each on their own.

    ``probes`` are cases whose bad orders show whether a bad order takes its batch with it: the second is for an
    endpoint that takes the first.
    """

    atoms: tuple[Atom, ...]
    singles: tuple[Case, ...]
    probes: tuple[Case, ...]

    def without(self, settled: Collection[str]) -> Plan:
        """The plan of what is left when some cases and twins are settled."""
        if not settled:
            return self
        atoms = tuple(each for each in self.atoms if each.id not in settled)
        return replace(self, atoms=atoms, singles=tuple(each for each in self.singles if each.id not in settled))

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
        Atom(case.id, case.recipe, case.steps[0].change, case.expect, case.drawn)
        for case in cases
        if _packable(case, fates=fates)
    ]
    atoms += [Atom(name, recipe) for name, recipe in suite.twins.items() if name in wanted]
    singles = tuple(case for case in cases if not _packable(case, fates=fates))
    return Plan(tuple(atoms), singles, _probes(suite))


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
        if case.standing and case.expect is Expect.REFUSE:
            # What is held against refusals needs at least one.
            waiting += [probe.id for probe in _probes(suite)[:1]]
        if case.group:
            waiting += [each.id for each in suite.cases if each.group == case.group]
        if case.operation != suite.provider.main.id:
            waiting += [each.id for each in suite.cases if each.operation == case.operation and each.answers_form]
    return wanted


def _probes(suite: Suite) -> tuple[Case, ...]:
    """The first bad order of each of two requirements."""
    first: dict[str, Case] = {}
    for case in sorted((case for case in suite.cases if _bad_order(case)), key=lambda case: case.rank):
        first.setdefault(case.requirement.id, case)
    return tuple(first.values())[:2]


def _packable(case: Case, *, fates: bool) -> bool:
    """Whether a case is about one order that others do not bear upon; ``fates``: each has its own."""
    return (
        (case.expect is Expect.ACCEPT or (fates and case.expect in (Expect.REFUSE, Expect.OBSERVE)))
        and len(case.steps) == 1
        and case.steps[0].slots == ("changed",)
        and case.steps[0].scope == "order"
        and not case.steps[0].names
        # An order that may rightly be refused together with its like would take its batch with it.
        and not case.group
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
