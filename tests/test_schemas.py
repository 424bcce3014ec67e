"""What a strict reader makes of a schema: members that it names are taken, others are not."""

import pytest

from conformance import providers, schemas

NUMBER = {"type": "integer"}


def takes(schema, value):
    return schemas.validator(schemas.closed(schema)).accepts(value)


@pytest.mark.parametrize("name", ["properties", "items", "anyOf", "additionalProperties", "type"])
def test_a_member_may_have_the_name_of_a_keyword(name):
    schema = {"type": "object", "properties": {name: {"type": "object", "properties": {"a": NUMBER}}}}
    assert takes(schema, {name: {"a": 1}})
    assert not takes(schema, {name: {"a": 1, "b": 2}})
    assert not takes(schema, {name: {}, "other": 1})


def test_what_lists_no_members_stays_open():
    assert takes({"type": "object"}, {"a": 1})
    assert takes({"properties": {}, "additionalProperties": NUMBER}, {"a": 1})
    assert not takes({"properties": {"b": {}}}, {"a": 1})


def test_members_of_a_map_are_closed():
    schema = {"additionalProperties": {"properties": {"a": NUMBER}}}
    assert takes(schema, {"x": {"a": 1}})
    assert not takes(schema, {"x": {"b": 1}})


def test_alternatives_of_one_object_stay_open_and_those_of_several_do_not():
    either = [{"required": ["a"], "properties": {"a": NUMBER}}, {"required": ["b"]}]
    assert takes({"properties": {"a": {}, "b": {}}, "anyOf": either}, {"a": 1, "b": 1})
    whole = [{"required": ["a"], "properties": {"a": NUMBER}}, {"required": ["b"], "properties": {"b": NUMBER}}]
    assert takes({"oneOf": whole}, {"b": 1})
    assert not takes({"oneOf": whole}, {"b": 1, "c": 1})


@pytest.mark.parametrize("name", ["atlast", "sendcloud", "ezcards", "centra"])
def test_a_member_that_a_pack_does_not_name_is_refused_at_every_depth(name):
    pack = providers.load(name)
    assert pack.main.request_schema == schemas.load(pack.folders.schemas / "request.schema.json", pack.revision)
    closed = schemas.closed(pack.main.request_schema)
    open_sites = [site.path for site in schemas.walk(closed) if site.keyword == "unknown"]
    assert open_sites == []
    assert [site.path for site in schemas.walk(pack.main.request_schema) if site.keyword == "unknown"]
