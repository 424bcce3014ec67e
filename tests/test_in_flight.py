"""Several requests in flight: the same verdicts, whatever is lost on the way and whenever the endpoint changes."""

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from harness import all_faults, run, verdicts

from conformance.model import Exchange, Response, Trouble, Verdict

PACKS = ("atlast", "sendcloud", "ezcards", "centra")


class Jittery:
    """
    A transport on which answers overtake one another, and some exchanges are cut.

    What is ``cut`` is lost before the endpoint sees it, or after.
    """

    def __init__(self, inner, *, cut=0.0, seed=1):
        self.inner, self.cut, self.random = inner, cut, random.Random(seed)
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

    def renew_credentials(self):
        return False

    def other_base(self):
        return False


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("conformance.guard.time.sleep", lambda _: None)


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


class Turning:
    """From one request on the endpoint answers everything alike."""

    def __init__(self, inner, after, status):
        self.inner, self.after, self.status, self.count = inner, after, status, 0
        self.lock = threading.Lock()

    def send(self, request, operation, name, now):
        with self.lock:
            self.count += 1
            turned = self.count > self.after
            exchange = self.inner.send(request, operation, name, now)
        time.sleep(0.001)
        return replace(exchange, response=Response(self.status, (), b"")) if turned else exchange

    def renew_credentials(self):
        return False

    def other_base(self):
        return False


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


class Throttling(Turning):
    """For a while the endpoint is too busy."""

    def __init__(self, inner, after, status, until):
        super().__init__(inner, after, status)
        self.until = until

    def send(self, request, operation, name, now):
        if self.count > self.until:
            self.status = 0
        exchange = super().send(request, operation, name, now)
        return self.inner.send(request, operation, name, now) if exchange.response.status == 0 else exchange


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_waited_for_and_accused_of_nothing(status):
    outcome = run(concurrency=4, around=lambda inner: Throttling(inner, 100, status, 103))
    words = Counter(verdicts(outcome).values())
    assert outcome.stopped == ""
    assert words["violation"] == 0
    assert 0 < words["inconclusive"] < 60
