"""``conformance providers``: the packs that are installed, with their operations and counts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from conformance import providers as packs
from conformance import resources, suite

_WIDTH = 160


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def providers(*, as_json: bool) -> None:
    """List the providers, their operations, revisions, requirements and cases."""
    rows = [_row(name) for name in resources.providers()]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("provider", "operation", "revisions", "must", "should", "silent", "contradictory", "cases"):
        table.add_column(title, justify="left" if title in ("provider", "operation", "revisions") else "right")
    for row in rows:
        counts = [str(row["requirements"].get(level, 0)) for level in ("must", "should", "silent", "contradictory")]
        table.add_row(row["name"], row["operation"], ", ".join(row["revisions"]), *counts, str(row["cases"]))
    console = Console()
    # Somewhere without a terminal there is no width to keep to.
    Console(width=None if console.is_terminal else _WIDTH).print(table)


def _row(name: str) -> dict[str, Any]:
    provider = packs.load(name)
    account = packs.reference_account(provider)
    secrets = list(provider.auth.variables)
    made = suite.build(provider, account, secrets)
    return {
        "name": name,
        "title": provider.title,
        "operation": f"{provider.main.method} {provider.main.base_path}{provider.main.path}",
        "operations": [each.id for each in provider.operations],
        "revisions": list(provider.revisions),
        "requirements": dict(Counter(str(each.level) for each in made.catalogue.requirements)),
        "cases": len(made.cases),
    }
