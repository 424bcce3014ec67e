"""The catalogues of EZ Cards and Centra, for which there is no official file, say what their fact sheets say."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHEETS = ROOT.parent / "shared" / "providers"
PACKS = ("ezcards", "centra")
pytestmark = pytest.mark.skipif(
    not all((SHEETS / f"{name}.md").is_file() for name in PACKS), reason="shared/providers has no sheets here"
)
# So many words in a row make a sentence of somebody else's.
QUOTE = 8


@cache
def sheet(name):
    return (SHEETS / f"{name}.md").read_text(encoding="utf-8")


@cache
def read(name, file):
    return tomllib.loads((ROOT / "schemas" / name / file).read_text(encoding="utf-8"))


def rows(name, heading):
    """The cells of every table row under a heading."""
    text = re.search(rf"^#+ {re.escape(heading)}.*?\n(.*?)(?=^##+ |\Z)", sheet(name), re.MULTILINE | re.DOTALL)[1]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line[:3] == "| `"]


@pytest.mark.parametrize("name", PACKS)
def test_ids_and_levels_are_those_of_the_sheet(name):
    listed = re.findall(r"^\| ((?:EZ|CE)-\d+) \| (\w+) \|", sheet(name), re.MULTILINE)
    assert len(listed) > 90
    catalogue = read(name, "requirements.toml")["requirement"]
    assert [(each["id"], each["level"]) for each in catalogue] == listed


@pytest.mark.parametrize("name", PACKS)
def test_the_pack_knows_every_account_fact_of_the_sheet(name):
    keys = {key for row in rows(name, "Account facts a tester must supply") for key in re.findall(r"`(\w+)`", row[0])}
    auth = read(name, "provider.toml")["auth"]
    secrets = {each for part in (*auth["credentials"], *auth.get("extra", [])) for each in part["variables"]}
    assert len(keys) > 10
    assert keys - set(read(name, "provider.toml")["account"]) - secrets == set()


@pytest.mark.parametrize("name", PACKS)
def test_the_reference_account_has_only_facts_that_the_pack_knows(name):
    facts = tomllib.loads((ROOT / "fixtures" / name / "account.toml").read_text(encoding="utf-8"))
    assert set(facts) <= set(read(name, "provider.toml")["account"])


@pytest.mark.parametrize("name", PACKS)
def test_what_is_required_in_the_sheet_is_required_in_the_schema(name):
    """Flat members of an order; what is required under a condition is a rule of its own."""
    schema = json.loads((ROOT / "schemas" / name / "request.schema.json").read_text(encoding="utf-8"))
    text = json.dumps(schema)
    for row in rows(name, "Request body" if name == "ezcards" else "Request"):
        path, required = row[0].strip("`"), row[3] if name == "ezcards" else row[2]
        member = path.rpartition(".")[2]
        if re.fullmatch(r"(\*\*)?yes(\*\*)?", required) and member.isidentifier():
            assert re.search(rf'"required": \[[^\]]*"{member}"', text), path


def own_words(name):
    """The API's own words: those are facts, and nobody can reword them."""
    found = set()
    for file in ("request", "success"):
        text = (ROOT / "schemas" / name / f"{file}.schema.json").read_text(encoding="utf-8")
        found |= set(re.findall(r"[a-z0-9_']+", text.lower()))
    return found


def quotes(name, text):
    """Every run of words in a text that is long enough to be a quotation."""
    known = own_words(name)
    found = [word for word in re.findall(r"[a-z0-9_']+", text.lower()) if word not in known]
    return {tuple(found[start : start + QUOTE]) for start in range(len(found) - QUOTE + 1)}


@pytest.mark.parametrize("name", PACKS)
def test_titles_are_our_own_words(name):
    theirs = quotes(name, sheet(name))
    catalogue = read(name, "requirements.toml")["requirement"]
    assert {each["id"]: each["title"] for each in catalogue if quotes(name, each["title"]) & theirs} == {}
