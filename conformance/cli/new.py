"""``conformance new``: a provider pack scaffolded from an OpenAPI file."""

from __future__ import annotations

import re
from pathlib import Path

import click

from conformance import resources
from conformance.cli.printing import printable
from conformance.errors import UserError
from conformance.scaffold import pack as scaffolding


@click.command()
@click.argument("name")
@click.option(
    "--openapi",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="The OpenAPI file, 3.0 or 3.1, JSON or YAML.",
)
@click.option(
    "--operation", default="", metavar="ID", help="The operation that takes orders: its operationId, or 'POST /orders'."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder to write to (default: ./NAME); nothing is overwritten."
)
def new(name: str, file: Path, operation: str, out: Path | None) -> None:
    """Make a provider pack called NAME, and say what was guessed and what is left to do."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise UserError(f"{name!r}: a name has small letters, digits and hyphens, and begins with a letter")
    if name in resources.providers():
        raise UserError(f"{name}: there is a provider of that name already; take another")
    folder = out or Path(name)
    try:
        made = scaffolding.scaffold(name, file, operation)
    except RecursionError:
        raise UserError(f"{file}: its schemas are nested too deep to be followed") from None
    scaffolding.write(made, name, folder)
    click.echo(f"Written to {folder}:")
    for each in [*made.files, "TODO.md"]:
        click.echo(f"  {each}")
    click.echo("Guessed:")
    for each in made.notes.guessed:
        click.echo(f"  {printable(each)}")
    click.echo(f"To do ({len(made.notes.todo)}):")
    for each in made.notes.todo:
        click.echo(f"  {printable(each)}")
    click.echo(f"Run it against its own reference endpoint:\n  {resources.PACKS}={folder} pytest --provider={name}")
