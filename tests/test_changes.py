"""JSON Patches leave their document alone and say where they point, as RFC 6901 and RFC 6902 have it."""

import copy
import json

import jsonpointer
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance import changes

KEYS = st.text(st.sampled_from("ab/~01²-é "), max_size=4)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
ORDER = {"id": "T-1", "items": [{"sku": "a"}, {"sku": "b"}], "a/b": {"m~n": 1}, "nothing": None}


def places(value, prefix=""):
    """Every pointer into a document with what it leads to, escaped by the letter of RFC 6901."""
    yield prefix, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from places(child, f"{prefix}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from places(child, f"{prefix}/{index}")


@given(DOCUMENTS)
def test_every_place_is_found_and_read(document):
    for place, value in places(document):
        assert changes.exists(document, place)
        assert changes.read(document, place) is value


@given(DOCUMENTS, st.lists(KEYS, max_size=3))
@example([0, 1], ["01"])
@example([0, 1], ["²"])
@example([0, 1], ["-"])
@example([0, 1], ["-1"])
@example([0, 1], ["1"])
def test_places_are_those_of_another_library(document, parts):
    place = changes.pointer(parts)
    missing = object()
    found = jsonpointer.resolve_pointer(document, place, missing)
    # That library knows `-`, the place after the last element, which holds nothing that could be read.
    there = found is not missing and not isinstance(found, jsonpointer.EndOfList)
    assert changes.exists(document, place) is there
    if there:
        assert changes.read(document, place) is found
    else:
        with pytest.raises(LookupError):
            changes.read(document, place)


@given(st.lists(KEYS))
def test_tokens_of_a_pointer_are_what_it_was_made_of(parts):
    assert changes.tokens(changes.pointer(parts)) == parts


def test_what_is_missing_is_named():
    with pytest.raises(LookupError) as caught:
        changes.read(ORDER, "/items/2/sku")
    assert str(caught.value) == "/items/2/sku: not in the document"


def test_null_is_there():
    assert changes.exists(ORDER, "/nothing")
    assert changes.read(ORDER, "/nothing") is None
    assert not changes.exists(ORDER, "/nothing/below")


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        pytest.param(({"op": "remove", "path": "/items/0"},), {**ORDER, "items": [{"sku": "b"}]}, id="remove"),
        pytest.param(({"op": "replace", "path": "/id", "value": None},), {**ORDER, "id": None}, id="replace"),
        pytest.param(
            ({"op": "add", "path": "/items/-", "value": 1},), {**ORDER, "items": [*ORDER["items"], 1]}, id="append"
        ),
        pytest.param(({"op": "add", "path": "/a~1b/m~0n", "value": 2},), {**ORDER, "a/b": {"m~n": 2}}, id="escaped"),
        pytest.param(({"op": "copy", "from": "/items", "path": ""},), ORDER["items"], id="copy-to-root"),
        pytest.param(
            ({"op": "add", "path": "/x", "value": {}}, {"op": "add", "path": "/x/y", "value": 1}),
            {**ORDER, "x": {"y": 1}},
            id="in-order",
        ),
        pytest.param((), ORDER, id="none"),
    ],
)
def test_operations_are_applied(operations, expected):
    assert changes.apply(ORDER, operations) == expected


@pytest.mark.parametrize(
    "operations",
    [
        (),
        ({"op": "remove", "path": "/items/0/sku"},),
        ({"op": "add", "path": "/lines", "value": [{"sku": "c"}]}, {"op": "add", "path": "/lines/0/n", "value": 1}),
        ({"op": "add", "path": "/lines", "value": []}, {"op": "add", "path": "/lines/-", "value": 1}),
        ({"op": "replace", "path": "", "value": {"a": []}}, {"op": "add", "path": "/a/-", "value": 1}),
    ],
)
def test_document_and_operations_stay_as_they_were(operations):
    """A case's change is applied again and again; what came of it before must not show."""
    document, before = copy.deepcopy(ORDER), copy.deepcopy(operations)
    first = changes.apply(document, operations)
    kept = copy.deepcopy(first)
    assert changes.apply(document, operations) == kept
    spoil(first)
    assert document == ORDER
    assert operations == before
    assert changes.apply(document, operations) == kept


def spoil(value):
    for _, each in list(places(value)):
        if isinstance(each, list):
            each.append("spoilt")
        elif isinstance(each, dict):
            each["spoilt"] = True


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        ({"op": "remove", "path": "/reference"}, "/reference"),
        ({"op": "replace", "path": "/items/7", "value": 1}, "/items/7"),
        ({"op": "add", "path": "/id/0", "value": 1}, "/id/0"),
        ({"op": "copy", "from": "/none", "path": "/id"}, "/none"),
        ({"op": "shuffle", "path": "/id"}, "shuffle"),
    ],
)
def test_a_change_that_does_not_fit_names_itself(operation, word):
    with pytest.raises(ValueError, match=word):
        changes.apply(ORDER, (operation,))


@given(DOCUMENTS)
def test_a_moved_change_does_inside_what_it_did_outside(document):
    for place, value in places(document):
        # Some versions of jsonpatch take a member named `-` for the end of an array.
        if place and not place.endswith("/-"):
            operations = ({"op": "replace", "path": place, "value": [value]},)
            batch = {"orders": [0, copy.deepcopy(document)]}
            moved = changes.apply(batch, changes.moved(operations, "/orders/1"))
            assert moved == {"orders": [0, changes.apply(document, operations)]}


def test_both_pointers_of_a_copy_are_moved():
    operations = ({"op": "copy", "from": "/a", "path": "/b"}, {"op": "remove", "path": ""})
    assert changes.moved(operations, "/orders/0") == (
        {"op": "copy", "from": "/orders/0/a", "path": "/orders/0/b"},
        {"op": "remove", "path": "/orders/0"},
    )
    assert json.dumps(operations) == '[{"op": "copy", "from": "/a", "path": "/b"}, {"op": "remove", "path": ""}]'
