"""``conformance generate``: a file of valid orders, as many as wanted."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from conformance import generation, providers, target
from conformance.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from conformance.providers import Provider

_MOST_LINES = 10_000


@click.command()
@click.argument("provider")
@click.option("--orders", required=True, type=click.IntRange(1, generation.MOST), metavar="N", help="How many.")
@click.option("--out", default="-", metavar="FILE", help="Write there, all or nothing (default: - for the terminal).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "batches"]),
    default="ndjson",
    show_default=True,
    help="One order a line, or one request body a line.",
)
@click.option(
    "--batch-size", type=click.IntRange(1), metavar="N", help="Orders in a batch (default: as many as allowed)."
)
@click.option(
    "--start", type=click.Choice(generation.STARTS), default="plain", show_default=True, help="Which members."
)
@click.option("--lines", default="1", show_default=True, metavar="N|MIN-MAX", help="Lines of an order.")
@click.option("--seed", type=int, default=target.DEFAULT_SEED, show_default=True, help="Other ids and other values.")
@click.option("--now", "instant", default="", metavar="TIME", help="Dates are relative to it (default: the present).")
@click.option("--account", default="", metavar="FILE", help="Account facts (TOML); default: the pack's own.")
@click.option("--revision", default="", metavar="NAME", help="Revision of the documentation.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes (default: one a core).")
@click.option(
    "--check", type=click.Choice(["all", "first"]), default="all", show_default=True, help="Which orders are checked."
)
def generate(
    provider: str,
    *,
    orders: int,
    out: str,
    form: str,
    batch_size: int | None,
    start: str,
    lines: str,
    seed: int,
    instant: str,
    account: str,
    revision: str,
    jobs: int | None,
    check: str,
) -> None:
    """
    Make valid orders for PROVIDER, without sending any.

    No two have the same ids. Seed, time and options decide every byte, however many processes are at work; another
    seed gives other ids.
    """
    pack = providers.load(provider, revision)
    facts = target.account_of(pack, account) if account else providers.reference_account(pack)
    wish = generation.Wish(
        provider,
        facts,
        _instant(instant),
        revision=revision,
        seed=seed,
        start=start,
        lines=_lines(lines),
        batch=_batch(pack, form, batch_size),
        checked=check == "all",
    )
    generation.check(wish)
    began = time.monotonic()
    with _written(out) as stream, _progress(orders) as made:
        size = 0
        for count, block in generation.blocks(wish, orders, jobs or generation.cores()):
            stream.write(block)
            size += len(block)
            made(count)
    if out != "-":
        seconds = time.monotonic() - began
        rate = orders / max(seconds, 0.001)
        said = f"{orders:,} orders, {size / 1e6:,.1f} MB, {seconds:.1f} s, {rate:,.0f} a second"
        click.echo(f"{out}: {said}; seed {seed}, --now={wish.now:%Y-%m-%dT%H:%M:%SZ}")


def _instant(text: str) -> datetime:
    """The instant that dates are relative to, in whole seconds of UTC. Raises UserError."""
    try:
        moment = datetime.fromisoformat(text) if text else datetime.now(UTC)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise UserError(f"--now={text}: not a time; write it like 2026-01-31T12:00:00Z") from None


def _lines(text: str) -> tuple[int, int]:
    """At least and at most how many lines. Raises UserError."""
    found = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= low <= high <= _MOST_LINES:
        raise UserError(f"--lines={text}: write a number from 1 to {_MOST_LINES}, or two such as 1-5")
    return low, high


def _batch(pack: Provider, form: str, size: int | None) -> int:
    """How many orders a request body has; 0 for orders alone. Raises UserError."""
    if form == "ndjson":
        if size:
            raise UserError("--batch-size is about batches; add --format=batches")
        return 0
    largest = generation.largest_batch(pack)
    if size and size > largest:
        raise UserError(f"--batch-size={size}: {pack.name} takes at most {largest} a request")
    return size or largest


@contextmanager
def _written(out: str) -> Iterator[IO[bytes]]:
    """
    A file that is there when all of it is; before, what is written lies beside it.

    Raises UserError where it cannot be written. A pipe that nobody reads any more ends the command quietly.
    """
    if out == "-":
        stream = sys.stdout.buffer
        try:
            yield stream
            stream.flush()
        except BrokenPipeError:
            # Otherwise the interpreter would try to write the rest at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        return
    path = Path(out).resolve()
    # What is no plain file, such as a named pipe, cannot be replaced.
    beside = path if path.exists() and not path.is_file() else path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as stream:
            yield stream
        if beside != path:
            beside.replace(path)
    except BrokenPipeError:
        raise click.exceptions.Exit(1) from None
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)


def _progress(orders: int) -> AbstractContextManager[Callable[[int], None]]:
    """A bar with rate and time left, where somebody looks on."""
    return _bar(orders) if sys.stderr.isatty() else nullcontext(lambda _count: None)


@contextmanager
def _bar(orders: int) -> Iterator[Callable[[int], None]]:
    from rich import progress  # noqa: PLC0415  # a pipe needs none
    from rich.console import Console  # noqa: PLC0415

    class Rate(progress.ProgressColumn):
        """Orders a second."""

        def render(self, task: progress.Task) -> str:
            return f"{task.finished_speed or task.speed or 0:,.0f} orders/s"

    columns = (progress.BarColumn(), progress.TaskProgressColumn(), Rate(), progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=orders)
        yield lambda count: bar.advance(task, count)
