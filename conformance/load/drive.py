"""A load run from its beginning to its end: processes started, their answers gathered, the orders read back."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conformance import conduct, safety
from conformance.errors import UserError
from conformance.load import section, settings
from conformance.load.afterwards import Reading
from conformance.load.payloads import Pool
from conformance.load.races import Races
from conformance.load.tally import Tally
from conformance.pace import Pace
from conformance.patience import Patience
from conformance.transport import Room

if TYPE_CHECKING:
    from collections.abc import Generator

    from conformance.load.settings import Load, Place
    from conformance.target import Options, Target

_USAGE = 4
_GRACE_S = 20.0
_ROOM = 1 << 62


@contextmanager
def embedded(options: Options, racy: str) -> Generator[Options]:
    """The embedded reference endpoint, served by this process while others send; options that lead to it."""
    from conformance import providers  # noqa: PLC0415
    from conformance.reference import app, behaviour, server  # noqa: PLC0415  # only where no other endpoint is given

    pack = providers.load(options.provider, options.revision)
    path = Path(options.account) if options.account else pack.folders.fixtures / "account.toml"
    account = providers.read_account(pack, path) if path.is_file() else providers.reference_account(pack)
    how = replace(behaviour.healthy(pack, strict=options.strict), racy=racy)
    known = app.credentials(pack)
    before = dict(os.environ)
    # Real credentials are not for a made-up endpoint.
    os.environ.update({each: known[name] for name, variables in pack.auth.variables.items() for each in variables})
    for each in pack.auth.credentials:
        os.environ.pop(each.token_url, None)
    try:
        with server.running(app.Endpoint(pack, account, how, delay=options.delay)) as url:
            yield replace(options, endpoint=url, account=str(path) if path.is_file() else "")
    finally:
        os.environ.clear()
        os.environ.update(before)


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def is_near(made: Target) -> bool:
    """Whether the endpoint is on this machine, where nobody's limits count."""
    return safety.is_loopback(urlsplit(made.endpoint).hostname or "")


def begin(made: Target, load: Load) -> Load:
    """The load with what belongs to this run alone: its token and the instant that its orders are made for."""
    return replace(load, token=made.options.token or secrets.token_hex(3), instant=datetime.now(UTC).isoformat())


def run(made: Target, load: Load, place: Place, *, clean_up: bool = True, hurry: bool = False) -> dict[str, Any]:
    """
    Do a load run and read back what it left; gives the section of the report.

    In a ``hurry`` reading and cleaning up go beyond the documented rates too.

    Raises UserError where it cannot begin; SystemExit where a process said so already.
    """
    load = begin(made, load)
    started = datetime.now(UTC)
    gathered = _processes(made.options, load, place)
    finished = datetime.now(UTC)
    tally = Tally()
    tally.add(gathered["tally"])
    more = {"started_at": _time(started), "finished_at": _time(finished)}
    more |= _afterwards(made, load, gathered, tally, clean_up=clean_up, hurry=hurry)
    return section.build(made.suite, load, gathered, tally, more)


def work(options: Options, load: Load, place: Place) -> None:
    """Be one worker of a master elsewhere."""
    with ExitStack() as stack:
        _ended(_start(options, load, place, "", stack))


# Processes


def _processes(options: Options, load: Load, place: Place) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        out = str(Path(folder) / "gathered.json")
        first = _start(options, load, place, out, stack)
        workers = []
        if place.near:
            near = replace(place, role="worker", web=0)
            workers = [_start(options, load, near, "", stack) for _ in range(load.processes)]
        _ended(first)
        for each in workers:
            try:
                each.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                each.kill()
        return dict(json.loads(Path(out).read_text(encoding="utf-8")))


def _start(options: Options, load: Load, place: Place, out: str, stack: ExitStack) -> subprocess.Popen[bytes]:
    told = {
        "options": asdict(options)
        | {"allowed": sorted(options.allowed), "files": list(asdict(options.files).values())},
        "load": settings.to_json(load),
        "place": asdict(place),
        "out": out,
    }
    command = [sys.executable, "-m", "conformance.load.process"]
    # Ctrl-C is for the one that leads: it lets the others tell what they know.
    made = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  # ourselves
    stack.callback(_stop, made)
    assert made.stdin is not None
    made.stdin.write(json.dumps(told).encode())
    made.stdin.close()
    return made


def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process; Ctrl-C is handed on to it once. Raises SystemExit with its status where that is not 0."""
    try:
        status = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        status = process.wait()
    if status == _USAGE:
        # It has said why.
        sys.exit(_USAGE)
    if status:
        raise UserError(f"a process of the load run ended with status {status}; what it knew is lost")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


# What is left


def _afterwards(
    made: Target, load: Load, gathered: dict[str, Any], tally: Tally, *, clean_up: bool, hurry: bool
) -> dict[str, Any]:
    """Read back, judge what is stored and every race, and clean up."""
    second, pool, found = int(gathered["elapsed"]), Pool(made.suite, load), None
    told: dict[str, Any] = {"read_back": None, "clean_up": None}
    with conduct.transport(
        made, Pace(0.0, () if hurry or is_near(made) else made.suite.provider.rates), Room(_ROOM)
    ) as transport:
        reading = Reading(made.suite, pool, load.token, transport, Patience(made.options.patience))
        found = reading.listing(gathered["rows"])
        if found is not None:
            reading.judge(gathered["rows"], found, tally, second)
            lost = {each["index"]: each["number"] for each in gathered["workers"] if each["lost_at_s"] is not None}
            told["read_back"] = {
                "orders": sum(map(len, found.orders.values())),
                "why_not": found.why,
                "without_an_answer": reading.unsettled(gathered["rows"], found, lost),
            }
        told["races"] = Races(pool, made.suite.provider, found).judge(gathered["races"], tally, second)
        if found is not None and clean_up:
            gone, left = reading.clean_up(found)
            told["clean_up"] = {"deleted": gone, "left": left}
    return told


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
