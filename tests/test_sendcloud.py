"""
Sendcloud from outside: what conforms is conformant, what does not is found, and other people's orders stay as they are.

The endpoints are the healthy one with something of the test's own around it
(``sendcloud_variants``), so that nothing here rests on the faults of the reference endpoint.
"""

import json
import string
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
import sendcloud_variants as variants
from harness import (
    CREDENTIALS,
    NOW,
    Endpoint,
    advisory,
    all_faults,
    behaviour,
    inconclusive,
    overall,
    red,
    report,
    suite,
    verdicts,
)
from harness import run as run_any
from variants import conforms, unhappy
from wrapping import Clock, Said

from conformance import suite as suites
from conformance.judge import judge
from conformance.model import Request
from conformance.patience import Patience
from conformance.reference import reading, shelf
from conformance.reference.inprocess import AppTransport
from conformance.reference.server import running
from conformance.runner import Runner, Settings
from conformance.scrub import Vault

NAME = "sendcloud"
TOKEN = "-tests1-"
MOST_REQUESTS = 1200
ENVIRONMENT = {f"SENDCLOUD_{key.upper()}": value for key, value in CREDENTIALS.items() if key != "access_token"}
# The cases about how batches, orders and answers behave; the others are about single members.
ABOUT_BATCHES = {"upsert", "answers", "storage", "batch", "transport", "auth"}


def endpoint(*, strict=False, delay=0.0, clock=lambda: NOW, **changes):
    made = suite(NAME)
    how = behaviour(strict=strict, provider=NAME, **changes)
    return Endpoint(made.provider, made.account, how, clock=clock, delay=delay)


def run(around=None, *, inside=None, clean_up=False, **more):
    """One run; waiting takes no time. ``around`` is a variant, ``inside`` the endpoint in it."""
    app = (inside or endpoint()).app()
    settings = {"clean_up": clean_up, "patience": Clock().patience} | more
    return run_any(provider=NAME, app=around(app) if around else app, **settings)


@cache
def healthy(*, strict=False):
    """The run that others are held against."""
    return run(inside=endpoint(strict=strict))


def cases(*requirements, areas=()):
    chosen = [
        each.id for each in suite(NAME).cases if each.requirement.id in requirements or each.requirement.area in areas
    ]
    assert chosen
    return chosen


# The healthy endpoint


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_healthy_endpoint_is_conformant(strict):
    done = healthy(strict=strict)
    conforms(done)
    found = report(done)
    assert found["run"]["complete"] is True
    assert red(done) == advisory(done) == inconclusive(done) == set()
    musts = [each for each in found["requirements"] if each["level"] == "must"]
    assert len(musts) > 200
    assert [
        each["id"]
        for each in musts
        if each["verdict"] != "conformant" and not (each["verdict"] == "untested" and each.get("untestable"))
    ] == []
    assert found["counts"]["requests_by_operation"]["create-orders"] <= MOST_REQUESTS


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_cleaning_up_changes_no_verdict(strict):
    """Orders that this run took away itself are neither lost nor left over."""
    done = run(inside=endpoint(strict=strict), clean_up=True)
    assert unhappy(done) == {}
    assert verdicts(done) == verdicts(healthy(strict=strict))
    assert overall(done) == "conformant"


def test_clean_up_deletes_what_the_run_created():
    """Also the order whose order_id is too short for the run's token; what cannot be deleted would be named."""
    inside = endpoint()
    done = run(inside=inside, clean_up=True)
    assert [each["order_id"] for each in inside.stored()] == []
    assert done.left == []
    counts = report(done)["counts"]
    # Three orders are deleted, twice at most, by the cases about deleting.
    assert counts["clean_up"] + 4 >= inside.deletes > 800
    assert counts["requests_by_operation"]["create-orders"] <= MOST_REQUESTS
    # Beside it three requests ask for a token.
    assert counts["requests"] == counts["requests_by_operation"]["create-orders"] + 3
    assert counts["read_backs"] == inside.reads


