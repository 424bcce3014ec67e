"""Ways to authenticate: which are known whole, which is used first, and what an environment has to have."""

from itertools import chain, combinations

import pytest

from conformance import providers, resources
from conformance.auth import auth

TWO = auth(
    {
        "credentials": [
            {"headers": {"Authorization": "Bearer {{token}}"}, "variables": {"token": "A_TOKEN"}},
            {
                "headers": {"X-Key": "{{key}}", "X-Secret": "{{secret}}"},
                "variables": {"key": "A_KEY", "secret": "A_SECRET"},
            },
            {"headers": {"Authorization": "Bearer {{token}}"}, "variables": {"id": "AN_ID", "secret": "A_SECRET"}},
        ],
        "extra": [{"variables": {"other": "AN_OTHER"}}, {"variables": {"third": "A_THIRD"}}],
    }
)
BEARER, KEYS = {"Authorization": "Bearer {{token}}"}, {"X-Key": "{{key}}", "X-Secret": "{{secret}}"}


@pytest.mark.parametrize(
    ("known", "ways"),
    [
        ({"token"}, (BEARER,)),
        ({"key", "secret"}, (KEYS,)),
        ({"id", "secret"}, (BEARER,)),
        ({"token", "key", "secret"}, (BEARER, KEYS)),
        # Equal headers are one way, however their values are come by.
        ({"token", "id", "secret"}, (BEARER,)),
        ({"token", "id", "key", "secret"}, (BEARER, KEYS)),
        # A way that is not known whole is none; without any, requests are made in the first.
        ({"key"}, (BEARER,)),
        ({"key", "other"}, (BEARER,)),
        ({"token", "key"}, (BEARER,)),
        (set(), (BEARER,)),
    ],
)
def test_ways_that_are_known_whole(known, ways):
    assert TWO.ways(known) == ways


def test_names_of_headers_have_no_case():
    assert TWO.headers == {"authorization", "x-key", "x-secret"}


def test_variables_of_all_ways_and_of_what_some_cases_need():
    assert TWO.variables == {
        "token": ("A_TOKEN",), "key": ("A_KEY",), "secret": ("A_SECRET", "A_SECRET"), "id": ("AN_ID",),
        "other": ("AN_OTHER",), "third": ("A_THIRD",),
    }  # fmt: skip


@pytest.mark.parametrize("provider", list(resources.providers()))
def test_every_way_of_a_pack_is_used_where_it_alone_is_known(provider):
    made = providers.load(provider).auth
    for one in made.credentials:
        assert one.headers in made.ways(set(one.variables))
    names = sorted({name for one in made.credentials for name in one.variables})
    for known in chain.from_iterable(combinations(names, count) for count in range(len(names) + 1)):
        ways = made.ways(set(known))
        assert len(ways) > 0
        assert all(ways.count(each) == 1 for each in ways)


@pytest.mark.parametrize("provider", list(resources.providers()))
def test_no_two_secrets_share_a_variable(provider):
    made = providers.load(provider).auth
    pairs = {(variable, name) for name, variables in made.variables.items() for variable in variables}
    assert len({variable for variable, _ in pairs}) == len(pairs)
    assert not {name for one in made.credentials for name in one.variables} & made.extra.keys()
