"""``conformance lint``: what in an OpenAPI file has no effect or contradicts itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from conformance import __version__, linting
from conformance.errors import UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.linting.registry import Finding

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_GITHUB = {"note": "notice"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="How findings are printed.",
)
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave a rule out (repeatable).")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of the terminal."
)
@click.pass_context
def lint(context: click.Context, file: Path, form: str, ignore: tuple[str, ...], output: Path | None) -> None:
    """
    Look through an OpenAPI FILE (3.0 or 3.1, JSON or YAML) and the files it refers to.

    Exit 0 when nothing was found, 1 when something was, 4 when the file cannot be read.
    """
    for name in ignore:
        if name not in linting.RULES:
            raise UserError(f"--ignore {name}: there is no such rule; {nearest(name, linting.RULES)}")
    try:
        found = [each for each in linting.lint(file, str(file)) if each.rule not in ignore]
    except RecursionError:
        raise UserError(f"{file}: its schemas are nested too deep to be followed") from None
    text = _FORMS[form](found, str(file))
    if output is None:
        click.echo(text, nl=bool(text))
    else:
        try:
            output.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{output}: cannot be written ({error.strerror})") from None
    context.exit(1 if found else 0)


def printable(text: str) -> str:
    """A text without what a terminal would take for a command."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _text(found: list[Finding], file: str) -> str:
    lines: list[str] = []
    for each in found:
        lines += [
            f"{each.file}:{each.line}:{each.column}: {each.severity}: {printable(each.message)} [{each.rule}]",
            f"    why      {each.why}",
            f"    instead  {printable(each.instead)}",
        ]
    numbers = {word: sum(each.severity == word for each in found) for word in ("error", "warning", "note")}
    counts = [f"{number} {word}{'' if number == 1 else 's'}" for word, number in numbers.items()]
    return "\n".join(
        [*lines, f"{file}: {', '.join(counts)}" if found else f"{file}: nothing found by {len(linting.RULES)} rules"]
    )


def _json(found: list[Finding], file: str) -> str:
    rows = [{name: getattr(each, name) for name in each.__slots__} for each in found]
    return json.dumps({"file": file, "findings": rows}, indent=1, ensure_ascii=False)


def _github(found: list[Finding], _file: str) -> str:
    def escaped(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    return "\n".join(
        f"::{_GITHUB.get(each.severity, each.severity)} file={escaped(each.file).replace(',', '%2C').replace(':', '%3A')},"
        f"line={each.line},col={each.column},title={each.rule}::{escaped(f'{each.message}. {each.why} Instead: {each.instead}')}"
        for each in found
    )


def _sarif(found: list[Finding], _file: str) -> str:
    names = list(linting.RULES)
    rules: list[dict[str, Any]] = [
        {
            "id": each.name,
            "shortDescription": {"text": each.title},
            "fullDescription": {"text": each.why},
            "defaultConfiguration": {"level": each.severity},
        }
        for each in linting.RULES.values()
    ]
    results: list[dict[str, Any]] = [
        {
            "ruleId": each.rule,
            "ruleIndex": names.index(each.rule),
            "level": each.severity,
            "message": {"text": f"{each.message}. {each.why} Instead: {each.instead}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(Path(each.file).as_posix())},
                        "region": {"startLine": each.line, "startColumn": each.column},
                    },
                    "logicalLocations": [{"fullyQualifiedName": each.pointer}],
                }
            ],
        }
        for each in found
    ]
    driver = {"name": "conformance lint", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False)


_FORMS: dict[str, Callable[[list[Finding], str], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
