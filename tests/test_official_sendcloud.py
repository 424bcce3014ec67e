"""Our Sendcloud pack says what Sendcloud's own OpenAPI file says, and the catalogue what its fact sheet says."""

import copy
import json
import random
import re
import tomllib
from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from conformance import schemas

PACK = Path(__file__).parents[1] / "schemas" / "sendcloud"
SHARED = Path(__file__).parents[2] / "shared"
OFFICIAL = SHARED / "sources" / "sendcloud-v3-orders.openapi.yml"
SHEET = SHARED / "providers" / "sendcloud.md"
needs_official = pytest.mark.skipif(
    not OFFICIAL.is_file(), reason="shared/sources has no OpenAPI file of Sendcloud here"
)
needs_sheet = pytest.mark.skipif(not SHEET.is_file(), reason="shared/providers has no sheet of Sendcloud here")

# What limits a value, and what merely remarks on it. Any other keyword would go uncompared, so it is an error.
RULES = {
    "type", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems",
    "maxItems", "enum", "format", "pattern", "nullable", "readOnly", "additionalProperties", "uniqueItems", "multipleOf",
}  # fmt: skip
# The last one names the requirement that a rule is of, for `conformance check`.
REMARKS = {"description", "example", "examples", "title", "$schema", "$id", "$defs", "x-requirement"}
# Made by `flattened` itself: the members that alternatives ask for, and a type beside a reference to a narrower one.
MADE = {"oneOf", "anyOf", "wider type"}

ORDER = "[].order_details"
LINE = f"{ORDER}.order_items[]"
GOODS = f"{LINE}.dangerous_goods"
COSTS = [
    f"[].payment_details.{name}" for name in ("discount_granted", "insurance_costs", "freight_costs", "other_costs")
]
LOOSE_GOODS = [
    "chemical_record_identifier", "packaging_type_quantity", "packaging_type", "packaging_instruction_code", "id_number",
    "class_division_number", "quantity", "proper_shipping_name", "emergency_contact_name", "emergency_contact_phone",
    "local_proper_shipping_name", "transport_category", "tunnel_restriction_code",
]  # fmt: skip
EITHER_ID = [["id"], ["carrier_service_point_id"]]
READ_ONLY = {"type": "string", "format": "date-time", "readOnly": True}

# The only allowed differences, (path, keyword): (theirs, ours), each under the row of the sheet that explains it.
REQUEST_TRAPS = {
    "SC-T03": {(f"{LINE}.quantity", "minLength"): (1, None), (f"{LINE}.quantity", "minimum"): (None, 1)},
    "SC-T04": {(f"{path}.value", "pattern"): (r"[\d]+(\.[\d]+)?", "[0-9]") for path in COSTS},
    "SC-T05": {(path, "wider type"): (["object", "null"], None) for path in COSTS},
    "SC-T06": {(f"{GOODS}.{name}", "nullable"): (True, None) for name in LOOSE_GOODS},
    "SC-T07": {
        ("[].service_point_details", "oneOf"): (EITHER_ID, None),
        ("[].service_point_details", "anyOf"): (None, EITHER_ID),
    },
    "SC-T10": {(f"{LINE}.image_url", "format"): ("url", None)},
    "SC-T11": {(f"{LINE}.delivery_dates", "type"): (["object"], "object")},
    "SC-T17": {("$", "maxItems"): (None, 100)},
    "SC-T20": {("[].id", "readOnly"): (True, None)},
    "SC-T21": {
        (f"[].{name}", keyword): (value, None)
        for name in ("created_at", "modified_at")
        for keyword, value in READ_ONLY.items()
    },
    # A least length of none, which limits nothing.
    "SC-190": {
        (f"[].customs_details.tax_numbers.{name}", "minItems"): (0, None)
        for name in ("sender", "receiver", "importer_of_record")
    },
}
SUCCESS_TRAPS = {
    "SC-259": {("data", "required"): (None, True)},
    "SC-260": {("data[]", "type"): (None, "object")},
}
REFUSAL_TRAPS = {
    "SC-T12": {("errors[].status", "format"): ("int32", None)},
    "SC-T13": {
        ("errors", "required"): (None, True),
        ("errors", "type"): (["array", "object"], "array"),
        ("errors", "minItems"): (None, 1),
    },
}


