"""The example bodies of every pack are what their expectations say, once their markers are filled in."""

import json
import re
import tomllib
from datetime import UTC, datetime

import pytest
import worlds

from conformance import catalogue, changes, drafts, envelope, providers, resources, schemas, values
from conformance.model import Level
from conformance.rules import Context, breaches

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


def folder(provider):
    return resources.folders_of(provider).fixtures / "examples"


def expectations(provider):
    path = folder(provider) / "expectations.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["example"] if path.is_file() else []


def params(expect=""):
    return [
        pytest.param(name, row, id=f"{name}/{row['file']}")
        for name in resources.providers()
        for row in expectations(name)
        if not expect or row["expect"] == expect
    ]


def raw(provider, row):
    return json.loads((folder(provider) / row["file"]).read_text(encoding="utf-8"))


def filled(provider, row):
    pack = providers.load(provider)
    draft = drafts.draft("example", now=NOW, token="k7m2qd")
    return values.fill(raw(provider, row), values.Scope(draft, NOW, providers.reference_account(pack), "example"))


def faults(provider, body):
    """(pointer, requirement) of everything wrong with a body, by the schema and, if that is silent, by the rules."""
    pack = providers.load(provider)
    found = []
    for mistake in schemas.validator(pack.main.request_schema).mistakes(body):
        pointer = mistake.pointer
        if mistake.keyword == "required":
            pointer += "/" + re.match(r'"(.+)" is a required property', mistake.message)[1]
        found.append((pointer, owner(provider, pointer, mistake.keyword)))
    if found:
        return found
    context = Context(NOW, providers.reference_account(pack), lambda _place, _value: False)
    for index, order in enumerate(envelope.unwrap(pack.main, body)):
        place = envelope.place(pack.main, index, envelope.names(pack.main, body))
        for rule in worlds.rules(provider):
            # A rule without a requirement is no documented one: the reference endpoint cannot do without.
            broken = breaches(rule, order, context)
            found += [(place + breach.pointer, rule.get("requirement", "")) for breach in broken]
    return found


def owner(provider, pointer, keyword):
    """The requirement that covers a constraint."""
    main = providers.load(provider).main
    parts = changes.tokens(pointer)
    if main.envelope == "named" and parts:
        parts[0] = "*"
    path = ".".join(parts) or "$"
    path = re.sub(r"(?:^|\.)\d+(?=\.|$)", "[]", path)
    for owned in catalogue.load(provider).sites:
        if (owned.operation, owned.site.path, owned.site.keyword) == (main.id, path, keyword):
            return owned.requirement.id
    raise AssertionError(f"nobody covers {keyword} at {path}")


def about_null(provider):
    """The requirements whose fault is to take null: a null breaks them beside the type."""
    return {
        name
        for name, made in catalogue.load(provider).faults.items()
        if any(one.get("behaviour") == "nullable" or "null" in one.get("merge", {}).get("type", ()) for one in made)
    }


def dated(provider):
    """Whether orders have dates: formats of the schema, rules on age, or moments that the template fills in."""
    main = providers.load(provider).main
    sites = schemas.walk(main.request_schema)
    template = json.dumps(main.order.template)
    return bool(re.search("@(now|today|date)", template)) or any(
        each.keyword == "format" and str(each.value).startswith("date") for each in sites
    )


@pytest.mark.parametrize("provider", list(resources.providers()))
def test_every_file_has_an_expectation_and_every_expectation_a_file(provider):
    listed = [row["file"] for row in expectations(provider)]
    assert sorted(listed) == sorted(
        path.relative_to(folder(provider)).as_posix() for path in folder(provider).rglob("*.json")
    )
    for row in expectations(provider):
        assert row["file"].startswith("valid/" if row["expect"] == "accept" else "invalid/")


@pytest.mark.parametrize(("provider", "row"), params("accept"))
def test_valid_examples_break_no_rule(provider, row):
    assert faults(provider, filled(provider, row)) == []


@pytest.mark.parametrize(("provider", "row"), params("refuse"))
def test_invalid_examples_break_the_one_rule_that_is_named_where_it_is_named(provider, row):
    body = filled(provider, row)
    ((pointer, requirement),) = faults(provider, body)
    assert pointer == row["pointer"]
    null = changes.exists(body, pointer) and changes.read(body, pointer) is None
    assert row["requirement"] in ({requirement} | about_null(provider) if null else {requirement})
    assert catalogue.load(provider).requirement(row["requirement"]).level is Level.MUST


@pytest.mark.parametrize(("provider", "row"), params("accept"))
def test_valid_examples_need_their_markers_filled_in(provider, row):
    """A body that can be sent as it lies here would grow too old, or name the same day for ever, where orders have dates."""
    if dated(provider):
        assert faults(provider, raw(provider, row)) != []
    else:
        assert filled(provider, row) == raw(provider, row)


@pytest.mark.parametrize(("provider", "row"), params())
def test_examples_speak_to_nobody(provider, row):
    """Addresses are at domains that RFC 2606 reserves."""
    text = json.dumps(raw(provider, row))
    for host in re.findall(r"@([\w-]+\.[\w.-]+)|https?://([^/\"]+)", text):
        assert re.search(r"(^|\.)example\.(com|org|net)$", "".join(host))
