"""Refusals of one number leave the sums of its order as they are, so that they are about that number."""

from decimal import Decimal

import pytest
from harness import suite

from conformance.checks import sums, texts

MONEY = (
    "/orderTotal/value",
    "/itemSubTotal/value",
    "/shippingTotal/value",
    "/discount/value",
    "/items/0/price/value",
    "/items/0/discount/value",
    "/items/0/quantity",
)


def applied(recipe, change):
    """The amounts of an order of two lines before and after a change, by place."""
    before = {each["path"]: Decimal(str(each["value"])) for each in recipe.given}
    return before, before | {each["path"]: Decimal(str(each["value"])) for each in change}


def due(amounts):
    return amounts["/itemSubTotal/value"] - amounts.get("/discount/value", 0) + amounts["/shippingTotal/value"]


def lines(amounts):
    return sum(amounts[f"/items/{at}/price/value"] * amounts[f"/items/{at}/quantity"] for at in (0, 1))


@pytest.mark.parametrize("place", MONEY)
@pytest.mark.parametrize("value", [0, -0.01, -1])
def test_sums_hold_before_and_after_the_change(place, value):
    if value < 0 and place.endswith("quantity"):
        pytest.skip("refused quantities stand in orders that cost nothing")
    recipe, change = sums.around(suite("atlast").provider.main, place, value)
    for amounts in applied(recipe, change):
        assert amounts["/orderTotal/value"] == due(amounts)
        if place != "/itemSubTotal/value" or value == 0:
            # No line costs less than nothing, so nothing agrees with a subtotal that does.
            assert amounts["/itemSubTotal/value"] == lines(amounts)
    assert change
    assert change[0]["path"] == place.replace("/items/0", "/items/1")
    assert Decimal(str(change[0]["value"])) == Decimal(str(value))


def test_orders_without_sums_need_none():
    for name in ("ezcards", "centra"):
        operation = suite(name).provider.main
        assert sums.around(operation, "/products/0/quantity", 1) is None


def test_only_free_texts_get_letters_beyond_ascii():
    main = suite("atlast").provider.main
    assert texts.beyond_ascii(main, "/customer/address/city")
    assert texts.beyond_ascii(main, "/reference")
    for place in (
        "/id",
        "/orderNumber",
        "/items/0/sku",
        "/items/0/hsCode",
        "/customer/phone",
        "/customer/address/country",
    ):
        assert texts.beyond_ascii(main, place) == ""


def test_every_accepted_zero_names_what_is_zero():
    cases = [each for each in suite("atlast").cases if each.id.endswith("value.at-bound") and "AL-059" in each.id]
    assert len(cases) == 6
    assert all(any(each["value"] == 0 for each in case.steps[0].change) for case in cases)
