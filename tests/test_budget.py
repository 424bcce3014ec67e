"""A budget of requests: what judges most comes first, and what is left out is said."""

import pytest
from harness import all_faults, overall, red, run, suite

from conformance.model import Expect, Level

PACKS = ("atlast", "sendcloud", "ezcards", "centra")
LIMITS = {"atlast": 150, "sendcloud": 300}


def counted(outcome):
    form = outcome.suite.provider.read_back
    aside = {form.list, form.one, form.delete} if form else set()
    return sum(1 + len(each.earlier) for each in outcome.records if each.exchange.operation not in aside)


@pytest.mark.parametrize("provider", PACKS)
@pytest.mark.parametrize("budget", [1, 7, 60, 151])
@pytest.mark.parametrize("width", [1, 5])
def test_the_budget_is_kept(provider, budget, width):
    outcome = run(provider=provider, budget=budget, concurrency=width)
    assert counted(outcome) <= budget
    assert outcome.stopped == ""
    left = set(outcome.left_out)
    assert set(outcome.selected) | left == {case.id for case in outcome.suite.cases}
    assert not set(outcome.selected) & left
    assert {str(outcome.judgements[name].verdict) for name in outcome.selected} <= {
        "conformant", "observed", "not-applicable"
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["AL-034", "AL-086", "AL-019", "AL-059"])
def test_the_budget_is_kept_where_packs_are_halved(fault):
    outcome = run(fault, budget=60)
    assert counted(outcome) <= 60


def test_a_budget_that_is_large_enough_leaves_nothing_out():
    outcome = run(budget=2000)
    assert outcome.left_out == {}
    assert len(outcome.selected) == len(outcome.suite.cases)


def singles(provider):
    """
    Single constraints of the order: dropped, loosened or tightened.

    A missing type shows at a null or at its enum, and where the value is free; what tells a text of the list
    from anything else beside it is asked later.
    """
    main = suite(provider).provider.main.id
    owned = {(each.requirement.id, each.site.key) for each in suite(provider).catalogue.sites if each.operation == main}
    enums = {key.removesuffix(" enum") for _, key in owned if key.endswith(" enum")}
    found = []
    for fault in all_faults(provider).values():
        path, _, keyword = fault.id.partition("/")[2].rpartition("/")[0].rpartition(".")
        if (fault.requirement, f"{path} {keyword}") not in owned or fault.kind in (
            "nullable",
            "not-nullable",
            "enum member",
        ):
            continue
        if keyword == "type" and path in enums:
            continue
        found.append(fault.id)
    return found


# They are as silent in a full run: see the detection pages.
ELSEWHERE = {
    "AL-032/orders[].merchantId.minLength/one-more",
    "AL-148/orders[].customer.address.country.minLength/one-more",
    "AL-150/orders[].customer.address.province.minLength/one-more",
    "SC-223/[].billing_address.country_code.minLength/one-more",
    "SC-223/[].shipping_address.country_code.minLength/one-more",
    "SC-243/[].shipping_details.ship_with.properties.contract_id.minimum/one-more",
    "SC-032/[].id.optional/demanded",
}


@pytest.mark.slow
@pytest.mark.parametrize("provider", LIMITS)
def test_single_constraints_are_exposed_within_the_budget(provider):
    """A sample, in runs of their own; one that refuses nearly everything may leave its own requirement unjudged."""
    names = [each for each in singles(provider) if each not in ELSEWHERE]
    assert len(names) > 200
    own = 0
    sample = names[:: 23 if provider == "atlast" else 97]
    for name in sample:
        outcome = run(name, provider=provider, budget=LIMITS[provider])
        assert counted(outcome) <= LIMITS[provider]
        assert red(outcome), name
        own += all_faults(provider)[name].requirement in red(outcome)
    assert own >= 0.9 * len(sample)


@pytest.mark.parametrize(
    "fault",
    ["AL-025/orders[].id.required/dropped", "AL-166/first-1-only", "AL-166/all-but-last", "AL-166/lone-orders-only"],
)
def test_where_orders_cannot_share_batches_the_budget_goes_to_what_judges_most(fault):
    """An endpoint that takes the bad order of the probe gets most orders one by one: after all else."""
    outcome = run(fault, budget=LIMITS["atlast"])
    assert counted(outcome) <= LIMITS["atlast"]
    assert red(outcome)


