"""Parts of a run: one that was interrupted is taken up again from its journal, under the same token."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from conformance import journal
from conformance.errors import UserError
from conformance.memory import Memory, remembered

if TYPE_CHECKING:
    from collections.abc import Generator

    from conformance.model import Json, JsonObject, Record
    from conformance.suite import Suite

# What a run that is taken up again has to agree with; everything else is taken from the journal.
_FIXED = ("provider", "revision", "pack_sha256", "suite_version", "kind", "url", "seed", "explore", "account")
_WORDS = {
    "pack_sha256": "the provider pack was another one",
    "suite_version": "the suite had another version",
    "kind": "it was against another kind of endpoint",
    "url": "--endpoint was {}",
    "seed": "--seed was {}",
    "explore": "--explore was {}",
    "revision": "--revision was {}",
    "account": "the account facts were others",
    "provider": "it was about {}",
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier parts of an interrupted run, from their journal."""

    path: Path
    told: journal.Journal

    @property
    def head(self) -> JsonObject:
        """What the run was about."""
        return self.told.head

    def get(self, name: str) -> Any:
        """Something that the run was about."""
        return self.head.get(name)


def earlier(folder: str, provider: str) -> Earlier:
    """
    The run whose journal lies in a report's folder, or below it under the provider's name.

    Raises UserError where there is none.
    """
    for path in (Path(folder) / provider / journal.NAME, Path(folder) / journal.NAME):
        if path.is_file():
            told = journal.read(path)
            if told.head.get("provider") == provider:
                return Earlier(path, told)
    raise UserError(
        f"--resume={folder}: no interrupted run of {provider} lies here; a run that came to its end has no {journal.NAME}"
    )


def agree(head: JsonObject, now: JsonObject, folder: str) -> None:
    """Raise UserError where a run that is to be taken up again was about something else."""
    for name in _FIXED:
        if head.get(name) != now.get(name):
            was = _WORDS[name].format(head.get(name))
            raise UserError(f"--resume={folder}: {was}; take it up again with the same options, or begin anew")


def records(suite: Suite, told: journal.Journal) -> tuple[list[Record], set[str]]:
    """What the earlier parts sent, and which cases that settles."""
    return remembered(suite, told.records, told.done)


@contextmanager
def journaled(path: Path, head: JsonObject, suite: Suite, redacted: Any, before: Earlier | None) -> Generator[Memory]:
    """The memory of a run that writes a journal; with the earlier parts of the run where there are any."""
    if before is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        journal.clear(path.parent)
    else:
        journal.mend(path)
    writer = journal.Writer(path, redacted)
    try:
        if before is None:
            now = datetime.now(UTC)
            writer.head({**head, "started_at": cast("Json", head.get("started_at") or now.isoformat())})
            yield Memory(note=writer.note)
        else:
            kept, settled = records(suite, before.told)
            writer.note("resumed", datetime.now(UTC).isoformat())
            started = datetime.fromisoformat(str(before.get("started_at")))
            yield Memory(kept, settled, before.told.parts + 1, started, writer.note)
    finally:
        writer.close()
