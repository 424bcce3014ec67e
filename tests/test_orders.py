"""Orders are valid, add up and depend on their arguments alone; a refused batch has exactly the fault it is about."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import jsonschema
import pytest
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import changes, envelope, ledger
from conformance.batches import PLAIN, Composer
from conformance.model import Account, Expect, Recipe
from conformance.orders import OrderMaker, needed_members
from conformance.people import COUNTRIES
from conformance.plan import Atom
from conformance.rules import Context, breaches

NOW = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
TOKEN = "k7m2qd"
NAMES = worlds.WORLDS

# jsonschema looks for an @ in an email and for nothing else; this asks for something on both sides.
FORMATS = jsonschema.FormatChecker()


@FORMATS.checks("email")
def email(value):
    return not isinstance(value, str) or bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", value))


assert {"date", "date-time", "uri"} <= set(FORMATS.checkers), "the extra format-nongpl is missing"


@cache
def validator(name, operation):
    """A validator of another library than the one we send and judge by."""
    schema = worlds.pack(name).operation(operation).request_schema
    return jsonschema.Draft202012Validator(schema, format_checker=FORMATS)


built = worlds.suite


def composer(name, seed=1, token=TOKEN):
    return Composer(built(name), seed, token)


def first_choice(error):
    """Where an object needs the members of one of several lists, those of the first list, if it has none of any."""
    choices = [each["required"] for each in error.validator_value if each.keys() == {"required"}]
    if len(choices) == len(error.validator_value) and not any({*each} & {*error.instance} for each in choices):
        return choices[0]
    return []


def faults(name, operation, body):
    """The places (JSON Pointers) at which a body breaks its schema or, where that is silent, a documented rule."""
    found = set()
    for error in validator(name, operation).iter_errors(body):
        place = changes.pointer([str(part) for part in error.absolute_path])
        missing = (
            [each for each in error.validator_value if each not in error.instance]
            if error.validator == "required"
            else []
        )
        if error.validator == "anyOf":
            missing = first_choice(error)
        found |= {f"{place}/{member}" for member in missing} or {place}
    main = worlds.pack(name).main
    if found or operation != main.id:
        return found
    context = Context(NOW, built(name).account, lambda _place, _value: False)
    for index, order in enumerate(envelope.unwrap(main, body)):
        for rule in worlds.rules(name):
            place = envelope.place(main, index, envelope.names(main, body))
            # Rules that name an object are about a member of it.
            member = {"one-of": f"/{rule.get('members', [''])[0]}", "in-stock": rule.get("sku")}.get(rule["rule"], "")
            found |= {place + each.pointer + member for each in breaches(rule, order, context)}
    return found


body_of = worlds.body_of


def played(name, case):
    """(index, composed) of the steps that send orders or another body."""
    return worlds.played(name, case, composer(name), NOW)


# How many cases of a kind there are at least. What EZ Cards takes is paid for, and an order of its has four members;
# most of what Centra's documentation says of members are examples.
MANY = {"atlast": 200, "sendcloud": 200, "centra": 80, "ezcards": 25}
SOME = {"atlast": 50, "sendcloud": 50, "centra": 50, "ezcards": 20}


# Shapes


RECIPES = st.builds(
    Recipe,
    start=st.sampled_from(["plain", "minimal", "full"]),
    country=st.sampled_from(["", *sorted(COUNTRIES)]),
    currency=st.sampled_from(["", "GBP", "EUR", "USD", "SEK"]),
    lines=st.integers(0, 5),
    free=st.booleans(),
)
# The account of the reference endpoint, and one of which only what it takes to send anything is known.
BARE = st.booleans()


def account_of(name, *, bare):
    if not bare:
        return built(name).account
    pack = worlds.pack(name)
    needed = {key for key, about in pack.account_keys.items() if about.get("required")}
    # Whether these are needed depends on the kind of store.
    needed |= {"email", "account_id"} & {*pack.account_keys} if "store_type" in needed else set()
    needed |= {each["key"] for each in pack.derived if each["from"] in needed}
    return Account({key: value for key, value in built(name).account.facts.items() if key in needed})


def made(name, recipe, key="AL-001/x", *, account=None, seed=1, token=TOKEN):
    maker = OrderMaker(worlds.pack(name).main, built(name).account if account is None else account, seed, token)
    return maker.make(recipe, key, NOW)[0]


@pytest.mark.parametrize("country", sorted(COUNTRIES))
@pytest.mark.parametrize("start", ["plain", "minimal", "full"])
@pytest.mark.parametrize("name", NAMES)
def test_every_shape_is_valid_in_every_country(name, start, country):
    order = made(name, Recipe(start, country=country, lines=2))
    assert faults(name, worlds.pack(name).main.id, envelope.wrap(worlds.pack(name).main, [order])) == set()


@settings(deadline=None)  # the first order of a country loads its names
@given(name=st.sampled_from(NAMES), recipe=RECIPES, key=st.text(max_size=30), bare=BARE)
def test_every_recipe_makes_a_valid_order(name, recipe, key, bare):
    main = worlds.pack(name).main
    if main.order.currencies and recipe.currency not in main.order.currencies:
        recipe = replace(recipe, currency="")  # no case asks for a currency that the API does not take
    body = envelope.wrap(main, [made(name, recipe, key, account=account_of(name, bare=bare))])
    assert faults(name, main.id, json.loads(envelope.encode(body))) == set()


def test_the_shapes_of_an_atlast_order_grow():
    """A minimal order has what schema and account require, a plain one its email beside it, a full one everything."""
    minimal, plain, full = (made("atlast", Recipe(start)) for start in ("minimal", "plain", "full"))
    schema = worlds.pack("atlast").main.request_schema["properties"]["orders"]["items"]
    assert set(minimal) == {*schema["required"], "merchantId"}
    assert set(plain) == {*minimal, "userEmail"}
    assert list(full) == list(worlds.pack("atlast").main.order.template)
    assert set(full) == set(schema["properties"])
    # Nothing known of the account: no merchant to name, and no word that the email may be left out.
    assert set(made("atlast", Recipe("minimal"), account=Account())) == {*schema["required"], "userEmail"}
    assert "merchantId" not in made("atlast", Recipe("full"), account=Account())


def amount(money):
    return Decimal(str(money["value"]))


@settings(deadline=None)
@given(recipe=RECIPES, key=st.text(max_size=30), seed=st.integers(0, 2**32), bare=BARE)
def test_totals_of_atlast_orders_add_up(recipe, key, seed, bare):
    """As the sheet has it: subtotal before discounts, total after discounts and with shipping, prices of one unit."""
    account = account_of("atlast", bare=bare)
    order = json.loads(json.dumps(made("atlast", recipe, key, account=account, seed=seed)))
    lines = order["items"]
    assert len(lines) == (recipe.lines or 1)
    assert amount(order["itemSubTotal"]) == sum(amount(line["price"]) * line["quantity"] for line in lines)
    off = sum(amount(line["discount"]) * line["quantity"] for line in lines if "discount" in line)
    assert ("discount" in order) is (recipe.start == "full")
    assert off == (amount(order["discount"]) if "discount" in order else 0)
    assert amount(order["orderTotal"]) == amount(order["itemSubTotal"]) - off + amount(order["shippingTotal"])
    assert (amount(order["orderTotal"]) == 0) is recipe.free
    currencies = set(re.findall(r'"currency": "(.*?)"', json.dumps(order)))
    assert len(currencies) == 1
    assert not recipe.currency or currencies == {recipe.currency}
    assert not recipe.country or order["customer"]["address"]["country"] == recipe.country


def inside(main, site):
    """The path of a site from its order on."""
    return site.path.removeprefix(f"{envelope.order_site(main)}.")


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_is_carried_comes_with_what_it_needs(name):
    """Each member of the full order can be had in a plain one, valid, and left out of a full one where it is optional."""
    main = worlds.pack(name).main
    optional = [
        each for each in worlds.catalogue(name).sites
        if each.operation == main.id and each.site.keyword == "optional"
    ]  # fmt: skip
    assert optional
    for each in optional:
        pointer = "/" + inside(main, each.site).replace("[]", "/0").replace(".", "/")
        if not changes.exists(main.order.template, pointer):
            continue
        order = made(name, Recipe(carry=(pointer,)))
        assert changes.exists(order, pointer)
        assert faults(name, main.id, envelope.wrap(main, [order])) == set()
        without = made(name, Recipe("full", drop=(pointer,)))
        assert not changes.exists(without, pointer)
        if each.accept_side != "by-hand":
            assert faults(name, main.id, envelope.wrap(main, [without])) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_no_template_has_is_tried_by_hand(name):
    """A mechanical case about it would be about a plain order, and prove nothing."""
    main = worlds.pack(name).main
    for each in worlds.catalogue(name).sites:
        if each.operation == main.id and each.site.keyword == "optional":
            pointer = "/" + inside(main, each.site).replace("[]", "/0").replace(".", "/")
            if not changes.exists(main.order.template, pointer):
                assert each.accept_side == "by-hand", each.site.key


def test_the_members_a_change_needs():
    operations = (
        {"op": "replace", "path": "/items/99/weight/unit", "value": "KG"},
        {"op": "add", "path": "/discount/value", "value": 1},
        {"op": "add", "path": "/reference", "value": "x"},
        {"op": "add", "path": "/items/-", "value": {}},
        {"op": "remove", "path": "/items/1"},
    )
    assert needed_members(operations) == ("/items/0/weight/unit", "/discount", "/items")


# Arguments alone


@pytest.mark.parametrize("name", NAMES)
def test_requests_do_not_depend_on_what_was_composed_before(name):
    cases = [case for case in built(name).cases if case.sends]
    forwards, backwards = composer(name), composer(name)
    first = {case.id: forwards.step(case, 0, "", NOW) for case in cases}
    second = {case.id: backwards.step(case, 0, "", NOW) for case in reversed(cases)}
    assert first == second


# Plain orders of these have nothing that is drawn.
NOTHING_DRAWN = {"centra:b2b", "centra:seed:b2b"}


@pytest.mark.parametrize("name", NAMES)
def test_plain_orders_differ_unless_accounts_alone_make_them(name):
    """Two orders of a batch can be told apart by what is in them; of B2B stores by their names alone."""
    first, second = (made(name, PLAIN, key) for key in ("k1", "k2"))
    assert (first == second) is (name in NOTHING_DRAWN)


@given(
    st.sampled_from(NAMES),
    st.tuples(st.integers(0, 9), st.sampled_from(["aaaaaa", "bbbbbb"]), st.sampled_from(["k1", "k2"])),
    st.tuples(st.integers(0, 9), st.sampled_from(["aaaaaa", "bbbbbb"]), st.sampled_from(["k1", "k2"])),
)
@settings(deadline=None)
def test_equal_arguments_make_equal_orders_and_others_do_not(name, one, other):
    (seed, token, key), (seed2, token2, key2) = one, other
    # A plain order of a B2B store is made of the account's facts alone, and there are as many as are sent.
    recipe = Recipe("full") if name in NOTHING_DRAWN else PLAIN
    first = made(name, recipe, key, seed=seed, token=token)
    second = made(name, recipe, key2, seed=seed2, token=token2)
    assert (first == second) is (one == other)


@pytest.mark.parametrize("name", NAMES)
def test_another_attempt_has_fresh_orders(name):
    start = "full" if name in NOTHING_DRAWN else "plain"
    main = worlds.pack(name).main.id
    cases = [case for case in built(name).cases if case.sends and case.operation == main]
    case = next(case for case in cases if case.recipe.start == start)
    first, again = (composer(name).step(case, 0, attempt, NOW) for attempt in ("", "again"))
    assert first.orders != again.orders
    assert first == composer(name).step(case, 0, "", NOW)


def test_ids_of_atlast_orders_are_fresh_and_carry_the_token():
    """But for the cases that are about ids: those repeat one, leave it out or make it one character long."""
    seen = Counter()
    for case in built("atlast").cases:
        main = worlds.pack("atlast").main.id
        about_ids = any(each["path"] == "/id" for step in case.steps for each in step.change)
        repeated = any("same" in word for step in case.steps for word in step.slots)
        if case.sends and case.operation == main and not about_ids and not repeated:
            for order in composer("atlast").step(case, 0, "", NOW).orders:
                seen[order["id"]] += 1
                assert TOKEN in order["id"]
    assert seen.total() > 500
    assert max(seen.values()) == 1


@pytest.mark.parametrize("name", [each for each in NAMES if worlds.pack(each).main.order.token])
def test_every_order_that_may_be_stored_is_known_by_the_runs_token(name):
    """What carries it is found again, and taken away in the end; no two carry the same, but where a case repeats one."""
    main = worlds.pack(name).main
    seen = Counter()
    for case in built(name).cases:
        if not case.sends:
            continue
        for index, composed in played(name, case):
            step = case.steps[index]
            if composed.operation != main.id or case.wanted(index) not in (Expect.ACCEPT, Expect.OBSERVE):
                continue
            about_it = any(each["path"] in ("", main.order.token) for each in step.change)
            about_it |= main.order.token in case.recipe.drop
            repeats = len(case.steps) > 1 or any("same" in word for word in step.slots)
            for order in composed.orders:
                if not about_it:
                    assert ledger.is_ours(main, order, TOKEN), case.id
                if not about_it and not repeats:
                    seen[changes.read(order, main.order.token)] += 1
    assert seen.total() > MANY[worlds.provider(name)]
    assert max(seen.values()) == 1


# One fault a payload


# Refused for what is stored and not for what is in the body: no look at the body tells.
BY_THE_STORE = {
    "SC-035/order_id.changed", "EZ-034/dupCheck.true-number-again", "CE-143/orderNumber.taken-in-this-run",
}  # fmt: skip
# How many faults one change makes, in cases about refusals that name all of them.
SEVERAL_IN_ONE = {
    "SC-276/errors.two-in-one-object": 2,
    "CE-130/createdFromOrigin.empty": 2,
    "AL-019/orders.keyed-object": 1,
}
# Where a change makes something else wrong: other lines have to follow the first, and products want a settlement.
TOLD_ELSEWHERE = {
    "AL-019/orders.keyed-object": {"/order": "/orders", "/orders/0": "/orders"},
    "EZ-060/products.two-currencies-the-other-way-round": {"/products/0": "/products/1"},
    "EZ-072/payWithCurrency.needed": {"/products/0/sku": "/payWithCurrency"},
}
# Changes that are no fault: a good update stands beside the bad order; products are settled in a currency, but in which.
HARMLESS = {
    "SC-280/update.beside-a-bad-order": {"/0/order_number"},
    "SC-046/order_id.missing-beside-id": {"/0/id"},
    "SC-046/order_id.missing-beside-old-id": {"/0/id"},
    "EZ-074/payWithCurrency.of-foreign-products": {"/products/0/sku"},
}


def refused_bodies(name, *, steps=True):
    """(case, composed) of every request that has to be refused for the JSON in it; with ``steps``, of scenarios too."""
    for case in built(name).cases:
        if case.sends and (steps or len(case.steps) == 1) and case.steps[0].scope != "request":
            for index, composed in played(name, case):
                if case.wanted(index) is Expect.REFUSE:
                    yield case, composed


def twin_body(name, case):
    """The body of the accepted counterpart of a case."""
    made_of = built(name)
    operation = worlds.pack(name).operation(case.operation)
    if operation.order is None:
        return operation.body
    (step,) = case.steps
    if case.twin in made_of.by_id:
        body = body_of(composer(name).step(made_of.case(case.twin), 0, "", NOW))
        return renamed(operation, body, step.names)
    recipe = PLAIN if case.twin == "control" else made_of.twins[case.twin]
    # The counterpart is a batch of as many, where the orders that are changed are not plain either.
    recipes = [PLAIN if word == "good" and step.scope == "order" else recipe for word in step.slots]
    atoms = [Atom(f"{case.twin}/{slot}", each) for slot, each in enumerate(recipes)]
    return renamed(operation, body_of(composer(name).orders(atoms, "t", NOW)), step.names)


def renamed(operation, body, names):
    """A body whose orders have other names, where orders have any."""
    return envelope.wrap(operation, envelope.unwrap(operation, body), names) if names else body


def shape(value):
    """A value without what differs from order to order: its members, lengths and types."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return "number" if type(value) in (int, float) else type(value).__name__


