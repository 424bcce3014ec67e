"""Record modes: what is replayed, what is sent, and what is written, for one provider."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import __version__, resources, target
from conformance.errors import UserError, nearest
from conformance.judge import judge
from conformance.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.cassettes.manifest import Recording, Session
    from conformance.model import Record
    from conformance.runner import Run
    from conformance.suite import Suite
    from conformance.target import Options, Target

# The file that a recording is known by.
MANIFEST = "recording.yaml"
_PORT = re.compile(r"(http://127\.0\.0\.1):[0-9]+")
# vcrpy's words, and rewrite, which is pytest-recording's.
MODES = ("none", "once", "new_episodes", "all", "rewrite")


@dataclass(slots=True)
class Prepared:
    """
    A provider's run, ready to be done once.

    ``old`` is the recording that counts, without its records; ``notes`` is what the report says
    about recording and replaying.
    """

    target: Target
    folder: Path | None = None
    old: Recording | None = None
    notes: dict[str, Any] | None = None

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

    folder = _folder(options)
    there = load.exists(folder)
    if mode == "none" or (mode == "once" and there):
        with network.closed():
            old = _readable(folder, options)
            return Prepared(_recorded(options, old), folder, old, _notes(options, old))
    made = Prepared(target.prepare(options), folder, notes={"mode": mode, "folder": str(folder)})
    if mode == "new_episodes" and there:
        made.old = _readable(folder, options)
        _same_account(made)
    elif mode == "all" and there:
        try:
            made.old = load.head(folder, options.provider)
        except load.Damaged as error:
            assert made.notes is not None
            made.notes["replaced"] = str(error).splitlines()[0]
        else:
            _same_account(made)
    return made


def _folder(options: Options) -> Path:
    """The folder of the provider's recording. Raises UserError when nobody said where to write one."""
    if options.cassettes:
        return Path(options.cassettes) / options.provider
    packaged = resources.folders_of(options.provider).cassettes
    if options.record_mode == "none" or (options.record_mode == "once" and packaged.is_dir()):
        return packaged
    raise UserError(f"--record-mode={options.record_mode}: say where recordings go with --cassettes=DIR")


def _readable(folder: Path, options: Options) -> Recording:
    from conformance.cassettes import load  # noqa: PLC0415

    if not load.exists(folder):
        raise UserError(
            f"{folder}: nothing is recorded here; record with --record-mode=once --cassettes={folder.parent}"
        )
    recording = load.head(folder, options.provider)
    limit = options.max_cassette_age
    age = datetime.now(UTC) - recording.recorded_at
    if limit is not None and age.total_seconds() > limit * 86400:
        raise UserError(
            f"{folder}: recorded on {recording.recorded_at:%Y-%m-%d}, {age.days} days ago, and --max-cassette-age is"
            f" {limit:g}; record anew with --record-mode=rewrite"
        )
    return recording


def _recorded(options: Options, recording: Recording) -> Target:
    """The recording in place of an endpoint: its account, its credentials' names, and no secret."""
    from conformance.cassettes import replay  # noqa: PLC0415

    session = recording.sessions[-1]
    revision = options.revision or session.revision
    made = replay.suite_of(recording, revision if revision in _revisions(options.provider) else "")
    known = replace(options, strict=session.strict, allowed=frozenset(session.allowed), seed=session.seed)
    return target.Target("cassettes", known, made, None, session.url)


def _revisions(provider: str) -> tuple[str, ...]:
    from conformance import providers  # noqa: PLC0415

    return providers.load(provider).revisions


def _notes(options: Options, recording: Recording) -> dict[str, Any]:
    session = recording.sessions[-1]
    return {
        "mode": options.record_mode,
        "source": session.source,
        "recorded_at": f"{recording.recorded_at:%Y-%m-%dT%H:%M:%SZ}",
        "suite_version": session.suite_version,
        "pack_sha256": session.pack_sha256,
    }


def _same_account(made: Prepared) -> None:
    assert made.old is not None
    if any(each.account != made.target.suite.account.facts for each in made.old.sessions):
        raise UserError(f"{made.folder}: recorded for another account; record anew with --record-mode=rewrite")


def run(made: Prepared, selected: list[str], progress: Callable[[int, int], None] | None = None) -> Run:
    """Replay, or run and record, what was selected. What is written is what was judged."""
    if made.folder is None or made.notes is None:
        return target.run(made.target, selected, progress)
    from conformance.cassettes import load, network, replay  # noqa: PLC0415

    suite = made.target.suite
    if made.replays:
        assert made.old is not None
        with network.closed():
            done = replay.replay(load.whole(made.folder, made.old), suite, selected)
            made.notes["changed"] = _changes(made.old, done)
            return done
    old = load.whole(made.folder, made.old) if made.old is not None else None
    if made.target.options.record_mode == "new_episodes" and old is not None:
        unsettled = replay.unsettled(old, suite)
        selected_new = [name for name in selected if name in unsettled]
        if not selected_new:
            made.target = replace(made.target, kind="cassettes", endpoint=old.sessions[-1].url)
            return replay.replay(old, suite, selected)
        done = _redacted(target.run(made.target, selected_new, progress), suite)
    else:
        done = _redacted(target.run(made.target, selected, progress), suite)
    return _write(made, old, done, selected)


def judged(folder: Path, provider: str) -> tuple[Run, Target]:
    """A recording with the verdicts of today's suite, whatever its age. Raises UserError."""
    from conformance.cassettes import load, replay  # noqa: PLC0415

    options = target.Options(provider)
    recording = load.head(folder, provider)
    made = _recorded(options, recording)
    names = sorted({name for each in recording.sessions for name in each.cases} & made.suite.by_id.keys())
    return replay.replay(load.whole(folder, recording), made.suite, names), made


def provider_of(manifest: Path) -> str:
    """The provider that a manifest names. Raises UserError."""
    from conformance.cassettes import load  # noqa: PLC0415

    return load.provider_of(manifest)


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
    if done.stopped and load.exists(made.folder):
        made.notes["trouble"] = f"{made.folder}: not written: the run stopped, and the older recording says more"
        return done
    sessions = [*(old.sessions if old else ()), _session(made, done)]
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
    return done if len(kept) == 1 else replay.replay(recording, suite, selected)


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
    )


def _changes(recording: Recording, done: Run) -> list[str]:
    """Verdicts that are others than when it was recorded: the documentation or the suite says something else now."""
    lines: list[str] = []
    for name in done.selected:
        before, now = recording.case(name), done.judgements[name].verdict
        if before is not None and before.verdict != now:
            why = f" ({done.judgements[name].reason})" if now is Verdict.INCONCLUSIVE else ""
            lines.append(f"{name}: {before.verdict}, now {now}{why}")
    return lines
