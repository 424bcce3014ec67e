"""What one fault of an endpoint is told as: one finding, in words that are true, with a command that shows it again."""

import json
from dataclasses import replace
from datetime import timedelta
from math import isfinite

import pytest
from harness import NOW, behind, inconclusive, overall, red, report, run, verdicts
from variants import Around, pack
from variants import run as run_any

from conformance.plugins.messages import failure
from conformance.target import Options


def sent(request):
    """The orders of a request to AtLast; none in one that has another form."""
    try:
        body = json.loads(request.body or b"")
    except ValueError:
        return []
    orders = body.get("orders") if isinstance(body, dict) else None
    return [each for each in orders if isinstance(each, dict)] if isinstance(orders, list) else []


def with_status(status, *instead_of):
    return lambda _, response: replace(response, status=status) if response.status in instead_of else response


def reasons(done, *names):
    return {done.judgements[name].reason for name in names}


# What is a refusal


@pytest.mark.parametrize("status", [302, 307])
def test_sending_the_client_elsewhere_is_no_refusal_of_a_body(status):
    done = behind(with_status(status, 400))
    assert overall(done) == "nonconformant"
    refused = [
        case
        for case in done.suite.cases
        if case.sends and case.expect == "refuse" and case.operation == "create-orders" and not case.reading
    ]
    assert {done.judgements[case.id].verdict for case in refused} == {"violation"}
    assert done.judgements["AL-092/items.quantity.minus-one"].findings[0].expected == "a refusal (4xx)"


def test_sending_strangers_to_a_login_page_is_no_success():
    assert overall(behind(with_status(302, 401))) == "conformant"


def test_a_redirect_that_a_second_try_does_not_repeat_proves_nothing():
    seen = []

    def once(request, response):
        if response.status == 400 and request.body not in seen and not seen:
            seen.append(request.body)
            return replace(response, status=302)
        return response

    assert red(behind(once, selected=["AL-092/items.quantity.minus-one"])) == set()


@pytest.mark.parametrize("status", [403, 404])
def test_steps_may_be_refused_with_a_status_that_says_something_else_once_it_is_confirmed(status):
    done = behind(with_status(status, 400, 409, 422), provider="ezcards")
    assert (red(done), inconclusive(done)) == (set(), set())
    assert overall(done) == "conformant"


def test_a_step_that_is_redirected_was_not_refused():
    done = behind(with_status(302, 400, 409, 422), provider="ezcards")
    assert verdicts(done)["EZ-034/dupCheck.true-number-again"] == "violation"


# What is refused without the change, too


def discounted(request, response):
    """Orders with discounts of both kinds are refused."""
    both = any(
        "discount" in each and any("discount" in line for line in each.get("items", ())) for each in sent(request)
    )
    return replace(response, status=422) if response.status == 201 and both else response


def test_an_order_without_one_member_proves_nothing_where_the_whole_order_is_refused():
    done = behind(discounted)
    assert "AL-160" in red(done)
    assert not [name for name, found in verdicts(done).items() if name.endswith(".absent") and found == "violation"]
    assert done.judgements["AL-033/reference.absent"].reason == (
        "without the change (AL-160/order.full) it was refused too"
    )
    # What does without the culprit is taken.
    assert verdicts(done)["AL-054/discount.absent"] == "conformant"


def test_a_member_that_is_demanded_is_found_where_the_whole_order_is_taken():
    def demanded(request, response):
        missing = any("reference" not in each and "discount" in each for each in sent(request))
        return replace(response, status=422) if response.status == 201 and missing else response

    assert "AL-033" in red(behind(demanded))


def bad(order):
    lines = order.get("items")
    none = isinstance(lines, list) and any(isinstance(line, dict) and line.get("quantity") == 0 for line in lines)
    return none or "orderNumber" not in order or str(order.get("createdAt")) < f"{NOW - timedelta(days=61):%Y-%m-%dT%H}"


