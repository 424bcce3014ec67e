"""``conformance openapi``: what a pack knows, as a document that other tools take."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from openapi_spec_validator import OpenAPIV31SpecValidator

from conformance import composed, linting, providers, resources, schemas
from conformance.cli import cli
from conformance.errors import UserError
from conformance.openapi import yamlfile
from conformance.scaffold import pack as scaffolding

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
PACKS = [(name, each) for name in resources.providers() for each in providers.load(name).revisions]


@pytest.fixture
def third_party(monkeypatch):
    """A pack that is none of ours, by name."""
    monkeypatch.setenv(resources.PACKS, str(Path(__file__).parent / "third_party" / "birch_orders"))
    resources.providers.cache_clear()
    yield "birch"
    resources.providers.cache_clear()


def document(name, revision=""):
    return composed.compose(providers.load(name, revision), now=NOW)


def body(made, pack):
    return made["paths"][pack.main.path][pack.main.method.lower()]["requestBody"]["content"][pack.main.content_type]


def followed(node, root):
    """A schema with its references replaced by what they name."""
    if isinstance(node, list):
        return [followed(each, root) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return followed(root["components"]["schemas"][node["$ref"].rpartition("/")[2]], root)
    return {key: followed(each, root) for key, each in node.items()}


@pytest.mark.parametrize(("name", "revision"), PACKS)
def test_every_pack_makes_a_valid_document(name, revision):
    assert list(OpenAPIV31SpecValidator(document(name, revision)).iter_errors()) == []


def test_a_third_partys_pack_makes_a_valid_document(third_party):
    made = document(third_party)
    assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []
    assert made["servers"] == [{"url": "https://api.birch.example/v2", "description": "production"}]
    assert set(made["paths"]["/orders"]["post"]["responses"]) == {"200", "422", "4XX"}


@pytest.mark.parametrize(("name", "revision"), PACKS)
def test_the_request_schema_is_the_packs(name, revision):
    """Nothing is lost or added on the way, whatever is moved to the components."""
    pack = providers.load(name, revision)
    made = document(name, revision)
    asides = {"$id", "$schema"}
    wanted = {key: value for key, value in pack.main.request_schema.items() if key not in asides}
    assert followed(body(made, pack)["schema"], made) == wanted


@pytest.mark.parametrize(("name", "revision"), PACKS)
def test_examples_are_valid_and_say_something(name, revision):
    pack = providers.load(name, revision)
    examples = body(document(name, revision), pack)["examples"]
    assert {"plain", "minimal", "full"} <= examples.keys()
    validator = schemas.validator(pack.main.request_schema)
    assert [key for key, each in examples.items() if validator.mistakes(each["value"])] == []
    assert not re.search('"@(now|date|order|buyer|line|account)', json.dumps(examples))


def test_every_operation_has_its_path_parameters_and_answers():
    made = document("sendcloud")
    read = made["paths"]["/orders/{id}"]["get"]
    assert [(each["name"], each["in"]) for each in read["parameters"]] == [("id", "path")]
    listed = {each["name"]: each["schema"] for each in made["paths"]["/orders"]["get"]["parameters"]}
    assert listed["page_size"] == {"type": "integer"}
    assert "order_id" in listed
    assert set(made["paths"]["/orders"]["post"]["responses"]) == {"201", "200", "400", "4XX"}
    assert made["paths"]["/oauth2/token"]["servers"][0]["url"] == "https://panel.sendcloud.sc"


@pytest.mark.parametrize(
    ("name", "demanded", "kinds"),
    [
        ("atlast", [{"bearer": []}, {"oauth2": []}], {"bearer": "http", "oauth2": "oauth2"}),
        ("sendcloud", [{"basic": []}, {"oauth2": ["api"]}], {"basic": "http", "oauth2": "oauth2"}),
        ("ezcards", [{"x-api-key": [], "bearer": []}], {"x-api-key": "apiKey", "bearer": "http"}),
        ("centra", [{"api-authorization": []}], {"api-authorization": "apiKey"}),
    ],
)
def test_credentials_are_security_schemes(name, demanded, kinds):
    made = document(name)
    assert made["security"] == demanded
    assert {key: each["type"] for key, each in made["components"]["securitySchemes"].items()} == kinds


def test_equal_arguments_give_equal_documents():
    assert json.dumps(document("atlast")) == json.dumps(document("atlast"))


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_the_document_is_printed(form):
    done = CliRunner().invoke(cli, ["openapi", "ezcards", "--revision", "seed", "--format", form])
    assert done.exit_code == 0
    told = json.loads(done.output) if form == "json" else yamlfile.read(done.output).data
    assert told["info"]["version"] == "seed"
    assert "payWithCurrency" not in told["components"]["schemas"]["Order"]["properties"]


def test_the_document_is_written_to_a_file_of_its_own(tmp_path):
    path = tmp_path / "sendcloud.yaml"
    done = CliRunner().invoke(cli, ["openapi", "sendcloud", "--format=yaml", f"--out={path}"])
    assert (done.exit_code, done.output) == (0, "")
    assert [each.message for each in linting.lint(path, str(path)) if each.severity == "error"] == []


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    done = CliRunner().invoke(cli, ["openapi", "sendcloud", f"--out={tmp_path / 'no' / 'where.json'}"])
    assert isinstance(done.exception, UserError)
    assert "cannot be written" in str(done.exception)


def test_yaml_texts_stay_texts_for_every_reader():
    """What YAML 1.1 or 1.2 takes for a number, a date, a boolean or nothing stands in quotes."""
    texts = ["NO", "yes", "1e3", "0o17", "2026-01-31", "null", "~", "12:30", "1.0", "", " x", "a: b", "é\u2028", "0x1F"]
    told = {"texts": texts, "numbers": [1, 2.5, 1e22, 1e-05], "NO": None}
    assert yamlfile.read(yamlfile.write(told)).data == told
    import yaml

    assert yaml.safe_load(yamlfile.write({"texts": texts}))["texts"] == texts


@pytest.mark.parametrize("name", ["atlast", "sendcloud"])
def test_a_pack_can_be_made_of_the_document(name, tmp_path):
    """What is composed of a pack is enough for `conformance new`."""
    path = tmp_path / "api.yaml"
    path.write_text(yamlfile.write(document(name)), encoding="utf-8")
    made = scaffolding.scaffold("again", path, "create-orders")
    assert {"provider.toml", "requirements.toml"} <= {Path(each).name for each in made.files}
