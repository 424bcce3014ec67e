"""Findings in files as other programs read them: SARIF 2.1.0, and annotations of GitHub's workflow commands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from conformance import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# GitHub's word for what SARIF calls a note.
_GITHUB = {"note": "notice"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is, counted from 1."""

    file: str
    line: int
    column: int


def github(severity: str, place: Place, title: str, message: str) -> str:
    """One annotation; ``severity`` is ``error``, ``warning`` or ``note``."""
    where = f"file={_property(place.file)},line={place.line},col={place.column}"
    return f"::{_GITHUB.get(severity, severity)} {where},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(",", "%2C").replace(":", "%3A")


def rule(name: str, title: str, about: str, severity: str) -> dict[str, Any]:
    """A rule of SARIF's driver."""
    return {
        "id": name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": about},
        "defaultConfiguration": {"level": severity},
    }


def result(name: str, severity: str, place: Place, pointer: str, message: str) -> dict[str, Any]:
    """A result of SARIF for one finding."""
    return {
        "ruleId": name,
        "level": severity,
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(Path(place.file).as_posix())},
                    "region": {"startLine": place.line, "startColumn": place.column},
                },
                "logicalLocations": [{"fullyQualifiedName": pointer}],
            }
        ],
    }


def sarif(tool: str, results: Iterable[dict[str, Any]], rules: Callable[[], list[dict[str, Any]]]) -> Iterator[str]:
    """
    A log of one run, piece by piece, so that no list of all results is ever held.

    ``rules`` is asked for after the last result, and has to have the rule of each.
    """
    indexes: dict[str, int] = {}
    yield f'{{"$schema": {json.dumps(_SCHEMA)}, "version": "2.1.0", "runs": [\n'
    yield '{"columnKind": "unicodeCodePoints", "results": ['
    between = "\n"
    for each in results:
        index = indexes.setdefault(each["ruleId"], len(indexes))
        yield between + json.dumps({**each, "ruleIndex": index}, ensure_ascii=False)
        between = ",\n"
    known = {each["id"]: each for each in rules()}
    listed = [known[name] for name in indexes] + [each for name, each in known.items() if name not in indexes]
    driver = {"name": tool, "version": __version__, "rules": listed}
    yield f'\n],\n"tool": {json.dumps({"driver": driver}, indent=1, ensure_ascii=False)}}}]}}'
