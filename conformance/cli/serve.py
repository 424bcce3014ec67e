"""``conformance serve``: the reference endpoint as a server of its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click

from conformance import providers
from conformance.errors import UserError
from conformance.reference import app, behaviour, faults, server
from conformance.reference.store import Store


@click.command()
@click.argument("provider")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--strict/--lenient", default=False, help="Refuse, or take, what the documentation is silent about.")
@click.option(
    "--fault", "fault_id", metavar="ID", help="Break one documented rule, for example AL-034. 'list' lists them."
)
@click.option("--db", type=click.Path(dir_okay=False), help="Keep the orders in this SQLite file.")
@click.option("--delay", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Store orders so much later.")
@click.option("--account", type=click.Path(dir_okay=False), help="Account facts (TOML); default: the pack's own.")
def serve(
    provider: str, *, port: int, strict: bool, fault_id: str | None, db: str | None, delay: float, account: str | None
) -> None:
    """Serve PROVIDER's reference endpoint on loopback until Ctrl-C."""
    pack = providers.load(provider)
    if fault_id == "list":
        for each in faults.of(pack).values():
            click.echo(f"{each.id}  {each.title}")
        return
    facts = providers.read_account(pack, Path(account)) if account else providers.reference_account(pack)
    how = behaviour.healthy(pack, strict=strict)
    if fault_id:
        how = faults.fault(pack, fault_id).apply(how)
    endpoint = app.Endpoint(pack, facts, how, _store(db), delay=delay)
    listener = server.listen(port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{pack.main.base_path}"
    click.echo(f"{pack.title} ({'strict' if strict else 'lenient'}) at {url}")
    if fault_id:
        click.echo(f"with the fault {fault_id}: {faults.fault(pack, fault_id).title}")
    for name, variable in _variables(pack).items():
        click.echo(f"  export {variable}={app.credentials(pack)[name]}")
    file = account or pack.folders.fixtures / "account.toml"
    facts_option = f" --account={file}" if Path(file).is_file() else ""
    click.echo(f"  pytest --provider={provider} --endpoint={url}{facts_option}")
    server.server(endpoint, log=True).run(sockets=[listener])


def _store(path: str | None) -> Store:
    """The store in a file, or in memory. Raises UserError for a file that cannot be one."""
    try:
        return Store(path or ":memory:")
    except sqlite3.Error as error:
        raise UserError(f"--db={path}: {error}") from error


def _variables(pack: providers.Provider) -> dict[str, str]:
    """The environment variables of all sets of credentials but ready-made tokens, by what they hold."""
    sets = [each.variables for each in pack.auth.credentials if set(each.variables) != {"access_token"}]
    return {name: each for one in sets for name, each in one.items()}