@cache
def official():
    return yaml.safe_load(OFFICIAL.read_text(encoding="utf-8"))


def post():
    return official()["paths"]["/orders"]["post"]


def content(described):
    return described["content"]["application/json"]


def official_root(name):
    return {
        "request": lambda: content(post()["requestBody"]),
        "success": lambda: content(post()["responses"]["201"]),
        "refusal": lambda: content(post()["responses"]["400"]),
    }[name]()["schema"]


@cache
def ours(name):
    return json.loads((PACK / f"{name}.schema.json").read_text(encoding="utf-8"))


@cache
def our_validator(name):
    return schemas.validator(schemas.load(PACK / f"{name}.schema.json"))


@cache
def pack():
    return tomllib.loads((PACK / "provider.toml").read_text(encoding="utf-8"))


def operation(name):
    (found,) = (each for each in pack()["operation"] if each["id"] == name)
    return found


def target(reference, root):
    node = root
    for token in reference.removeprefix("#/").split("/"):
        node = node[token]
    return node


def flattened(node, root, path):
    """
    A node without references and wrappers. Since OpenAPI 3.1, what stands beside a reference limits too.

    Of several alternatives the members are put together, and the lists of those they ask for kept.
    """
    result = {}
    own = {key: value for key, value in node.items() if key not in {"$ref", "allOf", "oneOf", "anyOf", *REMARKS}}
    absorb(result, own, path)
    for wrapped in [target(node["$ref"], root)] if "$ref" in node else []:
        absorb(result, flattened(wrapped, root, path), path)
    for wrapped in node.get("allOf", []):
        absorb(result, flattened(wrapped, root, path), path)
    for keyword in ("oneOf", "anyOf"):
        branches = [flattened(each, root, path) for each in node.get(keyword, [])]
        if len(branches) > 1:
            absorb(result, {keyword: [each.pop("required") for each in branches]}, path)
        for each in branches:
            absorb(result, each, path)
    return result


def absorb(result, more, path):
    """Both limit at once: a member of both is limited by both, and of two types the narrower is what is left."""
    for key, value in more.items():
        if key == "properties":
            members = result.setdefault(key, {})
            for name, child in value.items():
                members[name] = {"allOf": [members[name], child]} if name in members else child
        elif key == "required":
            result[key] = [*result.get(key, []), *value]
        elif key == "type" and result.get(key, value) != value:
            assert value in result[key], f"{path}: {result[key]} and {value} exclude each other"
            result |= {"type": value, "wider type": result[key]}
        else:
            assert result.get(key, value) == value, f"{path}: {key} is both {result[key]} and {value}"
            result[key] = value


def places(node, root, path="$", required=None):
    """Every (instance path, keyword) with its value, in either dialect; shares nothing with ``conformance.schemas``."""
    node = flattened(node, root, path)
    uncompared = set(node) - RULES - MADE - {"properties", "items", "required"}
    assert not uncompared, f"{path}: nobody compares {sorted(uncompared)}"
    properties, needed = node.pop("properties", {}), node.pop("required", [])
    assert set(needed) <= set(properties), f"{path}: requires what it does not describe"
    items = node.pop("items", None)
    yield from (((path, keyword), value) for keyword, value in node.items())
    if required:
        yield (path, "required"), True
    for name, child in properties.items():
        yield from places(child, root, name if path == "$" else f"{path}.{name}", required=name in needed)
    if items is not None:
        yield from places(items, root, "[]" if path == "$" else f"{path}[]")


