"""Every pack is sane: its catalogue complete, its cases able to fail, and a mistake in it one clear line."""

import json
import re
import shutil
import tomllib
from collections import defaultdict
from datetime import UTC, datetime

import pytest
import worlds

from conformance import catalogue, changes, errors, providers, resources, schemas, suite
from conformance.batches import Composer
from conformance.model import Account, Expect, Level
from conformance.reference import behaviour, faults

NAMES = worlds.WORLDS
# What is checked by refusals alone: every accepted batch is their other side.
REFUSED_ONLY = {"required", "type"}
# What is checked by acceptances alone.
ACCEPTED_ONLY = {"optional", "unknown"}
# Constraints that no cases are made of: theirs are written out, whatever the pack says of its sides.
UNMADE = {"const", "pattern", "uniqueItems", "multipleOf"}
# Facts that only some accounts have. The embedded endpoint takes any integration but its own for unknown.
RARE_FACTS = {"sendcloud": {"foreign_integration_id"}}
# What the documentation leaves open: cases about it observe.
UNDECIDED = (Level.SILENT, Level.CONTRADICTORY)
# Packs whose documentation gives types in its examples alone: what other types lead to is observed at some members.
SAMPLED = {"centra"}
NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


built = worlds.suite


def can_fail(case):
    """Whether some answer makes the case a violation: an observation and a look at others' answers never are."""
    return not case.excluded and bool(case.standing or (not case.reads and case.expect is not Expect.OBSERVE))


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_bear_the_prefix(name):
    ids = [each.id for each in worlds.catalogue(name).requirements]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(rf"{worlds.pack(name).prefix}-\d{{3}}", each) for each in ids)
    cases = [case.id for case in built(name).cases]
    assert len(set(cases)) == len(cases)
    assert all(case.id.startswith(f"{case.requirement.id}/") for case in built(name).cases)