def test_orders_that_cannot_be_deleted_are_named():
    """An endpoint that refuses to delete leaves orders behind; the report lists every one of them."""

    class Undeletable(variants.Around):
        async def answer(self, call):
            return Said(405, []) if call.method == "DELETE" else await super().answer(call)

    inside = endpoint()
    done = run(Undeletable, inside=inside, clean_up=True, selected=cases("SC-030", "SC-284"))
    assert len(done.left) == len(inside.stored()) > 0
    assert report(done)["run"]["left"] == sorted(done.left)


def test_orders_that_cannot_be_found_again_are_named_too():
    """Accepted and never shown, they may be in the account all the same; their ids are known from the answers."""
    inside = endpoint()
    done = run(variants.NeverReadable, inside=inside, clean_up=True, selected=cases("SC-030", "SC-284"))
    assert len(done.left) == len(inside.stored()) > 0


# Real time and real HTTP


def test_storage_that_takes_a_second_is_conformant(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=sendcloud", "--reference-delay=1", "--report=out", "--concurrency=8")
    assert outcome.ret == 0
    counts = outcome.report["counts"]
    assert outcome.report["verdict"] == "conformant"
    assert set(counts["cases"]) == {"conformant", "observed", "not-applicable"}
    made = counts["requests_by_operation"]
    assert made["create-orders"] <= MOST_REQUESTS
    assert counts["requests"] == made["create-orders"] + made["create-token"]
    assert counts["read_backs"] == made["get-order"] + made["list-orders"] > 100
    # The embedded endpoint ends with the run.
    assert counts["clean_up"] == 0


@pytest.fixture(scope="module")
def live(run_pytest, tmp_path_factory):
    """A whole run against an endpoint at an address, with credentials in the environment and an account file."""
    folder = tmp_path_factory.mktemp("live")
    made = suite(NAME)
    facts = "".join(f"{key} = {json.dumps(value)}\n" for key, value in made.account.facts.items())
    (folder / "account.toml").write_text(facts, encoding="utf-8")
    served = Endpoint(made.provider, made.account, behaviour(provider=NAME), delay=0.3)
    foreign = served.preload([other("F-1"), other("F-2", 8), other("A"), other("7", 8)])
    with running(served) as url:
        arguments = (
            "--provider=sendcloud",
            f"--endpoint={url}",
            "--account=account.toml",
            "--report=out",
            "--tb=short",
        )
        outcome = run_pytest(folder, *arguments, env=ENVIRONMENT, timeout=150)
    return outcome, served, foreign


def test_a_live_endpoint_that_stores_slowly_is_conformant(live):
    outcome, _, _ = live
    odd = {name: each for name, each in outcome.verdicts.items() if each in ("violation", "inconclusive", "advisory")}
    assert odd == {}
    assert outcome.report["verdict"] == "conformant"
    assert outcome.ret == 0


def test_a_live_run_cleans_up_and_leaves_the_rest(live):
    outcome, served, foreign = live
    assert outcome.report["run"]["left"] == []
    assert [each["order_id"] for each in served.stored()] == ["F-1", "F-2", "A", "7"]
    assert len(foreign) == 4


def test_a_live_run_counts_reading_and_clean_up_apart(live):
    outcome, served, _ = live
    counts = outcome.report["counts"]
    made = counts["requests_by_operation"]
    # One request goes to the path with a slash behind it, where nobody answers.
    assert made["create-orders"] == served.requests + 1 <= MOST_REQUESTS
    assert counts["read_backs"] == served.reads == made["get-order"] + made["list-orders"]
    assert counts["requests"] == made["create-orders"] + made["create-token"]
    assert counts["clean_up"] > 800
    assert counts["clean_up"] <= served.deletes == made["delete-order"]


def test_storage_that_takes_half_a_second_is_waited_for():
    """Real time: the cases about storage, and nothing of them is a violation."""
    chosen = cases("SC-029", "SC-030", "SC-035", "SC-280", "SC-284", "SC-286", "SC-288")
    done = run(inside=endpoint(delay=0.5), selected=chosen, patience=Patience)
    assert unhappy(done) == {}
    assert {str(done.judgements[name].verdict) for name in chosen} <= {"conformant", "observed"}


# What the documentation allows


ODDITIES = [
    variants.Ok,
    variants.Shuffled,
    variants.Talkative,
    variants.WordyErrors,
    variants.DeeperPointers,
    variants.MoreErrors,
    variants.JsonApi,
    variants.BusyAtFirst,
    variants.BusyNowAndThen,
]


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda each: each.__name__)
def test_what_the_documentation_allows_raises_no_alarm(oddity):
    done = run(oddity)
    conforms(done)
    assert verdicts(done) == verdicts(healthy())


