"""An account file with no more than the usual facts is enough: what it lacks is not applicable, and nothing else."""

from dataclasses import replace

import pytest
from harness import NOW

from conformance import plan, providers, spend
from conformance import suite as suites
from conformance.model import Account, Step
from conformance.reference.app import Endpoint, credentials
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport, patience
from conformance.report.build import build
from conformance.runner import Runner, Settings
from conformance.scrub import Vault
from conformance.target import Options, Target

MUG = {"sku": "8PX-UF-Y5U", "currency": "USD", "unit_price": 9.7}
SHIRT = {"sku": "SKU-1", "ean": "7340112910426", "id": 101}
ACCOUNTS = {
    "atlast": [{}, {"merchant_ids": []}, {"merchant_ids": ["m-1"], "email_optional": True}],
    "sendcloud": [{"integration_ids": [7]}, {"integration_ids": [7, 8]}, {"integration_id": 12}],
    "ezcards": [
        {"balance_currencies": ["USD"], "products": [MUG]},
        {
            "balance_currencies": ["USD", "EUR"],
            "max_spend": "100000",
            "products": [MUG, {"sku": "AAU-QB-Q1J", "currency": "EUR", "unit_price": "10.00"}],
        },
    ],
    "centra": [
        {"store_type": "b2c", "country": "SE", "products": [SHIRT]},
        {
            "store_type": "b2c",
            "country": "DE",
            "pricelist_id": 1,
            "market_id": 1,
            "products": [SHIRT, {"sku": "SKU-2"}],
        },
        {"store_type": "b2b", "account_id": 5, "products": [SHIRT]},
    ],
}
PARAMS = [
    pytest.param(name, facts, id=f"{name}-{number}")
    for name, accounts in ACCOUNTS.items()
    for number, facts in enumerate(accounts)
]


def account(pack, facts, folder):
    """The facts as they come out of a file."""
    lines = []
    for key, value in facts.items():
        if key == "products":
            for row in value:
                lines += ["[[products]]", *(f"{name} = {_toml(each)}" for name, each in row.items())]
        else:
            lines.insert(0, f"{key} = {_toml(value)}")
    path = folder / "account.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return providers.read_account(pack, path)


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, int | float) else f'"{value}"'


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize(("name", "facts"), PARAMS)
def test_usual_facts_are_enough(name, facts, strict, tmp_path):
    pack = providers.load(name)
    known = account(pack, facts, tmp_path)
    assert isinstance(known, Account)
    secrets = credentials(pack)
    suite = suites.build(pack, known, secrets)
    app = Endpoint(pack, known, healthy(pack, strict=strict), clock=lambda: NOW).app()
    transport = AppTransport(app, pack.main.base_path, Vault(secrets))
    settings = Settings(1, "facts1", instant=NOW, patience=patience)
    run = Runner(suite, transport, settings).run([case.id for case in suite.cases])
    bad = {name: each for name, each in run.judgements.items() if each.verdict in ("violation", "inconclusive")}
    assert bad == {}
    assert build(run, Target("reference", Options(name), suite, None, ""))["verdict"] == "conformant"


@pytest.mark.parametrize("name", ["atlast", "centra"])
def test_a_case_that_cannot_be_made_says_so_and_stops_no_other(name):
    """Packed with others, or on its own: what a change is about may be missing from the orders of an account."""
    pack = providers.load(name)
    facts, secrets = providers.reference_account(pack), credentials(pack)
    made = suites.build(pack, facts, secrets)
    packed = next(each for each in made.cases if each.expect == "accept" and each.steps[0].change and each.sends)
    alone = next(each for each in made.cases if each.expect == "refuse" and each.sends and each.steps[0].names == ())
    lame = Step(change=({"op": "remove", "path": "/nobody/knows"},))
    cases = [replace(each, steps=(lame,)) if each in (packed, alone) else each for each in made.cases]
    suite = replace(made, cases=tuple(cases))
    app = Endpoint(pack, facts, healthy(pack), clock=lambda: NOW).app()
    transport = AppTransport(app, pack.main.base_path, Vault(secrets))
    run = Runner(suite, transport, Settings(1, "facts1", instant=NOW, patience=patience)).run(list(suite.by_id))
    bad = {each: run.judgements[each] for each in suite.by_id if run.judgements[each].verdict == "inconclusive"}
    assert {packed.id, alone.id} <= set(bad)
    assert all("cannot be made for this account" in bad[each].reason for each in (packed.id, alone.id))
    # Nothing else is lost but what reads or needs just these.
    assert len(bad) <= 4
    assert spend.planned(suite, plan.make(suite, list(suite.by_id))) == {}
