"""Our AtLast schema says what AtLast's own OpenAPI file says, and the catalogue what its fact sheet says."""

import copy
import json
import random
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

from conformance import schemas

PACK = Path(__file__).parents[1] / "schemas" / "atlast"
SHARED = Path(__file__).parents[2] / "shared"
OFFICIAL = SHARED / "sources" / "atlast-v1-orders-bulk.openapi.yml"
SHEET = SHARED / "providers" / "atlast.md"
needs_official = pytest.mark.skipif(not OFFICIAL.is_file(), reason="shared/sources has no OpenAPI file of AtLast here")
needs_sheet = pytest.mark.skipif(not SHEET.is_file(), reason="shared/providers has no sheet of AtLast here")

# What limits a value, and what merely remarks on it. Any other keyword would go uncompared, so it is an error.
RULES = {
    "type", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems",
    "maxItems", "enum", "format", "pattern", "nullable", "additionalProperties", "uniqueItems", "multipleOf",
}  # fmt: skip
REMARKS = {"description", "example", "title", "$schema", "$id", "$defs"}
# The only allowed difference: in OpenAPI 3.0 `exclusiveMinimum` says how `minimum` is meant, in JSON Schema it is a bound.
TRAPS = {
    "AL-T02": (
        "orders[].items[].weight.value",
        {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        {"type": "number", "exclusiveMinimum": 0},
    ),
}


@cache
def official():
    return yaml.safe_load(OFFICIAL.read_text(encoding="utf-8"))


def official_root():
    return {"$ref": "#/components/schemas/OrderIngestRequest"}


@cache
def ours():
    return json.loads((PACK / "request.schema.json").read_text(encoding="utf-8"))


def target(reference, root):
    node = root
    for token in reference.removeprefix("#/").split("/"):
        node = node[token]
    return node


def flattened(node, root, path):
    """A node without references and wrappers; a wrapper may remark on what it wraps but not limit it."""
    while "$ref" in node or "allOf" in node:
        beside = set(node) - REMARKS - {"$ref", "allOf"}
        assert not beside, f"{path}: {sorted(beside)} beside a reference"
        (node,) = node.get("allOf", [node])
        if "$ref" in node:
            node = target(node["$ref"], root)
    return node


def places(node, root, path="$"):
    """Every instance path with its rules, in either dialect; shares nothing with ``conformance.schemas``."""
    node = flattened(node, root, path)
    uncompared = set(node) - RULES - REMARKS - {"properties", "items", "required"}
    assert not uncompared, f"{path}: nobody compares {sorted(uncompared)}"
    rules = {key: value for key, value in node.items() if key in RULES}
    rules |= {key: sorted(node[key]) for key in ("required", "properties") if key in node}
    yield path, rules
    for name, child in node.get("properties", {}).items():
        yield from places(child, root, name if path == "$" else f"{path}.{name}")
    if "items" in node:
        yield from places(node["items"], root, f"{path}[]")


@needs_official
def test_every_path_has_the_official_rules_except_where_a_trap_says_otherwise():
    theirs = dict(places(official_root(), official()))
    mine = dict(places(ours(), ours()))
    assert list(mine) == list(theirs)
    differences = {path: (theirs[path], mine[path]) for path in theirs if theirs[path] != mine[path]}
    assert differences == {path: (old, new) for path, old, new in TRAPS.values()}


@needs_official
def test_the_operation_is_the_official_one():
    pack = tomllib.loads((PACK / "provider.toml").read_text(encoding="utf-8"))
    ((path, methods),) = official()["paths"].items()
    ((method, described),) = methods.items()
    operation = next(each for each in pack["operation"] if each.get("main"))
    assert (operation["method"], operation["path"]) == (method.upper(), path)
    assert operation["success"] == [int(status) for status in described["responses"]]
    assert described["requestBody"]["required"] is True
    assert [operation["content-type"]] == list(described["requestBody"]["content"])
    schema = described["requestBody"]["content"][operation["content-type"]]["schema"]
    assert schema == official_root()
    (server,) = official()["servers"]
    (host,) = pack["hosts"]["production"]
    assert server["url"] == f"https://{host}{operation['base-path']}"
    flow = official()["components"]["securitySchemes"]["OAuth2Auth"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] in {
        f"https://{host}{each['path']}" for each in pack["auth"]["token-endpoint"] if each.get("root")
    }


# Verdicts. The bodies are mutations of these two, made here and by nothing of ours.

MINIMAL = {
    "orders": [
        {
            "id": "T-1001",
            "createdAt": "2026-01-14T09:30:00Z",
            "orderNumber": "N-1001",
            "orderTotal": {"value": 12.5, "currency": "GBP"},
            "itemSubTotal": {"value": 10, "currency": "GBP"},
            "shippingTotal": {"value": 2.5, "currency": "GBP"},
            "items": [{"id": "L-1", "quantity": 1, "price": {"value": 10, "currency": "GBP"}}],
            "customer": {
                "lastName": "Okafor",
                "address": {"line1": "14 Orchard Way", "city": "Leeds", "postCode": "LS1 4DY", "country": "GB"},
            },
        }
    ]
}
FULL = {
    "orders": [
        {
            "id": "T-2001",
            "merchantId": "m-1",
            "reference": "RMA bay 4",
            "createdAt": "2026-01-14T09:30:00+01:00",
            "userEmail": "ada.okafor@example.com",
            "orderNumber": "N-2001",
            "orderTotal": {"value": 32, "currency": "USD"},
            "itemSubTotal": {"value": 30, "currency": "USD"},
            "shippingTotal": {"value": 5, "currency": "USD"},
            "discount": {"value": 3, "currency": "USD"},
            "outboundFulfilment": {"carrier": "DHL", "shippingDate": "2026-01-15", "trackingNumber": "JD014600003SE"},
            "items": [
                {
                    "id": "L-1",
                    "quantity": 2,
                    "price": {"value": 15, "currency": "USD"},
                    "imageUrl": "https://cdn.example.com/p/9.jpg",
                    "sku": "SKU-9",
                    "name": "Wool scarf",
                    "variantName": "Blue / one size",
                    "description": "Merino, 180 cm",
                    "weight": {"value": 0.4, "unit": "KILOGRAMS"},
                    "discount": {"value": 1.5, "currency": "USD"},
                    "hsCode": "621420",
                    "countryCodeOfOrigin": "GB",
                }
            ],
            "customer": {
                "lastName": "Okafor",
                "firstName": "Ada",
                "phone": "+14155550132",
                "address": {
                    "line1": "200 Larkin Street",
                    "line2": "Suite 5",
                    "line3": "Rear entrance",
                    "city": "San Francisco",
                    "postCode": "94102",
                    "company": "Fern Ltd",
                    "country": "US",
                    "province": "CA",
                },
            },
        }
    ]
}
# Only what every reading of a format agrees on. Left out, because the libraries differ: "a@" (an email to jsonschema),
# a date without hyphens, a date-time without offset, a relative reference for a URI.
FORMATS = {
    "createdAt": ("2026-01-14T10:00:00Z", "2026-01-14T10:00:00.123Z", "2026-01-14T10:00:00-05:00",
                  "yesterday", "2026-13-40T00:00:00Z", "2026-01-14", ""),
    "userEmail": ("a@example.com", "ada+returns@mail.example.org", "not-an-email", ""),
    "shippingDate": ("2026-01-15", "2024-02-29", "15-01-2026", "2026-02-30", "2026-01-15T00:00:00Z", ""),
    "imageUrl": ("https://example.com/a.jpg", "https://example.com/a?b=c", "not a uri", ""),
}  # fmt: skip
TEXTS = ("", "A", "GB", "GBR", "é", "你好", "\N{PARTY POPPER}\N{PARTY POPPER}", " ", "x" * 300)
UNITS = ("GRAMS", "KILOGRAMS", "OUNCES", "POUNDS", "KG", "grams", "GRAM", "")
# No whole number written as a float: 1.0 is an integer to JSON Schema 2020-12 and none to OpenAPI 3.0.
NUMBERS = (-1, -0.01, 0, 0.001, 0.01, 1, 1.5, 2, 99.99, 10**12)
ANYTHING = (None, True, False, 0, 7, -3, 2.5, "", "word", [], {}, ["x"], {"x": 1})
SAMPLES = 4500


def slots(value, found):
    """Every (container, key) below ``value``."""
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((value, key))
        if isinstance(child, dict | list):
            slots(child, found)
    return found


def nudged(chance, key, value):
    """A value of the same type beside ``value``, on either side of a bound."""
    if key in FORMATS and isinstance(value, str):
        return chance.choice(FORMATS[key])
    if key == "unit":
        return chance.choice(UNITS)
    if isinstance(value, str):
        return chance.choice(TEXTS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return chance.choice(NUMBERS)
    if isinstance(value, list) and value:
        # A hundred orders of a hundred lines would say nothing more and take long.
        few = chance.random() < 0.7
        return [copy.deepcopy(value[0]) for _ in range(chance.choice((0, 1, 2) if few else (100, 101)))]
    return value


def swapped(chance, key):
    """A value of any type; where a format is asked, no text that readings differ about."""
    pool = [each for each in ANYTHING if not (isinstance(each, str) and key in FORMATS)]
    return copy.deepcopy(chance.choice(pool))


def mutate(chance, holder):
    """One mutation somewhere in the body; ``holder`` is a list around it, so that the body itself can be exchanged."""
    container, key = chance.choice(slots(holder, []))
    kind = chance.choices(("nudge", "swap", "drop", "extra"), (5, 3, 2, 1))[0]
    if kind == "nudge":
        container[key] = nudged(chance, key, container[key])
    elif kind == "swap":
        container[key] = swapped(chance, key)
    elif kind == "drop" and isinstance(container, dict):
        del container[key]
    elif isinstance(container, dict):
        container["xUnknown"] = swapped(chance, "")


def instances():
    """Different bodies, the same in every run: none, one or several mutations each."""
    chance = random.Random(20261120)
    seen = set()
    while len(seen) < SAMPLES:
        holder = [copy.deepcopy(chance.choice((MINIMAL, FULL, FULL)))]
        for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 3))):
            mutate(chance, holder)
        text = json.dumps(holder, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield holder[0]


def broken(error):
    """The rule an official error speaks of: instance path and keyword, with the member where one is missing."""
    path = "$"
    for token in error.absolute_path:
        path += "[]" if isinstance(token, int) else f".{token}"
    path = path.removeprefix("$.")
    if error.validator == "required":
        return {(path, "required", name) for name in error.validator_value if name not in error.instance}
    return {(path, error.validator)}


def breakable():
    """Every official rule, written as ``broken`` writes it."""
    for path, rules in places(official_root(), official()):
        for keyword in set(rules) - {"properties", "exclusiveMinimum"}:
            yield from (
                ((path, keyword, name) for name in rules[keyword]) if keyword == "required" else [(path, keyword)]
            )


@needs_official
def test_the_official_schema_gives_the_same_verdicts():
    """The two agree on thousands of bodies that nobody made for the purpose, and those bodies break every rule there is."""
    # In jsonschema a format whose checker is not installed is a remark, and the comparison would be blind to it.
    assert {"date-time", "date", "email", "uri"} <= set(oas30_format_checker.checkers)
    theirs = OAS30Validator(official_root() | official(), format_checker=oas30_format_checker)
    mine = schemas.validator(schemas.load(PACK / "request.schema.json"))
    verdicts = Counter()
    differing = []
    rules = set()
    for body in instances():
        errors = list(theirs.iter_errors(body))
        verdicts[not errors] += 1
        rules |= {rule for error in errors for rule in broken(error)}
        if mine.accepts(body) is not (not errors):
            differing.append((body, errors))
    assert differing == []
    assert verdicts[True] >= 500
    assert verdicts[False] >= 500
    assert verdicts.total() >= 3000
    assert set(breakable()) - rules == set(), "no body broke these"


# The fact sheet


@needs_sheet
def test_ids_and_levels_are_those_of_the_sheet():
    rows = re.findall(r"^\| (AL-\d+) \| (\w+) \|", SHEET.read_text(encoding="utf-8"), re.MULTILINE)
    catalogue = tomllib.loads((PACK / "requirements.toml").read_text(encoding="utf-8"))["requirement"]
    assert [(each["id"], each["level"]) for each in catalogue] == rows


@needs_sheet
def test_the_sheet_was_read_whole():
    """The sheet counts its own rows, so a table that this test cannot read would show."""
    text = SHEET.read_text(encoding="utf-8")
    stated = re.search(
        r"^(\d+) requirements: must (\d+), should (\d+), silent (\d+), contradictory (\d+)", text, re.MULTILINE
    )
    levels = Counter(re.findall(r"^\| AL-\d+ \| (\w+) \|", text, re.MULTILINE))
    counted = [levels[word] for word in ("must", "should", "silent", "contradictory")]
    assert [int(each) for each in stated.groups()] == [sum(counted), *counted]


@needs_sheet
def test_fields_and_types_are_those_of_the_sheet():
    rows = re.findall(r"^\| `(orders[^`]*)` \| (\w+)[^|]*\| no \|", SHEET.read_text(encoding="utf-8"), re.MULTILINE)
    mine = {path: rules["type"] for path, rules in places(ours(), ours()) if path != "$"}
    assert dict(rows) == mine
