"""Replay: the verdicts of today's suite on what was recorded. No transport, no composition, no clock."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance import bodies, changes, providers, suite
from conformance.cassettes.manifest import digests
from conformance.errors import UserError
from conformance.exploration.cases import Explored, read
from conformance.judge import judge
from conformance.model import Account, Judgement, Verdict
from conformance.sender import Run, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.cassettes.manifest import Recording, Session
    from conformance.model import Operations, Record
    from conformance.suite import Suite

CHANGED = "changed since it was recorded"
UNRECORDED = "not recorded"


def suite_of(recording: Recording, revision: str) -> Suite:
    """Today's suite for the account and the names of the credentials that the recording was made with."""
    session = recording.sessions[0]
    if any(each.account != session.account for each in recording.sessions):
        raise UserError(f"{recording.provider}: recorded for several accounts; record anew with --record-mode=rewrite")
    provider = providers.load(recording.provider, revision)
    return suite.build(provider, Account(session.account), session.credentials, session.closed, explored(recording))


def explored(recording: Recording) -> Explored:
    """The made-up changes of all sessions; of the last, how many were asked for."""
    texts = dict.fromkeys(text for each in recording.sessions for text in each.explored)
    try:
        return read(recording.sessions[-1].explore, texts)
    except (ValueError, TypeError):
        raise UserError(f"{recording.provider}: what was explored cannot be read; record anew") from None


def missing(recording: Recording, suite: Suite) -> dict[str, str]:
    """The cases that the recording does not tell of, with the reason by name."""
    now = digests(suite)
    known = sorted({name for each in recording.sessions for name in each.cases})
    owners = recording.owners()
    reasons: dict[str, str] = {}
    for case in suite.cases:
        if case.excluded:
            continue
        recorded = recording.case(case.id)
        if recorded is None:
            reasons[case.id] = f"{case.id} is {UNRECORDED}{_nearest(case.id, known)}"
        elif recorded.digest != now[case.id]:
            on = recording.sessions[owners[case.id]].recorded_at
            reasons[case.id] = f"{case.id} {CHANGED} on {on:%Y-%m-%d}"
    return reasons


def unsettled(recording: Recording, suite: Suite) -> dict[str, str]:
    """The cases without a valid recording: those that are missing, and those that were never sent."""
    owners = recording.owners()
    unsent = {
        name: recording.sessions[index].not_run[name]
        for name, index in owners.items()
        if name in recording.sessions[index].not_run
    }
    return unsent | missing(recording, suite)


def _nearest(name: str, known: Sequence[str]) -> str:
    """The recorded case whose id begins most like this one."""
    at = bisect_left(known, name)
    around = known[max(at - 1, 0) : at + 1]
    near = max(around, key=lambda each: _alike(each, name), default="")
    return f"; the nearest recording is {near}" if near else ""


def _alike(one: str, other: str) -> int:
    """How many characters two names begin alike with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def replay(recording: Recording, suite: Suite, selected: Iterable[str]) -> Run:
    """
    The run that the recording tells of, judged by today's suite.

    Each case is judged within the session that recorded it.
    """
    chosen = tuple(selected)
    wanted = frozenset(chosen)
    sessions = [_named(each, index) for index, each in enumerate(recording.sessions)]
    verdicts = [judge(suite, each.records, each.not_run, each.token) for each in sessions]
    owners = recording.owners()
    gone = missing(recording, suite) | _unfounded(sessions, suite)
    judgements: dict[str, Judgement] = {}
    for case in suite.cases:
        if case.id in gone:
            judgements[case.id] = Judgement(Verdict.INCONCLUSIVE, reason=gone[case.id])
        else:
            judgements[case.id] = verdicts[owners.get(case.id, 0)][case.id]
    not_run = {
        name: why
        for index, each in enumerate(sessions)
        for name, why in each.not_run.items()
        if owners.get(name) == index
    }
    first, last = sessions[0], sessions[-1]
    return Run(
        suite,
        Settings(first.seed, first.token, instant=first.instant),
        chosen,
        first.started_at,
        [record for each in sessions for record in each.records],
        {name: why for name, why in (not_run | gone).items() if name in wanted},
        judgements,
        sum(each.orders_created for each in sessions),
        last.spent,
        sorted({name for each in sessions for name in each.left}),
        last.control,
        last.stopped,
        last.finished_at,
    )


def _named(session: Session, index: int) -> Session:
    """A session whose exchanges have names that no other session's have."""
    if not index:
        return session

    def named(record: Record) -> Record:
        earlier = tuple(replace(each, id=f"s{index + 1}.{each.id}") for each in record.earlier)
        return replace(
            record, exchange=replace(record.exchange, id=f"s{index + 1}.{record.exchange.id}"), earlier=earlier
        )

    return replace(session, records=tuple(map(named, session.records)))


def _unfounded(sessions: Sequence[Session], suite: Suite) -> dict[str, str]:
    """Cases whose change is not in the body that was recorded with it."""
    found: dict[str, str] = {}
    for session in sessions:
        for record in session.records:
            for name, change in record.changes.items():
                if name in suite.by_id and record.change_of == "body" and not _holds(change, record):
                    found[name] = f"{name}: its change is not in the body recorded as {record.exchange.id}"
    return found


def _holds(change: Operations, record: Record) -> bool:
    """Whether the last operation of a change shows in the recorded body; what cannot be told counts as shown."""
    operation = change[-1] if change else {}
    path, op = str(operation.get("path")), operation.get("op")
    last = path.rpartition("/")[2]
    if op not in ("add", "replace", "remove") or last == "-" or "form" in _media_type(record):
        return True
    if op == "remove":
        return last.isdigit() or not changes.exists(bodies.sent(record.exchange), path)
    try:
        return repr(changes.read(bodies.sent(record.exchange), path)) == repr(operation["value"])
    except LookupError:
        return False


def _media_type(record: Record) -> str:
    return dict(record.exchange.request.headers).get("content-type", "")


def session_cases(run: Run, suite: Suite) -> dict[str, tuple[str, str]]:
    """The digest and verdict of each selected case."""
    now = digests(suite)
    return {name: (now[name], str(run.judgements[name].verdict)) for name in sorted(run.selected)}
