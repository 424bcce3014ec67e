"""Checks of a format that let one impossible thing through: each is found by the one case that sends it, and by no other."""

import copy
from dataclasses import replace

import pytest
from harness import behaviour, run

from conformance.reference import mutations

# By the case that has to find it: what is taken besides the format.
INSTANTS = {
    "not-day-32": r"-(0[1-9]|1[0-2])-(3[2-9]|[4-9]\d)T",
    "not-hour-25": r"T(2[5-9]|[3-9]\d):",
    "not-minute-60": r"T\d\d:[6-9]\d:",
    "not-second-61": r":(6[1-9]|[7-9]\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}
DATES = {"not-month-13": r"^\d{4}-(1[3-9]|[2-9]\d)-\d\d$"}
MAILBOXES = {"not-two-ats": "@.*@"}
ORDER, DETAILS = "/properties/orders/items/properties", "/items/properties/order_details/properties"
PLACES = [
    ("atlast", "AL-037", f"{ORDER}/createdAt", INSTANTS),
    ("atlast", "AL-043", f"{ORDER}/userEmail", MAILBOXES),
    ("atlast", "AL-075", f"{ORDER}/outboundFulfilment/properties/shippingDate", DATES),
    ("sendcloud", "SC-072", f"{DETAILS}/order_created_at", INSTANTS),
    ("sendcloud", "SC-226", "/items/properties/billing_address/properties/email", MAILBOXES),
]


def careless(provider, at, pattern):
    """The healthy endpoint, but for texts that a pattern finds something in: they are taken, too."""
    made = behaviour(provider=provider)
    schemas = copy.deepcopy(made.schemas)
    place = mutations.node(schemas["create-orders"], at)
    place["anyOf"] = [{"format": place.pop("format")}, {"pattern": pattern}]
    return replace(made, schemas=schemas)


@pytest.mark.parametrize(
    ("provider", "requirement", "at", "case", "pattern"),
    [
        pytest.param(provider, requirement, at, case, pattern, id=f"{requirement}-{case}")
        for provider, requirement, at, patterns in PLACES
        for case, pattern in patterns.items()
    ],
)
def test_an_impossible_value_that_is_taken_is_found(provider, requirement, at, case, pattern):
    outcome = run(how=careless(provider, at, pattern), provider=provider)
    [found] = [name for name, each in outcome.judgements.items() if each.verdict == "violation" and "/" in name]
    assert found.startswith(f"{requirement}/")
    assert found.endswith(f".{case}")
