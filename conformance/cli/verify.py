"""``conformance verify``: whether a bundle is whole, signed, and says what its evidence says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.cli.printing import printable
from conformance.report import attestation
from conformance.report import verify as verifying

if TYPE_CHECKING:
    from conformance.report.verify import Outcome


@click.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), metavar="PUB", help="It has to be signed with this key (PEM).")
@click.option("--challenge", default="", metavar="TEXT", help="It has to be made for this challenge.")
@click.option("--max-age", type=click.FloatRange(0), metavar="DAYS", help="It has to be no older.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def verify(
    context: click.Context, bundle: Path, *, key: Path | None, challenge: str, max_age: float | None, form: str
) -> None:
    """
    Check BUNDLE, a folder that --report wrote: its files, its signature, and its verdicts by its evidence.

    Exit 0 when it is what it says to be, whatever its verdict is; 1 when it is refused.
    """
    public = attestation.public_key(key) if key else None
    found = verifying.verify(bundle, public, challenge, max_age, datetime.now(UTC))
    if form == "json":
        click.echo(json.dumps(_data(found), indent=1))
    else:
        for line in _lines(bundle, found):
            click.echo(printable(line))
    context.exit(1 if found.problems else 0)


def _lines(bundle: Path, found: Outcome) -> list[str]:
    lines: list[str] = []
    if found.report:
        provider, target, run = (found.report[name] for name in ("provider", "target", "run"))
        lines += [
            f"{provider['title']} ({provider['revision']}) at {target['url']} ({target['kind']}): {found.report['verdict']}",
            f"run {run['id']}, {found.report['suite']['name']} {found.report['suite']['version']}",
        ]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"refused: {message}" for _, message in found.problems]
    if found.problems:
        return [*lines, f"Not verified: {bundle}"]
    signed = f"signed with {found.key_ids[0]}" if found.key_checked else "no signature checked"
    return [*lines, f"Verified: {found.files} files as attested on {found.attested_at}, {signed}"]


def _data(found: Outcome) -> dict[str, Any]:
    report = found.report
    return {
        "verified": not found.problems,
        "signature": "checked" if found.key_checked else "not checked" if found.key_ids else "none",
        "key_ids": found.key_ids,
        "attested_at": found.attested_at,
        "provider": report.get("provider"),
        "target": report.get("target"),
        "run": {key: report["run"][key] for key in ("id", "started_at", "finished_at", "complete")} if report else None,
        "suite": report.get("suite"),
        "verdict": report.get("verdict"),
        "problems": [{"check": check, "message": message} for check, message in found.problems],
        "notes": found.notes,
    }
