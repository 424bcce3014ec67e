"""Expressions of packs are filled in with facts of the order, the account and the instant of sending."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import changes, drafts
from conformance.errors import PackError
from conformance.model import Account
from conformance.values import MONEY, NotSaid, Past, Scope, fill, filled_operations, mentions_time, recall

NOW = datetime(2026, 3, 1, 0, 30, 15, tzinfo=UTC)
DRAFT = drafts.draft("AL-001/plain", now=NOW, token="k7m2qd", lines=2)
ACCOUNT = Account({"merchant_ids": ["m-1", "m-2"], "none": [], "off": False, "products": [{"sku": "S-1"}]})
SCOPE = Scope(
    DRAFT,
    NOW,
    ACCOUNT,
    "AL-001/plain",
    DRAFT.lines[0],
    same={"id": "T-9", "items": [{"id": 1}]},
    spare=lambda: {"id": "L-9"},
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@now", "2026-03-01T00:30:15Z"),
        ("@now-1d", "2026-02-28T00:30:15Z"),
        ("@now-60d+5m", "2025-12-31T00:35:15Z"),
        ("@now-61d-5m", "2025-12-30T00:25:15Z"),
        ("@now+10s", "2026-03-01T00:30:25Z"),
        ("@now-1h %H:%M", "23:30"),
        ("@now-1d %Y-%m-%dT%H:%M:%S.123Z", "2026-02-28T00:30:15.123Z"),
        ("@today", "2026-03-01"),
        ("@today-1d", "2026-02-28"),
        ("@date-1d", "2026-02-28"),
        ("@date+1d %d.%m.%Y", "02.03.2026"),
    ],
)
def test_moments_are_counted_from_the_instant_of_sending(expression, expected):
    assert fill(expression, SCOPE) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@null", None),
        ("@account merchant_ids", ["m-1", "m-2"]),
        ("@account merchant_ids.1", "m-2"),
        ("@account products.0.sku", "S-1"),
        ("@text 3 A", "AAA"),
        ("@text 2 ab", "abab"),
        ("@text 0 A", ""),
        ("@float 1", 1.0),
        ("@float 1e3", 1000.0),
        ("@spare-line", {"id": "L-9"}),
        ("@same /items/0/id", 1),
        ("@same ", {"id": "T-9", "items": [{"id": 1}]}),
        ("@order.id", DRAFT.id),
        ("@buyer.email", DRAFT.buyer.email),
        ("@line.id", DRAFT.lines[0].id),
        ("@@now", "@now"),
        ("@@@", "@@"),
        ("plain", "plain"),
        ("a@example.com", "a@example.com"),
        ("", ""),
    ],
)
def test_words(expression, expected):
    assert fill(expression, SCOPE) == expected
    assert type(fill(expression, SCOPE)) is type(expected)


@pytest.mark.parametrize("name", drafts.FACTS)
def test_every_fact_can_be_written(name):
    """Amounts become JSON numbers, whole ones without a point."""
    value = drafts.fact(DRAFT, DRAFT.lines[0], name)
    filled = fill(f"@{name}", SCOPE)
    if isinstance(value, Decimal):
        assert isinstance(filled, int | float)
        assert Decimal(str(filled)) == value
        assert isinstance(filled, int) is (value == int(value))
    else:
        assert filled == value


def test_money_names_facts():
    assert set(drafts.FACTS) >= MONEY
    assert all(isinstance(drafts.fact(DRAFT, DRAFT.lines[0], name), Decimal) for name in MONEY)


def test_a_member_without_its_account_fact_is_left_out():
    value = {"merchantId": "@account merchant_id", "deep": [{"off": "@account off"}, "@account none", 1]}
    assert fill(value, SCOPE) == {"deep": [{}, 1]}
    assert fill("@account nothing", SCOPE) is None
    # Whereas a null that is asked for stands there.
    assert fill({"merchantId": "@null"}, SCOPE) == {"merchantId": None}


def test_the_value_that_is_filled_stays_as_it_was():
    value = {"a": ["@now", {"b": "@text 2 x"}], "c": 1}
    before = copy.deepcopy(value)
    assert fill(value, SCOPE) == {"a": ["2026-03-01T00:30:15Z", {"b": "xx"}], "c": 1}
    assert value == before


def test_a_letter_depends_on_the_key_of_the_order():
    drawn = [fill("@letter", replace(SCOPE, key=f"key-{index}")) for index in range(200)]
    assert drawn == [fill("@letter", replace(SCOPE, key=f"key-{index}")) for index in range(200)]
    assert all(len(each) == 1 and each.isascii() and each.isalnum() for each in drawn)
    assert len(set(drawn)) > 20


def test_operations_are_filled_in_their_values_alone():
    operations = ({"op": "add", "path": "/@now", "value": "@today"}, {"op": "remove", "path": "/a"})
    assert filled_operations(operations, SCOPE) == (
        {"op": "add", "path": "/@now", "value": "2026-03-01"},
        {"op": "remove", "path": "/a"},
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def escaped(value):
    if isinstance(value, dict):
        return {key: escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [escaped(each) for each in value]
    return f"@{value}" if isinstance(value, str) and value.startswith("@") else value


@given(JSON)
def test_any_value_can_be_written_literally(value):
    """A second @ keeps a text from being an expression, and nothing else is one."""
    assert fill(escaped(value), SCOPE) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("@now", True),
        ("@now-60d+5m", True),
        ("@today", True),
        ("@date-1d %Y", True),
        ([{"a": ["@now"]}], True),
        ("@@now", False),
        ("now", False),
        ("@nowhere", False),
        ("@order.id", False),
        (["@text 3 now", {"@now": 1}], False),
        (None, False),
    ],
)
def test_a_value_says_whether_it_depends_on_the_instant(value, expected):
    assert mentions_time(value) is expected


@given(st.integers(-500, 500), st.integers(-23, 23))
def test_shifts_add_up(days, hours):
    text = f"@now{days:+d}d{hours:+d}h %Y-%m-%d %H:%M:%S"
    assert fill(text, SCOPE) == f"{NOW + timedelta(days=days, hours=hours):%Y-%m-%d %H:%M:%S}"


def test_moments_are_utc_wherever_the_clock_hangs():
    """``Z`` is written after them, so they must be."""
    there = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert fill("@now", replace(SCOPE, now=there)) == "2026-03-01T00:30:15Z"
    assert fill("@today", replace(SCOPE, now=there)) == "2026-03-01"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("@order.totals", "@order.totals: no such expression; did you mean 'order.total'?"),
        ("@tody", "@tody: no such expression; did you mean 'today'?"),
        ("@now-1w", "@now-1w: no such expression; did you mean 'now'?"),
        ("@text many A", "@text many A: invalid literal for int() with base 10: 'many'"),
        ("@float much", "@float much: could not convert string to float: 'much'"),
        ("@same /reference", "@same /reference: /reference: not in the document"),
    ],
)
def test_an_expression_that_means_nothing_is_the_packs_mistake(expression, message):
    with pytest.raises(PackError) as caught:
        fill({"a": [expression]}, SCOPE)
    assert str(caught.value) == message


def test_a_fact_of_a_line_needs_a_line():
    with pytest.raises(PackError) as caught:
        fill("@line.price", replace(SCOPE, line=None))
    assert str(caught.value) == "@line.price: line.price is a fact of a line, and there is no line here"


# What earlier steps sent and were answered


PAST = Past(
    sent=([{"order_id": "T-1"}], None, [{"order_id": "T-3", "lines": [1, 2]}]),
    answers=({"data": [{"id": 4711, "open": None}]}, {"data": {"id": "0042"}}),
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@answer 1 /data/0/id", 4711),
        ("@answer-text 1 /data/0/id", "4711"),
        ("@answer 2 /data/id", "0042"),
        ("@answer-text 2 /data/id", "0042"),
        ("@answer 1 /data/0/open", None),
        ("@answer 1 /data/0", {"id": 4711, "open": None}),
        ("@answer 2 ", {"data": {"id": "0042"}}),
        ("@answer 2", {"data": {"id": "0042"}}),
        ("@sent 1 /0/order_id", "T-1"),
        ("@sent 2 ", None),
        ("@sent 3 /0/lines", [1, 2]),
    ],
)
def test_steps_are_remembered(expression, expected):
    """The same words in a check and in a change, and the same values, of the same types."""
    assert recall(expression, PAST) == expected
    assert fill({"a": [expression]}, replace(SCOPE, past=PAST)) == {"a": [expected]}
    assert type(fill(expression, replace(SCOPE, past=PAST))) is type(expected)


@pytest.mark.parametrize(
    "value", ["T-1", "", 7, None, True, ["@answer 1 /a"], {"a": "@sent 1 /a"}, "@order.id", "@@answer 1"]
)
def test_what_recalls_nothing_is_left_as_it_stands(value):
    assert recall(value, PAST) is value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("@answer 3 /data", "@answer 3 /data: no such step so far"),
        ("@answer 0 /data", "@answer 0 /data: no such step so far"),
        ("@sent 4", "@sent 4: no such step so far"),
        ("@answer 1 /data/1/id", "@answer 1 /data/1/id: /data/1/id: not in the document"),
        ("@answer-text 1 /data/0/ID", "@answer-text 1 /data/0/ID: /data/0/ID: not in the document"),
        ("@sent 2 /0/order_id", "@sent 2 /0/order_id: /0/order_id: not in the document"),
    ],
)
def test_a_step_that_had_nothing_there_is_told(expression, reason):
    """No value is made up: a check on it fails, and a step that needs it is not sent."""
    with pytest.raises(NotSaid) as caught:
        recall(expression, PAST)
    assert str(caught.value) == reason
    with pytest.raises(NotSaid, match=r"no such step so far|not in the document"):
        fill(expression, replace(SCOPE, past=PAST))


@pytest.mark.parametrize("expression", ["@answer -1 /data", "@answer one /data", "@answer ² /data", "@sent 1 data"])
def test_a_misspelt_recollection_is_a_mistake_of_the_pack(expression):
    with pytest.raises(PackError, match="names no step and place"):
        fill(expression, replace(SCOPE, past=PAST))


def test_an_id_that_is_a_text_of_digits_can_be_sent_as_a_number():
    past = Past(answers=({"id": "42", "name": "x"},))
    assert recall("@answer-number 1 /id", past) == 42
    with pytest.raises(NotSaid, match="is no number"):
        recall("@answer-number 1 /name", past)


def test_nothing_was_sent_before_the_first_step():
    with pytest.raises(NotSaid, match="@answer 1 /data: no such step so far"):
        fill("@answer 1 /data", SCOPE)


# Members that depend on the account


def test_an_object_stands_or_falls_with_the_fact_it_needs():
    """Half a service point would be a mistake of ours: where the account has none, no member of it is sent."""
    value = {"a": 1, "point": {"@needs": "merchant_ids", "id": "@account merchant_ids.0", "date": "@today"}}
    assert fill(value, SCOPE) == {"a": 1, "point": {"id": "m-1", "date": "2026-03-01"}}
    assert fill(value, replace(SCOPE, account=Account())) == {"a": 1}
    # An empty list, an empty text and false count as not given.
    assert fill({"a": {"@needs": "none", "b": 1}, "c": {"@needs": "off", "d": 1}}, SCOPE) == {}
    assert fill([1, {"@needs": "products.0.sku", "b": 2}, {"@needs": "products.1.sku", "b": 3}], SCOPE) == [1, {"b": 2}]
    assert fill({"@needs": "nothing", "b": 1}, SCOPE) is None


def test_the_fact_that_an_inner_object_needs_does_not_take_the_outer_one_away():
    value = {"@needs": "merchant_ids", "in": {"@needs": "nothing", "b": 1}, "c": 2}
    assert fill(value, SCOPE) == {"c": 2}


def test_a_fact_or_null_stands_there_either_way():
    """For members that have to be there and may be null."""
    value = {"contract": "@account-or-null contract_id", "merchant": "@account-or-null merchant_ids.0"}
    assert fill(value, SCOPE) == {"contract": None, "merchant": "m-1"}
    assert fill({"off": "@account-or-null off"}, SCOPE) == {"off": None}


# Values drawn or derived


def test_a_number_depends_on_the_key_of_the_order():
    """So long that no order of the account goes by it, and short enough for any reader of numbers."""
    drawn = [fill("@number", replace(SCOPE, key=f"key-{index}")) for index in range(200)]
    assert [fill("@number", replace(SCOPE, key=f"key-{index}")) for index in range(200)] == drawn
    assert all(type(each) is int and len(str(each)) == 12 for each in drawn)
    assert len(set(drawn)) == 200


def test_a_text_of_the_first_order_is_written_small():
    scope = replace(SCOPE, same={"id": "T-Q7Ä", "n": 5, "items": [{"id": "ÉA"}]})
    assert fill("@lower /id", scope) == "t-q7ä"
    assert fill("@lower /items/0/id", scope) == "éa"
    assert fill("@lower /n", scope) == "5"
    with pytest.raises(PackError, match=r"@lower /no: /no: not in the document"):
        fill("@lower /no", scope)


@pytest.mark.parametrize(("amount", "written"), [("12.00", "12"), ("0.00", "0"), ("12.50", "12.5"), ("0.10", "0.1")])
def test_amounts_are_written_as_people_write_them(amount, written):
    """A whole amount has no point: some readers take 12.0 for something else than 12."""
    line = replace(DRAFT.lines[0], price=Decimal(amount))
    assert json.dumps(fill("@line.price", replace(SCOPE, line=line))) == written


# Places with a star, which checks and read-back look at


DATA = {
    "data": [{"id": 1, "lines": [{"sku": "a"}, {}]}, {"lines": []}, {"id": None, "lines": [{"sku": "b"}]}],
    "*": {"a/b": 7, "m~n": 8},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", [("", DATA)]),
        ("/data/0/id", [("/data/0/id", 1)]),
        ("/data/*/id", [("/data/0/id", 1), ("/data/2/id", None)]),
        ("/data/*/lines/*/sku", [("/data/0/lines/0/sku", "a"), ("/data/2/lines/0/sku", "b")]),
        ("/data/1/lines/*", []),
        ("/data/3", []),
        ("/data/-", []),
        ("/data/01", []),
        ("/nothing/*", []),
        ("/data/0/id/*", []),
        # Of an object, the star is each of its members, whatever they are called.
        ("/*/a~1b", [("/*/a~1b", 7)]),
        ("/*/m~0n", [("/*/m~0n", 8)]),
        (
            "/*/*",
            [
                ("/data/0", DATA["data"][0]),
                ("/data/1", DATA["data"][1]),
                ("/data/2", DATA["data"][2]),
                ("/*/a~1b", 7),
                ("/*/m~0n", 8),
            ],
        ),
    ],
)
def test_every_place_that_a_path_leads_to_is_selected(path, expected):
    found = changes.select(DATA, path)
    assert found == expected
    assert all(changes.read(DATA, place) is value for place, value in found)


@pytest.mark.parametrize("document", [None, 7, "text", True, [], {}])
def test_nothing_is_selected_where_there_is_nothing(document):
    assert changes.select(document, "/a") == changes.select(document, "/*") == []
    assert changes.select(document, "") == [("", document)]


@given(JSON)
def test_selection_without_a_star_is_reading(document):
    for place, value in changes.select({"a": document, "b": [document, 1]}, "/b/*"):
        assert changes.read({"a": document, "b": [document, 1]}, place) == value
    assert changes.select({"a": document}, "/a") == [("/a", document)]
