"""One description: its version, its operations, and what they take and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.errors import UserError
from conformance.openapi.files import Files, Lost, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A method of a path, with the path's own ``parameters`` and servers at ``item``."""

    path: str
    method: str
    spot: Spot
    item: Spot

    @property
    def id(self) -> str:
        """Its operationId, or method and path."""
        return str(self.spot.get("operationId") or f"{self.method.upper()} {self.path}")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A description; ``modern`` from version 3.1, whose schemas are JSON Schema 2020-12."""

    files: Files
    root: Spot
    version: str
    modern: bool

    def operations(self) -> Iterator[Operation]:
        """Every operation under ``paths``, and ``webhooks`` where there are some."""
        for group in ("paths", "webhooks"):
            for path, item in self.root.child(group).children():
                real = self.reached(item)
                if real is None:
                    continue
                for method in METHODS:
                    spot = real.child(method)
                    if isinstance(spot.value, dict):
                        yield Operation(path if group == "paths" else "", method, spot, real)

    def reached(self, spot: Spot) -> Spot | None:
        """What a spot stands for, references followed; None where they cannot be, or it is no object."""
        try:
            real = self.files.follow(spot)
        except Lost:
            return None
        return real if isinstance(real.value, dict) else None

    def members(self, spot: Spot) -> Iterator[tuple[Any, Spot]]:
        """The members of an object or list, each as what it stands for."""
        for name, child in spot.children():
            real = self.reached(child)
            if real is not None:
                yield name, real


def load(path: Path, shown: str = "") -> Document:
    """A description. Raises UserError for a file that is none, in one line."""
    files = Files()
    source = files.open(path, shown)
    data = source.data
    if not isinstance(data, dict):
        raise UserError(f"{source.shown}: not an OpenAPI file: it is no object with a member 'openapi'")
    if "swagger" in data:
        raise UserError(f"{source.shown}: Swagger {data['swagger']}; convert it to OpenAPI 3.0 or 3.1 first")
    version = data.get("openapi")
    if version is None:
        raise UserError(f"{source.shown}: not an OpenAPI file: there is no member 'openapi'")
    if not str(version).startswith(("3.0", "3.1", "3.2")):
        raise UserError(f"{source.shown}: OpenAPI {version}; known: 3.0, 3.1")
    return Document(files, Spot(source, (), data), str(version), not str(version).startswith("3.0"))
