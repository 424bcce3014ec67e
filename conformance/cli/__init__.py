"""The command line: ``conformance``. The only door to click and rich."""

from __future__ import annotations

import sys

import click

from conformance import __version__
from conformance.cli.check import check
from conformance.cli.diff import differ
from conformance.cli.generate import generate
from conformance.cli.keygen import keygen
from conformance.cli.lint import lint
from conformance.cli.load import load
from conformance.cli.new import new
from conformance.cli.openapi import openapi
from conformance.cli.preflight import preflights
from conformance.cli.providers import providers
from conformance.cli.report import report
from conformance.cli.serve import serve
from conformance.cli.verify import verify
from conformance.errors import UserError

_USAGE = 4  # pytest's own status for a usage error


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="conformance")
@click.pass_context
def cli(context: click.Context) -> None:
    """Conformance of bulk-order HTTP APIs. The tests themselves run with: pytest --provider=NAME"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(_USAGE)


cli.add_command(check)
cli.add_command(differ)
cli.add_command(generate)
cli.add_command(keygen)
cli.add_command(lint)
cli.add_command(load)
cli.add_command(new)
cli.add_command(openapi)
cli.add_command(preflights)
cli.add_command(providers)
cli.add_command(report)
cli.add_command(serve)
cli.add_command(verify)


def main() -> None:
    """Run a command; a user's mistake is one line and exit 4."""
    try:
        status = cli.main(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"conformance: {error.format_message()}", err=True)
        sys.exit(_USAGE)
    except UserError as error:
        click.echo(f"conformance: {error}", err=True)
        sys.exit(_USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)
