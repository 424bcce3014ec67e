"""``conformance generate``: every order valid, none like another, the same bytes from any number of processes."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import worlds
from click.testing import CliRunner

from conformance import drafts, generation, providers, resources, values
from conformance.batches import Composer
from conformance.cli.generate import generate
from conformance.errors import PackError, UserError
from conformance.model import Account
from conformance.operations import order_schema
from conformance.reference.app import CREDENTIALS, Endpoint
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport
from conformance.scrub import Vault

PROGRAM = Path(sysconfig.get_path("scripts")) / ("conformance.exe" if os.name == "nt" else "conformance")
HERE = Path(__file__).parent
BIRCH = HERE / "third_party" / "birch_orders"
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
AT = "--now=2026-06-15T12:00:00Z"


def conformance(*arguments, env=None):
    return subprocess.run(
        [PROGRAM, "generate", *map(str, arguments)], capture_output=True, timeout=90, check=False,
        env=os.environ | (env or {}),
    )  # fmt: skip


def wish(world="atlast", **options):
    pack = worlds.pack(world)
    return generation.Wish(pack.name, worlds.account(world), NOW, revision=pack.revision, **options)


def rows(made):
    return [json.loads(line) for line in made.splitlines()]


def wrong(done, message):
    """One line that says what is wrong, and exit 4."""
    assert done.stderr.decode() == f"conformance: {message}\n"
    assert done.stdout == b""
    assert done.returncode == 4


# Valid


@pytest.mark.parametrize("start", ["plain", "minimal", "full", "mixed"])
@pytest.mark.parametrize("world", worlds.WORLDS)
def test_every_order_is_valid(world, start):
    """A second JSON Schema library finds no fault with any, formats included."""
    main = worlds.pack(world).main
    schema = order_schema(main.envelope, main.wrapper, main.request_schema)
    strict = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    found = rows(generation.Source(wish(world, start=start, lines=(1, 3))).text(0, 20))
    assert len(found) == 20
    assert [error.message for order in found for error in strict.iter_errors(order)] == []


@pytest.mark.parametrize("name", worlds.PACKS)
def test_reference_endpoint_takes_every_batch(name):
    """Even where it refuses what the documentation is silent about."""
    suite = worlds.suite(name)
    app = Endpoint(suite.provider, suite.account, healthy(suite.provider, strict=True), clock=lambda: NOW).app()
    transport = AppTransport(app, suite.provider.main.base_path, Vault(CREDENTIALS))
    like = plain(suite)
    size = generation.largest_batch(suite.provider)
    made = generation.Source(wish(name, start="mixed", batch=size)).text(0, 3 * size)
    for line in made.splitlines():
        request = replace(like, body=line)
        answer = transport.send(request, suite.provider.main.id, "x", NOW).response
        assert answer.status == suite.provider.main.success[0], answer.body[:300]
        assert b'"no"' not in answer.body


def plain(suite):
    """A request as the suite sends it."""
    composer = Composer(suite, 1, "abcdef")
    case = next(each for each in suite.cases if each.sends and each.operation == suite.provider.main.id)
    return composer.step(case, 0, "0", NOW).request


def test_batches_are_as_large_as_the_documentation_allows():
    """The last has what is left."""
    made = rows(generation.Source(wish("atlast", batch=100)).text(0, 250))
    assert [len(each["orders"]) for each in made] == [100, 100, 50]
    assert [generation.largest_batch(worlds.pack(name)) for name in ("atlast", "centra", "ezcards", "sendcloud")] == [
        100, 20, 1, 100,
    ]  # fmt: skip


def test_orders_by_name_are_named_by_their_numbers():
    """No name comes twice in a file."""
    made = rows(generation.Source(wish("centra", batch=20)).text(20, 40))
    assert [name for each in made for name in each] == [f"o{number}" for number in range(21, 61)]


def test_one_order_a_request_is_the_request():
    source = generation.Source(wish("ezcards"))
    assert source.text(0, 3) == generation.Source(wish("ezcards", batch=1)).text(0, 3)


def test_lines_are_as_many_as_asked():
    """Every number between the bounds comes up."""
    made = rows(generation.Source(wish("atlast", lines=(2, 4))).text(0, 60))
    assert {len(order["items"]) for order in made} == {2, 3, 4}


def test_a_mixture_has_orders_of_every_form():
    counts = {len(order) for order in rows(generation.Source(wish("sendcloud", start="mixed")).text(0, 60))}
    assert len(counts) == 3


# Equal and different


def test_no_two_orders_have_the_same_ids():
    """Ids are different by construction: a serial number has one mark, whatever the number."""
    assert len({drafts.scattered(number) for number in range(1_000_000)}) == 1_000_000
    assert len({drafts.scattered(generation.MOST - number) for number in range(1, 1000)}) == 999
    made = rows(generation.Source(wish("atlast", checked=False)).text(0, 20_000))
    for member in ("id", "orderNumber"):
        assert len({order[member] for order in made}) == 20_000
    assert len({line["id"] for order in made for line in order["items"]}) == 20_000


def test_short_references_and_numbers_do_not_repeat_either():
    """Those of a run are drawn from few; those of very many orders are counted."""
    made = [drafts.draft("k", now=NOW, token="abcdef", serial=number) for number in (0, 1, 89_999, 90_000)]
    assert [each.reference for each in made] == ["PO-10000", "PO-10001", "PO-99999", "PO-100000"]
    drawn = [values.fill("@number", values.Scope(made[0], NOW, Account(), "k", serial=at)) for at in range(20_000)]
    assert len(set(drawn)) == 20_000
    assert all(10**11 <= number < 10**12 for number in drawn)


def test_an_outline_is_the_draft_as_soon_as_somebody_looks():
    """An order of ids alone spares the drawing of a buyer; one that asks for the buyer gets the same."""
    drawn = []
    whole = drafts.draft("k", now=NOW, token="abcdef", serial=7)
    outline = drafts.Outline("abcdef", 7, lambda: drawn.append(1) or whole)
    assert (outline.id, outline.number, drawn) == (whole.id, whole.number, [])
    assert (outline.buyer, outline.total, drawn) == (whole.buyer, whole.total, [1])


def test_an_order_depends_on_seed_and_number_alone():
    source = generation.Source(wish())
    assert source.text(0, 30).splitlines()[20:] == generation.Source(wish()).text(20, 10).splitlines()
    others = {order["id"] for order in rows(generation.Source(wish(seed=2)).text(0, 30))}
    assert not others & {order["id"] for order in rows(source.text(0, 30))}


def test_bytes_are_the_same_from_any_number_of_processes(tmp_path):
    """More blocks than processes, and the last one shorter."""
    for jobs in (1, 2):
        done = conformance(
            "atlast",
            "--orders=9050",
            "--format=batches",
            "--start=mixed",
            AT,
            "--out",
            tmp_path / f"{jobs}",
            f"--jobs={jobs}",
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert [len(each["orders"]) for each in rows((tmp_path / "1").read_bytes())] == [100] * 90 + [50]


def test_dates_are_right_when_the_file_is_made():
    """Three days before the present, unless somebody says when."""
    [order] = rows(conformance("atlast", "--orders=1").stdout)
    assert (datetime.now(UTC) - datetime.fromisoformat(order["createdAt"])).days == 3
    [order] = rows(conformance("atlast", "--orders=1", AT).stdout)
    assert order["createdAt"] == "2026-06-12T12:00:00Z"


# Memory


# The peak that getrusage tells of a process may be that of its parent, so the kernel is asked.
MEASURE = """
import re, sys
from datetime import UTC, datetime
from pathlib import Path
from conformance import generation, providers
wish = generation.Wish("sendcloud", providers.reference_account(providers.load("sendcloud")), datetime.now(UTC))
size = sum(len(block) for _, block in generation.blocks(wish, int(sys.argv[1])))
print(size, re.search("VmHWM:[^0-9]+([0-9]+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells it on Linux")
def test_memory_does_not_grow_with_the_number_of_orders():
    """Twelve times as many orders make a file larger by 16 MB, and the process by less than 5."""
    few, many = (
        list(map(int, subprocess.check_output([sys.executable, "-c", MEASURE, count], timeout=90).split()))
        for count in ("2000", "24000")
    )
    assert many[0] - few[0] > 15_000_000
    assert many[1] - few[1] < 5_000


# The command


def test_what_was_made_is_said_with_all_that_repeats_it(tmp_path):
    out = tmp_path / "orders.ndjson"
    done = conformance("sendcloud", "--orders=1500", "--seed=9", AT, "--out", out)
    assert done.returncode == 0
    assert done.stdout.decode().startswith(f"{out}: 1,500 orders, ")
    assert done.stdout.decode().endswith(f"; seed 9, {AT}\n")
    assert len(rows(out.read_bytes())) == 1500
    assert [each.name for each in tmp_path.iterdir()] == ["orders.ndjson"]


def test_a_pipe_gets_orders_and_nothing_else():
    done = conformance("centra", "--orders=3", "--out=-")
    assert (done.returncode, done.stderr, len(rows(done.stdout))) == (0, b"", 3)


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_somebody_who_looks_on_sees_rate_and_time_left(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    command = [PROGRAM, "generate", "ezcards", "--orders=40000", "--out", tmp_path / "o", "--jobs=1"]
    with subprocess.Popen(
        command, stderr=theirs, stdout=subprocess.DEVNULL, env=os.environ | {"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 4096):
                seen += chunk
        except OSError:
            pass  # the terminal is closed: the process came to its end
        assert process.wait(60) == 0
    os.close(ours)
    assert b"orders/s" in seen
    assert b"0:00:0" in seen


@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way there")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_reader_who_leaves_ends_it_quietly(jobs):
    command = [PROGRAM, "generate", "atlast", "--orders=1000000", f"--jobs={jobs}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert json.loads(process.stdout.readline())["id"]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_told_in_one_line():
    wrong(
        conformance("atlast", "--orders=3", "--out=/dev/full"),
        "--out=/dev/full: cannot be written (No space left on device)",
    )


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    """What goes wrong on the way leaves the old file as it was, and nothing beside it."""
    out = tmp_path / "orders.ndjson"
    out.write_text("old")

    def broken(*_arguments):
        yield 1, b"{}\n"
        raise UserError("one of 2 processes came to a sudden end")

    monkeypatch.setattr(generation, "blocks", broken)
    done = CliRunner().invoke(generate, ["atlast", "--orders=2", "--out", str(out)])
    assert isinstance(done.exception, UserError)
    assert (out.read_text(), list(tmp_path.iterdir())) == ("old", [out])


def test_wrong_use_is_one_line(tmp_path):
    account = tmp_path / "account.toml"
    account.write_text("")
    wrong(conformance("sendclud", "--orders=1"), "there is no provider 'sendclud'; did you mean 'sendcloud'?")
    wrong(
        conformance("atlast", "--orders=1", "--lines=5-2"),
        "--lines=5-2: write a number from 1 to 10000, or two such as 1-5",
    )
    wrong(
        conformance("centra", "--orders=1", "--format=batches", "--batch-size=21"),
        "--batch-size=21: centra takes at most 20 a request",
    )
    assert conformance("sendcloud", "--orders=1", "--account", account).stderr.startswith(
        b"conformance: sendcloud: --account FILE with integration_ids is needed: "
    )
    assert conformance("atlast", "--orders=0").returncode == 4
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--now": "soon"}, "--now=soon: not a time; write it like 2026-01-31T12:00:00Z"),
        ({"--batch-size": "5"}, "--batch-size is about batches; add --format=batches"),
        ({"--lines": "0"}, "--lines=0: write a number from 1 to 10000, or two such as 1-5"),
        ({"--out": "/nowhere/at/all"}, "--out=/nowhere/at/all: cannot be written (No such file or directory)"),
        ({"--revision": "v9"}, "--revision=v9: atlast has no such revision; did you mean 'v1'?"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_made(options, message):
    arguments = ["atlast", "--orders=1", *(f"{name}={value}" for name, value in options.items())]
    done = CliRunner().invoke(generate, arguments)
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == message


# Packs


def test_an_account_that_no_valid_order_fits_is_told_with_the_place():
    facts = worlds.account("sendcloud").facts | {"integration_ids": []}
    pack = worlds.pack("sendcloud")
    with pytest.raises(UserError) as caught:
        generation.check(generation.Wish(pack.name, Account(facts), NOW))
    assert str(caught.value).startswith("sendcloud: the plain order 1 would not be valid: /order_details/integration: ")


def test_a_rule_of_the_pack_counts_as_the_schema_does():
    """An order of a product that the account has not is as invalid as one without a product."""
    facts = worlds.account("ezcards").facts | {"sku_a": "NOT-HERS"}
    with pytest.raises(UserError, match="would not be valid: /products/0/sku: "):
        generation.check(generation.Wish("ezcards", Account(facts), NOW))


@pytest.mark.parametrize("form", ["ndjson", "batches"])
def test_a_third_partys_pack_is_made_of_too(form):
    done = conformance("birch", "--orders=45", f"--format={form}", env={"CONFORMANCE_PACKS": str(BIRCH)})
    assert (done.returncode, done.stderr) == (0, b"")
    orders = rows(done.stdout) if form == "ndjson" else [order for batch in rows(done.stdout) for order in batch]
    assert len({order["reference"] for order in orders}) == 45


def pack_of(tmp_path, monkeypatch, **members):
    """Birch with other members in its template."""
    shutil.copytree(BIRCH, tmp_path / "packs")
    for path in (tmp_path / "packs").glob("*/birch"):
        path.rename(path.with_name("larch"))
    for path in (tmp_path / "packs").rglob("*.toml"):
        path.write_text(path.read_text(encoding="utf-8").replace('name = "birch"', 'name = "larch"'), encoding="utf-8")
    template = tmp_path / "packs" / "schemas" / "larch" / "order.json"
    template.write_text(json.dumps(json.loads(template.read_text(encoding="utf-8")) | members), encoding="utf-8")
    folder = tmp_path / "packs"
    found = resources.PackFolders("larch", *(folder / each / "larch" for each in ("schemas", "fixtures", "cassettes")))
    monkeypatch.setattr(resources, "folders_of", lambda _name: found)
    monkeypatch.setattr(providers, "load", providers.load.__wrapped__)
    return generation.Wish("larch", providers.reference_account(providers.load("larch")), NOW)


def test_ids_that_a_template_makes_the_same_in_all_orders_are_the_packs_mistake(tmp_path, monkeypatch):
    with pytest.raises(PackError) as caught:
        generation.check(pack_of(tmp_path, monkeypatch, reference="ABC"))
    assert str(caught.value).endswith(
        "order.json: /reference tell orders apart, and would be the same in all; write @order.id there"
    )


@pytest.mark.parametrize("member", ["@order.id", "@order.number", "@order.reference", "@account-else none @order.id"])
def test_any_fact_of_its_own_tells_an_order_apart(tmp_path, monkeypatch, member):
    made = pack_of(tmp_path, monkeypatch, reference=member)
    generation.check(made)
    assert len({order["reference"] for order in rows(generation.Source(made).text(0, 500))}) == 500


def test_a_scaffolded_pack_is_made_of_at_once(tmp_path):
    folder = tmp_path / "ship"
    subprocess.run(
        [PROGRAM, "new", "ship", "--openapi", HERE / "openapi" / "shipstation.yaml", "--out", folder],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    done = conformance("ship", "--orders=30", "--format=batches", env={"CONFORMANCE_PACKS": str(folder)})
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout)
