"""Where bad orders and lines stand, and what is drawn anew: endpoints that look at a part of what they are sent."""

import json
from dataclasses import replace

import pytest
from harness import behaviour, overall, red, run, suite, verdicts
from wrapping import Way

from conformance import changes, envelope
from conformance.model import Verdict

MEMBERS = {"atlast": ["customer", "userEmail", "orderTotal"], "sendcloud": ["shipping_address", "payment_details"]}


class Between(Way):
    """A transport that sends another body than it was given where ``change`` makes one of the orders."""

    def __init__(self, change):
        self.change = change

    def __call__(self, inner):
        self.inner = inner
        return self

    def send(self, request, operation, name, now):
        sent = replace(request, body=self.changed(request.body)) if operation == self.main.id else request
        return replace(self.inner.send(sent, operation, name, now), request=request)

    def changed(self, body):
        try:
            orders = envelope.unwrap(self.main, json.loads(body or b""))
        except (ValueError, KeyError, TypeError):
            return body
        if not isinstance(orders, list) or not all(isinstance(each, dict) for each in orders):
            return body
        return envelope.encode(envelope.wrap(self.main, self.change(orders)))


def through(provider, change, **settings):
    between = Between(change)
    between.main = suite(provider).provider.main
    return run(provider=provider, around=between, **settings)


def first_looked_at(member):
    """Of later orders, a member is not looked at."""

    def change(orders):
        return orders and [
            orders[0],
            *({**each, member: orders[0].get(member)} if member in orders[0] else each for each in orders[1:]),
        ]

    return change


@pytest.mark.parametrize(("provider", "member"), [(name, each) for name, known in MEMBERS.items() for each in known])
def test_a_member_that_is_looked_at_in_the_first_order_only_is_found(provider, member):
    place = f".{member}."
    sites = {
        case.requirement.id
        for case in suite(provider).cases
        if place in f".{case.site.replace('[]', '')}.".replace(" ", ".")
    }
    done = through(provider, first_looked_at(member))
    assert overall(done) == "nonconformant"
    assert red(done) & sites


def test_bad_orders_may_be_left_out_of_a_batch_where_that_is_not_documented():
    """Some endpoints refuse a whole batch for one mistake and drop the one bad order for another."""

    def dropped(orders):
        good = [each for each in orders if isinstance(each.get("customer"), dict)]
        return good if len(orders) > 1 and good else orders

    done = through("atlast", dropped)
    assert {each.purpose for each in done.records} >= {"swapped", "alone"}
    assert len({each.exchange.id for each in done.records}) == len(done.records)
    assert (overall(done), red(done)) == ("conformant", set())


def test_an_order_behind_a_good_one_is_sent_again_only_when_it_was_taken():
    assert not {"swapped", "alone"} & {each.purpose for each in run().records}


@pytest.mark.parametrize("provider", ["atlast", "sendcloud"])
@pytest.mark.parametrize(("lines", "least"), [(1, 20), (2, 20), (-1, 9)])
def test_lines_that_are_not_looked_at_are_found(provider, lines, least):
    assert len(red(run(provider=provider, how=behaviour(provider=provider, lines_looked_at=lines)))) >= least


# What is sent again


def orders_of(done, purpose):
    main = done.suite.provider.main
    for record in done.records:
        if record.purpose == purpose:
            for name, order in zip(
                record.atoms, envelope.unwrap(main, json.loads(record.exchange.request.body)), strict=True
            ):
                yield name, order, record


def nameless(order):
    text = json.dumps(order)
    for pointer in ("/orderNumber", "/id"):
        if changes.exists(order, pointer):
            text = text.replace(json.dumps(changes.read(order, pointer)), '"-"')
    return [
        each
        for each in json.loads(text).items()
        if each[0] not in ("createdAt", "items", "tracking", "id", "orderNumber", "references")
    ]


def test_controls_differ_in_their_names_alone():
    plain = [nameless(order) for name, order, _ in orders_of(run(), "control") if name == "control"]
    assert len(plain) > 5
    assert all(each == plain[0] for each in plain)


def test_data_that_are_refused_are_refused_again():
    """A refused pack is divided until the order stands alone whose data the endpoint does not take."""
    packed = [(name, order) for name, order, _ in orders_of(run(), "pack")]
    cities = [changes.select(order, "/customer/address/city")[0][1] for _, order in packed]
    name, city = next((name, city) for (name, _), city in zip(packed, cities, strict=True) if cities.count(city) == 1)

    def spoilt(orders):
        return [
            {**each, "userEmail": 5}
            if changes.select(each, "/customer/address/city") == [("/customer/address/city", city)]
            else each
            for each in orders
        ]

    done = through("atlast", spoilt)
    assert verdicts(done)[name] == Verdict.VIOLATION
    assert overall(done) == "nonconformant"
