"""``conformance serve``: the reference endpoint as a server of its own, a mock for clients in any language."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from conformance import providers
from conformance.errors import UserError
from conformance.mock.control import BASE
from conformance.mock.handle import MockEndpoint, Settings
from conformance.reference import faults, server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from conformance.mock.received import Received

# Requests that are remembered: a server may run for months.
_KEEP = 1000


@click.command()
@click.argument("provider")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--host", default=server.LOOPBACK, show_default=True, envvar="CONFORMANCE_HOST", show_envvar=True,
              help="The address to listen at.")  # fmt: skip
@click.option("--strict/--lenient", default=False, help="Refuse, or take, what the documentation is silent about.")
@click.option(
    "--fault", "fault_id", metavar="ID", help="Break one documented rule, for example AL-034. 'list' lists them."
)
@click.option("--db", type=click.Path(dir_okay=False), help="Keep the orders in this SQLite file.")
@click.option("--delay", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Store orders so much later.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Answer so much later.")
@click.option("--account", type=click.Path(dir_okay=False), help="Account facts (TOML); default: the pack's own.")
@click.option("--violations", type=click.Path(dir_okay=False), help="Add what clients do wrong to this file (NDJSON).")
@click.option("--control/--no-control", default=True, help=f"The control API under {BASE}; on by default.")
def serve(
    provider: str,
    *,
    port: int,
    host: str,
    strict: bool,
    fault_id: str | None,
    db: str | None,
    delay: float,
    latency: float,
    account: str | None,
    violations: str | None,
    control: bool,
) -> None:
    """Serve PROVIDER's reference endpoint until Ctrl-C, with a line for each request and a control API for tests."""
    pack = providers.load(provider)
    if fault_id == "list":
        for each in faults.of(pack).values():
            click.echo(f"{each.id}  {each.title}")
        return
    settings = Settings(
        strict=strict, fault=fault_id or "", account=account, db=db or "", delay=delay, latency=latency, keep=_KEEP,
        told=_teller(_opened(violations) if violations else None),
    )  # fmt: skip
    try:
        mock = MockEndpoint(provider, settings)
    except sqlite3.Error as error:
        raise UserError(f"--db={db}: {error}") from error
    listener = server.listen(port, host)
    mock.served_at(_origin(listener))
    _introduce(mock, pack, account, control=control)
    if host != server.LOOPBACK:
        what = "the endpoint and its control API" if control else "the endpoint"
        click.echo(f"listening at {host}: whoever reaches this machine can use {what}", err=True)
    server.run(mock.app(control=control), listener)


def _introduce(mock: MockEndpoint, pack: providers.Provider, account: str | None, *, control: bool) -> None:
    """Where the endpoint is, what it takes for credentials, and how the suite is run against it."""
    click.echo(f"{pack.title} ({'strict' if mock.strict else 'lenient'}) at {mock.url}")
    if mock.fault:
        click.echo(f"with the fault {mock.fault}: {faults.fault(pack, mock.fault).title}")
    for variable, value in mock.environment.items():
        click.echo(f"  export {variable}={value}")
    if control:
        click.echo(f"  curl {mock.origin}{BASE}/violations")
    file = account or pack.folders.fixtures / "account.toml"
    facts_option = f" --account={file}" if Path(file).is_file() else ""
    click.echo(f"  pytest --provider={mock.provider} --endpoint={mock.url}{facts_option}")


def _origin(listener: socket.socket) -> str:
    """The URL of a listener as a client on this machine writes it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": server.LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104  # where it listens already
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _opened(path: str) -> TextIO:
    """A file to add lines to."""
    try:
        return Path(path).open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--violations={path}: {error.strerror}; name a file that can be written") from error


def _teller(file: TextIO | None) -> Callable[[Received], None]:
    """Tells of each request: a line on stdout, and one in the file for whatever was wrong."""

    def tell(received: Received) -> None:
        click.echo(received.line)
        if file:
            when = {"at": received.at.isoformat(), "method": received.method, "path": received.path}
            for each in received.violations:
                file.write(json.dumps(each.as_json() | when) + "\n")
            file.flush()

    return tell
