"""The plan of a run: which requests, in which order, so that few of them judge most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.model import Case, Expect, Level, Recipe

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

    ``probe`` is the case whose bad order shows whether a bad order takes its batch with it.
    """

    atoms: tuple[Atom, ...]
    singles: tuple[Case, ...]
    probe: Case | None

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
    probe = _probe(suite)
    singles = tuple(case for case in cases if not _packable(case, fates=fates))
    return Plan(tuple(atoms), singles, probe)


def by_yield(suite: Suite, todo: Plan) -> Plan:
    """
    The plan with those cases first that judge most.

    One refusal of each constraint at each place comes first, and what else asks the same
    thing again later; then other requirements, scenarios, and requirements below must.
    """
    by_hand = _by_hand(suite)
    seen: Counter[tuple[str, ...]] = Counter()
    ranked: list[tuple[tuple[int, int], Case]] = []
    # A null shows both that a type is not looked at, and that nulls are let through.
    for case in sorted(todo.singles, key=lambda case: (len(case.steps), not _sends_null(case))):
        key = _question(suite, case, by_hand)
        strong = case.requirement.level is Level.MUST and case.expect is not Expect.OBSERVE and not case.reading
        rank = (seen[key], _kind(suite, case, by_hand)) if strong else (len(todo.singles), 0)
        if case.reading and case.requirement.level is Level.MUST and _sends_null(case):
            # Nothing else shows a null that is let through, though it is no more than advice: before second tries.
            rank = (1, -1)
        seen[key] += strong
        ranked.append((rank, case))
    ranked.sort(key=lambda each: (each[0], each[1].rank))
    return replace(todo, singles=tuple(case for _, case in ranked))


def _by_hand(suite: Suite) -> Counter[str]:
    """How many constraints of each requirement are tried by nothing but its cases made by hand."""
    tried = {case.site for case in suite.cases if case.expect is Expect.REFUSE}
    return Counter(
        each.requirement.id
        for each in suite.catalogue.sites
        if each.site.key not in tried and each.site.keyword != "optional" and each.refuse_side in ("", "by-hand")
    )


def _question(suite: Suite, case: Case, by_hand: Counter[str]) -> tuple[str, ...]:
    """What a case asks: cases with an equal question find the same faults, or nearly."""
    what = case.site
    path, _, keyword = what.rpartition(" ")
    if (
        keyword == "type"
        and not _sends_null(case)
        and any(each.site.key == f"{path} enum" for each in suite.catalogue.sites)
    ):
        # Whatever has another type is no member of the list either.
        what = f"{path} enum"
    if not what:
        many = by_hand[case.requirement.id] > 1
        what = " ".join([case.requirement.id, *(str(each["path"]) for each in case.steps[-1].change if many)])
    return case.operation, what, str(case.wanted(len(case.steps) - 1))


def _kind(suite: Suite, case: Case, by_hand: Counter[str]) -> int:
    """Constraints first, then other single requests, then scenarios; other operations last."""
    if case.answers_form and case.operation != suite.provider.main.id:
        # One request, and every member of its answer is held against the documentation.
        return 0
    if case.operation != suite.provider.main.id:
        return 3
    if case.site or (by_hand[case.requirement.id] and case.expect is Expect.REFUSE):
        return 0
    return 2 if len(case.steps) > 1 else 1


def _sends_null(case: Case) -> bool:
    change = case.steps[0].change
    return bool(change) and change[-1].get("op") == "replace" and change[-1].get("value", "") in (None, "@null")


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
