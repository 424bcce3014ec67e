"""Schemas of OpenAPI 3.0 and 3.1 as JSON Schema 2020-12, with references kept, so that values can be held against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from conformance.openapi.files import Lost, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.openapi.document import Document

MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLES = (
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip
# Keywords that OpenAPI 3.0 does not have: a reader of such a file passes over them.
NEWER = frozenset(
    {"const", "if", "then", "else", "patternProperties", "propertyNames", "contains", "minContains", "maxContains",
     "prefixItems", "dependentSchemas", "dependentRequired", "unevaluatedItems", "unevaluatedProperties", "$defs",
     "examples"}
)  # fmt: skip
# The formats that JSON Schema registers; others are remarks on numbers and bytes.
FORMATS = frozenset(
    {"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
     "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer", "regex"}
)  # fmt: skip
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
GROUPS = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "object": ("properties", "required", "minProperties", "maxProperties", "additionalProperties", "patternProperties"),
}
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_AMOUNTS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


_OTHERS = frozenset({*MAPS, *LISTS, *SINGLES, "const", "dependentRequired", "minContains", "maxContains"})


def is_number(value: object) -> bool:
    """Whether a value is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def subschemas(spot: Spot) -> Iterator[tuple[str, Spot]]:
    """The schemas right below a schema, each with the keyword it stands under."""
    node = spot.value
    if not isinstance(node, dict):
        return
    for keyword in node:
        below = spot.child(keyword)
        if keyword in SINGLES and isinstance(below.value, dict):
            yield keyword, below
        elif (keyword in MAPS and isinstance(below.value, dict)) or (
            keyword in LISTS and isinstance(below.value, list)
        ):
            yield from ((keyword, child) for _, child in below.children() if isinstance(child.value, dict))


def own_types(spot: Spot, *, modern: bool) -> frozenset[str] | None:
    """The types that a schema itself allows; None where it does not say."""
    declared = spot.get("type")
    found = [declared] if isinstance(declared, str) else declared
    if not isinstance(found, list) or not found:
        return None
    types = {str(each) for each in found}
    if spot.get("nullable") is True and not modern:
        types.add("null")
    return frozenset(types)


def rules_of(spot: Spot, *, modern: bool) -> dict[str, Any]:
    """
    The keywords of one schema that limit a value, as 2020-12 has them; schemas below as they stand.

    What has no effect in the file's own version is left out, and so is what is malformed.
    """
    node = cast("dict[str, Any]", spot.value)
    if not modern and "$ref" in node:
        return {"$ref": node["$ref"]}
    made: dict[str, Any] = {}
    for keyword, value in node.items():
        # In OpenAPI 3.0 exclusive bounds are booleans, which say how the bound beside them is meant.
        fits = _well_formed(keyword, value) and (modern or not keyword.startswith("exclusive"))
        if fits and (modern or keyword not in NEWER):
            made[keyword] = list(dict.fromkeys(value)) if keyword == "required" else value
    if not modern:
        _older(node, made)
    return made


def _well_formed(keyword: str, value: Any) -> bool:
    """Whether a keyword limits values and has a value that it can have."""
    if keyword in _COUNTS:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if keyword in _AMOUNTS:
        return is_number(value) and (keyword != "multipleOf" or value > 0)
    if keyword == "required":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        return bool(names) and all(each in TYPES for each in names)
    if keyword in ("pattern", "$ref"):
        return isinstance(value, str)
    others = {"enum": isinstance(value, list) and bool(value), "format": value in FORMATS if isinstance(value, str) else False,
              "uniqueItems": value is True}  # fmt: skip
    return others.get(keyword, keyword in _OTHERS)


def _older(node: dict[str, Any], made: dict[str, Any]) -> None:
    """What OpenAPI 3.0 writes differently."""
    for word in ("Minimum", "Maximum"):
        bound = word.lower()
        if node.get(f"exclusive{word}") is True and bound in made:
            made[f"exclusive{word}"] = made.pop(bound)
    if node.get("nullable") is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]


class Bundler:
    """Makes one schema of another and everything that it refers to; ``request`` or not decides on read-only members."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def bundle(self, spot: Spot, *, request: bool | None = None) -> dict[str, Any]:
        """
        The schema at a spot, complete in itself; recursion stays a reference.

        ``request``: members that are read-only are not demanded; in answers (False) those that are
        write-only. None demands neither. Raises Lost.
        """
        names: dict[Any, str] = {}
        waiting: list[tuple[str, Spot]] = []

        def name(target: Spot) -> str:
            if target.key not in names:
                names[target.key] = f"s{len(names)}"
                waiting.append((names[target.key], target))
            return names[target.key]

        made = {"$ref": f"#/$defs/{name(spot)}"}
        definitions: dict[str, Any] = {}
        while waiting:
            word, target = waiting.pop()
            definitions[word] = self._node(target, name, request=request)
        return {**made, "$defs": definitions}

    def _node(self, spot: Spot, name: Any, *, request: bool | None) -> Any:
        if not isinstance(spot.value, dict):
            return spot.value if isinstance(spot.value, bool) else True
        made = rules_of(spot, modern=self._document.modern)
        for keyword in [each for each in made if each in (*MAPS, *LISTS, *SINGLES)]:
            below = spot.child(keyword)
            if keyword in MAPS and isinstance(below.value, dict):
                made[keyword] = {str(key): self._node(child, name, request=request) for key, child in below.children()}
            elif keyword in LISTS and isinstance(below.value, list) and below.value:
                made[keyword] = [self._node(child, name, request=request) for _, child in below.children()]
            elif keyword in SINGLES and isinstance(below.value, dict | bool):
                made[keyword] = self._node(below, name, request=request)
            else:
                del made[keyword]
        made.pop("$defs", None)
        if "$ref" in made:
            made["$ref"] = f"#/$defs/{name(self._document.files.target(spot))}"
        if "required" in made:
            marks = [
                mark for mark, skip in (("readOnly", request is not False), ("writeOnly", request is not True)) if skip
            ]
            made["required"] = [
                each for each in made["required"] if not self._marked(spot.child("properties", each), marks)
            ]
        return made

    def _marked(self, spot: Spot, marks: list[str]) -> bool:
        try:
            real = self._document.files.follow(spot)
        except Lost:
            return False
        return any(spot.get(mark) is True or real.get(mark) is True for mark in marks)
