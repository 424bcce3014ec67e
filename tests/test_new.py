"""``conformance new``: packs made from OpenAPI files run at once, and agree with those made by hand."""

import json
import os
import random
import subprocess
import sysconfig
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance import changes, envelope, providers, resources, schemas, suite, values
from conformance.orders import OrderMaker
from conformance.scaffold import pack as scaffolding

PROGRAM = Path(sysconfig.get_path("scripts")) / ("conformance.exe" if os.name == "nt" else "conformance")
SAMPLES = Path(__file__).parent / "openapi"
SOURCES = Path(__file__).parents[2] / "shared" / "sources"
needs_official = pytest.mark.skipif(not SOURCES.is_dir(), reason="shared/sources has no OpenAPI files here")
OFFICIAL = {"atlast": "atlast-v1-orders-bulk.openapi.yml", "sendcloud": "sendcloud-v3-orders.openapi.yml"}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
# Names and schemas that a careless reader trips over, in one body.
ODD = """\
openapi: 3.1.0
info: {title: Odd, version: "1"}
paths:
  /shops/{shop}/orders:
    parameters: [{name: shop, in: path, required: true, schema: {type: string}}]
    put:
      operationId: replace
      parameters: [{name: X-Tenant, in: header, required: true, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"200": {description: Taken}, 4XX: {description: Refused}}
components:
  schemas:
    Order:
      type: object
      required: [type, properties, description, required, lines, a.b, when]
      properties:
        type: {type: string, enum: [b2b, b2c]}
        properties: {type: object, properties: {type: {type: string}, items: {type: array, minItems: 2, maxItems: 3, items: {type: string, minLength: 2}}}}
        description: {type: string, maxLength: 3}
        required: {type: boolean}
        a.b: {type: string}
        $ref: {type: string}
        items: {type: integer}
        enum: {type: integer, enum: [1, 2, 3]}
        const: {const: fixed}
        when: {type: string, format: duration}
        level: {type: integer, minimum: 5, maximum: 5}
        rate: {type: number, minimum: 0.05, maximum: 1, multipleOf: 0.05}
        flags: {type: object, additionalProperties: {type: boolean}, minProperties: 1}
        parent: {$ref: "#/components/schemas/Order"}
        long: {type: string, maxLength: 1000000000}
        code: {type: string, pattern: '^[A-Z]{2}-\\d{4}(?:-x)?$', minLength: 7, maxLength: 9}
        id: {type: string, format: uuid, maxLength: 36}
        mail: {type: string, format: email, maxLength: 10}
        word: {type: string, enum: ["@x", y]}
        nothing: {type: "null"}
        anything: {}
        yes: true
        card: {oneOf: [{type: object, required: [kind], properties: {kind: {const: card}}}, {type: object, required: [kind], properties: {kind: {const: bank}}}]}
        lines:
          type: array
          minItems: 1
          maxItems: 3
          items: {type: object, required: [sku, qty], properties: {sku: {type: string}, qty: {type: integer, minimum: 1, exclusiveMaximum: 1000}, serials: {type: array, uniqueItems: true, items: {type: string}}}}
"""
NAMED = """\
openapi: 3.0.0
info: {title: Named, version: "1"}
servers: [{url: /api}]
paths:
  /orders/batch:
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: object, additionalProperties: {type: object, required: [sku], properties: {sku: {type: string, minLength: 1}, qty: {type: integer, minimum: 1}}}}}}}
      responses: {"200": {description: Taken}, "400": {description: Refused}}
"""


def conformance(folder, *arguments, env=None):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], cwd=folder, env=os.environ | (env or {}), capture_output=True, text=True,
        encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


def made(folder, name, file):
    """The pack of a file below a folder, written there, as Provider."""
    pack = scaffolding.scaffold(name, file)
    scaffolding.write(pack, name, folder)
    return pack


# Packs run at once


@pytest.mark.parametrize(
    ("file", "kind", "musts"),
    [("shipstation.yaml", "array", 61), ("starshipit.yaml", "wrapped (orders)", 60), ("vendor/acknowledgements.json", "wrapped (acknowledgements)", 37)],
)  # fmt: skip
def test_a_pack_of_a_published_api_is_conformant_at_its_own_endpoint(tmp_path, run_pytest, file, kind, musts):
    """The command writes the pack, tells its guesses, and the pack runs as it is, every requirement judged."""
    done = conformance(tmp_path, "new", "fresh", "--openapi", SAMPLES / file)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  envelope  {kind}: " in done.stdout
    outcome = run_pytest(tmp_path, "--provider=fresh", "--report=out", env={resources.PACKS: str(tmp_path / "fresh")})
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    assert outcome.report["counts"]["requirements"] == {"conformant": musts, "observed": 1}