def explains(change, fault):
    """Whether a fault stands where a change was made; one element too many is a fault of its array."""
    path = change["path"]
    array, _, last = path.rpartition("/")
    one_more = change["op"] == "add" and (last == "-" or last.isdigit())
    return fault == path or fault.startswith(f"{path}/") or (one_more and fault == array)


def numbered(change, body):
    """A change with the position that ``-`` came to in the body."""
    array, _, last = change["path"].rpartition("/")
    return {**change, "path": f"{array}/{len(changes.read(body, array)) - 1}"} if last == "-" else change


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_body_has_its_fault_where_it_was_changed_and_nowhere_else(name):
    """Everything around the fault is valid, so a refusal proves the rule: told by another library than ours."""
    seen = 0
    for case, composed in refused_bodies(name):
        body = body_of(composed)
        change = [numbered(each, body) for each in composed.changes.get(case.id, ())]
        change = [each for each in change if each["path"] not in HARMLESS.get(case.id, ())]
        told = TOLD_ELSEWHERE.get(case.id, {})
        change = [{**each, "path": told.get(each["path"], each["path"])} for each in change]
        found = faults(name, composed.operation, body)
        if case.site and len(change) > 1:
            # The fault first, then what makes the order add up in spite of it.
            change = change[:1]
        seen += 1
        assert composed.change_of == "body"
        if case.id in BY_THE_STORE:
            assert found == set(), case.id
        elif not change:
            assert_refused_for_its_size(name, case, composed, found)
        else:
            assert len(found) == SEVERAL_IN_ONE.get(case.id, len(change)), (case.id, found, change)
            assert all(any(explains(each, fault) for each in change) for fault in found), (case.id, found, change)
            assert all(any(explains(each, fault) for fault in found) for each in change), (case.id, found, change)
    assert seen > MANY[worlds.provider(name)]


