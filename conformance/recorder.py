"""Record modes: what is replayed, what is sent, and what is written, for one provider."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance import __version__, conduct, recorded, target
from conformance.errors import UserError, nearest
from conformance.exploration.cases import written
from conformance.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conformance.cassettes.manifest import Recording, Session
    from conformance.model import Record
    from conformance.runner import Run
    from conformance.suite import Suite
    from conformance.target import Options, Target

_PORT = re.compile(r"(http://127\.0\.0\.1):[0-9]+")
# vcrpy's words, and rewrite, which is pytest-recording's.
MODES = ("none", "once", "new_episodes", "all", "rewrite")


@dataclass(slots=True)
class Prepared:
    """
    A provider's run, ready to be done once.

    ``old`` is the recording that counts, without its records; ``notes`` is what the report says
    about recording and replaying. Where it ``keeps`` evidence, ``judged`` is afterwards what the verdicts rest on.
    """

    target: Target
    folder: Path | None = None
    old: Recording | None = None
    notes: dict[str, Any] | None = None
    keeps: bool = False
    judged: Recording | None = None

    @property
    def replays(self) -> bool:
        """Whether nothing is sent at all."""
        return self.target.kind == "cassettes"


def prepare(options: Options) -> Prepared:
    """Check everything that can be checked before a request is sent. Raises UserError."""
    mode = options.record_mode
    if not mode:
        if options.cassettes or options.max_cassette_age is not None:
            raise UserError("--cassettes and --max-cassette-age need --record-mode; --record-mode=none replays")
        return Prepared(target.prepare(options))
    if mode not in MODES:
        raise UserError(f"--record-mode={mode}: there is no such mode; {nearest(mode, MODES)}")
    from conformance.cassettes import load, network  # noqa: PLC0415  # vcrpy, for those who record or replay

    folder = recorded.folder_of(options)
    there = load.exists(folder)
    if options.challenge and (mode == "none" or (there and mode != "rewrite")):
        raise UserError("--challenge: what was recorded before depends on none; leave it out, or --record-mode=rewrite")
    if mode == "none" or (mode == "once" and there):
        with network.closed():
            old = recorded.readable(folder, options)
            return Prepared(recorded.in_place(options, old), folder, old, recorded.notes(options, old))
    made = Prepared(target.prepare(options), folder, notes={"mode": mode, "folder": str(folder)})
    if mode == "new_episodes" and there:
        made.old = recorded.readable(folder, options)
        _same_endpoint(made)
    elif mode == "all" and there:
        try:
            made.old = load.head(folder, options.provider)
        except load.Damaged as error:
            assert made.notes is not None
            made.notes["replaced"] = str(error).splitlines()[0]
        else:
            _same_endpoint(made)
    return made


def _same_endpoint(made: Prepared) -> None:
    assert made.old is not None
    if any(each.source != made.target.kind for each in made.old.sessions):
        raise UserError(
            f"{made.folder}: recorded from a {made.old.sessions[-1].source} endpoint, and this is a {made.target.kind} one;"
            " give it a folder of its own, or record anew with --record-mode=rewrite"
        )
    if any(each.account != made.target.suite.account.facts for each in made.old.sessions):
        raise UserError(f"{made.folder}: recorded for another account; record anew with --record-mode=rewrite")


def run(made: Prepared, selected: list[str], progress: Callable[[int, int], None] | None = None) -> Run:
    """Replay, or run and record, what was selected. What is written is what was judged."""
    suite = made.target.suite
    if made.folder is None or made.notes is None:
        done = conduct.run(made.target, selected, progress)
        if made.keeps:
            done = _redacted(done, suite)
            made.judged = _recording(made, done)
        return done
    from conformance.cassettes import load, network, replay  # noqa: PLC0415

    if made.replays:
        assert made.old is not None
        with network.closed():
            made.judged = load.whole(made.folder, made.old)
            done = replay.replay(made.judged, suite, selected)
            made.notes["changed"] = recorded.changes(made.old, done)
            return done
    old = load.whole(made.folder, made.old) if made.old is not None else None
    if made.target.options.record_mode == "new_episodes" and old is not None:
        unsettled = replay.unsettled(old, suite)
        selected_new = [name for name in selected if name in unsettled]
        if not selected_new:
            made.target = replace(made.target, kind="cassettes", endpoint=old.sessions[-1].url)
            made.judged = old
            return replay.replay(old, suite, selected)
        done = _redacted(conduct.run(made.target, selected_new, progress), suite)
    else:
        done = _redacted(conduct.run(made.target, selected, progress), suite)
    return _write(made, old, done, selected)


def _redacted(done: Run, suite: Suite) -> Run:
    """The run as it is kept: what is secret in its answers is hidden, and the verdicts are on what remains."""
    from conformance.cassettes.redact import Redactor  # noqa: PLC0415

    records = Redactor(suite.provider, done.records).records(done.records)
    if done.settings.instant is not None:
        records = [_portless(each) for each in records]
    if any(a is not b for a, b in zip(records, done.records, strict=True)):
        done.records = records
        done.judgements = judge(suite, records, done.not_run, done.settings.token)
    return done


def _portless(record: Record) -> Record:
    """A record in which the reference endpoint does not name its port, which is chance."""
    response = record.exchange.response
    if response is None or not any(_PORT.search(value) for _, value in response.headers):
        return record
    headers = tuple((name, _PORT.sub(r"\1", value)) for name, value in response.headers)
    return replace(record, exchange=replace(record.exchange, response=replace(response, headers=headers)))


def _write(made: Prepared, old: Recording | None, done: Run, selected: list[str]) -> Run:
    from conformance.cassettes import load, manifest, replay, store  # noqa: PLC0415

    assert made.folder is not None
    assert made.notes is not None
    suite = made.target.suite
    made.judged = _recording(made, done)
    if done.stopped and (load.exists(made.folder) or not done.records):
        why = "and the older recording says more" if done.records else "before anything was sent"
        made.notes["trouble"] = f"{made.folder}: not written: the run stopped, {why}"
        return done
    sessions = [*(old.sessions if old else ()), *made.judged.sessions]
    told = {name: index for index, each in enumerate(sessions) for name in each.cases}
    kept = tuple(each for index, each in enumerate(sessions) if index in told.values())
    recording = manifest.Recording(suite.provider.name, kept)
    limit = made.target.options.max_cassette_age
    renew = math.inf if limit is None else limit * 86400
    try:
        # Only the clock of the reference endpoint stands still: elsewhere each recording is another.
        recording = store.write(
            made.folder,
            recording,
            suite,
            target.vault(made.target),
            renew if made.target.kind == "reference" else None,
        )
    except UserError as error:
        made.notes["trouble"] = str(error)
        return done
    made.notes["written"] = len(recording.files)
    made.judged = recording
    return done if len(kept) == 1 else replay.replay(recording, suite, selected)


def _recording(made: Prepared, done: Run) -> Recording:
    """One run as a recording of its own."""
    from conformance.cassettes.manifest import Recording  # noqa: PLC0415

    return Recording(made.target.suite.provider.name, (_session(made, done),))


def _session(made: Prepared, done: Run) -> Session:
    from conformance.cassettes import manifest, replay  # noqa: PLC0415

    suite, options = made.target.suite, made.target.options
    records = tuple(done.records)
    if done.settings.instant is not None:
        # Where the clock stands still, nothing takes time.
        records = tuple(
            replace(
                each,
                exchange=replace(each.exchange, duration_ms=0.0),
                earlier=tuple(replace(one, duration_ms=0.0) for one in each.earlier),
            )
            for each in records
        )
    return manifest.Session(
        source=made.target.kind,
        url=made.target.endpoint or f"http://127.0.0.1{suite.provider.main.base_path}",
        strict=options.strict,
        revision=suite.provider.revision,
        pack_sha256=suite.provider.folders.digest(),
        suite_version=__version__,
        recorded_at=datetime.now(UTC).replace(microsecond=0),
        instant=done.settings.instant,
        started_at=done.started_at,
        finished_at=done.finished_at,
        seed=done.settings.seed,
        token=done.settings.token,
        credentials=made.target.credentials,
        closed=dict(made.target.closed),
        allowed=tuple(sorted(options.allowed)),
        account=suite.account.facts,
        control=done.control,
        stopped=done.stopped,
        orders_created=done.orders_created,
        spent=done.spent,
        left=tuple(done.left),
        not_run=done.not_run,
        cases={name: manifest.Recorded(*each) for name, each in replay.session_cases(done, suite).items()},
        records=records,
        explore=suite.explored.asked,
        explored=written(suite.explored),
    )
