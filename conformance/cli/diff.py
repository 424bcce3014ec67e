"""``conformance diff``: what an endpoint does differently, from two recordings or two reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from conformance import recorded, resources
from conformance.cli.printing import printable
from conformance.errors import UserError
from conformance.report import build, diff


@click.command(name="diff")
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def differ(context: click.Context, old: Path, new: Path, *, form: str) -> None:
    """
    Print what differs between OLD and NEW, by requirement; nothing when they are equal.

    Newly broken requirements come first, then those that are newly fixed, judged otherwise, observed otherwise,
    and judged in one of the two only. Each of OLD and NEW is a report.json, a bundle, a recording, or a folder of
    several of these. Exit 1 when something differs.
    """
    before, after = _reports(old), _reports(new)
    both = [name for name in before if name in after]
    found = {name: diff.changes(before[name], after[name]) for name in both}
    alone = {name: old if name in before else new for name in {*before, *after}.difference(both)}
    if form == "json":
        click.echo(json.dumps(_data(found, alone), indent=1))
    else:
        _print(found, alone)
    context.exit(1 if alone or any(found.values()) else 0)


def _print(found: dict[str, list[diff.Change]], alone: dict[str, Path]) -> None:
    for name in sorted({*found, *alone}):
        lines = [line for each in found.get(name, ()) for line in (each.line, *each.cases)]
        if name in alone:
            lines = [f"only in {alone[name]}"]
        if lines and len(found) + len(alone) > 1:
            click.echo(f"{name}:")
        for line in lines:
            click.echo(printable(line))


def _data(found: dict[str, list[diff.Change]], alone: dict[str, Path]) -> dict[str, Any]:
    """The changes of each provider by what they come to."""
    rows: dict[str, Any] = {
        name: {
            kind: [
                {"id": each.about, "line": each.line, "cases": [line.strip() for line in each.cases]}
                for each in changes
                if each.kind == kind
            ]
            for kind in diff.KINDS
        }
        for name, changes in found.items()
    }
    return rows | {name: {"only_in": str(path)} for name, path in alone.items()}


def _reports(path: Path) -> dict[str, dict[str, Any]]:
    """The reports at a path by provider; recordings are judged by today's suite. Raises UserError."""
    if path.is_file() and path.suffix == ".json":
        report = _report(path)
        return {report["provider"]["name"]: report}
    folder = path.parent if path.is_file() else path
    near = [each for each in (folder / "report.json", *sorted(folder.glob("*/report.json"))) if each.is_file()]
    if near:
        reports = [_report(each) for each in near]
        return {each["provider"]["name"]: each for each in reports}
    found = _recordings(folder)
    if not found:
        raise UserError(f"{path}: neither a report.json nor a recording; give one, or the folder that holds it")
    return found


def _report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["format"] != build.FORMAT:
            raise UserError(f"{path}: not of the format {build.FORMAT}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path}: not a report") from None
    found: dict[str, Any] = report
    return found


def _recordings(folder: Path) -> dict[str, dict[str, Any]]:
    manifests = [
        each for each in (folder / recorded.MANIFEST, *sorted(folder.glob(f"*/{recorded.MANIFEST}"))) if each.is_file()
    ]
    reports: dict[str, dict[str, Any]] = {}
    for each in manifests:
        name = recorded.provider_of(each)
        resources.folders_of(name)
        run, target = recorded.judged(each.parent, name)
        reports[name] = build.build(run, target)
    return reports