@needs_official
@pytest.mark.parametrize(
    ("name", "traps"), [("request", REQUEST_TRAPS), ("success", SUCCESS_TRAPS), ("refusal", REFUSAL_TRAPS)]
)
def test_every_path_has_the_official_rules_except_where_a_trap_says_otherwise(name, traps):
    theirs = dict(places(official_root(name), official()))
    mine = dict(places(ours(name), ours(name)))
    differences = {
        place: (theirs.get(place), mine.get(place)) for place in theirs | mine if theirs.get(place) != mine.get(place)
    }
    allowed = {place: pair for trap in traps.values() for place, pair in trap.items()}
    assert len(allowed) == sum(map(len, traps.values())), "two traps speak of one place"
    assert differences == allowed


@needs_sheet
def test_every_trap_is_one_of_the_sheet():
    known = set(re.findall(r"^\| (SC-T?\d+) ", SHEET.read_text(encoding="utf-8"), re.MULTILINE))
    assert {*REQUEST_TRAPS, *SUCCESS_TRAPS, *REFUSAL_TRAPS, *VERDICT_TRAPS} <= known


# Operations


@needs_official
def test_the_operation_is_the_official_one():
    main = operation("create-orders")
    assert main["main"] is True
    assert (main["method"], main["path"]) == ("POST", "/orders")
    # Today's guide says 200 for the same call (SC-T01), so that is tolerated and no more.
    assert [str(status) for status in [*main["success"], main["refusal-status"]]] == list(post()["responses"])
    assert main["tolerated"] == [200]
    assert [main["content-type"]] == list(post()["requestBody"]["content"])
    # SC-T18: nothing says that there has to be a body.
    assert "required" not in post()["requestBody"]
    assert main["batch"]["max"] == ours("request")["maxItems"]
    (server,) = official()["servers"]
    (host,) = pack()["hosts"]["production"]
    assert server["url"] == f"https://{host}{main['base-path']}"


@needs_official
@pytest.mark.parametrize("name", ["list-orders", "get-order", "delete-order"])
def test_the_other_operations_are_official_ones(name):
    other = operation(name)
    described = official()["paths"][other["path"]][other["method"].lower()]
    assert {str(status) for status in other["success"]} < set(described["responses"])


@needs_official
def test_credentials_are_the_official_ones():
    given = official()["components"]["securitySchemes"]
    assert [list(each) for each in post()["security"]] == [["HTTPBasicAuth"], ["OAuth2ClientCreds"]]
    basic, token = pack()["auth"]["credentials"]
    assert given["HTTPBasicAuth"]["scheme"] == basic["headers"]["authorization"].split()[0].lower() == "basic"
    assert token["headers"]["authorization"].startswith("Bearer ")
    flow = given["OAuth2ClientCreds"]["flows"]["clientCredentials"]
    (endpoint,) = pack()["auth"]["token-endpoint"]
    (host,) = endpoint["hosts"].values()
    # SC-T30: with and without a slash at the end.
    assert flow["tokenUrl"].removesuffix("/") == f"{host}{endpoint['path']}"
    assert [endpoint["scope"]] == list(flow["scopes"])


@needs_official
def test_the_partner_header_is_the_official_one():
    (reference,) = post()["parameters"]
    parameter = target(reference["$ref"], official())
    assert parameter["in"] == "header"
    assert parameter["name"].lower() in {each["name"] for each in pack()["reference"]["headers"]}


# What the official file gives as examples


def samples(described):
    return {name: each["value"] for name, each in content(described).get("examples", {}).items()}


def refused():
    """Every error body of the file, also those of the neighbours: they share one schema."""
    yield from samples(official()["components"]["responses"]["Unauthorized"]).items()
    for path, methods in official()["paths"].items():
        for method, described in methods.items():
            for status, response in described.get("responses", {}).items() if method != "parameters" else ():
                if status.startswith("4"):
                    yield from ((f"{method} {path} {name}", body) for name, body in samples(response).items())


def mistaken(name, given):
    """What one of our schemas finds wrong with bodies, by their names."""
    found = {each: our_validator(name).mistakes(body) for each, body in given.items()}
    return {each: mistakes for each, mistakes in found.items() if mistakes}


@needs_official
def test_official_requests_and_answers_are_valid_here():
    for name, described in (("request", post()["requestBody"]), ("success", post()["responses"]["201"])):
        given = samples(described)
        assert len(given) >= 2
        assert mistaken(name, given) == {}


