"""
Answers that get lost: packs, deletions, pages of a listing.

Whether the request arrived nobody knows. What hangs on one answer is asked for again where that does no harm,
or with fresh identifiers, and otherwise nothing is concluded from it.
"""

import itertools
import json
from collections import Counter

import pytest
from harness import NOW, Endpoint, behaviour, suite, verdicts
from harness import run as run_any
from variants import CREDENTIALS, Around, Said, pack, served, unhappy
from wrapping import Clock, Way

from conformance.model import Exchange, Request, Response, Trouble, Verdict
from conformance.reference import reading, shelf

REPLIES = {"none": None, "500": Response(500, (), b""), "504": Response(504, (), b"")}


class Losing(Way):
    """A transport on which the answers that ``loses`` names are lost: the requests ``arrive``, or do not."""

    def __init__(self, inner, loses, *, arrive=True, reply=None):
        super().__init__(inner)
        self.loses, self.arrive, self.reply = loses, arrive, reply
        self.lost = []

    def send(self, request, operation, name, now):
        lost = self.loses(request)
        if not lost or self.arrive:
            exchange = self.inner.send(request, operation, name, now)
        if not lost:
            return exchange
        self.lost.append(request)
        trouble = None if self.reply else Trouble("broken", "cut")
        return Exchange(name, operation, request, now, 0.0, response=self.reply, trouble=trouble)


def run(loses, *, provider="sendcloud", reply=None, arrive=True, delay=0.0, **more):
    """One run with its endpoint and the requests whose answers were lost; waiting takes no time."""
    more = {"patience": Clock().patience} | more
    made = suite(provider)
    inside = Endpoint(made.provider, made.account, behaviour(provider=provider), clock=lambda: NOW, delay=delay)
    losing = []

    def around(inner):
        losing.append(Losing(inner, loses, arrive=arrive, reply=reply))
        return losing[0]

    done = run_any(provider=provider, app=inside.app(), around=around, **more)
    return done, inside, losing[0].lost


def cases(*requirements):
    return [each.id for each in suite("sendcloud").cases if each.requirement.id in requirements]


def first(holds):
    """Whether a request is the first for which something holds."""
    seen = []

    def loses(request):
        if seen or not holds(request):
            return False
        seen.append(request)
        return True

    return loses


def is_deletion(request):
    return request.method == "DELETE"


def is_reading(request):
    return request.method == "GET"


def is_listing(request):
    """Pages of this size are the run's own; cases ask for others."""
    return is_reading(request) and "page_size=200" in request.query


# Packs


def orders(request):
    """How many orders a batch may hold, by its members, whatever surrounds them."""
    try:
        body = json.loads(request.body or b"[]")
    except ValueError:
        return 0
    while isinstance(body, dict) and len(body) == 1:
        (body,) = body.values()
    return len(body) if isinstance(body, list) else 0


def is_pack(request):
    return request.method == "POST" and orders(request) > 8


class Nth:
    """Whether a request is a full batch, and among those from ``start`` up to ``end``; the first is the probe."""

    def __init__(self, start, end):
        self.numbers, self.count = range(start, end), 0

    def __call__(self, request):
        self.count += is_pack(request)
        return is_pack(request) and self.count in self.numbers


@pytest.mark.parametrize(
    ("provider", "arrive", "reply"),
    [("atlast", True, "none"), ("atlast", False, "504"), ("sendcloud", True, "504"), ("sendcloud", False, "none")],
)
def test_a_pack_whose_answer_is_lost_is_sent_in_halves(provider, arrive, reply):
    """With fresh identifiers: no order goes twice, and no verdict hangs on one answer."""
    done, _, lost = run(Nth(3, 4), provider=provider, arrive=arrive, reply=REPLIES[reply])
    assert len(lost) == 1
    assert verdicts(done) == verdicts(run_any(provider=provider))
    main = done.suite.provider.main
    sent = [each for each in done.records if each.exchange.operation == main.id and each.purpose in ("pack", "lost")]
    keys = Counter(order["id" if provider == "atlast" else "order_id"] for each in sent for order in said(each))
    assert keys.most_common(1)[0][1] == 1


def said(record):
    body = json.loads(record.exchange.request.body)
    return body["orders"] if isinstance(body, dict) else body


def test_packs_that_are_never_answered_are_not_halved_without_end():
    """One pack and its halves; then it is known to be in vain, and every case says why nothing is known of it."""
    done, _, _ = run(Nth(2, 10_000))
    packs = [each for each in done.records if each.purpose == "pack" and len(each.atoms) > 8]
    assert len(packs) > 10
    twice = Counter(name for each in packs for name in each.atoms)
    assert max(twice.values()) == 1
    assert [each.exchange.response for each in packs] == [None] * len(packs)
    halves = len([each for each in packs if len(each.atoms) == 25])
    assert halves == 2
    found = {name: each for name, each in done.judgements.items() if each.verdict is Verdict.INCONCLUSIVE}
    assert {name for each in packs for name in each.atoms if name in done.suite.by_id} <= set(found)
    assert {found[name].reason for each in packs for name in each.atoms if name in found} == {"no answer: cut"}
    assert not [each for each in done.judgements.values() if each.verdict is Verdict.VIOLATION]


# Deletions


