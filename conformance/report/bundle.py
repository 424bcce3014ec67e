"""
The bundle: a report with its renderings, the evidence it rests on and the attestation over all of them.

The attestation is taken away first and written last, so that what a crash leaves behind verifies as nothing.
"""

from __future__ import annotations

import hashlib
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from conformance import target
from conformance.errors import UserError
from conformance.recorded import MANIFEST
from conformance.report import attestation

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from conformance.cassettes.manifest import Recording
    from conformance.report.attestation import Signer

REPORT = "report.json"
EVIDENCE = "evidence"
ATTESTATION = "attestation.json"
# The files that are made from report.json alone, by the module whose ``render`` makes them.
FILES = {"report.html": "page", "report.md": "markdown", "junit.xml": "junit"}


def text(report: dict[str, Any]) -> str:
    """A report as it stands in its file."""
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def rendered(report: dict[str, Any]) -> dict[str, str]:
    """The files that are made from a report, by name."""
    return {name: render(module, report) for name, module in FILES.items()}


def render(module: str, what: Any) -> Any:
    """What a module of this package makes of a report."""
    return import_module(f"conformance.report.{module}").render(what)


def index(folder: Path) -> str:
    """The page over all bundles below a folder."""
    module = import_module("conformance.report.index")
    page: str = module.render(module.found(folder))
    return page


def begin(folder: Path, report: dict[str, Any]) -> None:
    """
    Make room for the report of a run that begins: what an earlier run left is not taken for its own.

    ``report`` stands there until the run ends. Raises UserError where that cannot be done.
    """
    try:
        for name in (ATTESTATION, *FILES):
            (folder / name).unlink(missing_ok=True)
        put(folder / REPORT, text(report))
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror or error})") from error


def keep(folder: Path, recording: Recording, made: target.Target, report: dict[str, Any]) -> None:
    """
    Write the evidence of a run, in the process that did it.

    Raises UserError, and writes nothing, when a secret of the run stands in it or in the report.
    """
    from conformance.cassettes import redact, store  # noqa: PLC0415  # vcrpy, for those who keep evidence

    vault = target.vault(made)
    (folder / ATTESTATION).unlink(missing_ok=True)
    found = redact.leak([(REPORT, text(report).encode())], vault)
    if found:
        raise UserError(
            f"{folder}: not written: {found[1]} would stand in {found[0]};"
            " mark the member that holds it in the pack's secret-members"
        )
    store.write(folder / EVIDENCE, recording, made.suite, vault)


def write(folder: Path, report: dict[str, Any], signer: Signer | None, now: datetime) -> None:
    """Write everything but the evidence, which is there already. Raises UserError where that cannot be done."""
    try:
        (folder / ATTESTATION).unlink(missing_ok=True)
        files = {REPORT: text(report), **rendered(report)}
        for name, content in files.items():
            put(folder / name, content)
        digests = {name: _sha(folder / name) for name in (*files, *_evidence(folder))}
        statement = attestation.statement(report, digests, f"{now:%Y-%m-%dT%H:%M:%SZ}")
        put(folder / ATTESTATION, attestation.sealed(statement, signer))
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror or error})") from error


def put(path: Path, content: str | bytes) -> None:
    """Write a file at one stroke."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content.encode() if isinstance(content, str) else content)
    beside.replace(path)


def _evidence(folder: Path) -> list[str]:
    """The files of the evidence by their place in the bundle: those that its manifest names, and the manifest."""
    from conformance.cassettes import load  # noqa: PLC0415

    return [f"{EVIDENCE}/{name}" for name in (MANIFEST, *load.listed(folder / EVIDENCE))]


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
