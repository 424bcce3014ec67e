"""A run that did not come to its end, as far as its journal tells: judged like any other, and clearly incomplete."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from conformance import journal, providers, suite, target
from conformance.judge import judge
from conformance.memory import remembered
from conformance.model import Account
from conformance.sender import Run, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.target import Target

WHY = "it was broken off; pytest --provider={} --resume={} takes it up again"


def judged(folder: Path) -> tuple[Run, Target]:
    """
    The verdicts on what the journal in a report's folder tells.

    Raises UserError for a journal that is none, or of a pack that is not installed.
    """
    told = journal.read(folder / journal.NAME)
    head = cast("dict[str, Any]", told.head)
    provider = providers.load(head["provider"], head["revision"])
    made = suite.build(provider, Account(head["account"]), tuple(head["credentials"]), head["closed"])
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
        stopped=reason,
        finished_at=max((each.exchange.sent_at for each in records), default=started),
    )
    return run, target.Target(head["kind"], options, made, None, head["url"])
