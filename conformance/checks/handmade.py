"""Cases written out in the catalogue, read into the same values that the mechanical ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from conformance import changes
from conformance.errors import PackError
from conformance.model import Case, Check, Expect, Recipe, Requirement, Step
from conformance.orders import needed_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import JsonObject, Operations
    from conformance.providers import Provider

_RANK = {Expect.ACCEPT: 5, Expect.REFUSE: 19, Expect.DENY: 9, Expect.CONSISTENT: 7, Expect.OBSERVE: 70}


def cases(
    data: dict[str, Any], requirement: Requirement, provider: Provider, conditions: dict[str, Any]
) -> Iterator[Case]:
    """
    The cases of one entry of the catalogue: one, or one for each place (``at``) and value.

    ``conditions`` are those of the requirement, which hold for each of its cases.
    Raises PackError when a batch changes an order that it does not have.
    """
    for place in data.get("at", [""]):
        words = ".".join(part for part in changes.tokens(place) if not part.isdigit())
        if "values" in data:
            for word, value in cast("dict[str, Any]", data["values"]).items():
                change = [{"op": "replace", "path": place, "value": value}]
                yield _case({**data, "change": change}, f"{words}.{word}", requirement, provider, conditions)
        elif place:
            change = [{**each, "path": place if each["path"] == "@at" else each["path"]} for each in data["change"]]
            yield _case({**data, "change": change}, f"{words}.{data['id']}", requirement, provider, conditions)
        else:
            yield _case(data, data["id"], requirement, provider, conditions)


def _case(
    data: dict[str, Any], local: str, requirement: Requirement, provider: Provider, conditions: dict[str, Any]
) -> Case:
    name = f"{requirement.id}/{local}"
    operation = provider.operation(data.get("operation", provider.main.id))
    scope = data.get("scope", "order" if operation.order else "body")
    steps = tuple(_step(each, data, scope, name, provider) for each in data.get("step", [data]))
    given: Operations = tuple(data.get("given", ()))
    carry = needed_members(given)
    if scope == "order":
        carry = (*carry, *(member for step in steps for member in needed_members(step.change)))
    expect = Expect(data["expect"])
    reading = data.get("reading", False)
    policy = data.get("policy", "")
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
            free=data.get("free", False),
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
        # One label a row of the report's table: an entry that stands for several cases says which.
        policy=f"{policy}: {local}" if policy and "at" in data else policy,
        answers_form=data.get("response", False),
        rank=40 if reading else _RANK[expect],
        needs=(*conditions.get("needs", ()), *data.get("needs", ())),
        needs_credentials=(*conditions.get("needs-credentials", ()), *data.get("needs-credentials", ())),
        when=(*conditions.get("when", {}).items(), *data.get("when", {}).items()),
        rule=data.get("rule"),
        value_at=data.get("value-at", ""),
        why=data.get("why", ""),
    )


def _step(data: dict[str, Any], case_data: dict[str, Any], scope: str, name: str, provider: Provider) -> Step:
    operation = provider.operation(data["operation"]).id if data is not case_data and "operation" in data else ""
    return Step(
        slots=_slots(data, case_data, name) if provider.operation(operation or provider.main.id).order else (),
        change=tuple(cast("list[JsonObject]", data.get("change", ()))),
        scope=data.get("scope", scope),
        operation=operation,
        expect=Expect(data["expect"]) if data is not case_data and "expect" in data else None,
        path=tuple(data.get("path", {}).items()),
        query=tuple(data.get("query", {}).items()),
        checks=tuple(_check(each, name) for each in data.get("check", ())),
        wait=data.get("wait", ""),
        names=tuple(data.get("names", ())),
        body=data.get("body"),
        undetermined=data.get("undetermined", False),
    )


def _slots(data: dict[str, Any], case_data: dict[str, Any], name: str) -> tuple[str, ...]:
    batch = data.get("batch", case_data.get("batch", ["changed"]) if data is case_data else ["changed"])
    if isinstance(batch, list):
        return tuple(cast("list[str]", batch))
    slots = ["good"] * batch["size"]
    if "changed" in batch:
        if batch["changed"] > batch["size"]:
            raise PackError(f"{name}: batch: there is no order {batch['changed']} among {batch['size']}")
        slots[batch["changed"] - 1] = "changed"
    return tuple(slots)


def _check(data: dict[str, Any], name: str) -> Check:
    kinds = [key for key in data if key != "at"]
    if len(kinds) != 1:
        raise PackError(f"{name}: check {data}: one thing is checked at a place")
    return Check(kinds[0], data[kinds[0]], data.get("at", ""))
