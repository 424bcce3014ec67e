"""Reading a recording: every file held against the manifest, and one clear line for each that is not what it was."""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.cassettes import form, manifest
from conformance.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.cassettes.form import Numbered
    from conformance.cassettes.manifest import Recording

BESIDE = ".new"
# More than any cassette is, with all bodies of a batch beside it.
_HUGE = 32 << 20
_SHOWN = 10
_HINT = "restore it, or record anew with --record-mode=rewrite"


class Damaged(UserError):  # noqa: N818  # the state of a file
    """A recording is there and cannot be used: one line a file."""


def beside(path: Path) -> Path:
    """Where the next version of a file is written before it takes its place."""
    return path.with_name(f".{path.name}{BESIDE}")


def exists(folder: Path) -> bool:
    """Whether there is something recorded in the folder of a provider, readable or not."""
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*.yaml"))


def listed(folder: Path) -> list[str]:
    """The files of whatever recording is there, as far as its manifest can be read; nothing outside the folder."""
    try:
        names = manifest.read(form.from_yaml((folder / manifest.NAME).read_text(encoding="utf-8"))).files
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [name for name in names if ".." not in name and not name.startswith("/")]


def head(folder: Path, provider: str) -> Recording:
    """
    The recording without its records, every file of it checked.

    Raises UserError when there is none, Damaged when it is not what was recorded.
    """
    path = folder / manifest.NAME
    data = _data(path, "the manifest of a recording")
    _check_format(data, path, manifest.FORMAT)
    found = data.get("provider")
    if found != provider:
        raise Damaged(f"{path}: a recording of {found}, not of {provider}; give each provider a folder of its own")
    try:
        recording = manifest.read(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise Damaged(f"{path}: not a whole manifest ({what}); {_HINT}") from None
    trouble = [line for name, digest in recording.files.items() if (line := _trouble(folder, name, digest, provider))]
    if trouble:
        more = [f"and {len(trouble) - _SHOWN} files more"] if len(trouble) > _SHOWN else []
        raise Damaged("\n".join([*trouble[:_SHOWN], *more]))
    return recording


def provider_of(path: Path) -> str:
    """The provider that a manifest names. Raises Damaged."""
    data = _data(path, "the manifest of a recording")
    _check_format(data, path, manifest.FORMAT)
    return str(data.get("provider"))


def whole(folder: Path, recording: Recording) -> Recording:
    """The recording with the records of its files. Raises Damaged."""
    found: defaultdict[int, list[Numbered]] = defaultdict(list)
    for name, digest in recording.files.items():
        if not name.endswith(".yaml"):
            continue
        index = int(name.partition("/")[0].removeprefix("more-")) if name.startswith("more-") else 0
        content = _content(folder, name, digest)
        try:
            assert content is not None
            found[index] += form.load(
                content.decode(), recording.sessions[index].url, lambda sha: _body(folder, recording, sha)
            )
        except (AssertionError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise Damaged(f"{folder / name}: not a cassette of this suite ({error}); {_HINT}") from None
    sessions = tuple(
        replace(each, records=tuple(one.record for one in sorted(found[index], key=lambda one: one.at)))
        for index, each in enumerate(recording.sessions)
    )
    return replace(recording, sessions=sessions)


def _content(folder: Path, name: str, digest: str) -> bytes | None:
    """The bytes of a file, from its place or, when a move was cut off, from beside it; None when neither is right."""
    for path in (folder / name, beside(folder / name)):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() == digest:
            return content
    return None


def settle(folder: Path) -> None:
    """Finish the moves that somebody was killed in: what belongs to the manifest goes to its place."""
    try:
        files = manifest.read(form.from_yaml((folder / manifest.NAME).read_text(encoding="utf-8"))).files
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for name, digest in files.items():
        path = beside(folder / name)
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            path.replace(folder / name)


def _body(folder: Path, recording: Recording, sha: str) -> bytes:
    name = f"bodies/{sha}.gz"
    content = _content(folder, name, recording.files[name])
    stream = zlib.decompressobj(wbits=31)
    body = stream.decompress(content or b"", _HUGE)
    if hashlib.sha256(body).hexdigest() != sha:
        raise ValueError(f"{name} has another body")
    return body


def _trouble(folder: Path, name: str, digest: str, provider: str) -> str:
    """What is wrong with a file, in a line, or nothing."""
    path = folder / name
    if path.is_file() and path.stat().st_size > _HUGE:
        return f"{path}: {path.stat().st_size >> 20} MiB, more than any cassette has; {_HINT}"
    if _content(folder, name, digest) is not None:
        return ""
    if not name.endswith(".yaml"):
        what = "missing" if not path.is_file() else "not the body that was recorded"
        return f"{path}: {what}; {_HINT}"
    try:
        data = _data(path, "a cassette")
        own = data.get(form.OWN)
        if not isinstance(own, dict) or not isinstance(data.get("interactions"), list):
            return f"{path}: not a cassette of this suite; {_HINT}"
        _check_format(own, path, f"{form.OWN}-cassette")
        if own.get("provider") != provider:
            return f"{path}: a cassette of {own.get('provider')}, not of {provider}; {_HINT}"
        if len(data["interactions"]) != own.get("count"):
            return f"{path}: cut short: {len(data['interactions'])} of {own.get('count')} interactions; {_HINT}"
    except Damaged as error:
        return str(error)
    return f"{path}: changed by hand: it is not what was recorded; {_HINT}"


def _data(path: Path, what: str) -> dict[str, Any]:
    """The YAML in a file. Raises Damaged with the one reason why there is none."""
    try:
        if path.stat().st_size > _HUGE:
            raise Damaged(f"{path}: {path.stat().st_size >> 20} MiB, more than {what} has; {_HINT}")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Damaged(f"{path}: missing; {_HINT}") from None
    except OSError as error:
        raise Damaged(f"{path}: cannot be read ({error.strerror})") from None
    if not raw.strip():
        raise Damaged(f"{path}: empty; {_HINT}")
    try:
        data = form.from_yaml(raw.decode())
    except UnicodeDecodeError:
        raise Damaged(f"{path}: not text; {_HINT}") from None
    except ValueError as error:
        raise Damaged(f"{path}: not YAML, perhaps cut short ({error}); {_HINT}") from None
    if not isinstance(data, dict):
        raise Damaged(f"{path}: not {what}; {_HINT}")
    return data


def _check_format(data: dict[str, Any], path: Path, wanted: str) -> None:
    name, _, version = str(data.get("format")).partition("/")
    if name != wanted or not version.isdigit():
        raise Damaged(f"{path}: not of the format {wanted}/{manifest.VERSION}; {_HINT}")
    if int(version) > manifest.VERSION:
        raise Damaged(
            f"{path}: of the format {name}/{version}, which is newer than this suite knows"
            f" ({manifest.VERSION}); install a newer one, or record anew with --record-mode=rewrite"
        )
