"""``conformance lint``: each rule on a slip and on its corrected twin, and the official files."""

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from conformance import linting
from conformance.errors import UserError
from conformance.linting.registry import RULES

PROGRAM = Path(sysconfig.get_path("scripts")) / ("conformance.exe" if os.name == "nt" else "conformance")
ROOT = Path(__file__).parents[1]
SOURCES = ROOT.parent / "shared" / "sources"
SENDCLOUD = SOURCES / "sendcloud-v3-orders.openapi.yml"
needs_official = pytest.mark.skipif(not SENDCLOUD.is_file(), reason="shared/sources has no OpenAPI files here")

# A whole description that nothing is wrong with; `{schema}` is what a rule is tried on.
SOUND = """\
openapi: {version}
info: {{title: Orders, version: "1"}}
paths:
  /orders:
    post:
      operationId: create
      requestBody:
        required: true
        content:
          application/json:
            schema: {{$ref: "#/components/schemas/Sample"}}
      responses:
        "201": {{description: Taken}}
        "400": {{description: Refused}}
components:
  schemas:
    Sample: {schema}
    Money: {{type: object, required: [value], properties: {{value: {{type: number}}}}}}
    Text: {{type: string}}
"""
OLD, NEW = "3.0.3", "3.1.0"

# Rule, version, a schema with the slip, the same put right.
SCHEMAS = [
    ("bound-on-another-type", NEW, "{type: integer, minLength: 1}", "{type: integer, minimum: 1}"),
    ("bound-on-another-type", OLD, "{type: string, maximum: 9}", "{type: string, maxLength: 9}"),
    ("bound-on-another-type", NEW, "{type: object, items: {}}", '{type: [array, "null"], items: {}}'),
    ("unregistered-format", OLD, "{type: string, format: url}", "{type: string, format: uri}"),
    ("unregistered-format", NEW, "{type: string, format: datetime}", "{type: string, format: date-time}"),
    ("format-of-another-type", NEW, "{type: string, format: int32}", "{type: integer, format: int32}"),
    ("format-of-another-type", OLD, "{type: integer, format: date}", "{type: string, format: int64}"),
    ("nullable-without-effect", NEW, "{type: string, nullable: true}", '{type: [string, "null"]}'),
    ("nullable-without-type", OLD, "{nullable: true, minLength: 1}", "{type: string, nullable: true, minLength: 1}"),
    ("null-not-in-enum", NEW, '{type: [string, "null"], enum: [a]}', '{type: [string, "null"], enum: [a, null]}'),
    ("null-not-in-enum", OLD, "{type: string, nullable: true, enum: [a]}", "{type: string, nullable: true, enum: [a, null]}"),
    ("exclusive-bound-form", NEW, "{type: number, minimum: 0, exclusiveMinimum: true}", "{type: number, exclusiveMinimum: 0}"),
    ("exclusive-bound-form", OLD, "{type: number, exclusiveMinimum: 0}", "{type: number, minimum: 0, exclusiveMinimum: true}"),
    ("exclusive-bound-form", OLD, "{type: number, exclusiveMaximum: true}", "{type: number, maximum: 9, exclusiveMaximum: true}"),
    ("bounds-cross", NEW, "{type: string, minLength: 3, maxLength: 2}", "{type: string, minLength: 2, maxLength: 2}"),
    ("bounds-cross", NEW, "{type: number, exclusiveMinimum: 2, maximum: 2}", "{type: number, minimum: 2, maximum: 2}"),
    ("unknown-type", NEW, "{type: int}", "{type: integer}"),
    ("unknown-type", NEW, "{type: [string, null]}", '{type: [string, "null"]}'),
    ("unknown-type", OLD, '{type: [string, "null"]}', "{type: string, nullable: true}"),
    ("keyword-of-another-version", OLD, "{const: a}", "{enum: [a]}"),
    ("beside-a-reference", OLD, '{$ref: "#/components/schemas/Text", maxLength: 3}', '{allOf: [{$ref: "#/components/schemas/Text"}], maxLength: 3}'),
    ("beside-a-reference", OLD, '{$ref: "#/components/schemas/Text", type: string}', '{$ref: "#/components/schemas/Text", description: A text}'),
    ("array-without-items", OLD, "{type: array}", "{type: array, items: {}}"),
    ("enum-member-refused", NEW, "{type: string, enum: [a, 1]}", '{type: string, enum: [a, "1"]}'),
    ("enum-member-refused", NEW, "{type: integer, default: one}", "{type: integer, default: 1}"),
    ("enum-member-refused", NEW, "{type: string, enum: [a, b], default: c}", "{type: string, enum: [a, b], default: b}"),
    ("enum-of-word-null", NEW, '{type: string, enum: [a, "null"]}', '{type: [string, "null"], enum: [a, null]}'),
    ("misspelt-keyword", NEW, "{type: string, minLenght: 1}", "{type: string, minLength: 1, x-minLenght: 1}"),
    ("misspelt-keyword", NEW, "{type: object, additional_properties: false}", "{type: object, additionalProperties: false}"),
    ("required-on-the-member", NEW, "{type: object, properties: {a: {type: string, required: true}}}", "{type: object, required: [a], properties: {a: {type: string}}}"),
    ("required-unknown", NEW, "{type: object, required: [nane], properties: {name: {type: string}}}", "{type: object, required: [name], properties: {name: {type: string}}}"),
    ("required-unknown", NEW, '{allOf: [{$ref: "#/components/schemas/Money"}], required: [valu]}', '{allOf: [{$ref: "#/components/schemas/Money"}], required: [value]}'),
    ("required-unknown", NEW, "{type: object, properties: {a: {}}, oneOf: [{required: [b]}]}", "{type: object, properties: {a: {}, b: {}}, oneOf: [{required: [a]}, {required: [b]}]}"),
    ("unanchored-pattern", NEW, '{type: string, pattern: "[A-Z]{3}"}', '{type: string, pattern: "^[A-Z]{3}$"}'),
    ("unanchored-pattern", NEW, '{type: string, pattern: "^[0-9]{5}"}', '{type: string, pattern: "^https://"}'),
    ("unanchored-pattern", NEW, '{type: string, pattern: "^a|b$"}', '{type: string, pattern: "^a$|^b$"}'),
    ("unanchored-pattern", NEW, '{type: string, pattern: "a|b"}', '{type: string, pattern: "^(?:a|b)$"}'),
    ("unanchored-pattern", NEW, r'{type: string, pattern: "\\d+"}', r'{type: string, pattern: "\\S"}'),
    ("pattern-of-another-dialect", NEW, '{type: string, pattern: "/^a$/"}', '{type: string, pattern: "^a$"}'),
    ("pattern-of-another-dialect", NEW, '{type: string, pattern: "^[a$"}', '{type: string, pattern: "^[a]$"}'),
    ("pattern-of-another-dialect", NEW, '{type: string, pattern: "(?i)^a$"}', '{type: string, pattern: "^[aA]$"}'),
    ("members-without-type", NEW, "{properties: {a: {type: string}}}", "{type: object, properties: {a: {type: string}}}"),
    ("members-without-type", NEW, "{allOf: [{properties: {a: {type: string}}}]}", '{allOf: [{properties: {a: {type: string}}}, {$ref: "#/components/schemas/Money"}]}'),
    ("type-never-possible", NEW, '{type: [object, "null"], $ref: "#/components/schemas/Money"}', '{anyOf: [{$ref: "#/components/schemas/Money"}, {type: "null"}]}'),
    ("type-never-possible", NEW, '{type: array, allOf: [{$ref: "#/components/schemas/Text"}]}', '{type: string, allOf: [{$ref: "#/components/schemas/Text"}]}'),
    ("type-never-possible", NEW, "{type: [integer, string], allOf: [{type: number}]}", "{type: integer, allOf: [{type: number}]}"),
    ("joined-parts-disagree", NEW, "{allOf: [{type: object, properties: {id: {type: string, readOnly: true}}}, {properties: {id: {type: string}}}]}", "{allOf: [{type: object, properties: {id: {type: string, readOnly: true}}}, {properties: {id: {description: Ours}}}]}"),
    ("joined-parts-disagree", NEW, "{allOf: [{type: object, properties: {a: {type: string}}}, {properties: {a: {type: integer}}}]}", "{allOf: [{type: object, properties: {a: {type: number}}}, {properties: {a: {type: integer}}}]}"),
    ("part-shuts-others-out", NEW, "{allOf: [{type: object, properties: {a: {}}, additionalProperties: false}, {properties: {b: {}}}]}", "{allOf: [{type: object, properties: {a: {}}}, {properties: {b: {}}}], unevaluatedProperties: false}"),
    ("alternatives-overlap", NEW, "{type: object, oneOf: [{required: [a], properties: {a: {type: string}, c: {type: string}}}, {required: [b], properties: {b: {type: string}, c: {type: string}}}]}", "{type: object, properties: {a: {type: string}, b: {type: string}}, oneOf: [{required: [a]}, {required: [b]}]}"),
    ("alternatives-overlap", OLD, "{type: object, oneOf: [{required: [a], properties: {a: {type: string}, c: {type: string}}}, {required: [b], properties: {b: {type: string}, c: {type: string}}}]}", "{type: object, oneOf: [{required: [a, k], properties: {a: {type: string}, k: {type: string, enum: [x]}}}, {required: [b, k], properties: {b: {type: string}, k: {type: string, enum: [y]}}}]}"),
    ("example-refused", NEW, "{type: integer, minimum: 1, example: 0}", "{type: integer, minimum: 1, example: 1}"),
    ("example-refused", OLD, "{type: string, format: date, example: 31.01.2026}", "{type: string, format: date, example: 2026-01-31}"),
    ("example-refused", NEW, "{oneOf: [{type: number}, {type: integer}], examples: [1]}", "{anyOf: [{type: number}, {type: integer}], examples: [1]}"),
    ("example-refused", OLD, "{type: string, example: null}", "{type: string, nullable: true, example: null}"),
    ("example-refused", NEW, "{type: object, required: [id], properties: {id: {type: string}}, example: {}}", "{type: object, required: [id], properties: {id: {type: string, readOnly: true}}, example: {}}"),
]  # fmt: skip

