"""What the terminal says: header, progress, forecast and the verdict at the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from conformance import __version__, plan, providers, spend
from conformance.deviations import FAILING, Status, told
from conformance.plugins import forecasting
from conformance.plugins.messages import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from conformance.target import Target

_LEVELS = ("must", "should", "silent", "contradictory")
_VERDICTS = ("violation", "inconclusive", "advisory", "conformant", "observed", "not-applicable", "untested")
_COLOURS = {"conformant": {"green": True}, "nonconformant": {"red": True}, "inconclusive": {"yellow": True}}
_SHOWN = 10
# Before that a rate says little, and nobody asks.
_LONG_S = 5.0


def header(target: Target) -> str:
    """One line about a provider's run."""
    if target.kind == "cassettes":
        return (
            f"conformance {__version__}: {target.suite.provider.name} ({target.suite.provider.revision}) from its"
            f" recording at {target.endpoint}, seed {target.options.seed}, network closed"
        )
    where = target.endpoint or f"the embedded reference endpoint ({'strict' if target.options.strict else 'lenient'})"
    provider = target.suite.provider
    return f"conformance {__version__}: {provider.name} ({provider.revision}) at {where}, seed {target.options.seed}"


def forecast(target: Target, selected: list[str]) -> str:
    """What a run of the selected cases would send and create."""
    if target.kind == "cassettes":
        return f"{target.suite.provider.name}: {len(selected)} cases would be replayed, and nothing sent"
    todo = plan.make(target.suite, selected)
    size = target.suite.provider.main.pack_size if target.options.pack else 1
    lines = forecasting.lines(target.suite, todo)
    costs = spend.planned(target.suite, todo)
    money = f" for {', '.join(f'{currency} {amount}' for currency, amount in costs.items())}" if costs else ""
    return (
        f"{target.suite.provider.name}: a run would send about {todo.requests(size)} requests and controls between"
        f" them, and create up to {todo.orders} orders with {lines} lines{money}"
    )


def progress(config: pytest.Config) -> Callable[[int, int], None] | None:
    """A line that counts requests, where somebody looks at it; on long runs with their rate and the time left."""
    if hasattr(config, "workerinput") or not sys.stderr.isatty():
        return None
    started, first = time.monotonic(), 0

    def show(done: int, expected: int) -> None:
        nonlocal started, first
        if not first:
            # A run that was taken up again did not do all that in this moment.
            started, first = time.monotonic(), done
        seconds, line = time.monotonic() - started, f"  {done} of about {max(expected, done)} requests"
        if seconds > _LONG_S and done > first:
            rate = (done - first) / seconds
            left = timedelta(seconds=round(max(expected - done, 0) / rate))
            line += f", {rate:.1f} a second, {left} left"
        sys.stderr.write(f"{line:<75}\r")
        sys.stderr.flush()

    return show


def write(terminal: pytest.TerminalReporter, report: dict[str, Any]) -> None:
    """The verdict of one provider."""
    name, verdict = report["provider"]["name"], report["verdict"]
    known = {case for row in report.get("deviations", ()) if row["status"] == Status.SEEN for case in row["cases"]}
    if verdict == "nonconformant" and known.issuperset(_cases(report, "violation")):
        terminal.write_sep("=", f"{name}: nonconformant, all violations are known deviations", bold=True, yellow=True)
    else:
        terminal.write_sep("=", f"{name}: {verdict}", bold=True, **_COLOURS[verdict])
    if report["run"]["stopped"]:
        terminal.write_line(printable(f"The run stopped: {report['run']['stopped']}"), red=True)
    _levels(terminal, report)
    counts = report["counts"]
    terminal.write_line(
        f"{counts['requests']} requests ({counts['controls']} of them controls), {counts['orders_created']} orders created"
    )
    if report["run"]["control"] != "plain":
        terminal.write_line(
            f"The plain valid batch was refused; the control was: {report['run']['control']}.", yellow=True
        )
    if not report["run"]["stopped"]:
        for reason, count in Counter(each["reason"] for each in report["not_run"]).items():
            terminal.write_line(printable(f"{count} not sent: {reason.removeprefix('not sent: ')}"), yellow=True)
    for word, title in (("violation", "Violated"), ("advisory", "Advisory")):
        _findings(terminal, report, word, title, known)
    _deviations(terminal, report)
    _remaining(terminal, report)
    _recording(terminal, report["run"].get("recording"))
    if report["policy"].get("batch"):
        terminal.write_line(f"One bad order in a batch: {report['policy']['batch']} (the documentation is silent).")
    if verdict == "inconclusive" and not report["run"]["stopped"]:
        terminal.write_line(_why_inconclusive(report), yellow=True)