def test_several_oddities_at_once_raise_no_alarm():
    """A strict endpoint with all of them, as a real one may be."""
    wrapped = [variants.Ok, variants.Shuffled, variants.Talkative, variants.WordyErrors, variants.BusyNowAndThen]

    def around(app):
        for each in wrapped:
            app = each(app)
        return app

    conforms(run(around, inside=endpoint(strict=True)))


def test_slow_storage_that_refuses_updates_meanwhile_raises_no_alarm(monkeypatch):
    """Orders are being stored for twenty seconds, and updates of them are refused for the moment."""
    clock = Clock()
    monkeypatch.setattr(shelf, "time", clock)
    monkeypatch.setattr(reading, "time", clock)
    inside = endpoint(delay=20, busy_while_storing=True)
    done = run(inside=inside, patience=clock.patience)
    assert clock.monotonic() > 20
    conforms(done)


def test_storage_that_becomes_slower_is_waited_for(monkeypatch):
    """The first orders are stored at once, later ones within eight seconds: far below the limit of sixty (RESOLUTIONS 3)."""
    clock, inside = Clock(), endpoint()
    monkeypatch.setattr(shelf, "time", clock)
    monkeypatch.setattr(reading, "time", clock)

    class Slower(variants.Around):
        async def answer(self, call):
            said = await super().answer(call)
            inside.delay = 8.0 if call.is_batch else inside.delay
            return said

    chosen = cases(areas={"upsert", "storage"})
    done = run(Slower, inside=inside, patience=clock.patience, selected=chosen)
    assert {name: each for name, each in unhappy(done).items() if each[0] == "violation"} == {}


# What it does not allow


class Broken:
    """A variant, the requirement that has to name it, and what else follows from it."""

    def __init__(self, variant, requirement, *consequences, case=""):
        self.variant, self.requirement, self.case = variant, requirement, case
        self.allowed = {requirement, *consequences}


# Whoever names no place, or a wrong one, fails every check of places.
PLACES = ("SC-034", "SC-035", "SC-042", "SC-274", "SC-275", "SC-276", "SC-279", "SC-282")
BROKEN = [
    Broken(variants.KeepsSiblings, "SC-279", "SC-280", "SC-286", case="SC-279/refused.not-stored"),
    Broken(variants.AppliesUpdates, "SC-280", "SC-286", case="SC-280/update.beside-a-bad-order"),
    Broken(variants.AppliesUpdates, "SC-280", "SC-286", case="SC-280/refused.not-applied"),
    Broken(variants.KeepsOrderId, "SC-035"),
    Broken(variants.TakesOrderId, "SC-035"),
    Broken(variants.CountsFromOne, "SC-274", *PLACES),
    Broken(variants.OffInLongBatches, "SC-282", "SC-274"),
    Broken(variants.AddsOnUpsert, "SC-030", "SC-041", "SC-265", case="SC-030/order.still-one"),
    Broken(variants.Accepted202, "SC-257"),
    Broken(variants.TextIds, "SC-260", "SC-029"),
    Broken(variants.NoErrors, "SC-267", "SC-020", "SC-270", *PLACES),
    Broken(variants.Refuses422, "SC-266", "SC-013", "SC-020", "SC-021", "SC-025", "SC-034", "SC-035", "SC-042", "SC-280"),
    Broken(variants.DropsEverySeventh, "SC-284", "SC-030", "SC-041", "SC-265", case="SC-284/accepted.stored"),
    Broken(variants.OtherQuantities, "SC-286", case="SC-286/stored.as-sent"),
    Broken(variants.LooksAtTen, "SC-282", "SC-263", case="SC-282/batch.eleventh-of-hundred"),
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: f"{each.variant.__name__}-{each.case or each.requirement}")
def test_a_broken_promise_is_found_under_its_requirement(broken):
    """The cases about batches, orders and answers are run; single members play no part."""
    done = run(broken.variant, selected=cases(areas=ABOUT_BATCHES))
    assert overall(done) == "nonconformant"
    assert broken.requirement in red(done)
    if broken.case:
        assert done.judgements[broken.case].verdict == "violation"
    # One cause is not blamed on requirements that were kept.
    assert red(done) - broken.allowed == set()


