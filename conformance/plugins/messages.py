"""What a person reads about one case: requirement, change, where, expected, got, source, and how to see it again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from conformance.deviations import Status, about
from conformance.model import Verdict
from conformance.report.again import companions
from conformance.report.build import change_of_case

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model import Case, Operations
    from conformance.runner import Run
    from conformance.target import Options

_LONGEST = 300


def printable(text: str) -> str:
    """Text from an endpoint without anything that a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


def changed(change: Operations) -> str:
    """A JSON Patch in words, one operation a line."""
    words: list[str] = []
    for operation in change:
        text = f"{operation['op']} {operation['path'] or '(the whole body)'}"
        if "from" in operation:
            text += f" from {operation['from']}"
        if "value" in operation:
            shown = json.dumps(operation["value"], ensure_ascii=False)
            text += f" = {shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'}"
        words.append(text)
    return "\n            ".join(words)


def failure(run: Run, case: Case, options: Options, known: Mapping[str, Any] | None = None) -> str:
    """The whole message of a case that did not come out conformant; ``known`` is the deviation that it shows."""
    judgement = run.judgements[case.id]
    requirement = case.requirement
    lines = [f"{requirement.id} ({requirement.level}): {requirement.title}"]
    lines.append(f"  verdict   {judgement.verdict}{', a value that lenient parsers take' if case.reading else ''}")
    change, of = change_of_case(case, judgement, run)
    if change:
        lines.append(f"  change    {changed(change)}" + ("" if of == "body" else f"  (of the {of})"))
    elif case.sends and judgement.exchange_ids and not run.suite.provider.operation(case.operation).order:
        lines.append(f"  sent      a valid request: {case.operation}")
    elif case.sends and judgement.exchange_ids:
        start = {"plain": "a plain", "full": "a full", "minimal": "a minimal"}[case.recipe.start]
        lines.append(
            f"  sent      {start} valid order" + (f" and {case.recipe.carry[-1]}" if case.recipe.carry else "")
        )
    if case.why:
        lines.append(f"  why       {case.why}")
    for finding in judgement.findings:
        lines += [f"  at        {finding.where}", f"  expected  {finding.expected}", f"  got       {finding.got}"]
    if judgement.reason:
        lines.append(f"  reason    {run.stopped if case.id in run.not_run and run.stopped else judgement.reason}")
    if known:
        lines.append(f"  known     {_known(known)}")
    lines.append(f"  source    {requirement.source}")
    lines.append(f"  replay    {command(case.id, options, companions(case, judgement, run))}")
    return printable("\n".join(lines))


def _known(row: Mapping[str, Any]) -> str:
    expired = row["status"] == Status.EXPIRED
    return f"known deviation expired on {row['expires']}: {about(row)}" if expired else about(row)


def command(case_id: str, options: Options, also: Sequence[str] = ()) -> str:
    """The command that runs one case again, and those it looks at. Headers are left out: they may hold secrets."""
    case_ids = (case_id, *also)
    parts = ["pytest", f"--provider={options.provider}", *(f"--case={each}" for each in case_ids)]
    if options.record_mode in ("none", "once"):
        parts += [f"--record-mode={options.record_mode}"]
        parts += [f"--cassettes={options.cassettes}"] if options.cassettes else []
        return shlex.join(parts)
    if options.endpoint:
        parts.append(f"--endpoint={options.endpoint}")
    elif options.strict:
        parts.append("--reference-strict")
    if options.account:
        parts.append(f"--account={options.account}")
    if options.allowed:
        parts.append(f"--allow={','.join(sorted(options.allowed))}")
    if options.revision:
        parts.append(f"--revision={options.revision}")
    if options.explore and any("/explored." in each for each in case_ids):
        parts.append(f"--explore={options.explore}")
    if options.seed != 1:
        parts.append(f"--seed={options.seed}")
    return shlex.join(parts)


FAILING = frozenset({Verdict.VIOLATION})