@pytest.mark.parametrize(("text", "kind"), [(ODD, "single"), (NAMED, "named")])
def test_odd_names_and_schemas_make_a_pack_that_runs(tmp_path, run_pytest, text, kind):
    (tmp_path / "api.yaml").write_text(text, encoding="utf-8")
    made(tmp_path / "odd", "odd", tmp_path / "api.yaml")
    outcome = run_pytest(tmp_path, "--provider=odd", "--report=out", env={resources.PACKS: str(tmp_path / "odd")})
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    data = tomllib.loads((tmp_path / "odd/schemas/odd/provider.toml").read_text(encoding="utf-8"))
    assert data["operation"][0]["envelope"] == kind


@pytest.mark.slow
@needs_official
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_pack_of_an_official_file_is_conformant_at_its_own_endpoint(tmp_path, run_pytest, name):
    made(tmp_path / "new", "fresh", SOURCES / OFFICIAL[name])
    outcome = run_pytest(tmp_path, "--provider=fresh", "--report=out", env={resources.PACKS: str(tmp_path / "new")})
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"


def test_a_broken_rule_of_a_new_pack_is_found(tmp_path, run_pytest):
    """A new pack is not merely quiet: an endpoint that breaks one of its rules is caught for it."""
    made(tmp_path / "new", "fresh", SAMPLES / "shipstation.yaml")
    rows = tomllib.loads((tmp_path / "new/schemas/fresh/requirements.toml").read_text(encoding="utf-8"))["requirement"]
    [row] = [each for each in rows if "[].orderNumber minLength" in each.get("covers", ())]
    with subprocess.Popen(
        [PROGRAM, "serve", "fresh", "--port=0", f"--fault={row['id']}"],
        env=os.environ | {resources.PACKS: str(tmp_path / "new"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            url = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
            env = {
                resources.PACKS: str(tmp_path / "new"),
                "FRESH_USER": "reference-public-key",
                "FRESH_PASSWORD": "reference-secret-key",
            }
            outcome = run_pytest(
                tmp_path, "--provider=fresh", f"--endpoint={url}", f"--case={row['id']}/orderNumber.too-short", env=env
            )
        finally:
            process.terminate()
    assert outcome.ret == 1
    assert f"{row['id']} (must): " in outcome.out


# Agreement with packs made by hand

# Where hand-made schemas say something else, by the row of the sheet that explains it; places below one order.
TRAPS = {"atlast": {}, "sendcloud": {"SC-T03": "/order_details/order_items/*/quantity", "SC-T17": ""}}


def bodies(name):
    """Bodies of every case of the hand-made pack that is about one order, and as many random changes of them."""
    provider = providers.load(name)
    account = providers.reference_account(provider)
    maker = OrderMaker(provider.main, account, 7, "t-new123")
    draw = random.Random(name)
    for case in suite.build(provider, account, list(provider.auth.variables)).cases:
        if case.operation != provider.main.id or len(case.steps) != 1 or case.steps[0].scope == "request":
            continue
        order, scope = maker.make(case.recipe, case.id, NOW)
        step = case.steps[0]
        if "@body." in json.dumps(step.change):
            continue
        change = values.filled_operations(step.change, replace(scope, same=order))
        try:
            if step.scope == "body":
                yield case.id, changes.apply(envelope.wrap(provider.main, [order], ["o1"]), change)
                continue
            changed = changes.apply(order, change)
        except (LookupError, ValueError, TypeError):
            continue
        yield case.id, envelope.wrap(provider.main, [changed], ["o1"])
        yield f"{case.id} and more", envelope.wrap(provider.main, [mutated(changed, draw)], ["o1"])
    full, _ = maker.make(next(iter(suite.build(provider, account).twins.values())), "many", NOW)
    for count in (0, 2, 100, 101):
        yield f"{count} orders", envelope.wrap(provider.main, [full] * count, [f"o{at}" for at in range(count)])


def mutated(order, draw):
    """An order with one member anywhere gone, or of another value."""
    places = []

    def look(node, pointer):
        for key, each in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            places.append(f"{pointer}/{key}")
            look(each, places[-1])

    look(order, "")
    place = draw.choice(places)
    value = draw.choice(
        ["@gone", None, "", "x", 0, -1, 1.5, 10**6, True, [], {}, "2026-01-31", "EUR", {"value": 1, "currency": "EUR"}]
    )
    change = {"op": "remove", "path": place} if value == "@gone" else {"op": "replace", "path": place, "value": value}
    return changes.apply(order, (change,))


@pytest.mark.slow
@needs_official
@pytest.mark.parametrize("name", OFFICIAL)
def test_new_schemas_agree_with_those_made_by_hand(tmp_path, name):
    """On every generated body both say the same, but where a named trap of the sheet is the reason."""
    made(tmp_path / "new", "fresh", SOURCES / OFFICIAL[name])
    theirs = schemas.validator(providers.load(name).main.request_schema)
    ours = schemas.validator(schemas.load(tmp_path / "new/schemas/fresh/request.schema.json"))
    differing, explained, count = [], set(), 0
    for case, body in bodies(name):
        count += 1
        if ours.accepts(body) == theirs.accepts(body):
            continue
        places = {mistake.pointer for mistake in (*ours.mistakes(body), *theirs.mistakes(body))}
        traps = {trap for trap, path in TRAPS[name].items() if all(under(place, path) for place in places)}
        explained |= traps
        if not traps:
            differing.append((case, sorted(places)))
    assert differing == []
    assert count > 500
    # A trap that explains nothing would be a hole for differences to come.
    assert explained == set(TRAPS[name])


def under(place, path):
    """Whether a pointer into a bare array of orders is at or below a path of one order."""
    want, have = path.split("/")[1:], place.split("/")[2:]
    return (not want and not have) or (
        bool(want) and len(have) >= len(want) and all(a in ("*", b) for a, b in zip(want, have, strict=False))
    )


# What is written


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "mine.txt").write_text("mine", encoding="utf-8")
    done = conformance(tmp_path, "new", "fresh", "--openapi", SAMPLES / "shipstation.yaml")
    assert (done.returncode, done.stdout) == (4, "")
    assert (
        done.stderr
        == "conformance: fresh: exists already and is not overwritten; take another --out, or another name\n"
    )
    assert [each.name for each in (tmp_path / "fresh").iterdir()] == ["mine.txt"]


def test_every_constraint_has_a_row_with_its_place_in_the_file(tmp_path):
    pack = made(tmp_path / "new", "fresh", SAMPLES / "vendor" / "acknowledgements.json")
    schema = schemas.load(tmp_path / "new/schemas/fresh/request.schema.json")
    rows = tomllib.loads(pack.files["schemas/fresh/requirements.toml"])["requirement"]
    covered = [each for row in rows for each in row.get("covers", ())]
    assert sorted(covered) == sorted(site.key for site in schemas.walk(schema))
    [row] = [each for each in rows if "acknowledgements[].purchaseOrderNumber maxLength" in each.get("covers", ())]
    lines = (SAMPLES / "vendor" / "schemas.json").read_text(encoding="utf-8").splitlines()
    file, _, line = row["source"].rpartition(":")
    assert Path(file).name == "schemas.json"
    assert "purchaseOrderNumber" in lines[int(line) - 1]


def test_what_the_file_does_not_say_is_left_to_do(tmp_path):
    (tmp_path / "api.yaml").write_text(ODD, encoding="utf-8")
    pack = scaffolding.scaffold("odd", tmp_path / "api.yaml")
    todo = "\n".join(pack.notes.todo)
    for word in (
        "contains itself",
        "'X-Tenant' is needed",
        "the path has parameters",
        "'a.b' is left out",
        "only the first of 2 alternatives",
        "minProperties 1 is left out",
    ):
        assert word in todo, word
    assert {file.rpartition("/")[2] for file in pack.files} == {
        "provider.toml",
        "requirements.toml",
        "order.json",
        "request.schema.json",
        "account.toml",
    }


def test_answers_are_written_beside_the_request():
    files = scaffolding.scaffold("fresh", SAMPLES / "starshipit.yaml").files
    success = json.loads(files["schemas/fresh/success.schema.json"])
    assert success["required"] == ["success", "orders"]
    assert "order_id" in success["properties"]["orders"]["items"]["properties"]
    assert (
        "order_id"
        not in json.loads(files["schemas/fresh/request.schema.json"])["properties"]["orders"]["items"]["properties"]
    )
    assert json.loads(files["schemas/fresh/refusal.schema.json"])["properties"]["success"] == {"enum": [False]}


def test_both_keys_of_an_alternative_are_sent_together():
    data = tomllib.loads(
        scaffolding.scaffold("fresh", SAMPLES / "starshipit.yaml").files["schemas/fresh/provider.toml"]
    )
    assert data["auth"]["credentials"] == [{
        "headers": {"starshipit-api-key": "{{starshipit_api_key}}", "ocp-apim-subscription-key": "{{ocp_apim_subscription_key}}"},
        "variables": {"starshipit_api_key": "FRESH_STARSHIPIT_API_KEY", "ocp_apim_subscription_key": "FRESH_OCP_APIM_SUBSCRIPTION_KEY"},
    }]  # fmt: skip
    assert data["hosts"] == {"production": ["api.starshipit.com"]}


# Mistakes of the user

WRONG = [
    (("new", "Big_Name", "--openapi", "api.yaml"), "'Big_Name': a name has small letters, digits and hyphens, and begins with a letter"),
    (("new", "sendcloud", "--openapi", "api.yaml"), "sendcloud: there is a provider of that name already; take another"),
    (("new", "odd", "--openapi", "none.yaml"), "none.yaml: cannot be read (No such file or directory)"),
    (("new", "odd", "--openapi", "api.yaml", "--operation", "replaces"), "--operation replaces: api.yaml has no such operation with a JSON body; did you mean 'replace'?"),
    (("new", "odd", "--openapi", "remote.yaml"), "remote.yaml:9: $ref 'https://example.com/a.yaml#/Order' leads to another host; put a copy beside the file"),
    (("new", "odd", "--openapi", "text.yaml"), "text.yaml:9: the body is neither an array nor an object with members; there is nothing to make orders of"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=range(len(WRONG)))
def test_a_mistake_is_one_line(tmp_path, arguments, message):
    (tmp_path / "api.yaml").write_text(ODD, encoding="utf-8")
    (tmp_path / "remote.yaml").write_text(
        ODD.replace("#/components/schemas/Order", "https://example.com/a.yaml#/Order", 1), encoding="utf-8"
    )
    (tmp_path / "text.yaml").write_text(
        ODD.replace('{$ref: "#/components/schemas/Order"}', "{type: string}", 1), encoding="utf-8"
    )
    done = conformance(tmp_path, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (4, "", f"conformance: {message}\n")


def test_several_likely_operations_are_named(tmp_path):
    text = (
        ODD.replace(
            "    put:",
            "    post: {operationId: add, requestBody: {content: {application/json: {schema: {type: object}}}}}\n    patch: {operationId: mend, requestBody: {content: {application/json: {schema: {type: object}}}}}\n    put:",
        )
        .replace("post:", "put_:", 1)
        .replace("put_:", "delete:", 1)
    )
    (tmp_path / "api.yaml").write_text(text, encoding="utf-8")
    done = conformance(tmp_path, "new", "odd", "--openapi", "api.yaml")
    assert done.returncode == 4
    assert "several operations could take orders; name one with --operation: " in done.stderr
    assert "'replace'" in done.stderr


@pytest.mark.parametrize("packs", ["nowhere", "empty"])
def test_a_packs_folder_without_packs_is_one_line(tmp_path, packs):
    (tmp_path / "empty").mkdir()
    done = conformance(tmp_path, "providers", env={resources.PACKS: packs})
    assert done.returncode == 4
    assert (
        done.stderr
        == f"conformance: CONFORMANCE_PACKS: {tmp_path / packs} has no schemas/NAME/provider.toml; name the folder that holds schemas/\n"
    )


def test_a_packs_folder_with_a_known_name_is_one_line(tmp_path):
    made(tmp_path / "new", "sendcloud", SAMPLES / "shipstation.yaml")
    done = conformance(tmp_path, "providers", env={resources.PACKS: "new"})
    assert done.returncode == 4
    assert "a provider named 'sendcloud' exists already; rename the folder" in done.stderr


def test_orders_without_lines_are_whole(tmp_path):
    """An order that has no list of objects is filled like any other."""
    (tmp_path / "api.yaml").write_text(NAMED, encoding="utf-8")
    template = json.loads(scaffolding.scaffold("odd", tmp_path / "api.yaml").files["schemas/odd/order.json"])
    assert template.keys() == {"sku", "qty"}