@pytest.mark.parametrize("name", NAMES)
def test_titles_are_one_short_sentence_each(name):
    titles = [each.title for each in worlds.catalogue(name).requirements]
    assert [title for title in titles if len(title) > 120] == []
    assert [title for title in titles if not re.fullmatch(r"[A-Z].*[^.]\.", title)] == []
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_says_where_the_documentation_states_it(name):
    assert [each.id for each in worlds.catalogue(name).requirements if not each.source.strip()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_must_has_a_case_that_can_fail_or_a_written_reason(name):
    """For an account of some kind, where a rule is about one kind of them."""
    suites = [built(each) for each in (name, *worlds.of_kinds(name))]
    able = {case.requirement.id for made in suites for case in made.cases if can_fail(case)}
    musts = [each for each in worlds.catalogue(name).requirements if each.level is Level.MUST]
    assert musts
    assert [each.id for each in musts if each.id not in able and not each.untestable] == []
    assert [each.id for each in musts if each.id in able and each.untestable] == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_fails_where_the_documentation_is_silent(name):
    cases = [case for case in built(name).cases if case.requirement.level in UNDECIDED]
    assert cases
    assert [case.id for case in cases if case.expect is not Expect.OBSERVE] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_has_a_case(name):
    """``untested`` is a verdict for untestable rules, not for forgotten ones."""
    asked = {case.requirement.id for case in built(name).cases}
    assert [
        each.id for each in worlds.catalogue(name).requirements if each.id not in asked and not each.untestable
    ] == []


def of_another_kind(name):
    """Why cases about other kinds of accounts are not sent, by their ids."""
    known = worlds.account(name)
    gone = {
        case.id: f"it is about accounts whose {key} is {value}"
        for case in built(name).cases
        for key, value in case.when
        if known.get(key) != value
    }
    looks = {case.id: case.reads for case in built(name).cases if case.reads and not case.standing}
    return gone | {case: gone[reads[0]] for case, reads in looks.items() if gone.keys() >= {*reads}}


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_account_excludes_nothing_but_what_rare_facts_are_for(name):
    rare = RARE_FACTS.get(name, set())
    account = worlds.account(name)
    assert {key for key in rare if account.get(key) is not None} == set()
    wanted = {case.id: f"the account file has no {key}" for case in built(name).cases for key in rare & {*case.needs}}
    assert len(wanted) >= len(rare)
    wanted |= of_another_kind(name)
    assert {case.id: case.excluded for case in built(name).cases if case.excluded} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_what_is_about_another_kind_of_account_is_tried_with_one(name):
    others = [built(each) for each in worlds.of_kinds(name)]
    gone = of_another_kind(name)
    assert bool(gone) is bool(others)
    assert [each for each in gone if all(made.case(each).excluded for made in others)] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_rare_facts_are_for_is_tried_where_they_are_known(name):
    rare = dict.fromkeys(RARE_FACTS.get(name, set()), 999)
    account = Account(worlds.account(name).facts | rare)
    made = suite.build(worlds.pack(name), account, worlds.secrets(name))
    assert {case.id for case in made.cases if case.excluded} == of_another_kind(name).keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_constraint_is_tried_from_both_sides(name):
    sides = defaultdict(set)
    for case in built(name).cases:
        sides[case.operation, case.site].add(case.expect)
    lacking = []
    for owned in worlds.catalogue(name).sites:
        if any(worlds.account(name).get(key) != value for key, value in owned.when):
            continue  # the world of an account of that kind has its cases
        if owned.requirement.untestable:
            continue  # and it is written down why
        found = sides[owned.operation, owned.site.key]
        keyword = owned.site.keyword
        unmade = keyword in UNMADE
        if keyword not in ACCEPTED_ONLY:
            by_hand = unmade or owned.refuse_side == "by-hand"
            if not (refused_by_hand(name, owned) if by_hand else Expect.REFUSE in found):
                lacking.append((owned, "refused"))
        # An operation that takes no orders has one body, and that is what its refusals differ from.
        optional_here = keyword != "optional" or takes_orders(name, owned)
        if keyword not in REFUSED_ONLY and owned.accept_side != "none" and optional_here:
            by_hand = unmade or owned.accept_side == "by-hand"
            if not (accepted_by_hand(name, owned) if by_hand else found & {Expect.ACCEPT, Expect.OBSERVE}):
                lacking.append((owned, "accepted"))
    assert [(owned.site.key, side) for owned, side in lacking if not observed_in_its_place(name, owned)] == []


def observed_in_its_place(name, owned):
    """Whether the documentation says nothing of a site, and another of its requirement is observed, well or ill filled."""
    if worlds.provider(name) not in SAMPLED or owned.requirement.level not in UNDECIDED:
        return False
    sites = [each for each in worlds.catalogue(name).sites if each.requirement == owned.requirement]
    written = [body for _, body in bodies(name, owned, Expect.OBSERVE)]
    return any(values_at(body, steps_to(each)) for each in sites for body in written)


@pytest.mark.parametrize("name", NAMES)
def test_a_side_that_is_written_out_by_hand_is_not_made_as_well(name):
    """``by-hand`` stands where a mechanical case would be about something else, or be told wrongly."""
    hand = {(each.operation, each.site.key): each for each in worlds.catalogue(name).sites}
    for case in built(name).cases:
        if owned := hand.get((case.operation, case.site)):
            assert owned.refuse_side != "by-hand" or case.expect is not Expect.REFUSE, case.id
            # Of the sites whose accepting side is written out, those that lack null or a bound refuse all the same.
            assert owned.accept_side not in ("by-hand", "none") or case.expect is not Expect.ACCEPT, case.id


@pytest.mark.parametrize("name", NAMES)
def test_format_examples_that_are_observed_are_those_that_the_pack_names(name):
    for owned in worlds.catalogue(name).sites:
        cases = [
            case for case in built(name).cases if case.site == owned.site.key and case.operation == owned.operation
        ]
        observed = {
            case.id.rpartition(".not-")[2] for case in cases if case.expect is Expect.OBSERVE and ".not-" in case.id
        }
        assert observed == (owned.observed if owned.site.keyword == "format" else set()), owned.site.key


def takes_orders(name, owned):
    return worlds.pack(name).operation(owned.operation).order is not None


def bodies(name, owned, *expected):
    """(case, body) of the requests that the owner of a site wrote out; answers that steps recall are made up."""
    made_of = built(name)
    for case in made_of.cases:
        if case.requirement == owned.requirement and not case.site and case.sends:
            for index, composed in worlds.played(name, case, Composer(made_of, 1, "k7m2qd"), NOW):
                if case.wanted(index) in expected and composed.operation == owned.operation:
                    yield case, json.loads(composed.request.body)


def refused_by_hand(name, owned):
    """
    Whether a written refusal breaks this constraint, by the schema, and no other.

    Where the documentation is silent, an observation does.
    """
    expected = Expect.OBSERVE if owned.requirement.level in UNDECIDED else Expect.REFUSE
    rule = f"{owned.site.at}/{owned.site.keyword}"
    validator = schemas.validator(worlds.pack(name).operation(owned.operation).request_schema)
    for _, body in bodies(name, owned, expected):
        broken = {changes.pointer([str(part) for part in each.rule]) for each in validator.mistakes(body)}
        if broken == {rule}:
            return True
    return False


def accepted_by_hand(name, owned):
    """Whether a written case, accepted or observed, has a value under the constraint; an optional member is left out."""
    *above, _ = path = steps_to(owned)
    for _, body in bodies(name, owned, Expect.ACCEPT, Expect.OBSERVE):
        if owned.site.keyword == "optional":
            if any(path[-1] not in parent for parent in values_at(body, above)):
                return True
        elif any(value is not None for value in values_at(body, path)):
            return True
    return False


def steps_to(owned):
    """The steps of a site's instance path."""
    return owned.site.path.replace("[]", ".[]").removeprefix("$").strip(".").split(".")


def values_at(body, path):
    """The values of a body that an instance path leads to."""
    found = [body]
    for part in path:
        if part == "[]":
            found = [each for value in found if isinstance(value, list) for each in value]
        elif part == "*":
            found = [each for value in found for each in value.values()]
        elif part:
            found = [value[part] for value in found if isinstance(value, dict) and part in value]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_refusal_has_an_accepted_twin(name):
    made = built(name)
    for case in made.cases:
        if case.expect in (Expect.REFUSE, Expect.DENY) and case.sends:
            twin = made.by_id.get(case.twin)
            assert case.twin in ("control", *made.twins) or (twin is not None and twin.expect is Expect.ACCEPT), case.id


@pytest.mark.parametrize("name", NAMES)
def test_every_must_has_a_fault(name):
    known = faults.of(worlds.pack(name))
    broken = {fault.requirement for fault in known.values()}
    musts = [each for each in worlds.catalogue(name).requirements if each.level is Level.MUST and not each.untestable]
    assert [each.id for each in musts if each.id not in broken] == []
    assert [each.id for each in musts if each.id not in known] == []


@pytest.mark.parametrize("name", NAMES)
def test_faults_belong_to_requirements_and_change_something(name):
    pack = worlds.pack(name)
    ids = {each.id for each in worlds.catalogue(name).requirements}
    healthy = behaviour.healthy(pack)
    for fault in faults.of(pack).values():
        assert fault.requirement in ids
        assert fault.title.strip()
        assert fault.apply(healthy) != healthy, fault.id
        assert behaviour.healthy(pack) == healthy, f"{fault.id} changed the pack itself"


# Revisions of the documentation


REVISED = [name for name in worlds.PACKS if len(providers.load(name).revisions) > 1]


def members_of_revisions(name):
    """(site path, revisions) of the members of request bodies that only some revisions know, by the raw schema."""
    path = resources.folders_of(name).schemas / "request.schema.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    found = {}

    def walk(node, place):
        node = document["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        for member, child in node.get("properties", {}).items():
            if "x-revision" in child:
                found[f"{place}/{member}"] = child["x-revision"]
            walk(child, f"{place}/{member}")
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                walk(node[key], f"{place}/*")

    walk(document, "")
    return found


def schema_at(schema, place):
    """What an inlined schema says of a place, or None."""
    for part in changes.tokens(place):
        inner = (
            schema.get("items", schema.get("additionalProperties"))
            if part == "*"
            else schema.get("properties", {}).get(part)
        )
        if inner is None:
            return None
        schema = inner
    return schema


@pytest.mark.parametrize("name", REVISED)
def test_members_of_another_revision_are_neither_in_schema_nor_template(name):
    members = members_of_revisions(name)
    assert members
    for revision in providers.load(name).revisions:
        main = providers.load(name, revision).main
        assert "x-revision" not in json.dumps(main.request_schema)
        for place, known in members.items():
            assert (schema_at(main.request_schema, place) is not None) is (revision in known), (revision, place)
            if revision not in known:
                inside = place.removeprefix("/*") if main.envelope == "named" else place
                assert changes.select(main.order.template, inside) == [], (revision, place)
    # And of those that are known, templates have some.
    assert {json.dumps(providers.load(name, each).main.order.template) for each in providers.load(name).revisions} != {
        json.dumps(providers.load(name).main.order.template)
    }


@pytest.mark.parametrize("world", [each for each in NAMES if worlds.provider(each) in REVISED])
def test_members_of_another_revision_are_sent_by_hand_or_not_at_all(world):
    """What must be accepted has none of them: an endpoint of that age need not know them."""
    pack = worlds.pack(world)
    gone = [place for place, known in members_of_revisions(pack.name).items() if pack.revision not in known]
    sent = 0
    for case in built(world).cases:
        if case.sends and case.expect is not Expect.OBSERVE:
            for index, composed in worlds.played(world, case, Composer(built(world), 1, "k7m2qd"), NOW):
                if composed.operation == pack.main.id and case.wanted(index) is Expect.ACCEPT:
                    sent += 1
                    body = worlds.body_of(composed)
                    assert [place for place in gone if changes.select(body, place)] == [], case.id
    assert sent > 0
    assert (pack.revision, bool(gone)) != ("seed", False)


@pytest.mark.parametrize("name", REVISED)
def test_requirements_cases_and_faults_of_another_revision_do_not_exist(name):
    path = resources.folders_of(name).schemas / "requirements.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["requirement"]
    assert any("revision" in row for row in rows)
    for revision in providers.load(name).revisions:
        known = catalogue.load(name, revision)

        def there(row, revision=revision):
            return revision in row.get("revision", [revision])

        assert [each.id for each in known.requirements] == [row["id"] for row in rows if there(row)]
        for row in filter(there, rows):
            for key, made in (("case", known.cases), ("fault", known.faults)):
                assert list(made[row["id"]]) == [each for each in row.get(key, []) if there(each)]
        pack = providers.load(name, revision)
        asked = {case.requirement.id for case in suite.build(pack, providers.reference_account(pack)).cases}
        assert asked <= {each.id for each in known.requirements}
        broken = {fault.requirement for fault in faults.of(pack).values()}
        assert broken <= {each.id for each in known.requirements}


@pytest.mark.parametrize("name", REVISED)
def test_rules_of_another_revision_do_not_hold(name):
    pack = providers.load(name)
    rules = pack.reference["always"] + pack.reference["strict"]
    for revision in pack.revisions:
        made = behaviour.healthy(providers.load(name, revision), strict=True)
        assert list(made.rules) == [each for each in rules if revision in each.get("revision", [revision])]


@pytest.mark.parametrize("name", worlds.PACKS)
def test_a_revision_is_the_current_one_unless_it_is_named(name):
    pack = providers.load(name)
    assert pack.revision in pack.revisions
    assert providers.load(name, pack.revision) == pack
    assert [providers.load(name, each).revision for each in pack.revisions] == list(pack.revisions)


# Facts that follow from others


def read(name, tmp_path, text):
    path = tmp_path / "account.toml"
    path.write_text(text, encoding="utf-8")
    return providers.read_account(providers.load(name), path).facts


def test_facts_follow_from_products_and_wallets(tmp_path):
    """The first product in a currency with a wallet, others of its currency, of another one, and of none."""
    products = [("X1", "CHF"), ("A1", "USD"), ("A2", "USD"), ("B1", "EUR"), ("A3", "USD"), ("X2", "GBP")]
    rows = "".join(f'[[products]]\nsku = "{sku}"\ncurrency = "{currency}"\n' for sku, currency in products)
    facts = read("ezcards", tmp_path, f'balance_currencies = ["EUR", "USD"]\n{rows}')
    derived = {key: value for key, value in facts.items() if key not in ("balance_currencies", "products")}
    assert derived == {
        "sku_a": "A1", "currency_a": "USD", "sku_b": "A2", "sku_c": "A3", "sku_other_currency": "B1",
        "other_currency": "EUR", "sku_foreign": "X1", "foreign_currency": "CHF",
    }  # fmt: skip


def test_a_fact_that_is_given_is_not_derived(tmp_path):
    """And others follow from it."""
    rows = '[[products]]\nsku = "A1"\ncurrency = "USD"\n[[products]]\nsku = "B1"\ncurrency = "EUR"\n'
    facts = read("ezcards", tmp_path, f'balance_currencies = ["EUR", "USD"]\nsku_a = "B1"\n{rows}')
    assert (facts["sku_a"], facts["currency_a"], facts["sku_other_currency"]) == ("B1", "EUR", "A1")
    assert "sku_b" not in facts


@pytest.mark.parametrize("text", ["", 'balance_currencies = ["USD"]\n', '[[products]]\nsku = "A1"\ncurrency = "USD"\n'])
def test_nothing_follows_from_half_of_it(tmp_path, text):
    """Unknown wallets make no product foreign."""
    assert not {"sku_a", "sku_b", "sku_foreign", "foreign_currency"} & read("ezcards", tmp_path, text).keys()


def test_a_product_without_a_member_is_passed_over(tmp_path):
    rows = '[[products]]\nsku = "A1"\n[[products]]\nsku = "A2"\nean = "4006381333931"\nid = 7\n'
    facts = read("centra", tmp_path, f'store_type = "b2c"\n{rows}')
    assert (facts["sku"], facts["sku_2"], facts["ean"], facts["size_id"]) == ("A1", "A2", "4006381333931", 7)
    assert "sku_joined" not in facts


@pytest.mark.parametrize("name", worlds.PACKS)
def test_derived_facts_are_keys_of_the_account_and_follow_from_keys(name):
    pack = providers.load(name)
    for each in pack.derived:
        assert each["key"] in pack.account_keys
        assert pack.account_keys[each["from"]]["type"] == "array"
        for condition in each.get("where", ()):
            others = [value for key, value in condition.items() if key != "member"]
            assert len(others) == 1
            assert others[0] in pack.account_keys


# Mistakes in a pack. The pack broken here is a copy of AtLast's, under another name.


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """The folders of a pack ``acme``, free to be broken."""
    built("atlast")  # while it can still be found
    ours = resources.folders_of("atlast")
    acme = resources.PackFolders("acme", tmp_path / "schemas", tmp_path / "fixtures", tmp_path / "cassettes")
    shutil.copytree(ours.schemas, acme.schemas)
    shutil.copytree(ours.fixtures, acme.fixtures)
    descriptor = acme.schemas / "provider.toml"
    edit(descriptor, f'name = "{ours.name}"', 'name = "acme"')
    monkeypatch.setattr(resources, "providers", lambda: {"acme": acme})
    yield acme
    # Packs are read once a process: nothing of the broken one may stay.
    providers.load.cache_clear()
    catalogue.load.cache_clear()


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def add(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def mistake(pack):
    """What a user reads of the mistake."""
    with pytest.raises(errors.PackError) as caught:
        suite.load("acme", providers.reference_account(providers.load("acme")))
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(pack.schemas), "PACK")


def test_the_copy_is_sound(pack):
    """Without a mistake the copied pack makes a suite, so what the others find is what they put in."""
    made = suite.load("acme", providers.reference_account(providers.load("acme")))
    assert {case.id for case in made.cases} == {case.id for case in built("atlast").cases}


def test_misspelt_key_at_the_top(pack):
    edit(pack.schemas / "provider.toml", "documentation =", "documentaton =")
    assert mistake(pack) == "PACK/provider.toml: /: unknown key 'documentaton'; did you mean 'documentation'?"


def test_misspelt_key_inside(pack):
    edit(pack.schemas / "provider.toml", "envelope =", "envelop =")
    assert mistake(pack) == "PACK/provider.toml: /operation/0: unknown key 'envelop'; did you mean 'envelope'?"


def test_key_nobody_could_have_meant(pack):
    edit(pack.schemas / "provider.toml", "[hosts]", "[hosts]\nzzzzzz = 1")
    assert mistake(pack) == "PACK/provider.toml: /hosts: unknown key 'zzzzzz'; known: production, sandbox"


def test_misspelt_key_of_a_requirement(pack):
    edit(pack.schemas / "requirements.toml", "covers =", "cover =")
    text = mistake(pack)
    assert re.fullmatch(
        r"PACK/requirements\.toml: /requirement/\d+: unknown key 'cover'; did you mean 'covers'\?", text
    )


def test_misspelt_key_of_a_case(pack):
    edit(pack.schemas / "requirements.toml", "expect =", "expects =")
    assert (
        mistake(pack) == "PACK/requirements.toml: /requirement/0/case/0: unknown key 'expects'; did you mean 'expect'?"
    )


def test_value_that_a_key_does_not_take(pack):
    edit(pack.schemas / "requirements.toml", 'level = "must"', 'level = "shall"')
    text = mistake(pack)
    assert text.startswith('PACK/requirements.toml: /requirement/0/level: "shall" is not one of "must", "should"')


def test_missing_key(pack):
    edit(pack.schemas / "requirements.toml", 'area = "transport"\n', "")
    assert mistake(pack) == 'PACK/requirements.toml: /requirement/0: "area" is a required property'


def test_not_toml(pack):
    add(pack.schemas / "requirements.toml", "\n[[requirement\n")
    assert re.fullmatch(r"PACK/requirements\.toml: not TOML \(.+\)", mistake(pack))


def test_no_catalogue(pack):
    (pack.schemas / "requirements.toml").unlink()
    assert mistake(pack) == "PACK/requirements.toml: cannot be read (No such file or directory)"


def test_another_name_than_the_folders(pack):
    edit(pack.schemas / "provider.toml", 'name = "acme"', 'name = "acmee"')
    assert mistake(pack) == "PACK/provider.toml: /name: 'acmee' differs from the folder 'acme'"


def test_no_main_operation(pack):
    edit(pack.schemas / "provider.toml", "main = true\n", "")
    assert mistake(pack) == "PACK/provider.toml: /operation: exactly one operation needs main = true"


def test_covers_a_site_that_is_not_there(pack):
    edit(pack.schemas / "requirements.toml", '"orders[].id minLength"', '"orders[].id minLenght"')
    assert mistake(pack) == (
        "PACK/requirements.toml: AL-027: covers 'orders[].id minLenght', which no request schema has; "
        "did you mean 'orders[].id minLength'?"
    )


def test_covers_a_site_of_an_operation_that_is_not_there(pack):
    edit(pack.schemas / "requirements.toml", '"create-token:client_id required"', '"make-token:client_id required"')
    assert mistake(pack) == (
        "PACK/requirements.toml: AL-007: covers 'make-token:client_id required', which no request schema has; "
        "none is known"
    )


def test_covered_twice(pack):
    edit(
        pack.schemas / "requirements.toml",
        'covers = ["orders[].id type"]',
        'covers = ["orders[].id type", "orders[].id required"]',
    )
    assert mistake(pack) == "PACK/requirements.toml: AL-026: 'orders[].id required' is covered by AL-025 too"


def test_a_constraint_that_nobody_covers(pack):
    edit(pack.schemas / "requirements.toml", 'covers = ["orders[].id minLength"]\n', "")
    assert mistake(pack) == (
        "PACK/requirements.toml: no requirement covers 'create-orders: orders[].id minLength' (1 in all); "
        "add it to a covers list"
    )


def test_requirement_twice(pack):
    edit(pack.schemas / "requirements.toml", 'id = "AL-002"', 'id = "AL-001"')
    assert mistake(pack) == "PACK/requirements.toml: AL-001: stands there twice; ids are for ever and for one thing"


def test_case_twice(pack):
    edit(pack.schemas / "requirements.toml", 'id = "order.answer"', 'id = "order.plain"')
    assert mistake(pack) == ("PACK: AL-001/order.plain: made twice; ids are for ever and for one thing")


def test_hand_made_case_with_the_id_of_a_mechanical_one(pack):
    edit(
        pack.schemas / "requirements.toml",
        'covers = ["orders[].id minLength"]\n',
        'covers = ["orders[].id minLength"]\n[[requirement.case]]\nid = "id.too-short"\nexpect = "accept"\n',
    )
    assert mistake(pack) == "PACK: AL-027/id.too-short: made twice; ids are for ever and for one thing"


def test_foreign_prefix(pack):
    edit(pack.schemas / "requirements.toml", 'id = "AL-001"', 'id = "XX-001"')
    assert mistake(pack) == "PACK/requirements.toml: XX-001: ids of this pack begin with AL-"


def test_reads_a_case_that_is_not_there(pack):
    edit(pack.schemas / "requirements.toml", '"AL-003/token.invented"]', '"AL-003/token.inventd"]')
    assert mistake(pack) == (
        "AL-004/token.refusal-form: reads 'AL-003/token.inventd', which is no case; did you mean 'AL-003/token.invented'?"
    )


def test_case_of_an_operation_that_is_not_there(pack):
    edit(pack.schemas / "requirements.toml", 'operation = "create-token"', 'operation = "create-tokens"')
    assert mistake(pack) == "PACK: no operation 'create-tokens'; did you mean 'create-token'?"


def test_change_of_an_order_beyond_the_batch(pack):
    edit(pack.schemas / "requirements.toml", "batch = { size = 3, changed = 2 }", "batch = { size = 3, changed = 4 }")
    assert mistake(pack) == "AL-039/createdAt.too-old-in-2nd-of-3: batch: there is no order 4 among 3"


def test_schema_that_is_not_there(pack):
    edit(pack.schemas / "provider.toml", '"request.schema.json"', '"requests.schema.json"')
    assert mistake(pack) == (
        "PACK/requests.schema.json: cannot be read (No such file or directory); the pack's provider.toml names it"
    )


def test_schema_that_is_not_json(pack):
    add(pack.schemas / "request.schema.json", "}")
    assert re.fullmatch(
        r"PACK/request\.schema\.json: not JSON \(Extra data: line \d+ column 1 \(char \d+\)\)", mistake(pack)
    )


def test_reference_that_leads_nowhere(pack):
    edit(pack.schemas / "request.schema.json", '"#/$defs/IngestOrder"', '"#/$defs/IngestOrders"')
    assert mistake(pack) == "PACK/request.schema.json: $ref '#/$defs/IngestOrders' leads nowhere"


def test_schema_that_contains_itself(pack):
    edit(pack.schemas / "request.schema.json", '"$ref": "#/$defs/Price"', '"$ref": "#/$defs/IngestOrder"')
    assert mistake(pack) == (
        "PACK/request.schema.json: #/$defs/IngestOrder contains itself; recursive request schemas are not supported"
    )


def test_schema_with_a_keyword_of_the_wrong_type(pack):
    edit(pack.schemas / "request.schema.json", '"minLength": 1', '"minLength": -1')
    assert re.fullmatch(
        r"PACK/request\.schema\.json: /properties/orders/items/properties/id/minLength: not a valid JSON Schema \(.+\)",
        mistake(pack),
    )


def test_template_that_is_not_there(pack):
    edit(pack.schemas / "provider.toml", '"order.json"', '"orders.json"')
    assert re.fullmatch(r"PACK/orders\.json: cannot be read as JSON \(.+\)", mistake(pack))


def test_expression_that_nobody_knows(pack):
    edit(pack.schemas / "order.json", '"@order.id"', '"@order.identity"')
    assert mistake(pack) == "PACK: order.json: @order.identity: no such expression; did you mean 'order.id'?"


# Mistakes of users


def test_unknown_provider():
    with pytest.raises(errors.UserError) as caught:
        providers.load("atlest")
    assert str(caught.value) == "there is no provider 'atlest'; did you mean 'atlast'?"


def test_unknown_revision():
    with pytest.raises(errors.UserError) as caught:
        providers.load("atlast", "v2")
    assert str(caught.value) == "--revision=v2: atlast has no such revision; did you mean 'v1'?"
    with pytest.raises(errors.UserError) as caught:
        providers.load("centra", "sed")
    assert str(caught.value) == "--revision=sed: centra has no such revision; did you mean 'seed'?"


def test_account_file_with_a_misspelt_key(tmp_path):
    path = tmp_path / "account.toml"
    path.write_text('merchants_ids = ["m-1"]\n', encoding="utf-8")
    with pytest.raises(errors.UserError) as caught:
        providers.read_account(providers.load("atlast"), path)
    assert str(caught.value) == f"{path}: /: unknown key 'merchants_ids'; did you mean 'merchant_ids'?"


def test_account_file_with_a_wrong_type(tmp_path):
    path = tmp_path / "account.toml"
    path.write_text('email_optional = "yes"\n', encoding="utf-8")
    with pytest.raises(errors.UserError) as caught:
        providers.read_account(providers.load("atlast"), path)
    assert str(caught.value) == f'{path}: /email_optional: "yes" is not of type "boolean"'


def test_account_file_that_is_not_there(tmp_path):
    path = tmp_path / "account.toml"
    with pytest.raises(errors.UserError) as caught:
        providers.read_account(providers.load("atlast"), path)
    assert str(caught.value) == f"{path}: cannot be read (No such file or directory)"


def test_digest_of_a_pack_changes_with_any_byte(pack):
    """Two packs with equal digests judge alike."""
    before = pack.digest()
    assert pack.digest() == before
    add(pack.fixtures / "account.toml", "\n")
    assert pack.digest() != before
