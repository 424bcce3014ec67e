"""How many lines the orders of a plan have, without composing every one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conformance import changes
from conformance.batches import PLAIN, Composer, Unmade
from conformance.model import Expect
from conformance.plan import Atom

if TYPE_CHECKING:
    from conformance.model import Case, Operations, Recipe
    from conformance.plan import Plan
    from conformance.suite import Suite


def lines(suite: Suite, todo: Plan) -> int:
    """The lines of all orders that the endpoint may create for a plan, controls apart."""
    count = _Counter(suite)
    total = sum(count.order(atom.recipe, atom.change) for atom in todo.atoms if atom.expect is not Expect.REFUSE)
    return total + sum(count.case(case) for case in todo.singles if case.orders)


class _Counter:
    """Counts the lines of composed orders. Orders that differ in nothing but values are composed once."""

    def __init__(self, suite: Suite) -> None:
        form = suite.provider.main.order
        self._main = suite.provider.main.id
        self._at = form.lines if form else ""
        self._composer = Composer(suite, 0, "")
        self._now = datetime.now(UTC)
        self._known: dict[str, int] = {}

    def case(self, case: Case) -> int:
        """The lines of a case's orders, but for steps that have to be refused."""
        total = 0
        for index, step in enumerate(case.steps):
            if (step.operation or case.operation) != self._main or case.wanted(index) in (Expect.REFUSE, Expect.DENY):
                continue
            for word in step.slots:
                whole = step.scope in ("body", "request")
                recipe = PLAIN if word == "good" and not whole else case.recipe
                changed = word.endswith("changed") and step.scope == "order"
                total += self.order(recipe, step.change if changed else ())
        return total

    def order(self, recipe: Recipe, change: Operations) -> int:
        """The lines of an order with a change; none where it cannot be made for this account."""
        change = self._concerning(change)
        # Where an order goes, in which currency, and what else it tells, says nothing about its lines.
        alike = replace(
            recipe,
            country="",
            currency="",
            free=False,
            carry=self._leading(recipe.carry),
            drop=self._leading(recipe.drop),
            given=self._concerning(recipe.given),
        )
        key = repr((alike, change))
        if key not in self._known:
            try:
                made = self._composer.orders([Atom("", recipe, change)], "", self._now).orders
            except Unmade:
                made = ()
            self._known[key] = sum(len(changes.select(each, f"{self._at}/*")) for each in made)
        return self._known[key]

    def _leading(self, pointers: tuple[str, ...]) -> tuple[str, ...]:
        """Those that lead to the list of lines or into it, where the first line stands for all."""
        inside = {f"{self._at}/0" for each in pointers if each.startswith(f"{self._at}/")}
        return (*sorted(inside), *(each for each in pointers if f"{self._at}/".startswith(f"{each}/")))

    def _concerning(self, change: Operations) -> Operations:
        """What may change how many lines there are: at the list, around it, or of a whole line."""

        def concerns(path: str) -> bool:
            inside = path.removeprefix(f"{self._at}/")
            return f"{self._at}/".startswith(f"{path}/") or (inside != path and "/" not in inside)

        return tuple(each for each in change if concerns(str(each["path"])))