def test_what_has_no_twin_for_lack_of_room_is_said_to_have_none():
    """Not that it was refused: nobody asked."""
    outcome = run(max_orders=60)
    reasons = {each.reason for each in outcome.judgements.values()}
    assert any(each.startswith("its accepted twin") and each.endswith("was not sent") for each in reasons)
    assert not any(each.endswith("was refused too") for each in reasons)


@pytest.mark.parametrize("budget", [21, 60, 150])
def test_nobody_is_blamed_for_a_pack_that_there_was_no_room_to_take_apart(budget):
    """An endpoint that takes one order at a time refuses packs of any size, whatever is in them."""
    outcome = run("AL-169/one-order", budget=budget)
    assert not {case for case in red(outcome) if case not in ("AL-169", "AL-021")}
    assert any("refused together with others" in each.reason for each in outcome.judgements.values())


@pytest.mark.parametrize("budget", [60, 150, 300])
def test_the_largest_batch_is_sent_before_packs_are_taken_apart(budget):
    outcome = run("AL-169/one-order", budget=budget)
    assert overall(outcome) == "nonconformant"
    assert red(outcome) == {"AL-021"}


@pytest.mark.parametrize(("provider", "budget"), [("sendcloud", 300), ("centra", 150)])
def test_batches_of_mere_advice_come_after_what_must_be(provider, budget):
    outcome = run(provider=provider, budget=budget)
    by_id = outcome.suite.by_id
    packs = [{by_id[name].requirement.level for name in each.atoms if name in by_id} for each in outcome.records]
    assert all(Level.MUST in levels for levels in packs if levels)
    assert any(case.requirement.level is not Level.MUST for case in map(by_id.get, outcome.left_out))
    # Nothing of what must be is left out of the batches.
    assert not [name for name in outcome.left_out if by_id[name].expect is Expect.ACCEPT and by_id[name].site]


def test_the_answer_to_a_request_for_a_token_is_seen_within_the_budget():
    """It was what one batch too many had no room for."""
    outcome = run("SC-009/no-lifetime", provider="sendcloud", budget=LIMITS["sendcloud"])
    assert overall(outcome) == "nonconformant"


@pytest.mark.parametrize("fault", ["AL-002/no-token", "AL-003/any-token", "AL-003/token-begins"])
def test_who_may_send_is_asked_within_the_budget(fault):
    outcome = run(fault, budget=LIMITS["atlast"])
    assert overall(outcome) == "nonconformant"


def test_what_another_requirement_asks_with_the_same_change_comes_later():
    """AL-158 sends the null that AL-123 sends as well."""
    left = run(budget=LIMITS["atlast"]).left_out
    assert "AL-158/null.required-member" in left
    assert "AL-123/customer.lastName.type-null" not in left


@pytest.mark.parametrize("width", [1, 5])
def test_what_was_found_is_not_left_out_with_others_of_its_group(width):
    case, room = "AL-039/createdAt.too-old-in-2nd-of-3", 170
    assert "others of its group" in run(budget=room, concurrency=width).left_out[case]
    outcome = run("AL-039/no-age", budget=room, concurrency=width)
    assert outcome.judgements[case].verdict == "violation"
    assert case in outcome.selected


@pytest.mark.parametrize("provider", PACKS)
def test_requests_in_flight_change_nothing_about_what_comes_first(provider):
    one, many = (set(run(provider=provider, budget=100, concurrency=width).selected) for width in (1, 4))
    assert len(one & many) > 0.9 * len(one)


def test_what_is_left_out_is_skipped_and_told(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=atlast", "--budget=80", "--report=out")
    assert outcome.ret == 0
    report = outcome.report
    assert report["verdict"] == "inconclusive"
    assert report["run"]["budget"] == 80
    assert report["run"]["complete"] is False
    assert report["counts"]["requests"] <= 80
    assert {each["reason"] for each in report["not_run"]} == {"left out: --budget=80"}
    left = len(report["not_run"])
    assert any(f"{left} not sent: left out: --budget=80" in line for line in outcome.lines)
    assert f"{left} skipped" in outcome.lines[-1]


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_budget_is_a_number_above_nothing(run_pytest, tmp_path, value):
    outcome = run_pytest(tmp_path, "--provider=atlast", f"--budget={value}")
    assert outcome.ret == 4
    assert len(outcome.errors()) == 1
