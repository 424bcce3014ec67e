"""Faults made from constraints: every one can be applied, and lets through or refuses what it says."""

import pytest

from conformance import catalogue, providers, schemas
from conformance.reference import faults, mutations
from conformance.reference.behaviour import healthy
from conformance.reference.edits import edited
from conformance.reference.refusals import Reply


def mutated(keyword, word, **node):
    """The schema of a number or a text, with one constraint of its got wrong."""
    schema = {"type": "object", "properties": {"a": node}}
    site = next(each for each in catalogue.sites(schema).values() if (each.path, each.keyword) == ("a", keyword))
    dict(mutations.of(site))[word](schema)
    return lambda value: schemas.validator(schema).accepts({"a": value})


SHOWN = [
    ("minimum", "one-less", {"type": "number", "minimum": 0}, -1, True),
    ("minimum", "a-hundredth-more", {"type": "number", "minimum": 0}, 0, False),
    ("minimum", "excluded", {"type": "number", "minimum": 0}, 0, False),
    ("exclusiveMinimum", "included", {"type": "number", "exclusiveMinimum": 0}, 0, True),
    ("multipleOf", "halved", {"type": "number", "multipleOf": 0.5}, 0.25, True),
    ("multipleOf", "doubled", {"type": "number", "multipleOf": 0.5}, 0.5, False),
    ("type", "fractions", {"type": "integer"}, 1.5, True),
    ("type", "whole-numbers", {"type": "number"}, 1.5, False),
    ("type", "nullable", {"type": "string"}, None, True),
    ("enum", "any-case", {"enum": ["GRAMS"]}, "grams", True),
    ("format", "looser-date-only", {"type": "string", "format": "date-time"}, "2026-01-01", True),
    ("format", "looser-digits", {"type": "string", "format": "date-time"}, "2026-13-40T00:00:00Z", True),
    ("format", "narrower-utc", {"type": "string", "format": "date-time"}, "2026-01-01T00:00:00+02:00", False),
    ("format", "narrower-no-plus", {"type": "string", "format": "email"}, "a+b@example.com", False),
    ("optional", "refused", {"type": "string"}, "x", False),
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "word", "node", "value", "taken"), SHOWN)
def test_a_mutation_shows_in_one_value(keyword, word, node, value, taken):
    documented = schemas.validator({"type": "object", "properties": {"a": node}})
    assert documented.accepts({"a": value}) is not taken
    assert mutated(keyword, word, **node)(value) is taken


def test_what_a_list_of_values_settles_is_no_constraint_of_its_own():
    """A length beside an enum can be dropped, and every value is judged as before."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": ["ab"], "minLength": 2}}}
    site = catalogue.sites(schema)["a minLength"]
    assert [*mutations.of(site)] == []


@pytest.mark.parametrize("provider", ["atlast", "sendcloud", "ezcards", "centra"])
def test_every_mutation_leaves_a_schema_that_can_be_applied(provider):
    pack = providers.load(provider)
    for fault in faults.of(pack).values():
        if fault.kind not in ("hand-made", "whole"):
            made = fault.apply(healthy(pack))
            assert all(schemas.applicable(each) for each in made.schemas.values()), fault.id


@pytest.mark.parametrize("provider", ["atlast", "sendcloud", "ezcards", "centra"])
def test_every_optional_member_of_a_must_is_refused_by_one_fault(provider):
    known = catalogue.load(provider, providers.load(provider).revision)
    members = {f"{each.requirement.id}/{each.site.path}.optional/refused" for each in known.sites
               if each.site.keyword == "optional" and each.requirement.level == "must"}  # fmt: skip
    assert members == {name for name, each in faults.of(providers.load(provider)).items() if each.kind == "refused"}


def test_a_renamed_member_keeps_its_value():
    edit = {"operation": "x", "answer": "success", "path": "data[].order_id", "edit": "renamed", "value": None}
    reply = edited(Reply(200, {"data": [{"order_id": 7}, {}]}), "x", [edit])
    assert reply.body == {"data": [{"Order_id": 7}, {}]}


def test_answers_of_other_operations_have_faults_too():
    """A token without its lifetime, for one."""
    names = faults.of(providers.load("atlast"))
    assert {
        "AL-010/success.expires_in.required/left-out",
        "AL-010/success.expires_in.type/as-text",
        "AL-010/success.expires_in.minimum/out-of-range",
    } <= {*names}