def partial_up_to_99(request, response):
    """A batch of 100 is refused; in a smaller one bad orders are dropped."""
    orders = sent(request)
    if len(orders) > 99:
        return replace(response, status=422)
    mixed = 0 < sum(map(bad, orders)) < len(orders)
    return replace(response, status=201, body=b"") if mixed else response


def test_places_in_the_largest_batch_prove_nothing_where_that_is_refused_for_its_size():
    done = behind(partial_up_to_99)
    assert red(done) == {"AL-021"}
    assert reasons(done, "AL-166/orderNumber.missing-in-100th-of-100") == {
        "without the change (AL-021/orders.batch.largest) it was refused too"
    }


# What shows a finding again


def several_200(request, response):
    return replace(response, status=200) if response.status == 201 and len(sent(request)) > 1 else response


def test_the_command_of_a_finding_in_other_cases_requests_shows_it_again():
    done = behind(several_200)
    name = "AL-162/success-status"
    row = next(case for each in report(done)["requirements"] for case in each["cases"] if case["id"] == name)
    assert row["again"]
    text = failure(done, done.suite.case(name), Options("atlast"))
    assert f"--case={name} --case={row['again'][0]}" in text
    again = behind(several_200, selected=[name, *row["again"]])
    assert verdicts(again)[name] == "violation"


def test_what_every_run_shows_needs_no_other_case():
    done = behind(lambda _, response: replace(response, status=200) if response.status == 201 else response)
    rows = {case["id"]: case for each in report(done)["requirements"] for case in each["cases"]}
    assert rows["AL-162/success-status"]["verdict"] == "violation"
    assert "again" not in rows["AL-162/success-status"]


def test_a_refused_order_that_is_stored_is_told_with_its_case():
    done = run("EZ-016/stored-all-the-same", provider="ezcards")
    judgement = done.judgements["EZ-016/refused.not-stored"]
    [finding] = judgement.findings
    case = next(each for each in done.records if each.exchange.id == judgement.exchange_ids[0]).case
    assert f"sent for {case} (" in finding.got
    assert judgement.exchange_ids[0] in finding.got


# One cause, one finding


class Truncating(Around):
    """A fraction of a quantity is cut off."""

    base = "/v2"

    async def answer(self, call):
        body = call.json
        rows = body.get("products") if isinstance(body, dict) else None
        for row in rows if isinstance(rows, list) and call.creates else ():
            if isinstance(row, dict) and isinstance(row.get("quantity"), float) and isfinite(row["quantity"]):
                row["quantity"] = int(row["quantity"])
                call = call.sending(body)
        return await super().answer(call)


def test_the_answer_to_what_should_have_been_refused_is_held_to_nothing_more():
    assert red(run_any(pack("ezcards"), Truncating)) == {"EZ-054"}


# Words


def test_of_a_mixed_batch_only_what_was_seen_is_told():
    assert report(run())["policy"]["batch"] == ("refused as a whole (whether good orders were kept cannot be seen)")
    assert report(behind(partial_up_to_99))["policy"]["batch"] == "accepted (201)"


def test_a_plain_batch_that_is_refused_in_between_is_told_as_it_was_seen():
    taken = []

    def moody(request, response):
        if response.status == 201:
            taken.append(request.body)
        return replace(response, status=422, body=b"no") if len(taken) > 40 else response

    done = behind(moody)
    assert done.stopped.startswith(
        "in mid-run POST /orders/bulk: a plain valid batch was refused though others like it were accepted: 422"
    )


def test_a_token_request_has_no_orders_to_tell_of():
    done = behind(
        lambda request, response: replace(response, body=b"{}") if request.path.endswith("/token") else response
    )
    broken = [each for each in done.suite.cases if each.requirement.id == "AL-010" and each.sends]
    told = [failure(done, each, Options("atlast")) for each in broken if done.judgements[each.id].findings]
    assert told
    assert all("valid order" not in each for each in told)
    assert any("expected  has access_token\n  got       it is left out" in each for each in told)