@needs_official
def test_official_refusals_are_valid_here():
    given = dict(refused())
    assert len(given) >= 12
    assert mistaken("refusal", given) == {}


# Which order of the batch the official samples of a 400 blame; the others blame no order (SC-T15).
BLAMED = {
    "MissingRequiredField": 1, "MissingOrderId": 0, "InvalidFieldValue": 0, "MultipleValidationErrors": 0,
    "IntegrationNotFound": 0, "ImmutableFieldChange": 0, "InvalidIdType": 0,
}  # fmt: skip


@needs_official
def test_the_pack_reads_the_official_refusals():
    told = operation("create-orders")["refusal"]
    blamed = {}
    for name, body in samples(post()["responses"]["400"]).items():
        for error in target(told["errors"][1:], body):
            pointer = error.get("source", {}).get("pointer", "")
            found = [index for index in range(3) if pointer.startswith(told["order"].format(index=index) + "/")]
            blamed |= dict.fromkeys([name] if found else [], *found)
            assert found or pointer in {"", told["temporary"], pack()["reference"]["batch-pointer"]}
    assert told["pointer"] == "/source/pointer"
    assert blamed == BLAMED


# Verdicts. The bodies are mutations of these two, made here and by nothing of ours.

MINIMAL = {
    "order_id": "T-1001",
    "order_number": "N-1001",
    "order_details": {
        "integration": {"id": 7},
        "status": {"code": "open"},
        "order_created_at": "2026-01-14T09:30:00Z",
        "order_items": [{"name": "Wool scarf", "quantity": 1, "total_price": {"value": 15, "currency": "EUR"}}],
    },
    "payment_details": {"total_price": {"value": 15, "currency": "EUR"}, "status": {"code": "paid"}},
}
MEASUREMENT = {
    "dimension": {"length": 12, "width": 8.5, "height": 8, "unit": "cm"},
    "weight": {"value": 0.4, "unit": "kg"},
    "volume": {"value": 1, "unit": "l"},
}
ADDRESS = {
    "name": "Ada Okafor",
    "company_name": "Fern Ltd",
    "address_line_1": "Voorbeeldweg",
    "house_number": "14",
    "address_line_2": "Rear entrance",
    "postal_code": "1012 AB",
    "city": "Amsterdam",
    "po_box": "12",
    "state_province_code": "NL-NH",
    "country_code": "NL",
    "email": "ada.okafor@example.com",
    "phone_number": "+31205550132",
}
TAX_NUMBER = {"name": "VAT", "country_code": "NL", "value": "NL1"}
FULL = {
    "id": "669",
    "order_id": "T-2001",
    "order_number": "N-2001",
    "order_details": {
        "integration": {"id": 7},
        "status": {"code": "open", "message": "Open"},
        "order_created_at": "2026-01-14T09:30:00+01:00",
        "order_updated_at": "2026-01-15T09:30:00.555309Z",
        "order_items": [
            {
                "item_id": "L-1",
                "product_id": "P-9",
                "variant_id": "P-9-blue",
                "image_url": "https://cdn.example.com/p/9.jpg",
                "name": "Wool scarf",
                "description": "Merino, 180 cm",
                "quantity": 2,
                "sku": "SKU-9",
                "hs_code": "621420",
                "country_of_origin": "GB",
                "properties": {"colour": "blue", "washable": False},
                "unit_price": {"value": 15, "currency": "EUR"},
                "total_price": {"value": 30, "currency": "EUR"},
                "measurement": MEASUREMENT,
                "ean": "4006381333931",
                "delivery_dates": {"handover_at": "2026-01-16T09:30:00Z", "deliver_at": "2026-01-18T09:30:00Z"},
                "mid_code": "GBFERLEE",
                "material_content": "Wool",
                "intended_use": "Personal",
                "dangerous_goods": {
                    **dict.fromkeys(LOOSE_GOODS, "1"),
                    "regulation_set": "ADR",
                    "unit_of_measurement": "KG",
                    "commodity_regulated_level_code": "LQ",
                    "transportation_mode": "Ground",
                    "adr_packing_group_letter": "II",
                    "weight_type": "Net",
                },
            }
        ],
        "notes": "Ring twice",
        "tags": ["gift"],
    },
    "payment_details": {
        "is_cash_on_delivery": False,
        "total_price": {"value": 35, "currency": "EUR"},
        "subtotal_price": {"value": 30, "currency": "EUR"},
        "estimated_shipping_price": {"value": 5, "currency": "EUR"},
        "estimated_tax_price": {"value": 2.5, "currency": "EUR"},
        "status": {"code": "paid", "message": "Paid"},
        "invoice_date": "2026-01-14",
        "discount_granted": {"value": "1.00", "currency": "EUR"},
        "insurance_costs": {"value": "9.99", "currency": "EUR"},
        "freight_costs": {"value": "5", "currency": "EUR"},
        "other_costs": {"value": "0.10", "currency": "EUR"},
    },
    "customs_details": {
        "commercial_invoice_number": "INV-1",
        "shipment_type": "gift",
        "export_type": "private",
        "tax_numbers": {"sender": [TAX_NUMBER], "receiver": [TAX_NUMBER], "importer_of_record": [TAX_NUMBER]},
    },
    "customer_details": {"name": "Ada Okafor", "phone_number": "+31205550132", "email": "ada.okafor@example.com"},
    "billing_address": ADDRESS,
    "shipping_address": ADDRESS,
    "shipping_details": {
        "is_local_pickup": False,
        "delivery_indicator": "Standard",
        "measurement": MEASUREMENT,
        "ship_with": {
            "type": "shipping_option_code",
            "properties": {"shipping_option_code": "sendcloud:letter", "contract_id": 517},
        },
    },
    "service_point_details": {
        "id": "10875349",
        "post_number": "923456789",
        "latitude": "52.37",
        "longitude": "4.89",
        "type": "packstation",
        "extra_data": {"partner": "x"},
    },
}
BY_CARRIER = {key: value for key, value in FULL["service_point_details"].items() if key != "id"} | {
    "carrier_service_point_id": "91233"
}
# Only what every reading of a format agrees on, as in the test of AtLast.
DATE_TIMES = (
    "2026-01-14T10:00:00Z", "2026-01-14T10:00:00.123Z", "2026-01-14T10:00:00-05:00",
    "yesterday", "2026-13-40T00:00:00Z", "2026-01-14", "",
)  # fmt: skip
FORMATS = {
    "order_created_at": DATE_TIMES,
    "order_updated_at": DATE_TIMES,
    "handover_at": DATE_TIMES,
    "deliver_at": DATE_TIMES,
    # Of a customer it is free, of an address it is not.
    "email": ("a@example.com", "ada+orders@mail.example.org", "not-an-email", ""),
}
TEXTS = (
    "",
    "A",
    "GB",
    "GBR",
    "é",
    "你好",
    "\N{PARTY POPPER}\N{PARTY POPPER}",
    " ",
    "EUR",
    "kg",
    "3.99",
    "-1",
    "1,5",
    "x" * 300,
)
NUMBERS = (-1, -0.01, 0, 0.001, 0.01, 1, 1.0, 1.5, 2, 99.99, 10**12)
ANYTHING = (None, True, False, 0, 7, -3, 2.5, "", "word", [], {}, ["x"], {"x": 1}, [None], [{}])
SAMPLES = 1500


