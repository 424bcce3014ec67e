"""Locust drives: callers, workers and their master. The only door to Locust, which changes how this process waits."""

from __future__ import annotations

import locust  # before everything else: it replaces sockets, locks and sleeping by those of gevent

# isort: split
import json
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import gevent
from locust import argument_parser, runners
from locust.env import Environment

from conformance.load.engine.callers import Session, caller, races, settled, show
from conformance.load.engine.together import REPORT_S, lead, work
from conformance.load.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.load.settings import Load, Place
    from conformance.target import Target

__all__ = ["Session", "caller", "locust", "run", "serve"]
_LINE_S = 5.0


def run(place: Place, load: Load, target: Target, tell: Callable[[str], None]) -> dict[str, Any]:
    """
    Do a load run in this process, as the place says; gives what was gathered, nothing for a worker.

    Raises UserError where no worker comes, or the master is about something else.
    """
    logging.getLogger("locust").setLevel(logging.ERROR)
    # The master waits for these before it knows that all callers stopped.
    runners.WORKER_REPORT_INTERVAL = REPORT_S
    session = Session(target)
    options = argument_parser.get_parser().parse_args(["--enable-rebalancing"])
    environment = Environment(
        user_classes=[caller(session)], stop_timeout=load.timeout, parsed_options=options, host=target.endpoint
    )
    try:
        if place.role == "worker":
            work(environment, place, session)
            return {}
        gathering = Gathering(target, load)
        gevent.signal_handler(signal.SIGINT, gathering.interrupt)
        if place.role == "alone":
            return _alone(environment, place, load, session, gathering, tell=tell)
        return lead(environment, place, load, gathering, tell=tell)
    finally:
        session.close()


def _alone(
    environment: Environment,
    place: Place,
    load: Load,
    session: Session,
    gathering: Gathering,
    *,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    runner = environment.create_local_runner()
    gathering.admit("here")
    worker = session.prepare(gathering.share(0), 0)
    gathering.ready(0, "here", worker.ahead)
    show(environment, place, worker)
    worker.begin()
    runner.start(load.users, load.spawn_rate)
    racing = races(load)
    began = time.monotonic()
    while not gathering.over(time.monotonic() - began, load):
        gevent.sleep(REPORT_S / 2)
        gathering.report("here", worker.report())
        if gathering.contested and (number := next(racing)) is not None:
            for side in (0, 1):
                gevent.spawn(worker.race, number, side)
        tell(gathering.line(time.monotonic() - began, runner.user_count))
    gathering.ended(time.monotonic() - began)
    runner.stop()
    settled(worker, load)
    worker.conclude()
    gathering.report("here", worker.report(last=True))
    runner.quit()
    return gathering.to_json()


def serve(place: Place, load: Load, target: Target, out: str) -> None:
    """Run as a process of its own: progress goes to standard error, what was gathered into a file."""
    told = time.monotonic()

    def tell(line: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _LINE_S:
            told = time.monotonic()
            print(line, file=sys.stderr, flush=True)  # noqa: T201  # for the process that started this one

    gathered = run(place, load, target, tell)
    if out:
        with open(out, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a name from the process that asked
            json.dump(gathered, stream)
