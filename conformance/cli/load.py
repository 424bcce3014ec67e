"""``conformance load``: whether the contract holds at the volume that an endpoint is sold for."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance import providers, safety, target
from conformance.cli.preflight import header
from conformance.cli.printing import printable
from conformance.errors import UserError
from conformance.load import drive, gathering, settings
from conformance.reference.racy import KINDS
from conformance.report import attestation, loaded
from conformance.transport import Files

if TYPE_CHECKING:
    from conformance.load.settings import Load, Place
    from conformance.target import Options, Target

_LOAD = frozenset({"load"})


@click.command()
@click.argument("provider")
@click.option("--endpoint", default="", metavar="URL", help="Base URL; without it, the embedded reference endpoint.")
@click.option("--account", default="", metavar="FILE", help="TOML file with the account's business facts.")
@click.option("--revision", default="", metavar="NAME", help="Revision of the documentation.")
@click.option("--orders-per-second", type=click.FloatRange(0), default=100.0, show_default=True, metavar="N",
              help="Orders a second of all callers together; 0 is as many as they can.")  # fmt: skip
@click.option("--duration", default="60s", show_default=True, metavar="TIME", help="90s, 10m or 1h30m.")
@click.option("--mix", default="accept=0.9,reject=0.1", show_default=True, help="Shares of good and of bad batches.")
@click.option("--batch-sizes", default="", metavar="LIST", help="Orders a batch, for example 1,10,100.")
@click.option("--users", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many callers.")
@click.option("--spawn-rate", type=click.FloatRange(0, min_open=True), default=100.0, show_default=True,
              help="Callers that begin in a second.")  # fmt: skip
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="Workers on this machine.")
@click.option("--master", is_flag=True, help="Lead workers on other machines.")
@click.option("--worker", is_flag=True, help="Work for a master elsewhere.")
@click.option("--master-host", default="", metavar="HOST", help="Where the master is; for --master, where it listens.")
@click.option("--master-port", type=click.IntRange(1, 65535), default=5557, show_default=True)
@click.option("--expect-workers", type=click.IntRange(1, 256), default=1, show_default=True, help="With --master.")
@click.option("--races", type=click.FloatRange(0), default=0.5, show_default=True, metavar="SECONDS",
              help="From one race for a key to the next; 0 for none.")  # fmt: skip
@click.option("--allow", default="", metavar="LIST", help="Effects allowed outside loopback: load,orders and more.")
@click.option("--max-orders", type=click.IntRange(0), default=0, metavar="N", help="Send no more orders than that.")
@click.option("--stop-on-violation", is_flag=True, help="End the run at the first violation.")
@click.option("--beyond-limits", is_flag=True, help="Go beyond the documented rates, to see how it throttles.")
@click.option("--report", default="", metavar="DIR", help="Write the report, or add to the one of the same endpoint.")
@click.option("--signing-key", default="", metavar="FILE", help="Sign the report with this key.")
@click.option("--seed", type=int, default=target.DEFAULT_SEED, show_default=True)
@click.option("--web", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="Locust's own page, on loopback.")
@click.option("--header", "headers", multiple=True, metavar="HEADER", help="Extra request header 'Name: value'.")
@click.option("--request-timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True)
@click.option("--visibility-timeout", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long accepted orders may take to be readable.")  # fmt: skip
@click.option("--ca-bundle", default="", metavar="FILE", help="Further issuers of certificates to trust (PEM).")
@click.option("--client-cert", default="", metavar="FILE", help="A certificate to show (PEM).")
@click.option("--client-key", default="", metavar="FILE", help="Its private key, where that is a file of its own.")
@click.option("--racy", type=click.Choice(KINDS), help="Break the embedded endpoint where requests overlap.")
@click.pass_context
def load(context: click.Context, /, provider: str, **given: Any) -> None:
    """
    Put PROVIDER's endpoint under load, and judge every answer.

    Exit 1 when something was violated, or the run proves nothing.
    """
    if find_spec("locust") is None:
        raise UserError("conformance load needs Locust: pip install 'bulk-order-conformance[load]'")
    options, wanted, place = _options(provider, given), _load(provider, given), _place(given)
    folder = Path(given["report"]) if given["report"] else None
    if given["racy"] and given["endpoint"]:
        raise UserError("--racy: only the embedded endpoint can be broken; leave out --endpoint")
    if not given["endpoint"] and (given["master"] or given["worker"]):
        raise UserError("--endpoint is missing: workers elsewhere cannot reach an embedded endpoint")
    with nullcontext(options) if options.endpoint else drive.embedded(options, given["racy"] or "") as options:
        made = target.prepare(options)
        wanted = _bounded(made, wanted, given)
        if place.role == "worker":
            drive.work(options, wanted, place)
            return
        shown = made if given["endpoint"] else replace(made, kind="reference", endpoint="")
        signer = attestation.signer(Path(given["signing_key"])) if given["signing_key"] else None
        before = loaded.before(folder, shown, signer) if folder else None
        # An embedded endpoint forgets everything when it ends.
        section = drive.run(made, wanted, place, clean_up=bool(given["endpoint"]), hurry=given["beyond_limits"])
    for line in loaded.lines(section):
        click.echo(printable(line))
    if folder:
        loaded.write(folder, before, section, shown, signer)
        click.echo(f"report in {folder}")
    context.exit(0 if section["verdict"] == "conformant" else 1)


def _options(provider: str, given: dict[str, Any]) -> Options:
    allowed = safety.parse_allowed(given["allow"])
    if given["endpoint"]:
        endpoint = safety.check_endpoint(given["endpoint"])
        safety.permit(providers.load(provider, given["revision"]), endpoint, allowed, _LOAD)
    return target.Options(
        provider,
        endpoint=given["endpoint"],
        account=given["account"],
        revision=given["revision"],
        seed=given["seed"],
        timeout=given["request_timeout"],
        headers=tuple(map(header, given["headers"])),
        files=Files(given["ca_bundle"], given["client_cert"], given["client_key"]),
        allowed=allowed,
        patience=given["visibility_timeout"],
    )


def _load(provider: str, given: dict[str, Any]) -> Load:
    pack = providers.load(provider, given["revision"])
    return settings.Load(
        seed=given["seed"],
        orders_per_second=given["orders_per_second"],
        duration=settings.seconds(given["duration"]),
        reject=settings.mix(given["mix"]),
        sizes=settings.sizes(given["batch_sizes"], pack.main),
        users=given["users"],
        spawn_rate=given["spawn_rate"],
        races=given["races"],
        stop_on_violation=given["stop_on_violation"],
        timeout=given["request_timeout"],
        processes=given["expect_workers"] if given["master"] else given["processes"],
    )


def _place(given: dict[str, Any]) -> Place:
    if given["master"] and given["worker"]:
        raise UserError("--master and --worker: a process is one of the two")
    if given["worker"] and not given["master_host"]:
        raise UserError("--worker: --master-host=HOST is missing")
    if given["master"]:
        return settings.Place("master", given["master_host"] or "*", given["master_port"], given["web"])
    if given["worker"]:
        return settings.Place("worker", given["master_host"], given["master_port"])
    if given["processes"] > 1:
        return settings.Place("master", "127.0.0.1", drive.free_port(), given["web"], near=True)
    return settings.Place(web=given["web"])


def _bounded(made: Target, wanted: Load, given: dict[str, Any]) -> Load:
    """The load within what the account pays for, and within the documented rates where they count."""
    if not given["beyond_limits"] and not drive.is_near(made):
        settings.check_rates(made.suite.provider, wanted)
    made_up = drive.begin(made, wanted)
    return replace(wanted, quota=gathering.quota(made, made_up, given["max_orders"]))