@cache
def words():
    """Every member of every enumeration."""
    return sorted(
        {
            word
            for (_, keyword), value in places(ours("request"), ours("request"))
            if keyword == "enum"
            for word in value
        }
    )


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
    if isinstance(value, str):
        return chance.choice((*TEXTS, *words()))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        # SC-T03: official and ours differ about none and fewer, so these have a test of their own.
        return chance.choice([each for each in NUMBERS if key != "quantity" or each >= 1 or each % 1])
    if isinstance(value, list):
        return (
            [copy.deepcopy(value[0]) for _ in range(chance.choice((0, 1, 2)))] if value else [chance.choice(ANYTHING)]
        )
    return {} if chance.random() < 0.3 else value


def swapped(chance, key):
    """A value of any type, but none that readings or the traps differ about."""
    pool = [each for each in ANYTHING if not (isinstance(each, str) and key in FORMATS)]
    pool = [each for each in pool if not (key == "quantity" and isinstance(each, int) and each < 1)]
    return copy.deepcopy(chance.choice(pool))


def mutate(chance, container, key, kind):
    if kind == "nudge":
        container[key] = nudged(chance, key, container[key])
    elif kind == "swap":
        container[key] = swapped(chance, key)
    elif isinstance(container, dict) and kind == "drop":
        del container[key]
    elif isinstance(container, dict):
        container["xUnknown"] = swapped(chance, "")


