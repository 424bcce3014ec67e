"""Request and answer schemas as packs want them: references in place, parts of one value joined, every rule visible."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from conformance.errors import UserError
from conformance.openapi.dialect import GROUPS, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.openapi.document import Document
    from conformance.openapi.files import Spot

Node = dict[str, Any]
# Marks of our own, gone before a schema is written: where a rule stands, who may write a member, what it looks like.
AT, READ_ONLY, WRITE_ONLY, EXAMPLE = "x-at", "x-read-only", "x-write-only", "x-example"
_MARKS = (AT, READ_ONLY, WRITE_ONLY, EXAMPLE)
_LARGEST = 20_000
# Names that cannot stand in the paths by which a catalogue speaks of members.
_UNFIT = re.compile(r".*[.\[\]/~*\s].*|\$ref|\$defs|@.*|", re.DOTALL)
_SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})


def types(node: Node) -> list[str]:
    """The types a node allows; none where it does not say."""
    found = node.get("type", [])
    return [found] if isinstance(found, str) else list(found)


class Flattener:
    """
    Flattens the schemas of one document; ``todo`` collects what could not be taken over.

    Nodes carry marks (``x-at`` and others) until ``written`` takes them away.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0
        self.todo: list[str] = []

    def request(self, spot: Spot) -> Node:
        """The schema of what is sent, without members that only answers have. Raises Lost."""
        return cast("Node", _without(self._node(spot, ()), READ_ONLY))

    def answer(self, spot: Spot) -> Node:
        """The schema of an answer, without members that only requests have. Raises Lost."""
        return cast("Node", _without(self._node(spot, ()), WRITE_ONLY))

    def _node(self, spot: Spot, above: tuple[Any, ...]) -> Node:
        if not isinstance(spot.value, dict):
            return {"not": {}} if spot.value is False else {AT: [spot.where]}
        self._count += 1
        if self._count > _LARGEST:
            raise UserError(f"{spot.where}: the schema is too large to be written out (more than {_LARGEST} parts)")
        if spot.key in above:
            self.todo.append(f"{spot.where}: the schema contains itself; below here anything is accepted")
            return {AT: [spot.where]}
        above = (*above, spot.key)
        node = rules_of(spot, modern=self._document.modern)
        joined = [self._document.files.target(spot)] if node.pop("$ref", None) else []
        if node.pop("allOf", None):
            joined += [child for _, child in spot.child("allOf").children()]
        unions = {each: node.pop(each) for each in ("oneOf", "anyOf") if each in node}
        node = self._below(node, spot, above) | self._marks(spot)
        for part in joined:
            node = merge(node, self._node(part, above))
        for keyword in unions:
            node = self._union(node, spot.child(keyword), above)
        return self._tidy(node, spot)

    def _marks(self, spot: Spot) -> Node:
        marks: Node = {AT: [spot.where]}
        marks |= {
            mark: True for mark, word in ((READ_ONLY, "readOnly"), (WRITE_ONLY, "writeOnly")) if spot.get(word) is True
        }
        examples = spot.get("examples")
        found = (
            spot.get(
                "example",
            )
            if "example" in spot.value
            else examples[0]
            if isinstance(examples, list) and examples
            else spot.get("default")
        )
        return marks if found is None or "$ref" in spot.value else marks | {EXAMPLE: [found]}

    def _below(self, node: Node, spot: Spot, above: tuple[Any, ...]) -> Node:
        made: Node = {}
        for keyword, value in node.items():
            if keyword == "properties":
                made[keyword] = {str(name): self._node(child, above) for name, child in spot.child(keyword).children()}
            elif keyword in ("items", "additionalProperties"):
                if value is not True:
                    made[keyword] = False if value is False else self._node(spot.child(keyword), above)
            elif keyword == "const":
                made["enum"] = [value]
            elif keyword in (*GROUPS["string"], *GROUPS["number"], "type", "enum", "format", "required", "minItems",
                             "maxItems", "uniqueItems", "minProperties", "maxProperties"):  # fmt: skip
                made[keyword] = value
            elif keyword != "$defs":
                self.todo.append(f"{spot.child(keyword).where}: {keyword} is not taken over; add cases by hand")
        return made

    def _union(self, node: Node, spot: Spot, above: tuple[Any, ...]) -> Node:
        """Alternatives: one is no choice; null is a type; objects with other members are hoisted; else the first."""
        branches = [self._node(child, above) for _, child in spot.children()]
        real = [each for each in branches if types(each) != ["null"]]
        if len(real) < len(branches) and len(real) == 1 and types(real[0]):
            real[0]["type"] = [*types(real[0]), "null"]
            if "enum" in real[0]:
                real[0]["enum"] = [*real[0]["enum"], None]
        if len(real) == 1:
            return merge(node, real[0])
        if all(types(each) and set(types(each)) <= _SCALARS for each in branches):
            self.todo.append(f"{spot.where}: values of several kinds; no cases are made of their rules")
            return merge(
                node, {"anyOf": [written(each) for each in branches], AT: [], EXAMPLE: [_first_example(branches)]}
            )
        hoisted = _hoisted(real)
        if hoisted is None:
            self.todo.append(
                f"{spot.where}: only the first of {len(real)} alternatives is described; the others need operations or cases of their own"
            )
            return merge(node, real[0])
        if spot.tokens[-1] == "oneOf":
            self.todo.append(
                f"{spot.where}: written as oneOf; here any of the alternatives will do, and several at once are not tried"
            )
        return merge(node, hoisted)

    def _tidy(self, node: Node, spot: Spot) -> Node:
        """What the engine makes cases of is left where it looks; what it would misunderstand is put where it does not."""
        named = types(node)
        for group, keywords in GROUPS.items():
            alike = {"integer", "number"} if group == "number" else {group}
            for keyword in keywords if named and not alike & set(named) else ():
                node.pop(keyword, None)
        for keyword in ("minLength", "minItems", "minProperties"):
            if node.get(keyword) == 0:
                del node[keyword]
        if node.get("enum") and named:
            node["enum"] = [each for each in node["enum"] if _fits(each, named)] or node["enum"]
        if len([each for each in named if each != "null"]) > 1:
            if not {"integer", "number"} >= set(named) - {"null"}:
                self.todo.append(f"{spot.where}: several types; no cases are made of them")
                node.setdefault("allOf", []).append({"type": node.pop("type")})
            else:
                node["type"] = ["number", *(each for each in named if each == "null")]
        if any(isinstance(each, str) and each.startswith("@") for each in node.get("enum", ())):
            self.todo.append(
                f"{spot.where}: texts with @ in front are expressions to the engine; no cases are made of them"
            )
            node.setdefault("allOf", []).append({"enum": node.pop("enum")})
        for name in [each for each in node.get("properties", ()) if _UNFIT.fullmatch(each)]:
            self.todo.append(f"{spot.where}: the member {name!r} is left out: the catalogue cannot name it")
            del node["properties"][name]
            node["required"] = [each for each in node.get("required", ()) if each != name]
        return node


