"""The files of a bundle that somebody handed in: read within bounds, and without following anything out of it."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files as packaged
from typing import TYPE_CHECKING, Any

from conformance.errors import UserError
from conformance.schemas import Validator

if TYPE_CHECKING:
    from pathlib import Path

# A hundred times what a run of the largest pack leaves.
_MOST = 20_000
# More than any file of such a run.
_LARGEST = 128 << 20
_CHUNK = 1 << 20
_SHOWN = 200


def listed(folder: Path) -> tuple[list[str], list[str]]:
    """
    The files of a bundle by their place in it, and those that are none: links, devices, and what is too large.

    Raises UserError where there are more than a run leaves.
    """
    plain: list[str] = []
    odd: list[str] = []
    folders = [folder]
    count = 0
    while folders:
        for path in sorted(folders.pop().iterdir()):
            count += 1
            if count > _MOST:
                raise UserError(f"{folder}: more than {_MOST} files; a bundle is the folder that --report wrote")
            if path.is_dir() and not path.is_symlink():
                folders.append(path)
                continue
            fits = path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST
            (plain if fits else odd).append(path.relative_to(folder).as_posix())
    return sorted(plain), sorted(odd)


def sha(path: Path) -> str:
    """The SHA-256 of a file, however large."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def data(path: Path) -> Any:
    """The JSON in a file. Raises ValueError for anything else, however deep or large."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
        raise ValueError("missing, no plain file, or too large")
    try:
        return json.loads(path.read_bytes().decode(), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def report(path: Path) -> dict[str, Any]:
    """The report in a file. Raises ValueError where it has not the form of one."""
    found = data(path)
    schema = packaged("conformance.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    mistakes = Validator(json.loads(schema)).mistakes(found)
    if mistakes:
        more = f", and {len(mistakes) - 1} more" if len(mistakes) > 1 else ""
        raise ValueError(f"{mistakes[0].pointer or '/'}: {mistakes[0].message[:_SHOWN]}{more}")
    made: dict[str, Any] = found
    return made


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no JSON")
