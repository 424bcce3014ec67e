"""Envelopes: orders go into a body, are found at their places, and come out as they went in."""

import json
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import changes, envelope, providers, schemas
from conformance.operations import order_schema

FORMS = {"wrapped": "atlast", "array": "sendcloud", "single": "ezcards", "named": "centra"}
ORDERS = st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), min_size=1, max_size=5)
# As names of members may be: escapes of pointers, digits that look like positions, nothing at all.
NAMES = st.lists(
    st.sampled_from(["", "0", "1", "01", "-", "~", "/", "~1", "~0", "a/b", "m~n", "o1", "*", "öß", " ", "."])
    | st.text(max_size=4),
    unique=True,
    min_size=5,
    max_size=5,
)


@cache
def operation(form):
    """The main operation of a provider whose bodies have this form."""
    return providers.load(FORMS[form]).main


def of(form, orders):
    """As many of the orders as a body can carry."""
    return orders[:1] if form == "single" else orders


def test_there_is_a_pack_of_every_form():
    assert {form: operation(form).envelope for form in FORMS} == {form: form for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
@given(orders=ORDERS)
def test_what_is_wrapped_is_unwrapped(form, orders):
    orders = of(form, orders)
    body = envelope.wrap(operation(form), orders)
    assert envelope.unwrap(operation(form), json.loads(envelope.encode(body))) == orders


@pytest.mark.parametrize("form", FORMS)
@given(orders=ORDERS)
def test_every_order_is_at_its_place(form, orders):
    orders = of(form, orders)
    body = envelope.wrap(operation(form), orders)
    places = [envelope.place(operation(form), index) for index in range(len(orders))]
    assert [changes.read(body, place) for place in places] == orders
    assert len(set(places)) == len(orders)


@given(orders=ORDERS, names=NAMES)
def test_named_orders_keep_their_names_and_order(orders, names):
    main, names = operation("named"), names[: len(orders)]
    body = json.loads(envelope.encode(envelope.wrap(main, orders, names)))
    assert envelope.names(main, body) == names
    assert envelope.unwrap(main, body) == orders
    assert [changes.read(body, envelope.place(main, index, names)) for index in range(len(orders))] == orders


@given(orders=ORDERS, names=NAMES, at=st.integers(0, 4))
def test_a_change_at_the_place_of_a_named_order_changes_that_one_alone(orders, names, at):
    main, names, at = operation("named"), names[: len(orders)], at % len(orders)
    body = envelope.wrap(main, orders, names)
    place = envelope.place(main, at, names)
    changed = changes.apply(body, ({"op": "replace", "path": place, "value": {"changed": True}},))
    assert envelope.unwrap(main, changed) == [*orders[:at], {"changed": True}, *orders[at + 1 :]]
    assert envelope.names(main, changed) == names


def test_orders_without_names_of_their_own_count_from_one():
    main = operation("named")
    assert envelope.wrap(main, [{}, {"a": 1}]) == {"o1": {}, "o2": {"a": 1}}
    assert envelope.place(main, 1) == "/o2"


@pytest.mark.parametrize("form", [form for form in FORMS if form != "named"])
def test_only_named_orders_have_names(form):
    main = operation(form)
    assert envelope.names(main, envelope.wrap(main, [{"a": 1}])) == []


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_what_is_no_object_names_nothing(body):
    assert envelope.names(operation("named"), body) == []


@pytest.mark.parametrize(
    ("form", "body"),
    [("wrapped", []), ("wrapped", {}), ("wrapped", None), ("named", []), ("named", "text"), ("named", None)],
)
def test_a_body_of_another_form_cannot_be_unwrapped(form, body):
    with pytest.raises((KeyError, TypeError, AttributeError)):
        envelope.unwrap(operation(form), body)


@pytest.mark.parametrize("form", FORMS)
def test_sites_of_orders_are_those_of_the_schema(form):
    """A named or a single order has no array around it whose size could be bounded."""
    main = operation(form)
    paths = {each.path for each in schemas.walk(main.request_schema)}
    assert (envelope.batch_site(main) in paths) is (form in ("wrapped", "array"))
    assert envelope.order_site(main) in {*paths, ""}
    assert (envelope.order_site(main) == "") is (form == "single")


@pytest.mark.parametrize("form", FORMS)
def test_the_schema_of_an_order_is_that_inside_the_bodys(form):
    """What the body's schema takes in the place of an order, that of an order takes, and the other way round."""
    main = operation(form)
    one = order_schema(main.envelope, main.wrapper, main.request_schema)
    assert "properties" in one
    for order in ({}, {"xUnknown": 1}, "text", None):
        body = envelope.wrap(main, [order])
        assert schemas.validator(one).accepts(order) is schemas.validator(main.request_schema).accepts(body)


def test_the_name_of_the_wrapper_is_the_packs():
    main = replace(operation("wrapped"), wrapper="batch")
    assert envelope.wrap(main, [1]) == {"batch": [1]}
    assert (envelope.place(main, 3), envelope.batch_site(main), envelope.order_site(main)) == (
        "/batch/3",
        "batch",
        "batch[]",
    )
