"""Parts of an order to be drawn one by one: small schemas say more in few examples than one large one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from conformance import changes, operations, schemas
from conformance.exploration.cases import escaped
from conformance.exploration.places import MOST, MOST_FRACTION, NAME, PLAIN
from conformance.values import NEEDS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from conformance.exploration.places import Place
    from conformance.model import Json, JsonObject, Operations
    from conformance.operations import Operation

# How an example is meant: surely allowed, wrong, or allowed by the schema and by nothing else.
SURE, WRONG, ODD = "sure", "wrong", "odd"
# Beyond the first: endpoints that look at one line only are found by those behind it.
_LINES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """An object of the order, or the order itself, as it is drawn in one of the three ways."""

    pointer: str
    way: str
    schema: JsonObject


def parts(operation: Operation, places: dict[str, Place]) -> list[Part]:
    """Every object of the order, each in the ways in which something can be drawn of it."""
    schema = operations.order_schema(operation.envelope, operation.wrapper, operation.request_schema)
    found: list[Part] = []
    for pointer, node in _objects("", schema):
        members = cast("dict[str, JsonObject]", node["properties"])
        of = {
            name: places[f"{pointer}{changes.pointer([name])}"]
            for name in members
            if f"{pointer}{changes.pointer([name])}" in places
        }
        known = {name: each for name, each in of.items() if each.kind}
        found.append(Part(pointer, WRONG, _object({name: _shallow(each) for name, each in members.items()})))
        if known:
            found.append(Part(pointer, SURE, _object({name: _narrowed(each) for name, each in known.items()})))
            found.append(Part(pointer, ODD, _object({name: each.node for name, each in known.items()})))
    return found


def _objects(pointer: str, node: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    if "properties" in node:
        yield pointer, node
        for name, child in cast("dict[str, JsonObject]", node["properties"]).items():
            yield from _objects(f"{pointer}{changes.pointer([name])}", child)
    elif isinstance(node.get("items"), dict):
        yield from _objects(f"{pointer}/0", cast("JsonObject", node["items"]))


def _object(members: JsonObject) -> JsonObject:
    return {"type": "object", "required": [*members], "properties": members, "additionalProperties": False}


def _shallow(node: JsonObject) -> JsonObject:
    """A member without what stands inside it: that is a part of its own."""
    return {"type": node["type"]} if {"properties", "items"} & node.keys() and "type" in node else node


def _narrowed(place: Place) -> JsonObject:
    """The part of a member's schema that the documentation surely means."""
    if place.kind == "text":
        # Words with something between them are what people and towns are called.
        words = "[A-Za-zÀ-ÖØ-öø-ÿ][0-9a-zß-öø-ÿ]{0,6}([ '.,&/-][0-9A-Za-zÀ-ÖØ-öø-ÿ]{1,6}){1,3}"
        longest = {"maxLength": min(40, cast("int", place.node.get("maxLength", 40)))}
        return {**place.node, **longest, "anyOf": [{"pattern": f"^{words}$"}, {"pattern": f"^{PLAIN}$"}]}
    if place.kind == "number":
        most = MOST if place.types[0] == "integer" else MOST_FRACTION
        # Half of them are large: where a storage is too small, that shows.
        return {**place.node, "maximum": most, "anyOf": [{}, {"minimum": most // 10}]}
    if place.kind == "open":
        scalar: JsonObject = {
            "anyOf": [
                {"type": "string", "pattern": f"^{PLAIN}$"},
                {"type": "integer", "minimum": -MOST, "maximum": MOST},
                {"type": "boolean"},
            ]
        }
        names: JsonObject = {"pattern": f"^{NAME}$"}
        inner: JsonObject = {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": scalar,
            "maxProperties": 20,
        }
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": {"anyOf": [scalar, inner]},
            "maxProperties": 30,
        }
    return place.node


class Reducer:
    """Makes of each drawn value changes of a plain order: one, or several where all of them are surely allowed."""

    def __init__(self, operation: Operation, chance: random.Random) -> None:
        form = operation.order
        self._lines = form.lines if form else ""
        # Products of the account are few, and not every endpoint takes one of them twice.
        few = form is not None and '"@account' in json.dumps(changes.read(form.template, form.lines))
        self._reach = 1 if few else _LINES
        self._chance = chance

    def changes(self, part: Part, value: Json) -> Operations:
        """The changes that a drawn value suggests; none where it has nothing to say."""
        single = [each for each in self._single(part, value) if _sendable(each)]
        if not single:
            return ()
        chosen = self._chance.sample(single, len(single)) if part.way == SURE else [self._chance.choice(single)]
        line = self._chance.randrange(self._reach)
        return tuple({**each, "path": self._at_line(str(each["path"]), line)} for each in chosen)

    def _at_line(self, path: str, line: int) -> str:
        first = f"{self._lines}/0"
        within = self._lines and (path == first or path.startswith(f"{first}/"))
        return f"{self._lines}/{line}{path.removeprefix(first)}" if within else path

    def _single(self, part: Part, value: Json) -> Iterator[JsonObject]:
        members = cast("dict[str, JsonObject]", part.schema["properties"])
        if not isinstance(value, dict):
            if part.pointer:
                yield _put(part.pointer, value)
            return
        for name, node in members.items():
            place = f"{part.pointer}{changes.pointer([name])}"
            if name not in value:
                yield {"op": "remove", "path": place}
            elif (part.way == WRONG) != schemas.validator(node).accepts(value[name]):
                yield _put(place, _written(node, value[name]) if part.way == SURE else value[name])


def _written(node: JsonObject, value: Json) -> Json:
    """A number as people write it."""
    if not isinstance(value, float):
        return value
    return int(value) if node.get("type") == "integer" else round(value, 2)


def _put(path: str, value: Json) -> JsonObject:
    return {"op": "replace", "path": path, "value": escaped(value)}


def _sendable(operation: JsonObject) -> bool:
    """Whether a value can be sent as it is: as UTF-8, small, and with nothing in it that we take for something else."""
    texts = list(_texts(operation.get("value")))
    try:
        size = sum(len(each.encode()) for each in texts)
    except UnicodeEncodeError:
        return False
    return size < 2000 and not any("{{" in each or each == NEEDS for each in texts)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
