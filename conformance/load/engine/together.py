"""Several processes: a worker that does what its master says, and the master that gathers what workers tell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from conformance.errors import UserError
from conformance.load import settings
from conformance.load.engine.callers import races, settled, show
from conformance.load.gathering import Gathering, agreement
from conformance.load.settings import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.env import Environment

    from conformance.load.engine.callers import Session
    from conformance.load.settings import Load

# How often a worker tells what it knows: what one that is gone had not told is missing.
REPORT_S = 0.5
_READY_S = 60.0
# After the end nobody waits longer for what a worker has to tell.
_LAST_S = 15.0


# A worker of several


def work(environment: Environment, place: Place, session: Session) -> None:
    """Work for a master until it has heard everything. Raises UserError where there is none, or it is about another."""
    try:
        runner = environment.create_worker_runner(place.host, place.port)
    except ConnectionError:
        raise UserError(f"--master-host={place.host}: no master answers at port {place.port}") from None
    worker = _Working(environment, runner, session)
    runner.greenlet.join()
    if worker.refused:
        raise UserError(worker.refused)


class _Working:
    """One worker, and what it does when its master speaks."""

    def __init__(self, environment: Environment, runner: WorkerRunner, session: Session) -> None:
        self._environment, self._runner, self._session = environment, runner, session
        self.refused = ""
        runner.register_message("conformance-begin", self._begin)
        runner.register_message("conformance-race", self._race)
        environment.events.test_start.add_listener(self._started)  # type: ignore[no-untyped-call]
        environment.events.test_stop.add_listener(self._finish)  # type: ignore[no-untyped-call]
        runner.send_message("conformance-hello", {})

    def _begin(self, msg: Any, **_: Any) -> None:
        self.refused = agreement(self._session.target, msg.data["about"])
        if self.refused:
            self._runner.send_message("conformance-refused", {"why": self.refused})
            gevent.spawn_later(REPORT_S, self._runner.quit)
            return
        worker = self._session.prepare(settings.from_json(msg.data["load"]), msg.data["index"])
        show(self._environment, Place(), worker)
        self._runner.send_message("conformance-ready", {"ahead": worker.ahead})
        gevent.spawn(self._reporting)

    def _started(self, **_: Any) -> None:
        if self._session.worker:
            self._session.worker.begin()

    def _race(self, msg: Any, **_: Any) -> None:
        if self._session.worker:
            gevent.spawn(self._session.worker.race, msg.data["number"], msg.data["side"])

    def _finish(self, **_: Any) -> None:
        # Locust has let every caller end its request; now nothing is left but to tell.
        worker, self._session.worker = self._session.worker, None
        if worker:
            settled(worker, worker.load)
            worker.conclude()
            self._runner.send_message("conformance-report", worker.report(last=True))
        gevent.spawn_later(REPORT_S, self._runner.quit)

    def _reporting(self) -> None:
        while self._session.worker:
            self._runner.send_message("conformance-report", self._session.worker.report())
            gevent.sleep(REPORT_S)


# The master of several


def lead(
    environment: Environment, place: Place, load: Load, gathering: Gathering, *, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Lead the workers from before the clock starts until everything is told."""
    runner = environment.create_master_runner(place.host, place.port)
    show(environment, place, None)

    def hello(msg: Any, **_: Any) -> None:
        index = gathering.admit(msg.node_id)
        share = gathering.share(index)
        told = {"load": settings.to_json(share), "about": gathering.about, "index": index}
        runner.send_message("conformance-begin", told, client_id=msg.node_id)

    def ready(msg: Any, **_: Any) -> None:
        gathering.ready(gathering.admit(msg.node_id), msg.node_id, msg.data["ahead"])

    def refused(msg: Any, **_: Any) -> None:
        gathering.refused.append(msg.data["why"])

    def report(msg: Any, **_: Any) -> None:
        gathering.report(msg.node_id, msg.data)

    for name, listener in (("hello", hello), ("ready", ready), ("refused", refused), ("report", report)):
        runner.register_message(f"conformance-{name}", listener)
    _wait_for_workers(load, gathering)
    began = time.monotonic()
    runner.start(load.users, load.spawn_rate)
    racing = races(load)
    while not gathering.over(time.monotonic() - began, load):
        gevent.sleep(REPORT_S / 2)
        _look_after(runner, gathering, time.monotonic() - began)
        if gathering.contested and (number := next(racing)) is not None:
            _set_off(runner, gathering, number)
        tell(gathering.line(time.monotonic() - began, runner.user_count))
    gathering.ended(time.monotonic() - began)
    runner.stop()
    until = time.monotonic() + _LAST_S
    while not gathering.complete and time.monotonic() < until:
        gevent.sleep(0.05)
    gathering.give_up(time.monotonic() - began)
    runner.quit()
    return gathering.to_json()


def _wait_for_workers(load: Load, gathering: Gathering) -> None:
    until = time.monotonic() + _READY_S
    while len(gathering.present) < load.processes:
        if gathering.refused:
            raise UserError(gathering.refused[0])
        if time.monotonic() > until:
            count = len(gathering.present)
            raise UserError(f"--expect-workers={load.processes}: only {count} came within {_READY_S:g} s")
        gevent.sleep(0.05)


def _look_after(runner: MasterRunner, gathering: Gathering, second: float) -> None:
    """Note which workers are gone; Locust gives their callers to the others."""
    for name in gathering.present:
        client = runner.clients.get(name)
        if client is None or client.state == STATE_MISSING:
            gathering.lost(name, second)


def _set_off(runner: MasterRunner, gathering: Gathering, number: int) -> None:
    """Let two workers, or one where there is one, send the same key at the same time."""
    names = gathering.present
    for side in (0, 1):
        if names:
            told = {"number": number, "side": side}
            runner.send_message("conformance-race", told, client_id=names[(number + side) % len(names)])
