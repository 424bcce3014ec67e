"""Cases written out in the catalogue, read into the same values that the mechanical ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.errors import PackError
from conformance.model import Case, Expect, Recipe, Requirement, Step
from conformance.orders import needed_members

if TYPE_CHECKING:
    from conformance.model import JsonObject, Operations
    from conformance.providers import Provider

_RANK = {Expect.ACCEPT: 5, Expect.REFUSE: 19, Expect.DENY: 9, Expect.CONSISTENT: 7, Expect.OBSERVE: 70}


def case(data: dict[str, Any], requirement: Requirement, provider: Provider, needs: tuple[str, ...]) -> Case:
    """
    One hand-made case of the catalogue.

    Raises PackError when a batch changes an order that it does not have.
    """
    name = f"{requirement.id}/{data['id']}"
    operation = provider.operation(data.get("operation", provider.main.id))
    scope = data.get("scope", "order" if operation.order else "body")
    steps = tuple(_step(each, data, scope, name) for each in data.get("step", [data]))
    given: Operations = tuple(data.get("given", ()))
    carry = needed_members(given)
    if scope == "order":
        carry = (*carry, *(member for step in steps for member in needed_members(step.change)))
    expect = Expect(data["expect"])
    reading = data.get("reading", False)
    return Case(
        id=name,
        requirement=requirement,
        operation=operation.id,
        expect=expect,
        recipe=Recipe(
            start=data.get("from", "plain"),
            country=data.get("country", ""),
            currency=data.get("currency", ""),
            lines=data.get("lines", 0),
            given=given,
            carry=tuple(dict.fromkeys(carry)),
            drop=tuple(data.get("drop", ())),
        ),
        steps=steps,
        parallel=data.get("parallel", False),
        reading=reading,
        group=data.get("group", ""),
        reads=tuple(data.get("reads", ())),
        standing=data.get("standing", ""),
        policy=data.get("policy", ""),
        answers_form=data.get("response", False),
        rank=40 if reading else _RANK[expect],
        needs=(*needs, *data.get("needs", ())),
        why=data.get("why", ""),
    )


def _step(data: dict[str, Any], case_data: dict[str, Any], scope: str, name: str) -> Step:
    change: tuple[JsonObject, ...] = tuple(data.get("change", ()))
    batch = data.get("batch", case_data.get("batch", ["changed"]) if data is case_data else ["changed"])
    if isinstance(batch, list):
        return Step(tuple(batch), change, data.get("scope", scope))
    slots = ["good"] * batch["size"]
    if "changed" in batch:
        if batch["changed"] > batch["size"]:
            raise PackError(f"{name}: batch: there is no order {batch['changed']} among {batch['size']}")
        slots[batch["changed"] - 1] = "changed"
    return Step(tuple(slots), change, data.get("scope", scope))