@pytest.mark.parametrize("reply", REPLIES)
def test_an_order_whose_deletion_was_not_answered_is_not_lost(reply):
    """It may be deleted all the same: neither is it missing in the list, nor named as left behind when it is not there."""
    # The first deletion that succeeds is a case's own; others clean up.
    chosen = cases("SC-030", "SC-046", "SC-284", "SC-288")
    done, inside, lost = run(first(is_deletion), reply=REPLIES[reply], pack=False, selected=chosen)
    (name,) = {each.case for each in done.records if each.exchange.request in lost}
    assert name.startswith("SC-046/")
    assert done.judgements["SC-284/accepted.stored"].verdict == "conformant"
    assert done.left == inside.stored() == []


@pytest.mark.parametrize("arrive", [True, False])
def test_a_deletion_that_was_not_answered_is_tried_once_more(arrive):
    """Whether it arrived the first time or not: nothing is left, and nothing is said to be."""
    asked = []

    def every_second(request):
        again = request.path in asked
        if is_deletion(request):
            asked.append(request.path)
        return is_deletion(request) and not again and len(asked) % 2 == 0

    done, inside, lost = run(every_second, arrive=arrive, selected=cases("SC-030", "SC-284"))
    assert len(lost) > 1
    assert done.left == inside.stored() == []
    assert unhappy(done) == {}


# Listings


def test_a_page_of_the_listing_that_was_not_answered_is_read_again():
    """Without it nobody would know what is stored, and nothing could be taken away."""
    done, inside, lost = run(first(is_listing))
    assert len(lost) == 1
    assert verdicts(done) == verdicts(run_any(provider="sendcloud", patience=Clock().patience))
    assert done.left == [each for each in inside.stored() if "-tests1-" in each["order_id"]] == []
    assert Counter(each.purpose for each in done.records)["lost"] == 1


def test_a_listing_that_is_never_answered_proves_nothing():
    done, _, lost = run(is_listing, selected=cases("SC-030", "SC-284"))
    assert len(lost) == 3
    judged = done.judgements["SC-284/accepted.stored"]
    assert (str(judged.verdict), judged.reason) == ("inconclusive", "the stored orders could not be listed")
    assert done.left


# Storage that takes a while


@pytest.mark.parametrize("reply", ["none", "504"])
@pytest.mark.parametrize("lost", [1, 4])
def test_lost_answers_to_the_first_reading_tell_nothing_of_storage(monkeypatch, lost, reply):
    """Storage takes two seconds: whoever gave up waiting for the first order would call all others lost."""
    clock, count = Clock(), itertools.count()
    monkeypatch.setattr(shelf, "time", clock)
    monkeypatch.setattr(reading, "time", clock)

    def first_readings(request):
        return is_reading(request) and next(count) < lost

    about = [each.id for each in suite("sendcloud").cases if each.requirement.area in ("storage", "upsert")]
    done, inside, gone = run(
        first_readings, reply=REPLIES[reply], delay=2.0, patience=lambda: clock.patience(10.0), selected=about
    )
    assert len(gone) == lost
    assert clock.monotonic() > 2
    assert unhappy(done) == {}
    assert done.left == inside.stored() == []


@pytest.mark.parametrize("reply", ["none", "504"])
@pytest.mark.parametrize("provider", ["sendcloud", "centra"])
def test_where_no_reading_is_ever_answered_one_wait_tells(provider, reply):
    """The whole time is spent once and not order by order, and nothing is called a violation."""
    clock = Clock()
    done, _, lost = run(is_reading, provider=provider, reply=REPLIES[reply], patience=lambda: clock.patience(60.0))
    assert len(lost) > 20
    assert 60 <= clock.monotonic() <= 70
    assert {each[0] for each in unhappy(done).values()} == {"inconclusive"}


# Recordings


class Busy(Around):
    """Has no time for a pack, a page of the listing and a deletion, the first of each."""

    def __init__(self, inner):
        super().__init__(inner)
        self.nth, self.page, self.deletion = Nth(2, 3), first(is_listing), first(is_deletion)

    async def answer(self, call):
        asked = Request(call.method, call.path, call.scope["query_string"].decode(), (), call.body or None)
        busy = [each(asked) for each in (self.nth, self.page, self.deletion)]
        return Said(503, []) if any(busy) else await super().answer(call)


def test_a_run_that_was_lost_upon_is_replayed(run_pytest, tmp_path):
    """With what was set aside, and what was sent in its place."""
    text = pack("sendcloud").provider.folders.fixtures.joinpath("account.toml").read_text(encoding="utf-8")
    for name in ("sent", "replayed"):
        (tmp_path / name).mkdir()
    (tmp_path / "account.toml").write_text(text, encoding="utf-8")
    environment = {f"SENDCLOUD_{name.upper()}": value for name, value in CREDENTIALS.items() if name != "access_token"}
    kept = ("--provider=sendcloud", f"--cassettes={tmp_path / 'kept'}", "--report=out")
    with served(pack("sendcloud"), Busy) as url:
        arguments = (f"--endpoint={url}", f"--account={tmp_path / 'account.toml'}", "--record-mode=rewrite")
        ran = run_pytest(tmp_path / "sent", *kept, *arguments, env=environment)
    again = run_pytest(tmp_path / "replayed", *kept, "--record-mode=none")
    purposes = [Counter(each["purpose"] for each in outcome.report["exchanges"].values()) for outcome in (ran, again)]
    assert purposes[0] == purposes[1]
    assert purposes[0]["lost"] == 2
    assert ran.verdicts == again.verdicts
    assert ran.report["run"]["left"] == again.report["run"]["left"] == []
    # The deletion was a case's own.
    assert Counter(ran.verdicts.values())["inconclusive"] == 1