def starts():
    """Bodies that share no member with one another, nor one member with another, so that each changes alone."""
    return [json.loads(json.dumps([each])) for each in (MINIMAL, FULL, FULL | {"service_point_details": BY_CARRIER})]


def edges(key, value):
    """What lies at the bounds of a value of this type."""
    if isinstance(value, str):
        return ["", "GBR"] if key not in FORMATS else [""]
    if isinstance(value, bool | None) or key == "quantity":
        return []
    return [-1, 0] if isinstance(value, int | float) else []


def alone(start, chance):
    """Every place of a body changed alone, in each way."""
    for index, (container, key) in enumerate(slots([start], [])):
        changes = [("set", each) for each in edges(key, container[key])]
        changes += [("drop", None), ("swap", None), ("swap", None), ("nudge", None), ("extra", None)]
        for kind, value in changes:
            holder = [copy.deepcopy(start)]
            place = slots(holder, [])[index]
            if kind == "set":
                place[0][place[1]] = value
            else:
                mutate(chance, *place, kind)
            yield holder[0]


def together(start, chance):
    """Several changes anywhere, or none."""
    holder = [copy.deepcopy(start)]
    for _ in range(chance.choice((0, 1, 2, 3))):
        kind = chance.choices(("nudge", "swap", "drop", "extra"), (5, 3, 2, 1))[0]
        mutate(chance, *chance.choice(slots(holder, [])), kind)
    return holder[0]


def bodies():
    """Different bodies, the same in every run."""
    chance = random.Random(20261120)
    seen = set()
    made = chain(
        *(alone(start, chance) for start in starts()),
        (together(chance.choice(starts()), chance) for _ in range(SAMPLES)),
    )
    for body in made:
        text = json.dumps(body, sort_keys=True)
        if text not in seen:
            seen.add(text)
            yield body


@cache
def official_validator(name="request"):
    # In jsonschema a format whose checker is not installed is a remark, and the comparison would be blind to it.
    assert {"date-time", "email"} <= set(oas31_format_checker.checkers)
    # SC-T10: not a registered format.
    assert "url" not in oas31_format_checker.checkers
    return OAS31Validator(official() | official_root(name), format_checker=oas31_format_checker)


def leaves(errors):
    """The errors below wrappers and alternatives."""
    for error in errors:
        yield from leaves(error.context) if error.context else [error]


def broken(error):
    """The rules an official error speaks of: instance path and keyword; a missing member is named itself."""
    path = ""
    for token in error.absolute_path:
        path += "[]" if isinstance(token, int) else f".{token}"
    path = path.removeprefix(".") or "$"
    if error.validator == "required":
        return {(f"{path}.{name}", "required") for name in error.validator_value if name not in error.instance}
    return {(path, error.validator)}


# Official rules that no body can break, or none that the two agree about: they limit nothing, or the traps have them.
VOID_TRAPS = ("SC-T03", "SC-T05", "SC-T06", "SC-T07", "SC-T10", "SC-T20", "SC-T21", "SC-190")


def breakable():
    """Every official rule that limits something, written as ``broken`` writes it."""
    void = {place for trap in VOID_TRAPS for place in REQUEST_TRAPS[trap]}
    rules = dict(places(official_root("request"), official()))
    return {(path, keyword) for path, keyword in rules if keyword != "additionalProperties"} - void