# Rule, what is replaced in the sound description, the slip, the same put right.
DOCUMENTS = [
    ("body-not-required", "required: true\n        content", "content", "required: false\n        content"),
    ("no-refusal-described", '"400": {description: Refused}', '"404": {description: Lost}', "default: {description: Anything else}"),
    ("no-401-described", "operationId: create", "operationId: create\n      security: [{key: []}]", "operationId: create\n      security: [{key: []}, {}]"),
    ("no-success-described", '"201": {description: Taken}', '"404": {description: Lost}', '"2XX": {description: Taken}'),
    ("status-misspelt", '"201"', '"20x"', '"2XX"'),
    ("security-unknown", "operationId: create", "operationId: create\n      security: [{kee: []}]", "operationId: create"),
    ("path-parameter-unknown", "/orders:", "/shops/{shop}/orders:", "/shops/{shop}/orders:\n    parameters: [{name: shop, in: path, required: true, schema: {type: string}}]"),
    ("path-parameter-unknown", "operationId: create", "operationId: create\n      parameters: [{name: shop, in: path, required: true, schema: {type: string}}]", "operationId: create\n      parameters: [{name: shop, in: query, schema: {type: string}}]"),
    ("operation-id-twice", "    post:", "    put: {operationId: create, responses: {'200': {description: Taken}}}\n    post:", "    put: {operationId: replace, responses: {'200': {description: Taken}}}\n    post:"),
    ("limit-in-prose-only", "operationId: create", "operationId: create\n      description: Send up to 100 orders.", "operationId: create\n      description: Send up to 100 requests a minute."),
    ("reference-lost", "schemas/Text", "schemas/Txet", "schemas/Text"),
    ("reference-elsewhere", "#/components/schemas/Text", "https://example.com/a.yaml#/Text", "#/components/schemas/Text"),
    ("component-unused", "components:", "components:\n  responses: {Lost: {description: Not found}}", "components:\n  schemas_: {}"),
    ("key-twice", "operationId: create", "operationId: create\n      operationId: make", "operationId: create"),
    ("word-read-two-ways", "operationId: create", "operationId: create\n      tags: [NO]", 'operationId: create\n      tags: ["NO", true]'),
    ("body-example-refused", "schema: {$ref", "example: [7]\n            schema: {$ref", "example: [text]\n            schema: {$ref"),
    ("body-example-refused", '"201": {description: Taken}', '"201": {description: Taken, content: {application/json: {example: {}, schema: {type: object, required: [a], properties: {a: {type: string, readOnly: true}}}}}}', '"201": {description: Taken, content: {application/json: {example: {}, schema: {type: object, required: [a], properties: {a: {type: string, writeOnly: true}}}}}}'),
    ("parameter-example-refused", "operationId: create", "operationId: create\n      parameters: [{name: page, in: query, example: none, schema: {type: integer}}]", "operationId: create\n      parameters: [{name: ids, in: query, example: '1,2', schema: {type: array, items: {type: integer}}}]"),
]  # fmt: skip
BATCH = '{type: array, items: {$ref: "#/components/schemas/Text"}}'


