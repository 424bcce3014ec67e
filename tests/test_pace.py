"""Pace: rates are kept over any span of time, by any number of threads."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from conformance import providers
from conformance.pace import Pace, Rate


class Clock:
    def __init__(self):
        self.now = 0.0

    def pause(self, seconds):
        self.now += seconds


rates = st.lists(
    st.builds(Rate, st.integers(1, 5), st.floats(0.1, 10), st.sampled_from([(), ("POST",), ("GET", "POST")])),
    max_size=3,
)


@given(rates, st.lists(st.tuples(st.sampled_from(["GET", "POST"]), st.floats(0, 3)), max_size=40))
def test_no_span_holds_more_than_a_rate_allows(limits, requests):
    clock = Clock()
    pace = Pace(0, limits, lambda: clock.now, clock.pause)
    sent = []
    for method, gap in requests:
        clock.now += gap
        pace.wait(method)
        sent.append((clock.now, method))
    for rate in limits:
        times = [at for at, method in sent if not rate.methods or method in rate.methods]
        for first, later in zip(times, times[rate.requests :], strict=False):
            assert later - first >= rate.seconds - 1e-6


@given(st.floats(0.5, 100), st.integers(2, 20))
def test_requests_a_second(per_second, count):
    clock = Clock()
    pace = Pace(per_second, (), lambda: clock.now, clock.pause)
    for _ in range(count):
        pace.wait("POST")
    assert clock.now >= (count - 1) / per_second * (1 - 1e-6)


def test_without_a_rate_nobody_waits():
    clock = Clock()
    pace = Pace(0, (), lambda: clock.now, clock.pause)
    for _ in range(100):
        pace.wait("GET")
    assert clock.now == 0


def test_an_endpoint_that_asks_for_rest_gets_it():
    clock = Clock()
    pace = Pace(0, (), lambda: clock.now, clock.pause)
    pace.hold(7)
    pace.hold(3)
    pace.wait("GET")
    assert clock.now == 7


def test_threads_share_one_pace():
    turns = []
    pace = Pace(0, [Rate(1, 5.0)], lambda: 0.0, turns.append)
    threads = [threading.Thread(target=pace.wait, args=("POST",)) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(turns) == [5.0, 10.0, 15.0, 20.0, 25.0]


def test_the_documented_rates_of_sendcloud():
    """SC-290: 100 unsafe requests a minute with bursts of 15 a second, and 1000 GET a minute."""
    found = {(each.requests, each.seconds, "GET" in each.methods) for each in providers.load("sendcloud").rates}
    assert found == {(100, 60, False), (15, 1, False), (1000, 60, True)}
