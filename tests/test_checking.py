"""What answers are held against: values in them, links to further pages, and codes by name."""

import json
from dataclasses import replace

import pytest
from harness import NOW, run
from wrapping import Way

from conformance import bodies, checking, links
from conformance.model import Account, Check, Exchange, Request, Response
from conformance.providers import load
from conformance.values import Past

SENDCLOUD = load("sendcloud").main


def exchange(body, **headers):
    response = Response(200, tuple(headers.items()), json.dumps(body).encode())
    return Exchange("x", SENDCLOUD.id, Request("GET", "/orders"), NOW, 0.0, response)


@pytest.mark.parametrize(
    ("kind", "wanted", "body", "holds"),
    [
        ("is", 2, 2.0, True),
        ("is", 2, 3, False),
        ("is", 1, True, False),
        ("is", "2", 2, False),
        ("reads", "2", 2, True),
        ("is-not", 2, 2.0, False),
        ("amount", "1197.50", "1,197.5", True),
        ("amount", "1197.50", "1197.51", False),
        ("one-of", ["a", "b"], "b", True),
        ("one-of", ["a", "b"], "c", False),
        ("at-most", 1, [1], True),
        ("at-most", 1, [1, 2], False),
        ("type", "integer", 1.5, False),
        ("absent", True, None, False),
    ],
)
def test_a_value_is_what_a_check_asks_or_it_is_told(kind, wanted, body, holds):
    found = checking.failures((Check(kind, wanted, "/v"),), SENDCLOUD, exchange({"v": body}), Past(), Account())
    assert (found == ()) is holds


@pytest.mark.parametrize(
    ("header", "query"),
    [
        ('<https://a.example/orders?cursor=b>; rel="next"', "cursor=b"),
        ("</orders?ids=7,8&cursor=b>; rel=next", "ids=7%2C8&cursor=b"),
        ('<?cursor=a>; rel="prev", <?cursor=b>; title="x"; rel="next last"', "cursor=b"),
        ('<?cursor=b>;REL="Next"', "cursor=b"),
        ('<?cursor=a>; rel="prev"', ""),
        ('<?cursor=a>; rel="nextish"', ""),
        ("?cursor=a; rel=next", ""),
        ("", ""),
    ],
)
def test_the_next_page_is_where_its_link_says(header, query):
    assert links.query(exchange({}, link=header), "next") == query


def test_codes_are_those_of_the_names_in_whatever_order_entries_stand():
    class Backwards(Way):
        def send(self, request, operation, name, now):
            made = super().send(request, operation, name, now)
            told = bodies.answered(made)
            if not isinstance(told, dict) or request.method != "POST":
                return made
            turned = json.dumps(dict(reversed(told.items()))).encode()
            return replace(made, response=replace(made.response, body=turned))

    straight, turned = run(provider="centra"), run(provider="centra", around=Backwards)
    assert {name: each.policy for name, each in turned.judgements.items()} == {
        name: each.policy for name, each in straight.judgements.items()
    }
