"""``conformance report``: the files for readers made anew from report.json, other formats of it, and an index of many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conformance import journal, unfinished
from conformance.errors import UserError
from conformance.report import build, bundle, files

# Formats beside those of the bundle, by the ending of the file and the module whose ``render`` makes it.
OTHERS = {"ctrf": (".ctrf.json", "ctrf"), "earl": (".earl.jsonld", "earl"), "pdf": (".pdf", "pdf")}
_INDEX = "index.html"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--format", "formats", type=click.Choice([*OTHERS]), multiple=True, help="Make this format too, beside FOLDER."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write everything there.")
@click.option("--index", is_flag=True, help="Make index.html over all bundles below FOLDER instead.")
def report(folder: Path, formats: tuple[str, ...], out: Path | None, *, index: bool) -> None:
    """
    Make the files for readers anew from the report.json in FOLDER.

    Other formats go beside the folder, not into it: the files of a bundle are attested. An incomplete report
    will do, and says so; that of a run that was broken off is made from its journal.
    """
    if index:
        _index(folder)
        return
    if (folder / journal.NAME).exists():
        _interrupted(folder)
    data = _read(folder / bundle.REPORT)
    made = bundle.rendered(data)
    attested = out is None and (folder / bundle.ATTESTATION).exists()
    for name, content in made.items():
        if attested and not _stands(folder / name, content):
            raise UserError(f"{folder / name}: attested as it is, and would be another now; give --out=DIR")
    for name, content in made.items():
        _write((out or folder) / name, content)
    for each in dict.fromkeys(formats):
        ending, module = OTHERS[each]
        what = bundle.render("page", data) if each == "pdf" else data
        _write((out or folder.resolve().parent) / f"{folder.resolve().name}{ending}", bundle.render(module, what))


def _interrupted(folder: Path) -> None:
    """Make the report of a run that was broken off from its journal, as far as that goes."""
    (folder / bundle.ATTESTATION).unlink(missing_ok=True)
    _write(folder / bundle.REPORT, bundle.text(build.build(*unfinished.judged(folder))))


def _stands(path: Path, content: str) -> bool:
    return path.is_file() and path.read_bytes() == content.encode()


def _index(folder: Path) -> None:
    if (folder / bundle.REPORT).exists():
        raise UserError(f"{folder}: a bundle itself, whose files are settled; give the folder that holds the bundles")
    if not any(folder.rglob(bundle.REPORT)):
        raise UserError(f"{folder}: no {bundle.REPORT} below; give the folder that holds the bundles")
    _write(folder / _INDEX, bundle.index(folder))


def _read(path: Path) -> dict[str, Any]:
    """A report that has the form of one. Raises UserError."""
    try:
        return files.report(path)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _write(path: Path, content: str | bytes) -> None:
    try:
        bundle.put(path, content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    click.echo(path)
