"""Where the packs lie: beside the package in a checkout, inside it in a wheel, or with a third party."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.errors import PackError, UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the suite was measured to detect of a pack; no verdict rests on it.
DETECTION = "detection.json"
# A third party's distribution names, in this group, a package with folders schemas/ and fixtures/.
GROUP = "conformance.providers"
# Folders with schemas/ and fixtures/ in them, for packs that are being written and not installed yet.
PACKS = "CONFORMANCE_PACKS"


@dataclass(frozen=True, slots=True)
class PackFolders:
    """The folders of one provider; ``fixtures`` and ``cassettes`` may not exist."""

    name: str
    schemas: Path
    fixtures: Path
    cassettes: Path

    def files(self) -> Iterator[Path]:
        """Every file that takes part in a verdict, in a stable order."""
        for folder in (self.schemas, self.fixtures):
            yield from sorted(path for path in folder.rglob("*") if path.is_file() and path != self.detection)

    @property
    def detection(self) -> Path:
        """The measured detection power, which a third party's pack may not have."""
        return self.fixtures / DETECTION

    def digest(self) -> str:
        """SHA-256 over names and bytes of the pack's files: equal digests mean equal packs."""
        total = hashlib.sha256()
        for path in self.files():
            base = self.schemas if path.is_relative_to(self.schemas) else self.fixtures
            total.update(f"{base.parent.name}/{path.relative_to(base).as_posix()}\n".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()


def packs_root() -> Path:
    """
    The folder that holds schemas/, fixtures/ and cassettes/.

    Raises PackError when the installation carries none.
    """
    package = Path(__file__).parent
    for root in (package / "_packs", package.parent):
        if (root / "schemas").is_dir() and (root / "fixtures").is_dir():
            return root
    raise PackError(f"{package}: this installation carries no provider packs; install the distribution again")


@cache
def providers() -> dict[str, PackFolders]:
    """All packs by name: our own, those that third parties ship through entry points, those of CONFORMANCE_PACKS."""
    found: dict[str, PackFolders] = {}
    root = packs_root()
    for descriptor in sorted(root.glob("schemas/*/provider.toml")):
        name = descriptor.parent.name
        found[name] = PackFolders(name, descriptor.parent, root / "fixtures" / name, root / "cassettes" / name)
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            folder = Path(str(files(point.value.partition(":")[0])))
        except (ImportError, TypeError, ValueError) as error:
            raise PackError(f"entry point {point.name!r} of {GROUP}: {point.value}: {error}") from None
        schemas = folder / "schemas" / point.name
        if point.name in found:
            raise PackError(f"{point.value}: a provider named {point.name!r} exists already; rename the entry point")
        if not (schemas / "provider.toml").is_file():
            raise PackError(f"{point.value}: {schemas / 'provider.toml'} is missing; a pack needs that file")
        found[point.name] = PackFolders(
            point.name, schemas, folder / "fixtures" / point.name, folder / "cassettes" / point.name
        )
    for each in filter(None, os.environ.get(PACKS, "").split(os.pathsep)):
        found |= _uninstalled(Path(each).absolute(), found)
    return found


def _uninstalled(root: Path, known: dict[str, PackFolders]) -> dict[str, PackFolders]:
    """The packs in a folder. Raises UserError when there is none, or one of a name that is taken."""
    descriptors = sorted(root.glob("schemas/*/provider.toml"))
    if not descriptors:
        raise UserError(f"{PACKS}: {root} has no schemas/NAME/provider.toml; name the folder that holds schemas/")
    found: dict[str, PackFolders] = {}
    for name, schemas in ((each.parent.name, each.parent) for each in descriptors):
        if name in known:
            raise UserError(f"{PACKS}: {root}: a provider named {name!r} exists already; rename the folder")
        found[name] = PackFolders(name, schemas, root / "fixtures" / name, root / "cassettes" / name)
    return found


def folders_of(name: str) -> PackFolders:
    """The folders of a provider. Raises UserError with the nearest name."""
    known = providers()
    if name not in known:
        raise UserError(f"there is no provider {name!r}; {nearest(name, known)}")
    return known[name]
