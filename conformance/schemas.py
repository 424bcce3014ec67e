"""JSON Schemas: read, inlined, walked constraint by constraint, and applied. The only door to the schema libraries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import jsonschema_rs

from conformance.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.model import Json, JsonObject

# Keywords that limit a value by itself; `required` and `optional` speak of a member of its parent.
BOUNDS = (
    "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
)  # fmt: skip
# Members that only some revisions of the documentation know.
_REVISION = "x-revision"
CONSTRAINTS = ("type", *BOUNDS, "enum", "const", "format", "pattern", "uniqueItems", "multipleOf")


@dataclass(frozen=True, slots=True)
class Site:
    """
    One constraint at one place of a request body.

    ``path`` is an instance path: ``orders[].items[].quantity``, ``$`` for the root. ``at``
    is the JSON Pointer, in the inlined schema, of the node that carries it. ``required`` tells
    whether the member itself has to be there.
    """

    path: str
    keyword: str
    value: Json
    node: JsonObject
    required: bool
    at: str

    @property
    def key(self) -> str:
        """How the catalogue names this site: ``orders[].id minLength``."""
        return f"{self.path} {self.keyword}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """
    Where an instance breaks its schema: a JSON Pointer, the keyword, and the library's sentence.

    ``unexpected`` are the members that ``additionalProperties`` forbids, ``missing`` is the one
    that ``required`` misses; ``rule`` is the path of the broken keyword in the inlined schema.
    """

    pointer: str
    keyword: str
    message: str
    rule: tuple[str | int, ...] = ()
    unexpected: tuple[str, ...] = ()
    missing: str = ""


def load(path: Path, revision: str = "") -> JsonObject:
    """
    A JSON Schema document with every local ``$ref`` replaced by what it names.

    Members with ``x-revision`` are left out where that does not list ``revision``.
    Raises PackError for a file that is not JSON, a dangling reference or a recursive schema.
    """
    try:
        document = cast("JsonObject", json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PackError(f"{path}: cannot be read ({error.strerror}); the pack's provider.toml names it") from error
    except ValueError as error:
        raise PackError(f"{path}: not JSON ({error})") from error
    inlined = cast("JsonObject", _inline(document, document, (), path))
    inlined.pop("$defs", None)
    inlined = cast("JsonObject", _of_revision(inlined, revision))
    try:
        jsonschema_rs.meta.validate(inlined)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(str(part) for part in error.instance_path)
        raise PackError(f"{path}: /{place}: not a valid JSON Schema ({error.message})") from error
    return inlined


def _inline(node: Json, root: JsonObject, seen: tuple[str, ...], path: Path) -> Json:
    if isinstance(node, list):
        return [_inline(each, root, seen, path) for each in node]
    if not isinstance(node, dict):
        return node
    result: JsonObject = {}
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference in seen:
            raise PackError(f"{path}: {reference} contains itself; recursive request schemas are not supported")
        target: Json = root
        for part in reference.removeprefix("#").split("/")[1:]:
            if not isinstance(target, dict) or part not in target:
                raise PackError(f"{path}: $ref {reference!r} leads nowhere")
            target = target[part]
        result |= cast("JsonObject", _inline(target, root, (*seen, reference), path))
    for key, value in node.items():
        if key not in ("$ref", "$defs"):
            result[key] = _inline(value, root, seen, path)
    return result


def _of_revision(node: Json, revision: str) -> Json:
    if isinstance(node, list):
        return [_of_revision(each, revision) for each in node]
    if not isinstance(node, dict):
        return node
    gone = {
        name
        for name, each in cast("JsonObject", node.get("properties", {})).items()
        if isinstance(each, dict) and revision not in cast("list[str]", each.get(_REVISION, [revision]))
    }
    result: JsonObject = {}
    for key, value in node.items():
        if key == "properties":
            members = cast("JsonObject", value)
            result[key] = {name: _of_revision(each, revision) for name, each in members.items() if name not in gone}
        elif key == "required":
            result[key] = [name for name in cast("list[str]", value) if name not in gone]
        elif key != _REVISION:
            result[key] = _of_revision(value, revision)
    return result


def known_part(value: Json, schema: JsonObject) -> Json:
    """The members of a value that a schema names, or has no list of; marks such as ``@needs`` are kept."""
    if isinstance(value, dict):
        properties = cast("dict[str, JsonObject]", schema.get("properties", {}))
        return {
            key: known_part(each, properties.get(key, {}))
            for key, each in value.items()
            if key in properties or key.startswith("@") or not properties
        }
    if isinstance(value, list):
        return [known_part(each, cast("JsonObject", schema.get("items", {}))) for each in value]
    return value


def closed(schema: JsonObject) -> JsonObject:
    """The same schema, refusing members that it does not name; parts of one that speak of the same object stay open."""
    result = dict(schema)
    if isinstance(items := schema.get("items"), dict):
        result["items"] = closed(items)
    if isinstance(others := schema.get("additionalProperties"), dict):
        result["additionalProperties"] = closed(others)
    members = cast("dict[str, JsonObject] | None", schema.get("properties"))
    if members is not None:
        result["properties"] = {name: closed(each) for name, each in members.items()}
        result.setdefault("additionalProperties", False)
        return result
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            result[keyword] = [closed(each) for each in cast("list[JsonObject]", schema[keyword])]
    return result


def walk(schema: JsonObject) -> Iterator[Site]:
    """Every constraint of an inlined schema, parents before children, in document order."""
    yield from _walk(schema, "$", "", required=True)


def _join(path: str, name: str) -> str:
    return name if path == "$" else f"{path}.{name}"


def _walk(node: JsonObject, path: str, at: str, *, required: bool) -> Iterator[Site]:
    for keyword in CONSTRAINTS:
        if keyword in node:
            yield Site(path, keyword, node[keyword], node, required, at)
    properties = cast("dict[str, JsonObject]", node.get("properties", {}))
    needed = cast("list[str]", node.get("required", []))
    for name, child in properties.items():
        place = _join(path, name)
        keyword = "required" if name in needed else "optional"
        below = f"{at}/properties/{name.replace('~', '~0').replace('/', '~1')}"
        yield Site(place, keyword, name, child, name in needed, at)
        yield from _walk(child, place, below, required=name in needed)
    if properties and "additionalProperties" not in node:
        yield Site(path, "unknown", None, node, required, at)
    others = node.get("additionalProperties")
    if isinstance(others, dict):
        yield from _walk(others, _join(path, "*"), f"{at}/additionalProperties", required=True)
    items = node.get("items")
    if isinstance(items, dict):
        yield from _walk(items, "[]" if path == "$" else f"{path}[]", f"{at}/items", required=True)


class Validator:
    """Applies one inlined schema; formats are asserted, not remarks."""

    def __init__(self, schema: JsonObject) -> None:
        self._validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def accepts(self, instance: Json) -> bool:
        """Whether the instance satisfies the schema."""
        return self._validator.is_valid(instance)

    def mistakes(self, instance: Json) -> list[Mistake]:
        """Every way in which the instance breaks the schema."""
        try:
            errors = list(self._validator.iter_errors(instance))
        except UnicodeEncodeError:
            # The library shows values in UTF-8, which has no bytes for lone surrogates.
            errors = list(self._validator.iter_errors(_without_surrogates(instance)))
        return [
            Mistake(
                "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path),
                str(error.schema_path[-1]) if error.schema_path else "",
                error.message,
                tuple(error.schema_path),
                tuple(getattr(error.kind, "unexpected", ())),
                str(getattr(error.kind, "property", "")),
            )
            for error in errors
        ]


def _without_surrogates(value: Json) -> Json:
    """The same value with the lone surrogates of its texts replaced."""
    if isinstance(value, dict):
        return {cast("str", _without_surrogates(name)): _without_surrogates(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def applicable(schema: JsonObject) -> bool:
    """Whether the library can apply a schema at all: not one with a malformed keyword or pattern."""
    try:
        jsonschema_rs.Draft202012Validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return False
    return True


@lru_cache(maxsize=64)
def _compiled(text: str) -> Validator:
    return Validator(cast("JsonObject", json.loads(text)))


def validator(schema: JsonObject) -> Validator:
    """The validator of an inlined schema; equal schemas share one."""
    return _compiled(json.dumps(schema, sort_keys=True))