def assert_refused_for_its_size(name, case, composed, found):
    """Nothing was changed: there are too many orders, and each is good."""
    main = worlds.pack(name).main
    assert len(composed.orders) > main.batch_max > 0, case.id
    assert found == {envelope.place(main, 0).rpartition("/")[0]}, case.id
    for order in composed.orders:
        assert faults(name, main.id, envelope.wrap(main, [order])) == set(), case.id


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_body_is_its_accepted_twin_with_the_declared_change(name):
    """The patch of the record turns a body like the twin's into a body like the case's, fault and all."""
    seen = 0
    for case, composed in refused_bodies(name, steps=False):
        if case.id not in composed.changes:
            continue  # as many good orders as no twin may have
        seen += 1
        twin = twin_body(name, case)
        assert faults(name, case.operation, twin) == set(), case.id
        patched = changes.apply(twin, composed.changes[case.id])
        assert shape(patched) == shape(body_of(composed)), case.id
        assert shape(patched) != shape(twin) or patched != twin, case.id
        assert faults(name, case.operation, patched) == faults(name, case.operation, body_of(composed)), case.id
    assert seen > MANY[worlds.provider(name)]


@pytest.mark.parametrize("name", NAMES)
def test_one_order_of_a_mixed_batch_is_bad(name):
    """The others are valid: what happens to the batch is about the one, wherever it stands."""
    main = worlds.pack(name).main
    mixed = [case for case in built(name).cases if case.sends and case.expect is Expect.CONSISTENT]
    for case in mixed:
        composed = composer(name).step(case, 0, "", NOW)
        (fault,) = faults(name, main.id, body_of(composed))
        at = case.steps[0].slots.index("changed")
        assert fault.startswith(f"{envelope.place(main, at)}/"), case.id
        assert composed.atoms[at] == case.id
        assert len(envelope.unwrap(main, body_of(composed))) == len(case.steps[0].slots)


