"""Callers: each sends batches by Locust's rules, judged by the one worker of its process."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import gevent
import locust

from conformance import conduct
from conformance.load.sending import Turns, Worker
from conformance.transport import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locust.env import Environment

    from conformance.load.settings import Load, Place
    from conformance.target import Target

_IDLE_S = 0.2
_ROOM = 1 << 62


class Session:
    """The worker of this process, once it is told what to do."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.worker: Worker | None = None
        self.interval = 0.0
        self._open = ExitStack()

    def prepare(self, load: Load, index: int) -> Worker:
        """Make everything that is needed before the clock starts."""
        options = replace(self.target.options, concurrency=load.users, timeout=load.timeout)
        turns = Turns()
        way = conduct.transport(replace(self.target, options=options), turns, Room(_ROOM))
        transport = self._open.enter_context(way)
        self.worker = Worker(self.target.suite, load, index, transport, turns)
        # How long one caller waits from order to order, so that all together keep the rate.
        self.interval = load.users / load.orders_per_second if load.orders_per_second else 0.0
        return self.worker

    def close(self) -> None:
        """Close all connections."""
        self._open.close()


def caller(session: Session) -> type[locust.User]:
    """The callers of a session: each sends a batch, and then waits as long as its orders are worth."""

    class Caller(locust.User):
        size = 0
        due = 0.0

        def wait_time(self) -> float:
            return max(0.0, self.due - time.monotonic())

        @locust.task
        def send(self) -> None:
            worker, now = session.worker, time.monotonic()
            if worker is None or worker.exhausted:
                self.due = now + _IDLE_S
                return
            if self.size:
                worker.turn(self.size)
            # Orders are waited for before they are sent, so that no run begins with more than its rate; callers that
            # begin together would come in gusts.
            share = 1.0 if self.size else random.random()
            self.size = worker.draw()
            # Time that was lost to a slow answer is made up for, but not more than a second of it.
            self.due = max(self.due, now - 1.0) + share * self.size * session.interval

    return Caller


def races(load: Load) -> Iterator[int | None]:
    """The numbers of races, one whenever it is time for the next."""
    number, due = 0, time.monotonic() + load.races
    while True:
        if load.races and time.monotonic() >= due:
            number, due = number + 1, due + load.races
            yield number
        else:
            yield None


def settled(worker: Worker, load: Load) -> None:
    """Wait for what is still under way."""
    until = time.monotonic() + load.timeout
    while worker.in_flight and time.monotonic() < until:
        gevent.sleep(0.02)


def show(environment: Environment, place: Place, worker: Worker | None) -> None:
    """Feed Locust's own statistics, and serve its page where that is asked for."""
    if worker is not None:
        worker.heard = lambda milliseconds, size, trouble: environment.events.request.fire(  # type: ignore[no-untyped-call]
            request_type="POST",
            name=f"batch of {size}",
            response_time=milliseconds,
            response_length=0,
            exception=OSError(trouble) if trouble else None,
            context={},
        )
    if place.web:
        environment.create_web_ui("127.0.0.1", place.web)
