"""Answers: what an exchange says of a request as a whole, and of each of its orders where the answer has an entry for each."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import bodies, providers
from conformance.answers import Answer, classify, fates
from conformance.model import Exchange, Request, Response, Trouble

CENTRA, ATLAST = (providers.load(name).main for name in ("centra", "atlast"))
NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
TOLD = {
    "yes": {"status": "ok", "order": 7},
    "no": {"status": "no", "code": -1, "msg": "so"},
    "odd": {"status": "maybe"},
}
MEANS = {"yes": Answer.ACCEPTED, "no": Answer.REFUSED, "odd": Answer.UNTOLD, "left out": Answer.UNTOLD}


def exchange(sent, answer, status=200, operation="create-orders"):
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Exchange("1", operation, Request("POST", "/orders", body=body), NOW, 1.0, Response(status, body=told))


def named(words):
    """An exchange in which the answer has such entries, order by order, the last order first."""
    names = [f"n/{index}~" for index in range(len(words))]
    entries = [(name, TOLD[word]) for name, word in zip(names, words, strict=True) if word in TOLD]
    return exchange({name: {} for name in names}, dict(reversed(entries)))


WORDS = st.lists(st.sampled_from(sorted(MEANS)), min_size=1, max_size=5)


@given(WORDS)
def test_every_order_has_the_fate_under_its_name(words):
    """In the order of the request, whatever that of the answer."""
    assert fates(CENTRA, named(words), len(words)) == [MEANS[word] for word in words]


@given(WORDS)
def test_one_order_that_was_taken_is_an_acceptance(words):
    """Something was created; only where every order was refused is the request."""
    whole = classify(CENTRA, named(words))
    if "yes" in words:
        assert whole is Answer.ACCEPTED
    elif {"no"} == {*words} - {"left out"}:
        assert whole is Answer.REFUSED
    else:
        assert whole is Answer.UNTOLD


@pytest.mark.parametrize("answer", [[], [TOLD["yes"]], {}, None, "ok", b"", b"{", b"<html>"])
def test_an_answer_without_entries_tells_nothing(answer):
    one = exchange({"a": {}, "b": {}}, answer)
    assert classify(CENTRA, one) is Answer.UNTOLD
    assert fates(CENTRA, one, 2) == [Answer.UNTOLD, Answer.UNTOLD]


@pytest.mark.parametrize(
    "entry", [None, [], "ok", 7, {}, {"status": None}, {"status": True}, {"status": ["ok"]}, {"Status": "ok"}]
)
def test_an_entry_of_another_form_says_neither_yes_nor_no(entry):
    assert fates(CENTRA, exchange({"a": {}, "b": {}}, {"a": entry, "b": TOLD["yes"]}), 2) == [
        Answer.UNTOLD,
        Answer.ACCEPTED,
    ]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Answer.REFUSED),
        (403, Answer.AMBIGUOUS),
        (429, Answer.THROTTLED),
        (500, Answer.FAILED),
        (503, Answer.UNAVAILABLE),
    ],
)
def test_an_answer_without_success_is_about_all_orders(status, meaning):
    """Whatever its body says by name."""
    assert fates(CENTRA, exchange({"a": {}, "b": {}}, {"a": TOLD["yes"]}, status), 2) == [meaning, meaning]


def test_no_answer_is_about_all_orders():
    lost = Exchange("1", "create-orders", Request("POST", "/orders"), NOW, 1.0, trouble=Trouble("timeout", "too late"))
    assert fates(CENTRA, lost, 3) == [Answer.NONE] * 3


@pytest.mark.parametrize("sent", [[{}, {}], b"{", {"a": {}}, None])
def test_a_request_in_which_orders_cannot_be_told_apart_has_one_fate(sent):
    """Its body was broken on purpose, or has another number of names."""
    one = exchange(sent, {"a": TOLD["no"], "b": TOLD["no"]})
    assert fates(CENTRA, one, 2) == [Answer.REFUSED, Answer.REFUSED]


def test_orders_that_are_a_list_share_the_fate_of_the_request():
    """Their answers have no names, whatever members they have."""
    one = exchange({"orders": [{}, {}]}, {"a": TOLD["no"]}, 201)
    assert (classify(ATLAST, one), fates(ATLAST, one, 2)) == (Answer.ACCEPTED, [Answer.ACCEPTED] * 2)


# Bodies


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_json_body_is_what_it_says(value):
    one = exchange(value, value)
    assert bodies.sent(one) == bodies.answered(one) == value


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"\xff\xfe", b"{} {}", b"<p>", b"[" * 100_000])
def test_what_is_no_json_says_nothing(raw):
    assert bodies.parsed(raw) is None


def test_without_an_answer_nothing_is_answered():
    lost = Exchange("1", "create-orders", Request("GET", "/"), NOW, 1.0, trouble=Trouble("connect", "refused"))
    assert bodies.answered(lost) is None
    assert bodies.sent(lost) is None


def test_equal_bytes_are_read_once():
    raw = json.dumps({"once": list(range(50))}).encode()
    assert bodies.parsed(raw) is bodies.parsed(bytes(bytearray(raw)))