@needs_official
def test_the_official_schema_gives_the_same_verdicts():
    """The two agree on thousands of bodies that nobody made for the purpose, and those bodies break every rule there is."""
    verdicts = Counter()
    differing = []
    rules = set()
    for body in bodies():
        errors = list(official_validator().iter_errors(body))
        verdicts[not errors] += 1
        rules |= {rule for error in leaves(errors) for rule in broken(error)}
        if our_validator("request").accepts(body) is not (not errors):
            differing.append((body, errors))
    assert differing == []
    assert verdicts[True] >= 500
    assert verdicts[False] >= 500
    assert verdicts.total() >= 3000
    assert breakable() - rules == set(), "no body broke these"


def with_change(pointer, value):
    order = copy.deepcopy(FULL)
    *parents, last = pointer.strip("/").split("/")
    node = order
    for token in parents:
        node = node[int(token) if token.isdigit() else token]
    node[last] = value
    return [order]


# Where the traps change a verdict: what is sent, whether the official schema takes it, whether ours does.
VERDICT_TRAPS = {
    "SC-T03": [
        (with_change("/order_details/order_items/0/quantity", 0), True, False),
        (with_change("/order_details/order_items/0/quantity", -1), True, False),
        (with_change("/order_details/order_items/0/quantity", 1), True, True),
    ],
    "SC-T05": [(with_change("/payment_details/freight_costs", None), False, False)],
    "SC-T06": [(with_change("/order_details/order_items/0/dangerous_goods/packaging_type", None), False, False)],
    "SC-T07": [
        (with_change("/service_point_details", {"id": "1"}), True, True),
        (with_change("/service_point_details", {"carrier_service_point_id": "1"}), True, True),
        (with_change("/service_point_details", {"id": "1", "carrier_service_point_id": "1"}), False, True),
        (with_change("/service_point_details", {"post_number": "1"}), False, False),
        (with_change("/service_point_details", {}), False, False),
    ],
    "SC-T10": [(with_change("/order_details/order_items/0/image_url", "not a url"), True, True)],
    "SC-T11": [(with_change("/order_details/order_items/0/delivery_dates", None), False, False)],
    "SC-T17": [([MINIMAL] * 100, True, True), ([MINIMAL] * 101, True, False), ([], True, True)],
    "SC-T20": [(with_change("/id", "669"), True, True), (with_change("/id", 669), False, False)],
    "SC-T21": [
        (with_change("/created_at", "2026-01-14T09:30:00Z"), True, True),
        (with_change("/modified_at", "x"), False, True),
    ],
}


@needs_official
@pytest.mark.parametrize("trap", VERDICT_TRAPS)
def test_the_traps_change_these_verdicts_and_no_others(trap):
    for body, theirs, mine in VERDICT_TRAPS[trap]:
        assert official_validator().is_valid(body) is theirs
        assert our_validator("request").accepts(body) is mine


# The fact sheet


@cache
def sheet():
    return SHEET.read_text(encoding="utf-8")


def catalogue():
    return tomllib.loads((PACK / "requirements.toml").read_text(encoding="utf-8"))["requirement"]


def section(title):
    """What stands under a heading of the sheet."""
    return re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", sheet(), re.MULTILINE | re.DOTALL)[1]


def rows(title):
    """The cells of a table of the sheet whose first cell is a path."""
    for line in re.findall(r"^\| `.*", section(title), re.MULTILINE):
        yield [cell.strip() for cell in line.strip("|").split("|")]


def by_path(name):
    found = {}
    for (path, keyword), value in places(ours(name), ours(name)):
        found.setdefault(path, {})[keyword] = value
    return found


@needs_sheet
def test_ids_and_levels_are_those_of_the_sheet():
    listed = re.findall(r"^\| (SC-\d+) \| (\w+) \|", sheet(), re.MULTILINE)
    assert [(each["id"], each["level"]) for each in catalogue()] == listed