@pytest.mark.parametrize("name", NAMES)
def test_a_body_that_must_be_accepted_has_no_fault(name):
    """So has every step that sets the stage, whatever becomes of the case in the end."""
    seen = 0
    for case in built(name).cases:
        if case.sends:
            for index, composed in played(name, case):
                if case.wanted(index) is Expect.ACCEPT:
                    seen += 1
                    assert faults(name, composed.operation, body_of(composed)) == set(), case.id
    assert seen > SOME[worlds.provider(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_request_refused_for_its_body_as_bytes_is_not_json(name):
    for case, composed in refused_requests(name):
        if touched(composed, case) == {"/body"}:
            raw = composed.request.body or b""
            if case.id.endswith("/root.order-in-text"):
                assert isinstance(json.loads(raw), str), case.id
                continue
            with pytest.raises(ValueError, match=r"Expecting|Unterminated|Extra data|Invalid control|codec|no JSON"):
                json.loads(raw, parse_constant=no_number)


def no_number(word):
    """Python reads NaN and Infinity; JSON has neither."""
    raise ValueError(f"no JSON: {word}")


@pytest.mark.parametrize("name", NAMES)
def test_a_request_refused_for_something_else_has_a_good_body(name):
    """One header and nothing else is what its refusal is about."""
    for case, composed in refused_requests(name):
        if touched(composed, case) != {"/body"}:
            (place,) = touched(composed, case)
            assert place.startswith("/headers/"), case.id
            assert faults(name, composed.operation, body_of(composed)) == set(), case.id
            plain = dict(composer(name).orders([Atom("control", PLAIN)], "t", NOW).request.headers)
            header = place.removeprefix("/headers/")
            others = {key: value for key, value in composed.request.headers if key != header}
            assert others == {key: value for key, value in plain.items() if key != header}, case.id


def refused_requests(name):
    """(case, composed) of the requests refused for something beside the JSON that they carry."""
    for case in built(name).cases:
        if case.sends and case.expect is Expect.REFUSE and case.steps[0].scope == "request":
            yield case, composer(name).step(case, 0, "", NOW)


def touched(composed, case):
    assert composed.change_of == "request"
    return {each["path"] for each in composed.changes[case.id]}


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_of_atoms_is_as_good_as_each_alone(name):
    """Orders share a batch without sharing anything else, and each keeps its own change."""
    cases = [
        case for case in built(name).cases
        if case.sends and case.expect is Expect.ACCEPT and case.steps[0].scope == "order" and case.steps[0].slots == ("changed",)
    ]  # fmt: skip
    main = worlds.pack(name).main
    atoms = [Atom(case.id, case.recipe, case.steps[0].change) for case in cases[: main.pack_size]]
    composed = composer(name).orders(atoms, "p", NOW)
    orders = envelope.unwrap(main, body_of(composed))
    assert faults(name, main.id, body_of(composed)) == set()
    assert composed.atoms == tuple(atom.id for atom in atoms)
    for index, atom in enumerate(atoms):
        alone = composer(name).orders([atom], "p", NOW)
        assert envelope.unwrap(main, body_of(alone)) == [orders[index]]
        assert all(
            str(each["path"]).startswith(f"{envelope.place(main, index)}/") for each in composed.changes[atom.id]
        )
