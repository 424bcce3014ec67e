"""``conformance diff``: what an endpoint does differently, from two recordings or two reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from conformance import recorded, resources
from conformance.errors import UserError
from conformance.report import build, diff


@click.command(name="diff")
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path))
@click.pass_context
def differ(context: click.Context, old: Path, new: Path) -> None:
    """
    Print what differs between OLD and NEW, by requirement; nothing when they are equal.

    Each is a report.json, a folder with one, a recording, or a folder of several of these. Exit 1 when
    something differs.
    """
    before, after = _reports(old), _reports(new)
    different = False
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            lines = [f"only in {old if name in before else new}"]
        else:
            lines = list(diff.differences(before[name], after[name]))
        different |= bool(lines)
        if lines and len({*before, *after}) > 1:
            click.echo(f"{name}:")
        for line in lines:
            click.echo(_printable(line))
    context.exit(1 if different else 0)


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


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
