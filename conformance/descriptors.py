"""TOML files that people write: read, and held against a meta-schema with a helpful word on mistakes."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from conformance import schemas
from conformance.errors import UserError, nearest

if TYPE_CHECKING:
    from conformance.model import JsonObject


@cache
def _meta(name: str) -> JsonObject:
    return schemas.load(Path(__file__).parent / "metaschemas" / f"{name}.schema.json")


def read(path: Path, kind: str, error: type[UserError]) -> JsonObject:
    """
    The contents of a TOML file that satisfies the meta-schema ``kind``.

    Dates become text. Raises ``error`` with file, key and the nearest valid key.
    """
    try:
        document = cast("JsonObject", _plain(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{path}: not TOML ({problem})") from problem
    check(document, _meta(kind), path, error)
    return document


def check(document: JsonObject, meta: JsonObject, path: Path, error: type[UserError]) -> None:
    """Raise ``error`` for the first mistake of ``document``, unexpected keys first: they explain the others."""
    mistakes = schemas.validator(meta).mistakes(document)
    mistakes.sort(key=lambda each: not each.unexpected)
    for mistake in mistakes:
        where = mistake.pointer or "/"
        if mistake.unexpected:
            node: object = meta
            for part in mistake.rule[:-1]:
                node = node[part]  # type: ignore[index]  # the path comes from this very schema
            known = cast("dict[str, dict[str, JsonObject]]", node).get("properties", {})
            key = mistake.unexpected[0]
            raise error(f"{path}: {where}: unknown key {key!r}; {nearest(key, known)}")
        raise error(f"{path}: {where}: {mistake.message}")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in cast("dict[object, object]", value).items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    if isinstance(value, str | int | float | bool):
        return value
    return str(value)
