"""A run that did not come to its end, as far as its journal tells: judged like any other, and clearly incomplete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from conformance import journal, providers, suite, target
from conformance.answers import Answer, fates
from conformance.exploration.cases import Explored, read
from conformance.judge import judge
from conformance.memory import remembered
from conformance.model import Account
from conformance.sender import Run, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Record
    from conformance.target import Target

WHY = "it was broken off; pytest --provider={} --resume={} takes it up again"


def nothing_yet(target: Target, selected: list[str]) -> Run:
    """A run that has just begun, for what stands in its place until it ends."""
    options = target.options
    why = WHY.format(options.provider, options.resume or options.report)
    not_run = dict.fromkeys(selected, f"not sent: {why}")
    settings = Settings(options.seed, options.token or "none-yet")
    now = datetime.now(UTC)
    return Run(
        target.suite, settings, tuple(selected), now,
        not_run=not_run, judgements=judge(target.suite, [], not_run), stopped=why, finished_at=now,
    )  # fmt: skip


def judged(folder: Path) -> tuple[Run, Target]:
    """
    The verdicts on what the journal in a report's folder tells.

    Raises UserError for a journal that is none, or of a pack that is not installed.
    """
    told = journal.read(folder / journal.NAME)
    head = cast("dict[str, Any]", told.head)
    provider = providers.load(head["provider"], head["revision"])
    made = suite.build(provider, Account(head["account"]), tuple(head["credentials"]), head["closed"], _explored(head))
    options = target.Options(
        head["provider"], head["url"], seed=head["seed"], allowed=frozenset(head["allowed"]), strict=head["strict"]
    )
    records, settled = remembered(made, told.records, told.done)
    selected = tuple(name for name in head["selected"] if name in made.by_id)
    reason = WHY.format(provider.name, folder)
    unsent = [
        name for name in selected if name not in settled and made.by_id[name].sends and not made.by_id[name].excluded
    ]
    not_run = dict.fromkeys(unsent, f"not sent: {reason}")
    started = datetime.fromisoformat(head["started_at"])
    run = Run(
        made,
        Settings(head["seed"], head["token"]),
        selected,
        started,
        records,
        not_run,
        judge(made, records, not_run, head["token"]),
        orders_created=sum(_created(made, each) for each in records),
        stopped=reason,
        finished_at=max((each.exchange.sent_at for each in records), default=started),
    )
    return run, target.Target(head["kind"], options, made, None, head["url"])


def _explored(head: dict[str, Any]) -> Explored:
    return read(head.get("explore", 0), head.get("explored", ()))


def _created(made: suite.Suite, record: Record) -> int:
    main = made.provider.main
    if record.exchange.operation != main.id:
        return 0
    return fates(main, record.exchange, record.orders).count(Answer.ACCEPTED)