def _recording(terminal: pytest.TerminalReporter, notes: dict[str, Any] | None) -> None:
    """Where verdicts come from when they were replayed, and what was written when they were recorded."""
    if notes is None:
        return
    if "recorded_at" in notes:
        source = "the reference endpoint" if notes["source"] == "reference" else "a live endpoint"
        terminal.write_line(f"Replayed: recorded on {notes['recorded_at'][:10]} from {source}; nothing was sent.")
    if notes.get("pack") == "another":
        terminal.write_line("The pack has changed since; cases that ask something else now are named.", yellow=True)
    if "replaced" in notes:
        terminal.write_line(printable(f"Replaced: {notes['replaced']}"), yellow=True)
    if "written" in notes:
        terminal.write_line(f"Recorded: {notes['written']} files in {notes['folder']}")
    if "trouble" in notes:
        terminal.write_line(printable(f"Not recorded: {notes['trouble']}"), red=True)
    changed = notes.get("changed", ())
    for line in changed[:_SHOWN]:
        terminal.write_line(printable(f"Changed since it was recorded: {line}"), yellow=True)
    if len(changed) > _SHOWN:
        terminal.write_line(f"Changed since it was recorded: {len(changed) - _SHOWN} cases more")


def _levels(terminal: pytest.TerminalReporter, report: dict[str, Any]) -> None:
    table = {
        level: Counter(row["verdict"] for row in report["requirements"] if row["level"] == level) for level in _LEVELS
    }
    columns = [each for each in _VERDICTS if any(table[level][each] for level in _LEVELS)]
    terminal.write_line("requirements   " + "".join(f"{each:>16}" for each in columns))
    for level in _LEVELS:
        if table[level]:
            terminal.write_line(f"{level:<15}" + "".join(f"{table[level][each] or '-':>16}" for each in columns))


def _cases(report: dict[str, Any], word: str) -> list[str]:
    """The cases with a verdict."""
    return [case["id"] for row in report["requirements"] for case in row["cases"] if case["verdict"] == word]


def _findings(
    terminal: pytest.TerminalReporter, report: dict[str, Any], word: str, title: str, known: set[str]
) -> None:
    """One line a requirement: a cause that shows in forty cases is told once. What is ``known`` has lines of its own."""
    found = {
        row["id"]: (row["title"], cases)
        for row in report["requirements"]
        if (cases := [each["id"] for each in row["cases"] if each["verdict"] == word and each["id"] not in known])
    }
    for name, (text, cases) in list(found.items())[:_SHOWN]:
        more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        terminal.write_line(f"{title}: {name} {text}  [{cases[0]}{more}]", red=word == "violation")
    if len(found) > _SHOWN:
        terminal.write_line(f"{title}: {len(found) - _SHOWN} requirements more")


def _deviations(terminal: pytest.TerminalReporter, report: dict[str, Any]) -> None:
    """One line a known deviation; those that a selection leaves out are merely counted."""
    left_out = 0
    for row in report.get("deviations", ()):
        if row["status"] == Status.NOT_JUDGED and report["run"]["selection"] != "all":
            left_out += 1
            continue
        colour = "red" if row["status"] in FAILING else "yellow"
        terminal.write_line(printable(f"Known deviation {row['id']}: {told(row)}"), **{colour: True})
    if left_out:
        terminal.write_line(f"{left_out} known deviations were not judged: not all of their cases were selected.")


def _remaining(terminal: pytest.TerminalReporter, report: dict[str, Any]) -> None:
    """What a run against a live endpoint leaves behind there."""
    counts, left = report["counts"], report["run"]["left"]
    if report["target"]["kind"] != "live" or not counts["orders_created"]:
        return
    form = providers.load(report["provider"]["name"], report["provider"]["revision"]).read_back
    token = report["run"]["id"].rpartition("-")[0]
    if form is None or not form.delete:
        terminal.write_line(
            f"{counts['orders_created']} orders remain there, since the API documents no deletion;"
            f" -{token}- in their ids or numbers tells them from others.",
            yellow=True,
        )
        return
    terminal.write_line(f"Cleaned up: {counts['deleted']} orders deleted, {len(left)} left.", yellow=bool(left))
    if left:
        more = f" and {len(left) - _SHOWN} more, all in the report" if len(left) > _SHOWN else ""
        terminal.write_line(printable(f"Left: {', '.join(left[:_SHOWN])}{more}"), yellow=True)


def _why_inconclusive(report: dict[str, Any]) -> str:
    counts = report["counts"]["cases"]
    if counts.get("inconclusive"):
        return f"Inconclusive: {counts['inconclusive']} cases could not be judged; their errors say why."
    if report["run"]["selection"] != "all":
        return "Inconclusive: only a part of the cases was selected."
    return "Inconclusive: requirements of level must were not tested."