@pytest.mark.parametrize(
    ("variant", "case"),
    [
        (variants.KeepsSiblings, "SC-279/refused.not-stored"),
        (variants.AddsOnUpsert, "SC-030/order.still-one"),
        (variants.DropsEverySeventh, "SC-284/accepted.stored"),
        (variants.OtherQuantities, "SC-286/stored.as-sent"),
        (variants.AppliesUpdates, "SC-280/refused.not-applied"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_is_wrong_with_storage_is_found_though_the_run_cleans_up(variant, case):
    done = run(variant, selected=cases(areas={"upsert", "storage"}), clean_up=True)
    assert done.judgements[case].verdict == "violation"


def test_an_endpoint_that_never_shows_an_order_proves_nothing_about_storage():
    """Nothing accepted became readable: inconclusive, never conformant, and no violation (RESOLUTIONS 3)."""
    done = run(variants.NeverReadable)
    assert overall(done) == "inconclusive"
    words = Counter(each[0] for each in unhappy(done).values())
    assert words["inconclusive"] > 10
    assert {name: each for name, each in unhappy(done).items() if each[0] != "inconclusive"} == {}
    assert done.judgements["SC-284/accepted.stored"].verdict == "inconclusive"
    # All that needs no reading is judged all the same.
    assert verdicts(done)["SC-266/answer.refusal-status"] == "conformant"


@pytest.mark.parametrize("lag", [3, 8, 20])
def test_a_list_that_lags_is_waited_for_and_kept_once(lag):
    """What is missing is looked up, not all listed again and again; a lookup of the first order is waited for, too."""
    clock, lists = Clock(), []

    def around(app):
        lists.append(variants.LateList(app, clock, lag))
        return lists[0]

    done = run(around, patience=clock.patience, clean_up=True)
    conforms(done)
    assert len({each.step for each in done.records if each.purpose == "sweep"}) == 1
    assert done.left == []
    in_the_end = [each for each in lists[0].listed_at if each >= lists[0].listed_at[-1] - 6 * lag]
    assert len(in_the_end) < 12
    assert clock.monotonic() < 15 * lag


def test_a_list_that_never_catches_up_is_not_called_a_loss():
    """Older orders are listed and the newest are not: they can be read by their ids, so time is all they lack."""
    clock = Clock()
    chosen = [*cases("SC-284", "SC-024", "SC-263"), "SC-288/stored.listed"]
    done = run(lambda app: variants.LateList(app, clock, 40), patience=lambda: clock.patience(30.0), selected=chosen)
    assert {name: each for name, each in unhappy(done).items() if each[0] != "inconclusive"} == {}


def test_where_no_lookup_finds_an_order_no_name_is_called_taken():
    clock = Clock()
    chosen = _about_short_ids()
    done = run(lambda app: variants.LateList(app, clock, 500), patience=lambda: clock.patience(5.0), selected=chosen)
    reasons = {each for each in done.not_run.values() if each.startswith("not sent")}
    assert reasons == {"not sent: the listing does not find an order that is stored"}


def test_an_order_that_only_the_list_lacks_is_not_lost():
    """It is read by its id before anything is said of it."""
    done = run(variants.SkipsBetweenPages, clean_up=True)
    assert overall(done) == "nonconformant"
    assert {name for name, each in unhappy(done).items() if each[0] == "violation"} == {
        "SC-288/stored.listed",
        "SC-288/list.pages",
    }


@pytest.mark.parametrize("variant", [variants.SplitLinks, variants.AsciiJson])
def test_further_ways_to_say_the_same_conform(variant):
    inside = endpoint()
    done = run(variant, inside=inside, selected=cases(areas=ABOUT_BATCHES), clean_up=True)
    assert unhappy(done) == {}
    assert [each for each in inside.stored() if TOKEN in each["order_id"]] == []


def test_a_listing_that_was_cut_off_proves_nothing():
    """Its beginning is no list in which orders are missing."""
    done = healthy()

    def cut(record):
        response = record.exchange.response
        short = replace(response, body=response.body[:1024], truncated=True)
        return replace(record, exchange=replace(record.exchange, response=short))

    records = [cut(each) if each.purpose == "sweep" else each for each in done.records]
    judged = judge(done.suite, records, done.not_run, done.settings.token)
    found = {name: each for name, each in judged.items() if each.verdict != done.judgements[name].verdict}
    assert {"SC-284/accepted.stored", "SC-288/stored.listed"} <= set(found)
    assert {(str(each.verdict), each.reason) for each in found.values()} == {
        ("inconclusive", "the stored orders could not be listed: a page is longer than is read")
    }


def test_waiting_for_an_endpoint_that_shows_nothing_ends():
    """The limit is spent once and not case by case."""
    clock = Clock()
    run(variants.NeverReadable, patience=lambda: clock.patience(30.0), selected=cases(areas={"upsert", "storage"}))
    assert clock.monotonic() <= 2 * 30.0


# An account that holds orders already


def other(name, integration=7, **members):
    """An order of somebody else's."""
    price = {"value": 3.5, "currency": "EUR"}
    made = {
        "order_id": name,
        "order_number": f"N-{name}",
        "order_details": {
            "integration": {"id": integration},
            "status": {"code": "fulfilled"},
            "order_created_at": "2026-01-14T09:30:00.000Z",
            "order_items": [{"name": "Beeswax candle", "quantity": 2, "total_price": price}],
        },
        "payment_details": {"total_price": price, "status": {"code": "paid"}},
    }
    return made | members


class Account:
    """An endpoint with other people's orders in it, stored half a year ago."""

    def __init__(self, orders, **changes):
        self.moment = NOW - timedelta(days=180)
        self.endpoint = endpoint(clock=lambda: self.moment, **changes)
        self.ids = self.endpoint.preload(orders)
        self.before, self.count = self.seen(), len(orders)
        # From here on a change would show in the time of the last one.
        self.moment = NOW

    def seen(self):
        """The answers about the orders, byte for byte."""
        transport = AppTransport(self.endpoint.app(), self.endpoint.provider.main.base_path, Vault(CREDENTIALS))
        headers = (("authorization", "Basic {{public_key:secret_key}}"),)
        requests = {each: Request("GET", f"/orders/{each}", "", headers) for each in self.ids}
        answers = {each: transport.send(made, "get-order", "x", NOW).response for each, made in requests.items()}
        return {each: (answer.status, answer.body) for each, answer in answers.items()}

    def is_untouched(self):
        assert {status for status, _ in self.before.values()} == {200}
        after = self.seen()
        assert {each: after[each] for each in self.ids if after[each] != self.before[each]} == {}


LETTERS = string.ascii_letters + string.digits
# Names that a careless clean-up or a fixed name of a case would meet; another run's orders are foreign too.
STRANGERS = [
    *(other(name, number) for name in ("A", "a", "7", "123", "1", "x", "0", "Z") for number in (7, 8)),
    other("T-other1-abcdefghij"),
    other("T-tests2-abcdefghij"),
    other("tests1"),
    other("T-tests1"),
    other("T-9", order_number=f"N{TOKEN}abcdefghij"),
    other("t-1", 8, order_number="N-A"),
    other("order-1"),
    other("ORDER-1"),
    other("2000", 8),
    other("null"),
    other("é"),
    other("x" * 100),
    other("T-10", 7, customer_details={"name": f"T{TOKEN}abcdefghij", "email": "a@example.com"}),
    other(" A"),
]  # fmt: skip


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_orders_of_others_stay_as_they_are(strict):
    """Drawn one-character order_ids are looked up first, and only orders of the run's own are deleted."""
    account = Account(STRANGERS, strict=strict)
    done = run(inside=account.endpoint, clean_up=True)
    account.is_untouched()
    assert [each["order_id"] for each in account.endpoint.stored()[account.count :] if TOKEN in each["order_id"]] == []
    assert len(account.endpoint.stored()) == account.count
    assert {name: each for name, each in unhappy(done).items() if each[0] != "inconclusive"} == {}


def test_an_account_with_orders_is_judged_like_an_empty_one():
    """Another letter is drawn instead of one that is in use."""
    drawn = next(each["order_id"] for each in _sent_orders(healthy()) if _is_short(each))
    account = Account([*STRANGERS, other(drawn), other(drawn, 8), other(drawn.swapcase())])
    done = run(inside=account.endpoint)
    conforms(done)
    account.is_untouched()
    assert drawn not in {each["order_id"] for each in _sent_orders(done) if _is_short(each)}


def test_where_every_letter_is_taken_nothing_is_sent_under_one():
    """The case says why it proves nothing; all others are judged."""
    account = Account([other(letter, number) for letter in LETTERS for number in (7, 8)])
    done = run(inside=account.endpoint, clean_up=True)
    account.is_untouched()
    assert [each for each in _sent_orders(done) if _is_short(each)] == []
    short = {name for name, reason in done.not_run.items() if "the account has an order under each id tried" in reason}
    assert len(short) == 1
    assert {str(done.judgements[name].verdict) for name in short} == {"inconclusive"}
    assert set(unhappy(done)) == short
    assert len(account.endpoint.stored()) == account.count


@pytest.mark.parametrize(
    "changes", [{"filters_ignored": True}, {"list_empty": True}], ids=lambda each: next(iter(each))
)
def test_a_lookup_that_cannot_be_trusted_spares_the_orders_of_others(changes):
    """A listing that ignores what was asked for, or shows nothing, is no proof that a letter is free."""
    taken = [other(letter, number) for letter in LETTERS for number in (7, 8)]
    # More than a page holds, and newer.
    account = Account([*taken, *(other(f"S-{number}") for number in range(250))], **changes)
    run(inside=account.endpoint, clean_up=True, selected=_about_short_ids())
    account.is_untouched()


def _about_short_ids():
    """The cases that draw a one-character order_id, with enough others for a page of orders."""
    drawn = [
        case.id
        for case in suite(NAME).cases
        if any(each.get("path") == "/order_id" and each.get("value") == "@letter" for each in case.steps[0].change)
    ]
    assert drawn
    return [*drawn, *cases("SC-024", "SC-030")]


def _sent_orders(done):
    for record in done.records:
        if record.exchange.operation != "create-orders" or not record.exchange.request.body:
            continue
        try:
            body = json.loads(record.exchange.request.body)
        except ValueError:
            continue
        yield from (each for each in body if isinstance(each, dict)) if isinstance(body, list) else ()


def _is_short(order):
    name = order.get("order_id")
    return isinstance(name, str) and len(name) == 1


# Packed and not


def same_verdicts(how, selected=()):
    packed, alone = (
        run(
            inside=Endpoint(suite(NAME).provider, suite(NAME).account, how, clock=lambda: NOW),
            selected=selected,
            pack=pack,
        )
        for pack in (True, False)
    )
    judged = {*packed.selected, *(name for each in packed.records for name in (*each.atoms, each.case))}
    found = [{name: each for name, each in verdicts(done).items() if name in judged} for done in (alone, packed)]
    assert found[0] == found[1]
    return packed, alone


def test_one_case_a_request_comes_to_the_same_verdicts():
    packed, alone = same_verdicts(behaviour(provider=NAME))
    conforms(alone)
    assert len(alone.records) > len(packed.records)


_IDS = sorted(all_faults(NAME))
SAMPLE = _IDS[:: len(_IDS) // 30][:30]


@pytest.mark.parametrize("fault", SAMPLE)
def test_faults_show_alike_in_packs_and_alone(fault):
    """Only the cases of the fault's own requirement are run, with what the plan adds to them: full runs take too long."""
    assert len(SAMPLE) == 30
    requirement = all_faults(NAME)[fault].requirement
    packed, _ = same_verdicts(behaviour(fault, provider=NAME), cases(requirement))
    assert packed.suite is suite(NAME)


# Pages


def paged_run(size, selected=(), **more):
    """A run against an endpoint, by a pack, whose pages hold so many orders at most."""
    made = suite(NAME)
    provider = replace(
        made.provider,
        read_back=replace(made.provider.read_back, query=f"page_size={size}&sort=-pk"),
        reference=made.provider.reference | {"page": made.provider.reference["page"] | {"default": size, "max": size}},
    )
    small = suites.build(provider, made.account, CREDENTIALS)
    served = Endpoint(provider, made.account, behaviour(provider=NAME), clock=lambda: NOW)
    transport = AppTransport(served.app(), provider.main.base_path, Vault(CREDENTIALS))
    settings = {"instant": NOW, "clean_up": False, "patience": Clock().patience} | more
    done = Runner(small, transport, Settings(1, "tests1", **settings)).run(
        selected or [case.id for case in small.cases]
    )
    return done, served


def swept(done):
    """Our orders in the last sweep, and its number of pages."""
    pages = [each for each in done.records if each.purpose == "sweep"]
    pages = [each for each in pages if each.step == max(each.step for each in pages)]
    names = [order["order_id"] for each in pages for order in json.loads(each.exchange.response.body)["data"]]
    return {each for each in names if TOKEN in each}, len(pages)


def test_small_pages_are_read_to_the_end():
    # How many orders its usual page has is documented otherwise.
    done, served = paged_run(7, [each.id for each in suite(NAME).cases if each.id != "SC-288/list.usual-page"])
    assert unhappy(done) == {}
    stored = {each["order_id"] for each in served.stored() if TOKEN in each["order_id"]}
    found, pages = swept(done)
    assert found == stored
    assert pages >= len(served.stored()) // 7


def test_an_endpoint_with_its_own_largest_page_is_read_to_the_end():
    inside = endpoint()
    done = run(variants.Paged, inside=inside, selected=cases(areas=ABOUT_BATCHES), clean_up=True)
    assert swept(done)[1] > 10
    assert unhappy(done) == {}
    assert [each for each in inside.stored() if TOKEN in each["order_id"]] == []


def test_a_listing_too_long_to_be_read_loses_no_order():
    """With two orders a page the sweep gives up before the end: what it did not see it cannot call lost."""
    done, served = paged_run(2)
    assert len(served.stored()) > 2 * 200
    assert {name: each for name, each in unhappy(done).items() if each[0] != "inconclusive"} == {}


def test_orders_that_others_create_meanwhile_hide_none_of_ours():
    """A shop goes on selling: in mid-run hundreds of its orders are stored, more than a page of the listing holds."""

    class Busy(variants.Around):
        sold = 0

        async def answer(self, call):
            said = await super().answer(call)
            if call.is_batch and len(self.calls) >= 60 and not Busy.sold:
                Busy.sold = len(inside.preload([other(f"S-{number}") for number in range(450)]))
            return said

    inside = endpoint()
    done = run(Busy, inside=inside, selected=cases(areas=ABOUT_BATCHES))
    assert Busy.sold == 450
    assert {name: each for name, each in unhappy(done).items() if each[0] == "violation"} == {}
    found, _ = swept(done)
    assert found == {each["order_id"] for each in inside.stored() if TOKEN in each["order_id"]}
