"""``conformance preflight``: what can be known of an endpoint and an account before an order is created."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from conformance import conduct, preflight, safety, target
from conformance.errors import UserError
from conformance.preflight import FAILED, Check
from conformance.transport import Files


@click.command(name="preflight")
@click.argument("provider")
@click.option("--endpoint", required=True, metavar="URL", help="Base URL of the endpoint, as for the tests.")
@click.option("--account", default="", metavar="FILE", help="TOML file with the account's business facts.")
@click.option("--allow", default="", metavar="LIST", help="Effects that the tests would be allowed.")
@click.option("--revision", default="", metavar="NAME", help="Revision of the documentation.")
@click.option("--header", "headers", multiple=True, metavar="HEADER", help="Extra request header 'Name: value'.")
@click.option(
    "--request-timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True, metavar="SECONDS"
)
@click.option("--ca-bundle", default="", metavar="FILE", help="Further issuers of certificates to trust (PEM).")
@click.option("--client-cert", default="", metavar="FILE", help="A certificate to show (PEM).")
@click.option("--client-key", default="", metavar="FILE", help="Its private key, where that is a file of its own.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def preflights(
    context: click.Context,
    provider: str,
    *,
    endpoint: str,
    account: str,
    allow: str,
    revision: str,
    headers: tuple[str, ...],
    request_timeout: float,
    ca_bundle: str,
    client_cert: str,
    client_key: str,
    form: str,
) -> None:
    """
    Check credentials, account and reachability for tests of PROVIDER, and create nothing.

    One line a check; exit 1 when one failed.
    """
    options = target.Options(
        provider,
        endpoint=endpoint,
        account=account,
        revision=revision,
        timeout=request_timeout,
        headers=tuple(map(header, headers)),
        files=Files(ca_bundle, client_cert, client_key),
        # Whether the tests may create orders is one of the checks; none is created here.
        allowed=frozenset(safety.EFFECTS),
    )
    ready = target.prepare(options)
    with conduct.transport(ready) as transport:
        assert ready.secrets is not None
        found = [
            _permission(ready, safety.parse_allowed(allow)),
            *preflight.checks(ready.suite, transport, ready.secrets, request_timeout),
        ]
    failed = sum(each.status == FAILED for each in found)
    if form == "json":
        told = {"provider": provider, "endpoint": ready.endpoint, "ok": not failed, "checks": list(map(asdict, found))}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        for each in found:
            click.echo(_printable(f"{each.name:<15}{each.status:<13}{each.detail}"))
    context.exit(1 if failed else 0)


def _permission(ready: target.Target, allowed: frozenset[str]) -> Check:
    try:
        safety.permit(ready.suite.provider, ready.endpoint, allowed)
    except UserError as error:
        return Check("permission", FAILED, str(error))
    return Check("permission", preflight.OK, "the tests may create orders there")


def header(text: str) -> tuple[str, str]:
    """An extra header of the command line. Raises UserError."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UserError("--header: write 'Name: value'")
    return name.strip().lower(), value.strip()


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
