"""``conformance lint``: what in an OpenAPI file has no effect or contradicts itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance import linting
from conformance.cli import marks
from conformance.cli.printing import printable
from conformance.errors import UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.linting.registry import Finding


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
    return "\n".join(
        marks.github(
            each.severity, marks.Place(each.file, each.line, each.column), each.rule,
            f"{each.message}. {each.why} Instead: {each.instead}",
        )
        for each in found
    )  # fmt: skip


def _sarif(found: list[Finding], _file: str) -> str:
    rules = [marks.rule(each.name, each.title, each.why, each.severity) for each in linting.RULES.values()]
    results = (
        marks.result(
            each.rule, each.severity, marks.Place(each.file, each.line, each.column), each.pointer,
            f"{each.message}. {each.why} Instead: {each.instead}",
        )
        for each in found
    )  # fmt: skip
    return "".join(marks.sarif("conformance lint", results, lambda: rules))


_FORMS: dict[str, Callable[[list[Finding], str], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
