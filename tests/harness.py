"""The suite in-process against an endpoint of the test's choice. Equal arguments give equal runs."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from conformance import providers
from conformance import suite as suites
from conformance.model import Verdict
from conformance.reference import faults
from conformance.reference.app import CREDENTIALS, Endpoint
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport, Between, patience
from conformance.report.build import build
from conformance.runner import Runner, Settings
from conformance.scrub import Vault
from conformance.target import Options, Target

# The clock of the suite and that of the endpoint stand here.
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@cache
def suite(provider="atlast"):
    """The suite for the account that the reference endpoint knows."""
    pack = providers.load(provider)
    return suites.build(pack, providers.reference_account(pack), CREDENTIALS)


@cache
def all_faults(provider="atlast"):
    """Every fault of a provider by id."""
    return faults.of(providers.load(provider))


def behaviour(fault="", *, strict=False, provider="atlast", **changes):
    """What a reference endpoint does: as documented, with one fault, or with fields replaced."""
    made = replace(healthy(providers.load(provider), strict=strict), **changes)
    return all_faults(provider)[fault].apply(made) if fault else made


def run(
    fault="", *, strict=False, pack=True, provider="atlast", how=None, app=None, around=None, selected=(), **settings
):
    """
    One run.

    ``how`` is a Behaviour in place of ``fault`` and ``strict``, ``app`` any ASGI application
    in place of the reference endpoint; ``around`` puts a transport around that to it.
    """
    made = suite(provider)
    how = how or behaviour(fault, strict=strict, provider=provider)
    app = app or Endpoint(made.provider, made.account, how, clock=lambda: NOW).app()
    transport = AppTransport(app, made.provider.main.base_path, Vault(CREDENTIALS))
    settings = {"seed": 1, "token": "tests1", "instant": NOW, "pack": pack, "patience": patience} | settings
    runner = Runner(made, around(transport) if around else transport, Settings(**settings))
    return runner.run(selected or [case.id for case in made.cases])


def behind(change, **more):
    """One run in which ``change`` has the last word on every answer."""
    return run(around=lambda inner: Between(inner, change), **more)


def verdicts(run):
    """The verdict of every case by its id."""
    return {name: str(each.verdict) for name, each in run.judgements.items()}


def _requirements(run, verdict):
    known, chosen = run.suite.by_id, set(run.selected)
    return {known[name].requirement.id for name in chosen if run.judgements[name].verdict is verdict}


def red(run):
    """The requirements that a run found violated."""
    return _requirements(run, Verdict.VIOLATION)


def advisory(run):
    """The requirements with an advisory finding."""
    return _requirements(run, Verdict.ADVISORY)


def inconclusive(run):
    """The requirements with a case that proved nothing."""
    return _requirements(run, Verdict.INCONCLUSIVE)


def report(run):
    """The report of a run, as data."""
    return build(run, Target("reference", Options(run.suite.provider.name), run.suite, None, ""))


def overall(run):
    """The verdict of a run: conformant, nonconformant or inconclusive."""
    return report(run)["verdict"]
