"""What the documentation has against a request, held against what the suite expects of an endpoint that gets it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
import worlds

from conformance import catalogue, changes, envelope, providers, resources, schemas
from conformance.batches import Composer, Unmade
from conformance.inspection import Inspector
from conformance.model import Account, Expect, Level
from conformance.values import NotSaid

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
FOUR = ["atlast", "sendcloud", "ezcards", "centra"]
# Requirements on the form of a refusal: their cases observe how a documented mistake is answered.
HOW_IT_IS_TOLD = {"AL-167", "AL-168", "CE-048"}
# Observed for one thing, and refused for another that their orders have: an address without an email, a number in use.
REFUSED_ANYHOW = {"CE-070/address.empty", "CE-144/orderNumber.taken-twice"}
# Refused cases whose value two requirements own, or that a reading and a rule on its parent pull both ways.
SHARED = {
    "CE-102/stock.one-more-than-there-is": "",  # what is in stock an inspection of payloads does not know
    "AL-123/customer.lastName.type-null": "AL-158",  # null is a fact of its own there
    "SC-249/service_point_details.id.null-alone": "SC-249",  # null is a reading, and here the only id too
}


@cache
def inspector(world, *, strict=False, account=True):
    return Inspector(worlds.pack(world), worlds.account(world) if account else None, strict=strict)


@cache
def composed(world):
    """(case, request) of every case of one request to the main operation, as it is composed for sending."""
    suite, main = worlds.suite(world), worlds.pack(world).main.id
    composer, made = Composer(suite, 1, "abcdef"), []
    for case in suite.cases:
        if case.operation == main and len(case.steps) == 1 and not case.steps[0].operation and case.sends:
            try:
                made.append((case, composer.step(case, 0, "", NOW).request))
            except (Unmade, NotSaid):
                continue
    assert len(made) > 50
    return made


def objections(world, case, request, **more):
    headers = dict(request.headers) if case.steps[0].scope == "request" else None
    return inspector(world, **more).body(request.body or b"", now=NOW, headers=headers)


def body(provider):
    """A plain batch of a provider, as JSON."""
    control = next(each for case, each in composed(provider) if case.expect is Expect.ACCEPT and not case.site)
    return json.loads(control.body)


@pytest.mark.parametrize("world", worlds.WORLDS)
def test_nothing_is_said_against_a_request_that_has_to_be_accepted(world):
    found = {
        case.id: told
        for case, request in composed(world)
        if case.expect is Expect.ACCEPT and (told := objections(world, case, request))
    }
    assert found == {}


@pytest.mark.parametrize("world", worlds.WORLDS)
def test_every_mechanical_refusal_is_objected_to_under_its_own_requirement(world):
    missed = []
    for case, request in composed(world):
        if case.expect is Expect.REFUSE and case.site:
            told = objections(world, case, request)
            verdicts = {each.verdict for each in told if each.requirement == case.requirement.id}
            wanted = "advisory" if case.reading or case.requirement.level is Level.SHOULD else "violation"
            if wanted not in verdicts or (wanted == "advisory" and "violation" in {each.verdict for each in told}):
                missed.append(case.id)
    assert [each for each in missed if each not in SHARED] == []


@pytest.mark.parametrize("world", worlds.WORLDS)
def test_every_refusal_for_what_a_body_says_is_objected_to(world):
    """By hand too: under another requirement only where the case is about how a refusal is told."""
    for case, request in composed(world):
        if case.expect is Expect.REFUSE and not case.site and case.id not in SHARED:
            told = objections(world, case, request)
            wanted = {"violation", "advisory"} if case.reading else {"violation"}
            assert {each.verdict for each in told} & wanted, case.id


@pytest.mark.parametrize("world", worlds.WORLDS)
def test_what_the_documentation_is_silent_about_is_no_violation(world):
    wrong = {
        case.id
        for case, request in composed(world)
        if case.expect is Expect.OBSERVE
        and case.steps[0].scope in ("order", "body")
        and case.requirement.id not in HOW_IT_IS_TOLD
        and any(each.verdict == "violation" for each in objections(world, case, request))
    }
    assert wrong - REFUSED_ANYHOW == set()


@pytest.mark.parametrize(
    ("provider", "place", "value"),
    [
        ("sendcloud", "/0/order_details/integration/id", -1),
        ("ezcards", "/payWithCurrency", "usd"),
        ("ezcards", "/products/0/quantity", 0),
        ("centra", "/a/products/0/qty", "2"),
    ],
)
def test_room_that_the_documentation_leaves_is_left_and_told_to_the_strict(provider, place, value):
    sent = changes.apply(body(provider), ({"op": "add", "path": place, "value": value},))
    told = inspector(provider).body(sent, now=NOW)
    assert [each for each in told if each.verdict == "violation"] == []
    assert place in {each.pointer for each in inspector(provider, strict=True).body(sent, now=NOW)}


def test_sixty_days_are_counted_in_hours_or_days_as_anybody_likes():
    """Beyond both readings an order is too old."""
    for age, wanted in ((timedelta(days=60, hours=23), []), (timedelta(days=61, minutes=5), ["AL-039"])):
        place = {"op": "replace", "path": "/orders/0/createdAt", "value": (NOW - age).isoformat()}
        told = inspector("atlast").body(changes.apply(body("atlast"), (place,)), now=NOW)
        assert [each.requirement for each in told] == wanted


@pytest.mark.parametrize("provider", FOUR)
def test_strictness_adds_and_takes_nothing_away(provider):
    for case, request in composed(provider):
        if case.rank < 20:
            plain = objections(provider, case, request)
            strict = objections(provider, case, request, strict=True)
            assert set(plain) - {each for each in plain if each.verdict == "observed"} <= set(strict), case.id


@pytest.mark.parametrize("provider", FOUR)
def test_every_rule_names_a_requirement_of_its_pack(provider):
    """Rules of strict endpoints name one that is no must, or that is not about orders like those."""
    for revision in providers.load(provider).revisions:
        pack, known = providers.load(provider, revision), catalogue.load(provider, revision)
        for kind in ("always", "strict"):
            for row in pack.reference[kind]:
                if revision in row.get("revision", (revision,)):
                    assert known.requirement(row["requirement"]).id == row["requirement"]


@pytest.mark.parametrize("provider", FOUR)
def test_without_an_account_its_facts_are_not_asked_for(provider):
    """An order for products, integrations or wallets that nobody knows of is as good as any other."""
    sent = body(provider)
    stranger = Inspector(providers.load(provider))
    assert stranger.body(sent, now=NOW) == []
    empty = Inspector(providers.load(provider), Account())
    assert empty.body(sent, now=NOW) == []


def test_facts_of_a_given_account_are():
    sent = changes.apply(
        body("sendcloud"), ({"op": "replace", "path": "/0/order_details/integration/id", "value": 99},)
    )
    [told] = inspector("sendcloud").body(sent, now=NOW)
    assert (told.requirement, told.level, told.verdict) == ("SC-042", "must", "violation")
    assert (told.pointer, told.order) == ("/0/order_details/integration/id", 0)
    assert told.got == "99, which is not known to this account"


def test_every_mistake_is_told_at_once():
    order = body("sendcloud")[0]
    bad = {**order, "order_number": "", "order_id": 5}
    bad["order_details"] = {**order["order_details"], "order_items": [{"name": "x", "quantity": 0}]}
    told = inspector("sendcloud").body([order, bad], now=NOW)
    assert {(each.requirement, each.pointer, each.order) for each in told} >= {
        ("SC-051", "/1/order_number", 1),
        ("SC-098", "/1/order_details/order_items/0/quantity", 1),
    }
    assert "/1/order_id" in {each.pointer for each in told}
    assert {each.order for each in told} == {1}


def test_rules_are_held_beside_mistakes_but_not_at_what_is_broken():
    order = body("atlast")["orders"][0]
    old = {**order, "createdAt": "2026-01-05T10:00:00Z", "orderNumber": 7.5}
    told = inspector("atlast").body({"orders": [old]}, now=NOW)
    assert {each.requirement for each in told} >= {"AL-039"}
    told = inspector("atlast").body({"orders": [{**order, "createdAt": "long ago"}]}, now=NOW)
    assert [each.requirement for each in told] == ["AL-037"]


def test_an_order_by_itself_is_told_of_from_its_own_root():
    for provider in FOUR:
        main = providers.load(provider).main
        order = envelope.unwrap(main, body(provider))[0]
        assert inspector(provider).order(order, now=NOW) == []
        told = inspector(provider).order({}, now=NOW, index=4)
        assert {each.order for each in told} == {4}
        assert all(each.pointer.count("/") <= 1 for each in told)


def test_names_of_orders_and_members_are_escaped_in_pointers():
    order = {**body("centra")["a"], "products": [{"sku": "MUG-BLUE-1", "qty": {}}]}
    told = inspector("centra").body({"a/b~c": order}, now=NOW)
    assert [each.pointer for each in told] == ["/a~1b~0c/products/0/qty"]


# Bytes


@pytest.mark.parametrize("provider", FOUR)
@pytest.mark.parametrize(
    "raw",
    [b"{", b"[1,]", b"orders", b'{"a": NaN}', b"[-Infinity]", b"[" * 3000 + b"]" * 3000, b"7" * 6000],
    ids=["open", "comma", "word", "nan", "infinity", "deep", "long-number"],
)
def test_bytes_that_are_no_json_are_told_under_the_requirement_on_it(provider, raw):
    [told] = inspector(provider).body(raw, now=NOW)
    question = catalogue.load(provider).questions["broken-json"]
    assert (told.requirement, told.verdict, told.pointer) == (question.partition("/")[0], "violation", "")


@pytest.mark.parametrize("provider", FOUR)
@pytest.mark.parametrize("raw", [b'"\\ud800"', b"[1e999]", b"[" * 300 + b"]" * 300, b"\xff\xfe{", b"0", b"{}", b"[[]]"])
def test_odd_bodies_are_told_of_and_break_nothing(provider, raw):
    for strict in (False, True):
        for each in inspector(provider, strict=strict).body(raw, now=NOW, headers={}):
            assert catalogue.load(provider).requirement(each.requirement)


def test_odd_bytes_are_told_as_far_as_the_documentation_speaks_of_them():
    raw = json.dumps(body("ezcards")).encode()
    [told] = inspector("ezcards").body(b"\xef\xbb\xbf" + raw, now=NOW)
    # No requirement of this pack speaks of a byte order mark; RFC 8259 advises against it.
    assert (told.requirement, told.verdict, told.got) == ("EZ-010", "advisory", "a byte order mark before it")
    twice = raw.replace(b"{", b'{"products": [], ', 1)
    assert inspector("ezcards").body(twice, now=NOW) == []
    [told] = inspector("ezcards", strict=True).body(twice, now=NOW)
    assert (told.requirement, told.verdict) == ("EZ-014", "observed")


def test_a_body_of_another_form_is_told_even_where_nothing_is_said_of_it():
    """No order of it was looked at, and that is no praise."""
    [told] = inspector("centra").body([body("centra")["a"]], now=NOW)
    assert (told.requirement, told.verdict) == ("CE-013", "observed")
    [told] = inspector("sendcloud").body(b"", now=NOW)
    assert (told.requirement, told.verdict) == ("SC-018", "observed")


# Headers


def test_credentials_are_asked_for_where_headers_are_given():
    sent = body("ezcards")
    media = {"Content-Type": "application/json; charset=utf-8"}
    told = inspector("ezcards").body(sent, now=NOW, headers={**media, "X-API-Key": "not-a-key"})
    assert [(each.requirement, each.expected) for each in told] == [("EZ-003", "the header authorization")]
    assert inspector("ezcards").body(sent, now=NOW, headers={**media, "X-API-Key": "x", "Authorization": "y"}) == []


def test_another_media_type_is_as_bad_as_the_documentation_calls_it():
    sent = body("atlast")
    headers = {"authorization": "Bearer not-a-token", "content-type": "text/plain"}
    assert inspector("atlast").body(sent, now=NOW, headers=headers) == []
    [told] = inspector("atlast", strict=True).body(sent, now=NOW, headers=headers)
    assert (told.requirement, told.verdict, told.got) == ("AL-013", "observed", "text/plain")


# Identity


def test_what_has_to_be_unique_is_told_once_it_comes_again():
    order = {**body("ezcards"), "clientOrderNumber": "n-1", "enableClientOrderNumberDupCheck": True}
    known = {("/clientOrderNumber", "n-1")}
    told = inspector("ezcards").body(order, now=NOW, seen=lambda place, value: (place, value) in known)
    assert [(each.requirement, each.pointer) for each in told] == [("EZ-034", "/clientOrderNumber")]
    assert inspector("ezcards").body({**order, "clientOrderNumber": "n-2"}, now=NOW) == []


def test_two_orders_of_a_batch_may_not_share_what_is_unique():
    order = body("atlast")["orders"][0]
    told = inspector("atlast", strict=True).body({"orders": [order, order]}, now=NOW)
    assert [(each.requirement, each.order) for each in told] == [("AL-028", 1)]


# Packs of others


def test_a_pack_without_requirements_at_its_rules_still_names_one_each_time():
    """The nearest place that has an owner stands in, and what nobody documented is told to the strict only."""
    pack = providers.load("sendcloud")
    rules = [{"rule": "not-in-future", "at": "/order_details/order_created_at"}]
    bare = replace(pack, reference={**pack.reference, "always": rules, "strict": []})
    sent = changes.apply(
        body("sendcloud"),
        ({"op": "replace", "path": "/0/order_details/order_created_at", "value": "2030-01-01T00:00:00Z"},),
    )
    assert Inspector(bare).body(sent, now=NOW) == []
    [told] = Inspector(bare, strict=True).body(sent, now=NOW)
    assert (told.requirement, told.verdict) == ("SC-072", "observed")


def test_mistakes_name_the_member_that_is_missing():
    [mistake] = schemas.validator({"required": ["a/b"]}).mistakes({})
    assert (mistake.missing, mistake.pointer) == ("a/b", "")
    assert set(resources.providers()) >= set(FOUR)
