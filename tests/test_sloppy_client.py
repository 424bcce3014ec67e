"""Each mistake of a sloppy client is named by its requirement, and the same client put right has none."""

import pytest
from sloppy_client import Careful, Httpx, Requests, Sale, Sloppy

# What is wrong with every order of the sloppy client: numbers as texts, and a price without a currency.
ALWAYS = {
    ("SC-062", "/0/order_details/integration/id"),
    ("SC-097", "/0/order_details/order_items/0/quantity"),
    ("SC-126", "/0/payment_details/total_price/currency"),
}


@pytest.fixture(params=[Requests, Httpx])
def http(request, sendcloud_endpoint):
    """HTTP by one of two libraries."""
    keys = sendcloud_endpoint.credentials
    made = request.param(sendcloud_endpoint.url, keys["public_key"], keys["secret_key"])
    yield made
    made.close()


@pytest.fixture
def sloppy(http, sendcloud_endpoint):
    return Sloppy(http, sendcloud_endpoint.account["integration_ids"][0])


@pytest.fixture
def careful(http, sendcloud_endpoint):
    return Careful(http, sendcloud_endpoint.account["integration_ids"][0])


def named(violations):
    return {(each.requirement, each.pointer) for each in violations}


def test_numbers_as_texts_and_a_missing_currency(sloppy, sendcloud_endpoint):
    """Every mistake of an order is named at its place, with what was expected and what came."""
    assert sloppy.send([Sale(1)]).status_code == 400
    assert named(sendcloud_endpoint.violations) == ALWAYS
    assert str(sendcloud_endpoint.violations).splitlines() == [
        'SC-062 (must) /0/order_details/integration/id: expected a whole number, got "7" (request 1, order 0)',
        'SC-097 (must) /0/order_details/order_items/0/quantity: expected a whole number, got "2" (request 1, order 0)',
        'SC-126 (must) /0/payment_details/total_price/currency: expected the member "currency", got nothing (request 1, order 0)',
    ]
    assert sendcloud_endpoint.orders == []


def test_an_id_as_a_number(sloppy, sendcloud_endpoint):
    sloppy.send([Sale(1, known_as=1)])
    assert named(sendcloud_endpoint.violations) - ALWAYS == {("SC-034", "/0/id")}


def test_a_hundred_and_one_orders(sloppy, sendcloud_endpoint):
    """The size of the batch is a mistake of the batch; those of its orders are named for each of them."""
    sloppy.send([Sale(each) for each in range(101)])
    found = sendcloud_endpoint.violations
    assert [each.got for each in found if each.requirement == "SC-025"] == ["101"]
    assert {each.order for each in found if each.requirement == "SC-126"} == set(range(101))


def test_another_post_at_once_after_a_reset(sloppy, sendcloud_endpoint):
    """The first request may have arrived, and may still be worked on."""
    sendcloud_endpoint.fail_next("reset")
    sloppy.send([Sale(1)])
    assert [each.failure for each in sendcloud_endpoint.requests] == ["reset", ""]
    assert named(sendcloud_endpoint.violations) - ALWAYS == {("SC-283", "")}
    [again] = [each for each in sendcloud_endpoint.violations if each.requirement == "SC-283"]
    assert (again.request, again.level) == (2, "should")


@pytest.mark.parametrize("trouble", ["", "reset", "reset-before", "SC-051"])
def test_the_client_put_right(careful, sendcloud_endpoint, trouble):
    """It has nothing wrong, and every order arrives once, whatever becomes of its first request."""
    if trouble:
        sendcloud_endpoint.fail_next(trouble)
    careful.send([Sale(each) for each in range(101)])
    careful.send([Sale(1, quantity=3, known_as=2)])
    assert not sendcloud_endpoint.violations
    assert sorted(each["order_id"] for each in sendcloud_endpoint.orders) == sorted(
        f"shop-{each}" for each in range(101)
    )
