"""Several requests in flight: the same verdicts, whatever is lost on the way and whenever the endpoint changes."""

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
from harness import all_faults, run, suite, verdicts
from wrapping import Way

from conformance.model import Exchange, Response, Trouble, Verdict

PACKS = ("atlast", "sendcloud", "ezcards", "centra")


class Jittery(Way):
    """
    A transport on which answers overtake one another, and some exchanges are cut.

    What is ``cut`` is lost before the endpoint sees it, or after.
    """

    def __init__(self, inner, *, cut=0.0, seed=1):
        super().__init__(inner)
        self.cut, self.random = cut, random.Random(seed)
        self.lock = threading.Lock()

    def send(self, request, operation, name, now):
        with self.lock:
            pause, chance, before = self.random.random() / 500, self.random.random(), self.random.random() < 0.5
        time.sleep(pause)
        with self.lock:
            exchange = None if chance < self.cut and before else self.inner.send(request, operation, name, now)
        time.sleep(pause)
        if chance < self.cut:
            return Exchange(name, operation, request, now, 0.0, trouble=Trouble("broken", "cut"))
        return exchange


class Counting(Way):
    """A transport on which every exchange takes a while, and which counts how many are on their way."""

    def __init__(self, inner):
        super().__init__(inner)
        self.lock = threading.Lock()
        self.now, self.most, self.beside = [], 0, set()

    def send(self, request, operation, name, now):
        with self.lock:
            self.beside |= {frozenset((name, other)) for other in self.now}
            self.now.append(name)
            self.most = max(self.most, len(self.now))
        time.sleep(0.1)
        with self.lock:
            self.now.remove(name)
            return self.inner.send(request, operation, name, now)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    # Only the guard's: the endpoints here have pauses of their own.
    monkeypatch.setattr("conformance.guard.time", SimpleNamespace(sleep=lambda _: None))


@pytest.mark.parametrize("provider", PACKS)
@pytest.mark.parametrize("width", [3, 16])
def test_verdicts_do_not_depend_on_how_many_are_in_flight(provider, width):
    alone = run(provider=provider)
    together = run(provider=provider, concurrency=width, around=Jittery)
    assert verdicts(together) == verdicts(alone)
    # What is looked up before a unit begins is kept at once.
    numbers = [int(each.exchange.id[1:5]) for each in together.records if each.purpose != "lookup"]
    assert numbers == sorted(numbers)
    main = together.suite.provider.main.id
    purposes = [each.purpose for each in together.records if each.exchange.operation == main]
    controls = [at for at, each in enumerate(purposes) if each in ("control", "pulse")]
    assert "pulse" in purposes or len(purposes) < 100
    assert max(b - a for a, b in pairwise(controls)) <= 55


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("provider", ["atlast", "sendcloud"])
def test_no_more_are_in_flight_than_asked_for(provider, width):
    """Calls that a case makes at the same time have their lanes too; one lane alone is exceeded by these, and by nothing else."""
    cases = suite(provider).cases
    together = [case.id for case in cases if case.parallel]
    others = [case.id for case in cases if len(case.steps) == 1 and not case.reading][:10]
    counting = []

    def around(inner):
        counting.append(Counting(inner))
        return counting[0]

    outcome = run(provider=provider, selected=[*together, *others], pack=False, concurrency=width, around=around)
    (transport,) = counting
    calls = {frozenset(each.exchange.id for each in outcome.records if each.case == name) for name in together}
    assert calls
    assert calls <= transport.beside
    assert transport.most == max(width, 2)
    if width <= 2:
        numbers = set().union(*calls)
        assert [pair for pair in transport.beside if pair & numbers and pair not in calls] == []


@pytest.mark.parametrize("name", ["AL-034", "AL-086", "AL-166/first-10-only", "AL-059"])
def test_faults_are_found_with_many_in_flight(name):
    together = run(name, concurrency=8, around=Jittery)
    red = {case.requirement.id for case in together.suite.cases if together.judgements[case.id].verdict == "violation"}
    assert all_faults()[name].requirement in red


@pytest.mark.parametrize("provider", PACKS)
@pytest.mark.parametrize("width", [1, 8])
def test_cut_connections_are_no_violations_and_create_nothing_twice(provider, width):
    outcome = run(provider=provider, concurrency=width, around=lambda inner: Jittery(inner, cut=0.05, seed=width))
    assert outcome.stopped == ""
    words = Counter(verdicts(outcome).values())
    assert words["violation"] == 0
    assert words["inconclusive"] > 0
    for each in outcome.judgements.values():
        if each.verdict is Verdict.INCONCLUSIVE:
            assert each.reason
    # Cases of several steps send an order again on purpose; nothing else does once it may have arrived.
    several = {case.id for case in outcome.suite.cases if len(case.steps) > 1}
    posts = [each for each in outcome.records if each.exchange.request.body and each.case not in several]
    bodies = [each.exchange.request.body for each in posts if b"-tests1-" in each.exchange.request.body]
    cut = [each.exchange.request.body for each in posts if each.exchange.trouble]
    assert cut
    assert [each for each in cut if bodies.count(each) > 1] == []


class Turning(Way):
    """From one request on, and until another if one is given, the endpoint answers everything alike."""

    def __init__(self, inner, after, status, until=None):
        super().__init__(inner)
        self.after, self.status, self.until, self.count = after, status, until, 0
        self.lock = threading.Lock()

    def send(self, request, operation, name, now):
        with self.lock:
            self.count += 1
            turned = self.count > self.after and (self.until is None or self.count <= self.until)
            exchange = self.inner.send(request, operation, name, now)
        time.sleep(0.001)
        return replace(exchange, response=Response(self.status, (), b"")) if turned else exchange


@pytest.mark.parametrize("after", [40, 130, 333])
@pytest.mark.parametrize("width", [1, 4, 16])
def test_an_endpoint_that_begins_to_refuse_everything_proves_nothing_by_it(after, width):
    outcome = run(concurrency=width, around=lambda inner: Turning(inner, after, 422))
    assert "a plain valid batch was refused though others like it were accepted: 422" in outcome.stopped
    healthy = run()
    main = outcome.suite.provider.main.id
    for name, each in outcome.judgements.items():
        # A token that is refused is refused, whatever becomes of orders.
        about_orders = outcome.suite.by_id[name].operation == main
        if about_orders and each.verdict not in (Verdict.INCONCLUSIVE, Verdict.OBSERVED):
            assert each.verdict == healthy.judgements[name].verdict
    assert sum(each.verdict is Verdict.INCONCLUSIVE for each in outcome.judgements.values()) > 100


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_waited_for_and_accused_of_nothing(status):
    outcome = run(concurrency=4, around=lambda inner: Turning(inner, 100, status, until=103))
    words = Counter(verdicts(outcome).values())
    answers = [exchange.response for each in outcome.records for exchange in (each.exchange, *each.earlier)]
    assert [each.status for each in answers].count(status) == 3
    assert outcome.stopped == ""
    assert words["violation"] == 0
    assert words["inconclusive"] <= 3
