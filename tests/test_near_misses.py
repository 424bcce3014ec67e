"""Checks of a format that somebody wrote by hand and that forget one part of it: each is found, by its own requirement."""

import copy
from dataclasses import replace

import pytest
from harness import behaviour, red, run

from conformance.reference import mutations

DAY, TIME, ZONE = r"(0[1-9]|[12]\d|3[01])", r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)", r"([Zz]|[+-]\d\d:\d\d)"
INSTANTS = {
    "days": rf"^\d{{4}}-(0[1-9]|1[0-2])-\d\d[Tt]{TIME}(\.\d+)?{ZONE}$",
    "hours": rf"^\d{{4}}-(0[1-9]|1[0-2])-{DAY}[Tt]\d\d:[0-5]\d:[0-5]\d(\.\d+)?{ZONE}$",
    "minutes": rf"^\d{{4}}-(0[1-9]|1[0-2])-{DAY}[Tt]([01]\d|2[0-3]):\d\d:[0-5]\d(\.\d+)?{ZONE}$",
    "seconds": rf"^\d{{4}}-(0[1-9]|1[0-2])-{DAY}[Tt]([01]\d|2[0-3]):[0-5]\d:\d\d(\.\d+)?{ZONE}$",
}
DATES = {"months": rf"^\d{{4}}-\d\d-{DAY}$", "days-of-months": rf"^\d{{4}}-(0[1-9]|1[0-2])-{DAY}$"}
MAILBOXES = {"the last at sign": r"^[^\s].*@[^@\s]+\.[^@\s]+$"}
ITEMS = "/properties/orders/items/properties"
PLACES = [
    ("atlast", "AL-037", f"{ITEMS}/createdAt", INSTANTS),
    ("atlast", "AL-043", f"{ITEMS}/userEmail", MAILBOXES),
    ("atlast", "AL-075", f"{ITEMS}/outboundFulfilment/properties/shippingDate", DATES),
    ("sendcloud", "SC-072", "/items/properties/order_details/properties/order_created_at", INSTANTS),
    ("sendcloud", "SC-226", "/items/properties/billing_address/properties/email", MAILBOXES),
]


def careless(provider, at, pattern):
    """The healthy endpoint, but for a pattern in place of a format."""
    made = behaviour(provider=provider)
    schemas = copy.deepcopy(made.schemas)
    [main] = [name for name, schema in schemas.items() if _has(schema, at)]
    place = mutations.node(schemas[main], at)
    del place["format"]
    place["pattern"] = pattern
    return replace(made, schemas=schemas)


def _has(schema, at):
    try:
        return bool(mutations.node(schema, at))
    except (KeyError, IndexError, TypeError):
        return False


@pytest.mark.parametrize(
    ("provider", "requirement", "at", "pattern"),
    [
        pytest.param(provider, requirement, at, pattern, id=f"{requirement}-{word}")
        for provider, requirement, at, patterns in PLACES
        for word, pattern in patterns.items()
    ],
)
def test_what_a_hand_written_check_forgets_is_found(provider, requirement, at, pattern):
    outcome = run(how=careless(provider, at, pattern), provider=provider)
    assert red(outcome) == {requirement}