@needs_sheet
def test_the_sheet_was_read_whole():
    """The sheet counts its own rows, so a table that this test cannot read would show."""
    stated = re.search(
        r"^(\d+) requirements: must (\d+), should (\d+), silent (\d+), contradictory (\d+)", sheet(), re.MULTILINE
    )
    levels = Counter(re.findall(r"^\| SC-\d+ \| (\w+) \|", sheet(), re.MULTILINE))
    counted = [levels[word] for word in ("must", "should", "silent", "contradictory")]
    assert [int(each) for each in stated.groups()] == [sum(counted), *counted]


@needs_sheet
def test_fields_are_those_of_the_sheet():
    told = {}
    for path, kind, null, required, *_ in rows("Request"):
        type_ = kind.split()[0]
        told[path.strip("`")] = {"type": [type_, "null"] if null == "yes" else type_} | (
            {"required": True} if re.match(r"yes($| \(inside)", required) else {}
        )
    mine = {
        path: {keyword: rules[keyword] for keyword in ("type", "required") if keyword in rules}
        for path, rules in by_path("request").items()
        if path != "$"
    }
    # SC-T21: not to be sent, and so not here.
    assert set(told) - set(mine) == {"[].created_at", "[].modified_at"}
    assert {path: told[path] for path in told if path in mine} == mine


@needs_sheet
@pytest.mark.parametrize(("name", "title"), [("success", "Response 201"), ("refusal", "Error body (400, 401, 404)")])
def test_answers_have_the_types_of_the_sheet(name, title):
    told = {row[0].strip("`"): row[1].split()[0] for row in rows(title)}
    assert {path: rules["type"] for path, rules in by_path(name).items() if path != "$"} == told


def base_bodies():
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", sheet(), re.MULTILINE | re.DOTALL)]


@needs_sheet
def test_the_base_bodies_of_the_sheet_are_valid():
    found = base_bodies()
    assert len(found) == 3
    assert [our_validator("request").mistakes(body) for body in found] == [[], [], []]


def members(value, path=""):
    """Every path of an order, but nothing below the members whose keys are free."""
    for key, child in value.items() if isinstance(value, dict) else [("", each) for each in value]:
        place = f"{path}.{key}" if key else f"{path}[]"
        if key != "@needs":
            yield place
        if isinstance(child, dict | list) and not place.endswith(("order_items[].properties", "extra_data")):
            yield from members(child, place)


@needs_sheet
def test_the_template_has_every_member_of_the_full_order_of_the_sheet():
    template = json.loads((PACK / "order.json").read_text(encoding="utf-8"))
    assert sorted(members([template])) == sorted(members(base_bodies()[2]))


@needs_sheet
def test_the_pack_knows_every_account_fact_of_the_sheet():
    keys = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*)\|", section("Account facts"), re.MULTILINE))))
    credentials = {name for each in pack()["auth"]["credentials"] for name in each["variables"]}
    assert len(keys) >= 12
    assert keys - set(pack()["account"]) - credentials == set()


@needs_sheet
def test_the_reference_account_has_only_facts_that_the_pack_knows():
    path = PACK.parents[1] / "fixtures" / "sendcloud" / "account.toml"
    assert set(tomllib.loads(path.read_text(encoding="utf-8"))) <= set(pack()["account"])


# So many words in a row make a sentence of somebody else's.
QUOTE = 8


@cache
def names_and_values():
    """The API's own words: those are facts, and nobody can reword them."""
    names = {part for path in by_path("request") | by_path("refusal") for part in re.split(r"\W+", path)}
    codes = by_path("refusal")["errors[].code"]["enum"]
    return {each.lower() for each in (*names, *words(), *codes)}


def quotes(text):
    """Every run of words in a text that is long enough to be a quotation."""
    found = [word for word in re.findall(r"[a-z0-9_']+", text.lower()) if word not in names_and_values()]
    return {tuple(found[start : start + QUOTE]) for start in range(len(found) - QUOTE + 1)}


@needs_official
@needs_sheet
def test_titles_are_our_own_words():
    theirs = quotes(sheet()) | quotes(OFFICIAL.read_text(encoding="utf-8"))
    assert {each["id"]: each["title"] for each in catalogue() if quotes(each["title"]) & theirs} == {}
