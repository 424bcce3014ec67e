"""``conformance openapi``: a pack as an OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path

import click

from conformance import composed, providers
from conformance.errors import UserError
from conformance.openapi import yamlfile


@click.command()
@click.argument("provider")
@click.option(
    "--revision", default="", metavar="NAME", help="The revision of the documentation (default: the current one)."
)
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", help="How it is written.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of the terminal."
)
def openapi(provider: str, revision: str, form: str, out: Path | None) -> None:
    """Print what the pack of PROVIDER says of its API as an OpenAPI 3.1 document."""
    document = composed.compose(providers.load(provider, revision))
    text = yamlfile.write(document) if form == "yaml" else json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None
