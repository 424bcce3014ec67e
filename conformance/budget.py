"""A budget of requests: what judges most comes first, and what there is no room for was not asked for after all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from conformance.model import Case, Expect, Level, Verdict
from conformance.sender import for_lack_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.flow import Unit
    from conformance.model import Json
    from conformance.packing import Pack
    from conformance.plan import Atom, Plan
    from conformance.sender import Run
    from conformance.suite import Suite


def by_yield(suite: Suite, todo: Plan) -> Plan:
    """
    The plan with those cases first that judge most.

    One refusal of each constraint at each place comes first, and what else asks the same
    thing again later; then other requirements, scenarios, and requirements below must. Orders that share batches
    are sorted alike: cases of a must, then what is held against, as early as it is needed, then the others.
    """
    by_hand, whole = _by_hand(suite), _whole_numbers(suite)
    seen: Counter[tuple[str, ...]] = Counter()
    sent: set[str] = set()
    ranked: list[tuple[tuple[int, int], Case]] = []
    for case in sorted(todo.singles, key=lambda case: (len(case.steps), not case.site, -_shows(case, whole))):
        key = _question(suite, case, by_hand)
        must = _asks_for_a_must(case)
        # What another requirement asks with the same change is answered already.
        same = _change(case) in sent
        rank = (max(seen[key], same), _kind(suite, case, by_hand)) if must else (len(todo.singles), 0)
        if case.reading and case.requirement.level is Level.MUST and _is_null(_value(case)):
            # Nothing else shows a null that is let through, though it is no more than advice: before second tries.
            rank = (1, -1)
        seen[key] += must
        sent.add(_change(case))
        ranked.append((rank, case))
    ranked.sort(key=lambda each: (each[0], each[1].rank))
    singles = tuple(case for _, case in ranked)
    strong = _strong(suite, todo.atoms)
    needed = {case.twin: -place for place, case in enumerate(reversed(singles))}
    atoms = sorted(todo.atoms, key=lambda atom: (atom.id not in strong, needed.get(atom.id, len(singles))))
    return replace(todo, atoms=tuple(atoms), singles=singles)


def _asks_for_a_must(case: Case) -> bool:
    return case.requirement.level is Level.MUST and case.expect is not Expect.OBSERVE and not case.reading


def _strong(suite: Suite, atoms: Iterable[Atom]) -> set[str]:
    """The atoms that ask for what must be, and what these are held against."""
    cases = [suite.by_id[atom.id] for atom in atoms if atom.id in suite.by_id]
    return {name for case in cases if _asks_for_a_must(case) for name in (case.id, case.twin)}


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
        and not _is_null(_value(case))
        and any(each.site.key == f"{path} enum" for each in suite.catalogue.sites)
    ):
        # Whatever has another type is no member of the list either.
        what = f"{path} enum"
    if not what:
        many = by_hand[case.requirement.id] > 1
        what = " ".join([case.requirement.id, *(str(each["path"]) for each in case.steps[-1].change if many)])
    return case.operation, what, str(case.wanted(len(case.steps) - 1))


def _change(case: Case) -> str:
    """What a case does to an order, or to orders; two that are alike in this have the same answer."""
    return repr([case.operation, case.recipe.lines, *((each.slots, each.scope, each.change) for each in case.steps)])


def _kind(suite: Suite, case: Case, by_hand: Counter[str]) -> int:
    """
    Constraints come first, then who may send at all and other rules for an order, and then other single requests.

    Scenarios come after these, with what is held against others of its kind; other operations last.
    """
    main = case.operation == suite.provider.main.id
    if not main:
        # One request of an operation is enough to hold every member of its answer against the documentation.
        return 1 if case.answers_form else 4
    if len(case.steps) > 1 or case.group:
        return 3
    if case.site or (by_hand[case.requirement.id] and case.expect is Expect.REFUSE):
        return 0
    # Each vendor writes the rules for orders; what reads JSON is a library.
    by_vendor = case.expect is Expect.REFUSE and case.steps[0].scope == "order"
    return 1 if by_vendor or case.expect is Expect.DENY else 2


def _whole_numbers(suite: Suite) -> set[str]:
    """The constraints by which a member is a whole number."""
    types = [each.site for each in suite.catalogue.sites if each.site.keyword == "type"]
    return {each.key for each in types if each.value == "integer" or "integer" in cast("list[str]", each.value)}


def _shows(case: Case, whole: set[str]) -> int:
    """How much more a value of a wrong type shows than that the type is not looked at."""
    # A fraction for a whole number, that any number is taken; a null, that nulls are let through.
    value = _value(case)
    return 2 if isinstance(value, float) and case.site in whole else 1 if _is_null(value) else 0


def _value(case: Case) -> Json:
    change = case.steps[0].change
    return change[-1].get("value", "") if change and change[-1].get("op") == "replace" else ""


def _is_null(value: Json) -> bool:
    return value in (None, "@null")


def in_order(
    suite: Suite, cases: Sequence[Case], singles: Sequence[Unit], packs: Sequence[Pack], *, alone: bool
) -> Iterator[Unit]:
    """
    The units of cases and packs: the largest batch, packs, and then the cases in their order.

    An endpoint that refuses the largest batch for its size refuses packs as well, and taking these apart may use up all
    there is. A pack without any case of a must, and every order that has to go ``alone``, comes before the first case
    that is held against one of its orders, and last if there is none: those alone are many.
    """
    sized = [case.site != "" and case.expect is Expect.ACCEPT and len(case.steps[0].slots) > 1 for case in cases]
    yield from (single for single, first in zip(singles, sized, strict=True) if first)
    strong = _strong(suite, [atom for pack in packs for atom in pack.atoms]) if not alone else set()
    at_once = [any(atom.id in strong for atom in pack.atoms) for pack in packs]
    yield from (pack for pack, first in zip(packs, at_once, strict=True) if first)
    waiting = [pack for pack, first in zip(packs, at_once, strict=True) if not first]
    held = {atom.id: pack for pack in waiting for atom in pack.atoms}
    for case, single, first in zip(cases, singles, sized, strict=True):
        if (pack := held.get(case.twin)) in waiting:
            waiting.remove(pack)
            yield pack
        if not first:
            yield single
    yield from waiting


def leave_out(run: Run) -> None:
    """
    Cases that the budget had no room for were not selected after all, nor those that look at them.

    Whatever was found stays: what a case shows does not become untrue by what is not sent.
    """
    suite = run.suite
    sent = {name for record in run.records for name in (*record.atoms, record.case)}
    out = {name: why for name, why in run.left_out.items() if name in suite.by_id and name not in sent}
    for case in suite.cases:
        missing = [name for name in case.reads if name in out]
        if missing:
            out[case.id] = out[missing[0]]
    groups = {suite.by_id[name].group for name in out} - {""}
    for case in suite.cases:
        verdict = run.judgements[case.id].verdict
        if case.group in groups and (case.expect is Expect.CONSISTENT or verdict is Verdict.OBSERVED):
            out.setdefault(case.id, "left out: others of its group were")
        elif case.standing and verdict is Verdict.INCONCLUSIVE:
            # What looks at all answers has nothing to look at where there was no room for such requests.
            out.setdefault(case.id, for_lack_of(run.settings.budget))
        if verdict in (Verdict.VIOLATION, Verdict.ADVISORY):
            out.pop(case.id, None)
    run.left_out = {name: out[name] for name in run.selected if name in out}
    run.not_run = {name: why for name, why in run.not_run.items() if name not in run.left_out}
    run.selected = tuple(name for name in run.selected if name not in run.left_out)