def _fits(value: Any, named: list[str]) -> bool:
    kinds = {str: "string", bool: "boolean", list: "array", dict: "object", type(None): "null"}
    kind = kinds.get(type(value))
    return kind in named if kind else bool({"number", "integer"} & set(named))


def _first_example(branches: list[Node]) -> Any:
    return next((each[EXAMPLE][0] for each in branches if each.get(EXAMPLE)), None)


def _hoisted(branches: list[Node]) -> Node | None:
    """Alternatives of one object as one: all their members, and a choice of which are needed; None where they differ."""
    if not all(types(each) == ["object"] or ("properties" in each and not types(each)) for each in branches):
        return None
    members: Node = {}
    for each in branches:
        if set(each) - {"type", "properties", "required", *_MARKS}:
            return None
        for name, child in each.get("properties", {}).items():
            if name in members and written(members[name]) != written(child):
                return None
            members.setdefault(name, child)
    needed = [each.get("required", []) for each in branches]
    common = [name for name in needed[0] if all(name in each for each in needed)]
    choices = [[name for name in each if name not in common] for each in needed]
    made: Node = {"type": "object", "properties": members, AT: branches[0].get(AT, [])}
    if common:
        made["required"] = common
    if all(choices):
        made["anyOf"] = [{"required": each} for each in choices]
    return made


def merge(one: Node, other: Node, *, members: bool = False) -> Node:
    """Two schemas of one value as one; ``members``: two parts that describe one member, which both have to call read-only."""
    made = dict(one)
    for keyword, value in other.items():
        made[keyword] = _joined(keyword, one[keyword], value, made) if keyword in one else value
    for mark in (READ_ONLY, WRITE_ONLY) if members else ():
        if not (one.get(mark) and other.get(mark)):
            made.pop(mark, None)
    if not made.get("type", True):
        del made["type"]
        made["not"] = {}
    return made


def _joined(keyword: str, one: Any, other: Any, made: Node) -> Any:
    if keyword in (AT, "allOf"):
        return [*one, *(each for each in other if each not in one)]
    if keyword == "required":
        return list(dict.fromkeys([*one, *other]))
    if keyword == "type":
        left = [one] if isinstance(one, str) else one
        right = [other] if isinstance(other, str) else other
        both = [each for each in left if each in right or (each == "integer" and "number" in right)]
        both += [each for each in right if each == "integer" and "number" in left and each not in both]
        return both[0] if len(both) == 1 else both
    if keyword == "enum":
        return [each for each in one if each in other]
    if keyword == "properties":
        return {
            **one,
            **{name: merge(one[name], each, members=True) if name in one else each for name, each in other.items()},
        }
    if keyword in ("items", "additionalProperties") and isinstance(one, dict) and isinstance(other, dict):
        return merge(cast("Node", one), cast("Node", other))
    if keyword.startswith(("min", "max", "exclusive")):
        return max(one, other) if "min" in keyword.lower() else min(one, other)
    if keyword == "additionalProperties":
        return False
    if one != other and keyword not in _MARKS:
        # Both hold: the second where the engine makes no cases of it, but the validator asks for it.
        made["allOf"] = [*made.get("allOf", []), {keyword: other}]
    return one


def _without(node: Any, mark: str) -> Any:
    if isinstance(node, list):
        return [_without(each, mark) for each in node]
    if not isinstance(node, dict):
        return node
    row = cast("Node", node)
    members = row.get("properties")
    if isinstance(members, dict):
        gone = {name for name, each in cast("Node", members).items() if isinstance(each, dict) and each.get(mark)}
        kept = {name: _without(each, mark) for name, each in cast("Node", members).items() if name not in gone}
        needed = [each for each in row.get("required", []) if each not in gone]
        row = {**row, "properties": kept} | ({"required": needed} if "required" in row else {})
    return {
        key: _without(each, mark) if key in ("items", "additionalProperties") else each
        for key, each in row.items()
        if key != "required" or each
    }


def written(node: Any) -> Any:
    """A node as it is written down, without our marks."""
    if isinstance(node, list):
        return [written(each) for each in node]
    if not isinstance(node, dict):
        return node
    row = cast("Node", node)
    return {
        key: {name: written(child) for name, child in each.items()} if key == "properties" else written(each)
        for key, each in row.items()
        if key not in _MARKS
    }


def text(node: Node, title: str) -> str:
    """The file of a schema."""
    return (
        json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **written(node)},
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in (*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")):
        if isinstance(child, dict):
            yield from walk(cast("Node", child))