def found(folder, text):
    path = folder / "api.yaml"
    path.write_text(text, encoding="utf-8")
    return linting.lint(path, "api.yaml")


def names(findings):
    return {each.rule for each in findings}


@pytest.mark.parametrize(
    ("rule", "version", "slip", "right"), SCHEMAS, ids=[f"{each[0]}-{at}" for at, each in enumerate(SCHEMAS)]
)
def test_a_rule_on_schemas_finds_the_slip_and_is_silent_on_its_twin(tmp_path, rule, version, slip, right):
    findings = found(tmp_path, SOUND.format(version=version, schema=slip))
    assert rule in names(findings)
    line = SOUND.split("\n").index("    Sample: {schema}") + 1
    assert line in {each.line for each in findings if each.rule == rule}
    assert found(tmp_path, SOUND.format(version=version, schema=right)) == []


@pytest.mark.parametrize(
    ("rule", "old", "slip", "right"), DOCUMENTS, ids=[f"{each[0]}-{at}" for at, each in enumerate(DOCUMENTS)]
)
def test_a_rule_on_documents_finds_the_slip_and_is_silent_on_its_twin(tmp_path, rule, old, slip, right):
    sound = SOUND.format(version=NEW, schema=BATCH)
    assert sound.count(old) == 1
    assert rule in names(found(tmp_path, sound.replace(old, slip)))
    assert rule not in names(found(tmp_path, sound.replace(old, right)))


