"""A recording in place of an endpoint: where it lies, whether it may be used, and what it says today."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import providers, resources, target
from conformance.errors import UserError
from conformance.model import Verdict

if TYPE_CHECKING:
    from conformance.cassettes.manifest import Recording
    from conformance.runner import Run
    from conformance.target import Options, Target

# The file that a recording is known by.
MANIFEST = "recording.yaml"


def folder_of(options: Options) -> Path:
    """The folder of the provider's recording. Raises UserError when nobody said where to write one."""
    if options.cassettes:
        return Path(options.cassettes) / options.provider
    packaged = resources.folders_of(options.provider).cassettes
    if options.record_mode == "none" or (options.record_mode == "once" and packaged.is_dir()):
        return packaged
    raise UserError(f"--record-mode={options.record_mode}: say where recordings go with --cassettes=DIR")


def readable(folder: Path, options: Options) -> Recording:
    """The recording in a folder, checked and not too old. Raises UserError."""
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


def in_place(options: Options, recording: Recording) -> Target:
    """The recording in place of an endpoint: its account, its credentials' names, and no secret."""
    from conformance.cassettes import replay  # noqa: PLC0415

    session = recording.sessions[-1]
    if options.explore not in (0, session.explore):
        told = f"with --explore={session.explore}" if session.explore else "without --explore"
        raise UserError(f"--explore={options.explore}: recorded {told}; leave it out, or --record-mode=rewrite")
    # A revision that the pack no longer has is not the user's mistake, other than one that was asked for.
    known_then = session.revision if session.revision in providers.load(options.provider).revisions else ""
    made = replay.suite_of(recording, options.revision or known_then)
    known = replace(
        options, strict=session.strict, allowed=frozenset(session.allowed), seed=session.seed, explore=session.explore
    )
    return target.Target("cassettes", known, made, None, session.url)


def notes(options: Options, recording: Recording) -> dict[str, Any]:
    """What a report says about the recording that it rests on."""
    session = recording.sessions[-1]
    return {
        "mode": options.record_mode,
        "source": session.source,
        "recorded_at": f"{recording.recorded_at:%Y-%m-%dT%H:%M:%SZ}",
        "suite_version": session.suite_version,
        "pack_sha256": session.pack_sha256,
        "pack": "the same" if session.pack_sha256 == resources.folders_of(options.provider).digest() else "another",
    }


def judged(folder: Path, provider: str) -> tuple[Run, Target]:
    """A recording with the verdicts of today's suite, whatever its age. Raises UserError."""
    from conformance.cassettes import load, replay  # noqa: PLC0415

    options = target.Options(provider)
    recording = load.head(folder, provider)
    made = in_place(options, recording)
    names = sorted({name for each in recording.sessions for name in each.cases} & made.suite.by_id.keys())
    return replay.replay(load.whole(folder, recording), made.suite, names), made


def provider_of(manifest: Path) -> str:
    """The provider that a manifest names. Raises UserError."""
    from conformance.cassettes import load  # noqa: PLC0415

    return load.provider_of(manifest)


def changes(recording: Recording, done: Run) -> list[str]:
    """Verdicts that are others than when it was recorded: the documentation or the suite says something else now."""
    lines: list[str] = []
    for name in done.selected:
        before, now = recording.case(name), done.judgements[name].verdict
        if before is not None and before.verdict != now:
            why = f" ({done.judgements[name].reason})" if now is Verdict.INCONCLUSIVE else ""
            lines.append(f"{name}: {before.verdict}, now {now}{why}")
    return lines
