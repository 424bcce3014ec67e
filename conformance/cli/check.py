"""``conformance check``: whether payloads are what a provider's documentation accepts, and where not."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance import providers
from conformance.cli.checked import FORMS, Tally
from conformance.errors import UserError
from conformance.inspection import Inspector
from conformance.inspection.files import PayloadFile
from conformance.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from conformance.inspection.files import Placed

_STDIN = "-"
# So many records go by between two words on progress.
_STEP = 1000


@click.command()
@click.argument("provider")
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option("--orders", is_flag=True, help="FILEs hold single orders, not request bodies.")
@click.option(
    "--ndjson/--no-ndjson", default=None, help="One record a line, or not; told from name and content if left out."
)
@click.option(
    "--account", type=click.Path(path_type=Path), help="Account facts (TOML): also judge what depends on them."
)
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="text", help="How findings are printed.")
@click.option("--strict", is_flag=True, help="Also find what the documentation is silent about.")
@click.option("--fail-on", type=click.Choice(["violation", "advisory"]), default="violation", help="What makes exit 1.")
@click.option("--revision", default="", help="Hold payloads to an older revision of the documentation.")
@click.pass_context
def check(
    context: click.Context,
    provider: str,
    files: tuple[str, ...],
    *,
    orders: bool,
    ndjson: bool | None,
    account: Path | None,
    form: str,
    strict: bool,
    fail_on: str,
    revision: str,
) -> None:
    """
    Look whether the payloads in FILEs (or standard input) are what PROVIDER's documentation accepts.

    A FILE is a request body in JSON, or has a body a line (NDJSON). Exit 0 when nothing fails, 1 when something
    does, 4 when a file cannot be read.
    """
    pack = providers.load(provider, revision)
    facts = providers.read_account(pack, account) if account else None
    inspector = Inspector(pack, facts, strict=strict)
    names = files or (_STDIN,)
    _readable(names)
    read = [
        PayloadFile("stdin" if name == _STDIN else name, inspector, orders=orders, by_line=ndjson) for name in names
    ]
    tally = Tally(pack, read)
    for text in FORMS[form](tally, tally.counted(_findings(names, read))):
        click.echo(text, nl=False)
    failing = tally.counts[Verdict.VIOLATION] + tally.counts[Verdict.OBSERVED]
    context.exit(1 if failing or (fail_on == "advisory" and tally.counts[Verdict.ADVISORY]) else 0)


def _readable(names: Sequence[str]) -> None:
    """Every file can be read; nobody wants to learn after an hour that the last one cannot."""
    for name in names:
        if name != _STDIN:
            with _opened(name):
                pass


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    try:
        with nullcontext(sys.stdin.buffer) if name == _STDIN else Path(name).open("rb") as stream:
            yield stream
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None


def _findings(names: Sequence[str], files: Sequence[PayloadFile]) -> Iterator[Placed]:
    now = datetime.now(UTC)
    for name, file in zip(names, files, strict=True):
        with _opened(name) as stream:
            yield from file.findings(_watched(stream, file), now)
        if sys.stderr.isatty() and file.records >= _STEP:
            click.echo("\r\033[K", nl=False, err=True)


def _watched(stream: BinaryIO, file: PayloadFile) -> Iterator[bytes]:
    """The lines of a stream, with a word on progress now and then where somebody looks on."""
    looked_at = sys.stderr.isatty()
    for number, line in enumerate(stream, 1):
        if looked_at and file.by_line and number % _STEP == 0:
            click.echo(f"\r{file.name}: {number:,} lines, {file.spoilt:,} orders with findings", nl=False, err=True)
        yield line
