"""The suite of one provider for one account: every case with its twin, and what does not apply with the reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from conformance import catalogue, changes, providers, values
from conformance.checks import handmade, mechanical, standing, turns
from conformance.errors import PackError, nearest
from conformance.exploration.cases import Explored, Explorer
from conformance.model import Case, Expect, Recipe
from conformance.orders import OrderMaker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.catalogue import Catalogue
    from conformance.model import Account, Json
    from conformance.providers import Provider


NOTHING = Explored()


@dataclass(frozen=True)
class Suite:
    """
    The cases of a provider.

    ``twins`` are accepted counterparts that are no case themselves, by id; ``authorization``
    are the headers that authenticate, with placeholders, in every way that is known: the
    first is used. ``explored`` are made-up changes, which have cases too.
    """

    provider: Provider
    catalogue: Catalogue
    account: Account
    cases: tuple[Case, ...]
    twins: dict[str, Recipe]
    authorization: tuple[dict[str, str], ...]
    explored: Explored = NOTHING

    def case(self, name: str) -> Case:
        """A case by id. Raises KeyError."""
        return self.by_id[name]

    @cached_property
    def by_id(self) -> dict[str, Case]:
        """The cases by id."""
        return {case.id: case for case in self.cases}

    @cached_property
    def bases(self) -> dict[str, str]:
        """
        The whole order that each acceptance without some member starts from, where that is a case of its own: id by id.

        Only such: two cases that ask something of the same whole order each answer for themselves.
        """
        whole = {
            case.recipe.start: case.id
            for case in reversed(self.cases)
            if case.sends
            and case.expect is Expect.ACCEPT
            and case.recipe == Recipe(case.recipe.start)
            and len(case.steps) == 1
            and case.steps[0].slots == ("changed",)
            and not case.steps[0].change
        }
        if not self.provider.main.order:
            return {}
        shape = OrderMaker(self.provider.main, self.account, 0, "").shape
        return {
            case.id: whole[start]
            for case in self.cases
            if case.sends
            and case.expect is Expect.ACCEPT
            and case.recipe.drop
            and (start := case.recipe.start) in whole
            # Some accounts have nothing there to leave out.
            and shape(case.recipe) != shape(Recipe(start))
        }


def build(
    provider: Provider,
    account: Account,
    secrets: Iterable[str] = (),
    closed: Mapping[str, str] | None = None,
    explored: Explored = NOTHING,
) -> Suite:
    """
    Every case of the pack, in the catalogue's order.

    ``secrets`` names the placeholders whose values are known, since some cases need them;
    ``closed`` gives the reason why an operation cannot be tested here, by its id.
    Raises PackError for a case that names something the pack does not have.
    """
    known = catalogue.load(provider.name, provider.revision)
    cases = _cases(provider, known)
    _check_names(cases, provider, known)
    _check_values(cases, provider)
    cases += made_up(provider, known, account, explored)
    secrets = set(secrets)
    cases = [_excluded(case, provider, account, secrets, closed or {}) for case in cases]
    gone = {case.id: case.excluded for case in cases if case.excluded}
    cases = [
        replace(case, excluded=gone[case.reads[0]])
        if case.reads and not case.standing and gone.keys() >= set(case.reads)
        else case
        for case in cases
    ]
    cases, twins = _with_twins(cases, OrderMaker(provider.main, account, 0, ""))
    return Suite(provider, known, account, tuple(cases), twins, provider.auth.ways(secrets), explored)


def made_up(provider: Provider, known: Catalogue, account: Account, explored: Explored) -> list[Case]:
    """The cases of made-up changes."""
    return Explorer(provider, known, account).cases(explored.changes) if explored.changes else []


def _cases(provider: Provider, known: Catalogue) -> list[Case]:
    by_requirement: dict[str, list[Case]] = {each.id: [] for each in known.requirements}
    for owned in known.sites:
        operation = provider.operation(owned.operation)
        by_requirement[owned.requirement.id] += turns.in_turn(mechanical.cases(owned, operation), operation)
    for requirement in known.requirements:
        conditions = known.conditions[requirement.id]
        for data in known.cases[requirement.id]:
            made = handmade.cases(data, requirement, provider, conditions)
            by_requirement[requirement.id] += turns.in_turn(made, provider.main)
        by_requirement[requirement.id] += standing.cases(requirement, known.answers)
    return [case for cases in by_requirement.values() for case in cases]


def _check_names(cases: list[Case], provider: Provider, known: Catalogue) -> None:
    ids: set[str] = set()
    for case in cases:
        if case.id in ids:
            raise PackError(f"{provider.folders.schemas}: {case.id}: made twice; ids are for ever and for one thing")
        ids.add(case.id)
    for case in cases:
        for name in case.reads:
            if name != "control" and name not in ids:
                raise PackError(f"{case.id}: reads {name!r}, which is no case; {nearest(name, ids)}")
    for question, name in known.questions.items():
        if name not in ids:
            raise PackError(f"question {question!r} is answered by {name!r}, which is no case; {nearest(name, ids)}")


def _check_values(cases: list[Case], provider: Provider) -> None:
    """Expressions and places that nobody knows are told before anything is sent."""
    form = provider.main.order
    if form:
        _told(f"{provider.folders.schemas}: order.json", form.template)
        for pointer in (*form.plain, *form.whole, *form.texts, *(path for path, _ in form.minimal)):
            if not changes.exists(form.template, pointer):
                raise PackError(f"{provider.folders.schemas}: order.json has no {pointer!r}, which provider.toml names")
    facts = {*provider.account_keys, *(str(each["key"]) for each in provider.derived)}
    for case in cases:
        for step in case.steps:
            _told(case.id, [list(step.change), dict(step.path), dict(step.query), step.body])
        _told(case.id, list(case.recipe.given))
        for need in case.needs:
            if need.partition(".")[0] not in facts:
                raise PackError(f"{case.id}: needs {need!r}, which is no account fact; {nearest(need, facts)}")


def _told(where: str, value: Json) -> None:
    try:
        values.check(value)
    except PackError as error:
        raise PackError(f"{where}: {error}") from None


def _excluded(case: Case, provider: Provider, account: Account, secrets: set[str], closed: Mapping[str, str]) -> Case:
    for key in case.needs:
        if account.get(key) is None:
            return replace(case, excluded=f"the account file has no {_documented(key, provider)}")
    for key, value in case.when:
        if account.get(key) != value:
            return replace(case, excluded=f"it is about accounts whose {key} is {value}")
    for key in (*provider.operation(case.operation).needs_credentials, *case.needs_credentials):
        if key not in secrets:
            variables = provider.auth.variables.get(key, (key,))
            return replace(case, excluded=f"{' or '.join(variables)} is not set")
    if case.operation in closed:
        return replace(case, excluded=closed[case.operation])
    return case


def _documented(key: str, provider: Provider) -> str:
    """A fact as its reader knows it: one that follows from a list is named by what the list lacks."""
    row = next((each for each in provider.derived if each["key"] == key), None)
    if row is None:
        return key
    words = {"is": "of", "is-not": "other than", "in": "among", "not-in": "not among"}
    terms = [
        f"{each['member']} {words[word]} {fact}"
        for each in row.get("where", ())
        for word, fact in each.items()
        if word in words
    ]
    return f"{key}, nor [[{row['from']}]] with a {' and a '.join(terms or [row['take']])}"


def _recipe_key(recipe: Recipe, maker: OrderMaker) -> str:
    """Equal for recipes that make the same order, however they came by its members."""
    facts = asdict(replace(recipe, start="", carry=(), drop=()))
    return json.dumps([maker.shape(recipe), facts], sort_keys=True)


def _with_twins(cases: list[Case], maker: OrderMaker) -> tuple[list[Case], dict[str, Recipe]]:
    """Give every refusal of an order its accepted counterpart: the control, a case, or a twin of its own."""
    accepted = {_recipe_key(Recipe(), maker): "control"}
    for case in cases:
        unchanged = len(case.steps) == 1 and case.steps[0].slots == ("changed",) and not case.steps[0].change
        if unchanged and case.expect is Expect.ACCEPT and not case.excluded and case.sends:
            accepted.setdefault(_recipe_key(case.recipe, maker), case.id)
    twins: dict[str, Recipe] = {}
    result: list[Case] = []
    for case in cases:
        wants = case.sends and case.twin == "control" and case.recipe != Recipe()
        if not wants or case.expect not in (Expect.REFUSE, Expect.DENY):
            result.append(case)
            continue
        key = _recipe_key(case.recipe, maker)
        if key not in accepted:
            name = f"twin/{hashlib.sha256(key.encode()).hexdigest()[:12]}"
            accepted[key] = name
            twins[name] = case.recipe
        result.append(replace(case, twin=accepted[key]))
    return result, twins


def load(name: str, account: Account, revision: str = "", secrets: Iterable[str] = ()) -> Suite:
    """The suite of a provider by name. Raises UserError or PackError as the parts do."""
    return build(providers.load(name, revision), account, secrets)