@pytest.mark.parametrize("version", [OLD, NEW])
def test_nothing_is_found_in_a_sound_description(tmp_path, version):
    assert found(tmp_path, SOUND.format(version=version, schema=BATCH)) == []


def test_every_rule_is_tried_and_documented():
    """Each rule has a slip above and a row in docs/lint.md with its severity, and no row is about another."""
    assert {each[0] for each in (*SCHEMAS, *DOCUMENTS)} == set(RULES)
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| (.*) \|$", page, re.MULTILINE)
    assert {name: (severity, title) for name, severity, title in rows} == {
        each.name: (each.severity, each.title) for each in RULES.values()
    }
    assert [row[0] for row in rows] == sorted(RULES)


def test_examples_and_names_are_no_schemas(tmp_path):
    """Members called like keywords, and what stands in examples and extensions, is not looked at as schema."""
    schema = (
        "{type: object, properties: {type: {type: string}, properties: {type: object, properties: {required: {type: boolean}}},"
        " description: {type: string}, $ref: {type: string}, nullable: {type: string}, example: {type: string}},"
        " x-old: {type: int, $ref: '#/nowhere'}, example: {type: int, minLength: x, $ref: '#/nowhere'}}"
    )
    assert found(tmp_path, SOUND.format(version=NEW, schema=schema)) == []


def test_a_part_is_judged_with_the_schemas_that_join_it(tmp_path):
    """What a part demands may be described, and its type told, by the parts it is joined with."""
    part = "    Part: {required: [value], properties: {note: {type: string}}}\n"
    joined = '{allOf: [{$ref: "#/components/schemas/Money"}, {$ref: "#/components/schemas/Part"}]}'
    alone = '{type: object, properties: {part: {$ref: "#/components/schemas/Part"}}}'
    assert found(tmp_path, SOUND.format(version=NEW, schema=joined) + part) == []
    findings = found(tmp_path, SOUND.format(version=NEW, schema=alone) + part)
    assert names(findings) == {"required-unknown", "members-without-type"}


