"""Writing a recording: all of it or nothing, never over what cannot be read, and never with a secret in it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.cassettes import form, load, manifest
from conformance.cassettes.form import Numbered
from conformance.cassettes.redact import leak
from conformance.cassettes.units import unit
from conformance.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from conformance.cassettes.manifest import Recording, Session
    from conformance.model import JsonObject
    from conformance.scrub import Vault
    from conformance.suite import Suite


def write(folder: Path, recording: Recording, suite: Suite, vault: Vault, renew: float | None = None) -> Recording:
    """
    Write the recording of a provider into its folder.

    Whatever happens meanwhile, the old recording or the new one can be read: new files are
    written beside the old ones, the manifest is put in their place at one stroke, and only then
    are they moved. Where ``renew`` is given, a recording that brings nothing new keeps its older
    date, so that no file changes, until it is so many seconds old. Raises UserError when a secret stands in it, or the folder cannot be written.
    """
    files, raw = _files(recording, suite)
    recording = replace(recording, files={name: _sha(files[name]) for name in sorted(files)})
    if renew is not None:
        recording = _dated(folder, recording, renew)
    head = form.to_yaml(manifest.written(recording), lines=True).encode()
    found = leak([*raw, (manifest.NAME, head)], vault)
    if found:
        raise UserError(
            f"{folder}: not written: {found[1]} would stand in {found[0]};"
            " mark the member that holds it in the pack's secret-members"
        )
    try:
        with _alone(folder):
            _commit(folder, files, head)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); nothing of it was changed"
        ) from error
    return recording


def _dated(folder: Path, recording: Recording, renew: float) -> Recording:
    try:
        before = load.head(folder, recording.provider)
    except UserError:
        return recording
    if before.files != recording.files or len(before.sessions) != len(recording.sessions):
        return recording
    pairs = list(zip(before.sessions, recording.sessions, strict=True))
    old = any((new.recorded_at - was.recorded_at).total_seconds() > renew for was, new in pairs)
    if old or not all(was.same(replace(new, records=())) for was, new in pairs):
        return recording
    return replace(recording, sessions=tuple(replace(new, recorded_at=was.recorded_at) for was, new in pairs))


def _files(recording: Recording, suite: Suite) -> tuple[dict[str, bytes], list[tuple[str, bytes]]]:
    """The files of a recording by name, and all their bytes as they are before compression."""
    files: dict[str, bytes] = {}
    large: dict[str, bytes] = {}
    for index, session in enumerate(recording.sessions):
        start = "" if index == 0 else f"more-{index}/"
        head: JsonObject = {
            "format": f"{form.OWN}-cassette/{manifest.VERSION}",
            "provider": recording.provider,
            "session": index,
        }
        for name, records in _units(session, suite).items():
            file = f"{start}{name}.yaml"
            files[file] = form.dump(records, {**head, "unit": name}, session.url, large).encode()
    raw = [*files.items(), *((f"bodies/{name}.gz", body) for name, body in large.items())]
    for name, body in large.items():
        files[f"bodies/{name}.gz"] = _zipped(body)
    return files, raw


def _units(session: Session, suite: Suite) -> dict[str, list[Numbered]]:
    steps = {case.id: len(case.steps) for case in suite.cases}
    found: defaultdict[str, list[Numbered]] = defaultdict(list)
    at = 0
    for record in session.records:
        found[unit(record, steps.get(record.case, 1))].append(Numbered(at, record))
        at += len(record.earlier) + 1
    return found


def _zipped(body: bytes) -> bytes:
    """Equal bodies give equal bytes: no name and no time in them."""
    target = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, target, mtime=0) as stream:
        stream.write(body)
    return target.getvalue()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _commit(folder: Path, files: dict[str, bytes], head: bytes) -> None:
    before = load.listed(folder)
    load.settle(folder)
    changed = {name: each for name, each in files.items() if not _has(folder / name, each)}
    for name, content in changed.items():
        _put(load.beside(folder / name), content)
    if not _has(folder / manifest.NAME, head):
        _put(load.beside(folder / manifest.NAME), head)
        # From here on the new recording counts: what is not in its place yet is found beside it.
        load.beside(folder / manifest.NAME).replace(folder / manifest.NAME)
        _sync(folder)
    for name in changed:
        load.beside(folder / name).replace(folder / name)
    for name in sorted(set(before) - set(files)):
        (folder / name).unlink(missing_ok=True)
    for path in sorted(folder.rglob(f".*{load.BESIDE}")):
        path.unlink(missing_ok=True)
    for path in sorted((each for each in folder.rglob("*") if each.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()  # only where it is empty


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Let the change of a folder reach the disk, where a system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Nobody else writes here meanwhile, where a system can promise that; whoever is killed lets go."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl  # noqa: PLC0415  # not everywhere
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