def test_recursion_and_anchors_end(tmp_path):
    """Schemas that contain themselves are looked at once, and examples of them judged."""
    tree = '{type: object, properties: {name: {type: string}, below: {type: array, items: {$ref: "#/components/schemas/Sample"}}}, example: {below: [{below: [{name: 1}]}]}}'
    assert names(found(tmp_path, SOUND.format(version=NEW, schema=tree))) == {"example-refused"}
    loop = '{$ref: "#/components/schemas/Sample"}'
    [finding] = found(
        tmp_path,
        SOUND.format(version=NEW, schema=loop).replace(
            'schema: {$ref: "#/components/schemas/Sample"}', "schema: {type: object}"
        ),
    )
    assert finding.rule == "reference-lost"
    text = SOUND.format(version=NEW, schema="{$anchor: here, type: string}").replace(
        '"#/components/schemas/Sample"', '"#here"'
    )
    assert found(tmp_path, text) == []


def test_other_files_are_read_and_their_lines_named(tmp_path):
    """What a reference into another file leads to is looked at there, JSON or YAML."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "order.json").write_text(
        '{\n "Order": {\n  "type": "integer",\n  "minLength": 1\n }\n}', encoding="utf-8"
    )
    text = SOUND.format(version=NEW, schema="{type: array, items: {$ref: parts/order.json#/Order}}")
    [finding] = found(tmp_path, text)
    assert (finding.file, finding.line, finding.column) == (str(Path("parts/order.json")), 4, 3)
    [finding] = found(tmp_path, text.replace("order.json", "other.json"))
    assert finding.rule == "reference-lost"
    (tmp_path / "parts" / "intro.md").write_text("a: b: c", encoding="utf-8")
    [finding] = found(tmp_path, text.replace("order.json#/Order", "intro.md"))
    assert finding.rule == "reference-lost"
    assert "intro.md:1:5: not YAML or JSON" in finding.message


UNUSABLE = {
    "openapi: 3.0.0\npaths:\n  /a: [x\n": "api.yaml:4:1: not YAML or JSON: did not find expected ',' or ']'",
    "a: &a [*a]\n": "api.yaml:1:8: not YAML or JSON: *a stands inside of what it repeats",
    "[" * 100_000: "api.yaml:1:201: not YAML or JSON: nested more than 200 deep",
    "swagger: '2.0'\n": "api.yaml: Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 first",
    "hello": "api.yaml: not an OpenAPI file: it is no object with a member 'openapi'",
    "": "api.yaml: not an OpenAPI file: it is no object with a member 'openapi'",
    "{a: 1}\n": "api.yaml: not an OpenAPI file: there is no member 'openapi'",
    "openapi: 4.0.0\n": "api.yaml: OpenAPI 4.0.0; known: 3.0, 3.1",
}


@pytest.mark.parametrize("text", UNUSABLE, ids=range(len(UNUSABLE)))
def test_an_unusable_file_is_one_line(tmp_path, text):
    with pytest.raises(UserError) as caught:
        found(tmp_path, text)
    assert str(caught.value) == UNUSABLE[text]


def test_aliases_that_stand_for_billions_are_one_line(tmp_path):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 12)]
    with pytest.raises(UserError, match="stand for more than ten million members"):
        found(tmp_path, "\n".join(rows))


def test_twenty_megabytes_are_read(tmp_path):
    text = SOUND.format(version=NEW, schema="{type: string, format: url}")
    rows = "".join(f"    S{at}: {{type: string, description: {'long words ' * 1000}}}\n" for at in range(1900))
    (tmp_path / "api.yaml").write_text(text + rows, encoding="utf-8")
    assert (tmp_path / "api.yaml").stat().st_size > 20_000_000
    [finding] = linting.lint(tmp_path / "api.yaml")
    assert finding.line == 17


# The command


def conformance(folder, *arguments):
    return subprocess.run(
        [PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


@pytest.fixture
def slip(tmp_path):
    text = SOUND.format(version=NEW, schema="{type: string, format: url}")
    (tmp_path / "api.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_findings_as_text(slip):
    done = conformance(slip, "lint", "api.yaml")
    assert done.returncode == 1
    assert done.stdout == (
        "api.yaml:17:28: warning: format 'url' is not registered [unregistered-format]\n"
        "    why      Validators pass over formats they do not know: every text is accepted, whatever was meant.\n"
        "    instead  format: uri\n"
        "api.yaml: 0 errors, 1 warning, 0 notes\n"
    )
    done = conformance(slip, "lint", "api.yaml", "--ignore=unregistered-format")
    assert (done.returncode, done.stdout) == (0, f"api.yaml: nothing found by {len(RULES)} rules\n")


def test_findings_as_json_github_and_sarif(slip):
    [row] = json.loads(conformance(slip, "lint", "api.yaml", "--format=json").stdout)["findings"]
    assert (row["rule"], row["line"], row["pointer"]) == (
        "unregistered-format",
        17,
        "/components/schemas/Sample/format",
    )
    line = conformance(slip, "lint", "api.yaml", "--format=github").stdout
    assert line.startswith(
        "::warning file=api.yaml,line=17,col=28,title=unregistered-format::format 'url' is not registered."
    )
    done = conformance(slip, "lint", "api.yaml", "--format=sarif", "--output=out.sarif")
    assert (done.returncode, done.stdout) == (1, "")
    [run] = json.loads((slip / "out.sarif").read_text(encoding="utf-8"))["runs"]
    [result] = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "unregistered-format"
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "api.yaml"}, "region": {"startLine": 17, "startColumn": 28}}
    assert result["level"] in {"error", "warning", "note"}


def test_mistakes_of_the_user_are_one_line(slip):
    done = conformance(slip, "lint", "other.yaml")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "conformance: other.yaml: cannot be read (No such file or directory)\n"
    done = conformance(slip, "lint", "api.yaml", "--ignore=unregistered-fromat")
    assert done.returncode == 4
    assert "did you mean 'unregistered-format'?" in done.stderr


# The official files

# The rows of Sendcloud's sheet that are slips of its schema, and the rule and member by which each is found.
TRAPS = {
    "SC-T03": ("bound-on-another-type", "/quantity/minLength"),
    "SC-T04": ("unanchored-pattern", "/costs-object/properties/value/pattern"),
    "SC-T05": ("type-never-possible", "/payment-details/properties/discount_granted/type"),
    "SC-T06": ("nullable-without-effect", "/dangerous-goods/properties/packaging_type/nullable"),
    "SC-T07": ("alternatives-overlap", "/service-point/oneOf"),
    "SC-T10": ("unregistered-format", "/image_url/format"),
    "SC-T11": ("body-example-refused", "/delivery_dates"),
    "SC-T12": ("format-of-another-type", "/ErrorObject/properties/status/format"),
    "SC-T14": ("enum-of-word-null", "/ErrorObject/properties/code/enum/5"),
    "SC-T17": ("limit-in-prose-only", "/paths/~1orders/post"),
    "SC-T18": ("body-not-required", "/paths/~1orders/post/requestBody"),
    "SC-T19": ("no-401-described", "/paths/~1orders/post/responses"),
    "SC-T20": ("joined-parts-disagree", "/items/allOf"),
}


@needs_official
def test_the_slips_of_sendclouds_schema_are_found():
    findings = linting.lint(SENDCLOUD)
    for trap, (rule, place) in TRAPS.items():
        assert [each for each in findings if each.rule == rule and place in each.pointer], trap
    assert names(findings) == {rule for rule, _ in TRAPS.values()} | {"members-without-type", "component-unused"}
    assert sum(each.rule == "nullable-without-effect" for each in findings) == 13


@needs_official
def test_atlasts_file_lacks_answers_only():
    findings = linting.lint(SOURCES / "atlast-v1-orders-bulk.openapi.yml")
    assert sorted(names(findings)) == ["no-401-described", "no-refusal-described"]


@pytest.mark.parametrize("name", ["shipstation.yaml", "starshipit.yaml", "vendor/acknowledgements.json"])
def test_nothing_is_found_in_the_samples(name):
    assert linting.lint(Path(__file__).parent / "openapi" / name) == []
