"""A session with our suite in it: collection, the run of each provider, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import collect_one_node

from conformance import recorder, resources, unfinished
from conformance.errors import nearest
from conformance.model import Verdict
from conformance.plugins import deviations, messages, options, reports, summary
from conformance.plugins.deviations import DeviationItem
from conformance.plugins.items import CaseItem, ProviderCollector
from conformance.report import build, bundle

if TYPE_CHECKING:
    from collections.abc import Generator

    from conformance import target
    from conformance.deviations import Known
    from conformance.model import Case
    from conformance.runner import Run

_KEY = "conformance-session"


def install(config: pytest.Config, named: list[str]) -> None:
    """
    Take part in this session with the suites of the named providers.

    Raises UserError for whatever the user can put right, before anything is sent.
    """
    for name in named:
        resources.folders_of(name)
    failing = set(messages.FAILING)
    if wanted := options.value(config, "fail-on"):
        if wanted != "advisory":
            raise pytest.UsageError(f"--fail-on={wanted}: only 'advisory' can be added to violations")
        failing.add(Verdict.ADVISORY)
    own, foreign = options.split(config.args, named)
    if config.args_source != config.ArgsSource.ARGS:
        foreign = []  # a folder's own testpaths do not count
    made = reports.prepare(config, apart=len(named) > 1)
    runs = {
        name: ProviderRun(
            recorder.prepare(replace(options.settle(config, name), report=made.folder(name))), frozenset(failing)
        )
        for name in named
    }
    for each in runs.values():
        each.made.keeps = made.wanted
    wanted_cases = {each.partition("::")[2] for each in own if "::" in each} | set(options.value(config, "case") or ())
    if path := options.value(config, "deviations"):
        deviations.install(config, path, runs)
    items, about = deviations.named(wanted_cases, runs.values())
    _known_cases(wanted_cases - items, runs)
    wanted_cases |= about
    config.args = foreign
    config.args_source = config.ArgsSource.ARGS
    config.pluginmanager.register(Session(config, runs, wanted_cases, made), _KEY)
    if config.pluginmanager.hasplugin("xdist"):
        from conformance.plugins import xdist

        config.pluginmanager.register(xdist)
    for level in ("must", "should", "silent", "contradictory"):
        config.addinivalue_line("markers", f"{level}: cases of requirements at this level")
    areas = {each.area for run in runs.values() for each in run.target.suite.catalogue.requirements}
    for area in sorted(areas):
        config.addinivalue_line("markers", f"{area}: cases of requirements about this area")


def _known_cases(names: set[str], runs: dict[str, ProviderRun]) -> None:
    """Raise UsageError for a name that is no case's."""
    known = {case.id for run in runs.values() for case in run.target.suite.cases}
    for name in sorted(names - known):
        hint = nearest(name, known)
        if not hint.startswith("did you mean"):
            hint = "--collect-only -q lists them"
        raise pytest.UsageError(f"there is no case {name!r}; {hint}")


class ProviderRun:
    """One provider's run, done at most once, when the first of its cases is asked for."""

    def __init__(self, made: recorder.Prepared, failing: frozenset[Verdict]) -> None:
        self.made = made
        self.failing = failing
        self.selected: list[str] = []
        # The deviations that are known, where a file of them was given.
        self.known: Known | None = None
        self._run: Run | None = None
        # Reasons for leaving cases out, each with the case that tells it.
        self._told_by: dict[str, str] = {}
        self.progress: Any = None

    def result(self) -> Run:
        """The finished run."""
        if self._run is None:
            self.begin()
            self._run = recorder.run(self.made, self.selected, self.progress)
            if self._run.interrupted:
                # What was answered until then is told all the same.
                raise KeyboardInterrupt
        return self._run

    def begin(self) -> None:
        """Put a report that says so in the place of what may stand there: this run has not come to its end."""
        folder = self.target.options.report
        if folder and not self.made.replays:
            bundle.begin(Path(folder), build.build(unfinished.nothing_yet(self.target, self.selected), self.target))

    @property
    def target(self) -> target.Target:
        """The endpoint, or the recording in its place."""
        return self.made.target

    @property
    def notes(self) -> dict[str, Any] | None:
        """What there is to say about recording and replaying."""
        return self.made.notes

    def unrecorded(self, case_id: str) -> bool:
        """Whether a case fails because it should have been recorded and is not."""
        once = self.made.replays and self.target.options.record_mode == "once"
        return once and case_id in self.result().not_run

    @property
    def done(self) -> Run | None:
        """The run if it was done."""
        return self._run

    def speaks(self, case_id: str) -> bool:
        """Whether an inconclusive case has something to say of its own: of those left out for one reason, one does."""
        run = self.result()
        reason = run.not_run.get(case_id)
        if reason is not None:
            return self._told_by.setdefault(reason, case_id) == case_id
        left_out = any(name in run.not_run for name in run.selected)
        return not left_out or bool(run.judgements[case_id].exchange_ids)

    def message(self, case: Case) -> str:
        """The message of a case that did not come out conformant."""
        shows = self.result().judgements[case.id].verdict in self.failing
        row = self.deviation(case.id) if shows else None
        return messages.failure(self.result(), case, self.target.options, row)

    def deviation(self, case_id: str) -> dict[str, Any] | None:
        """The known deviation that a case shows, as the report tells it."""
        entry = self.known.of(case_id) if self.known else None
        if self.known is None or entry is None:
            return None
        return self.known.row(entry, self.result().judgements, self.selected)


class Session:
    """Our hooks in one pytest session."""

    def __init__(
        self, config: pytest.Config, runs: dict[str, ProviderRun], wanted: set[str], made: reports.Reports
    ) -> None:
        self._config = config
        self._runs = runs
        self._wanted = wanted
        self.reports = made

    def pytest_report_header(self) -> list[str]:
        """What is about to be tested."""
        return [summary.header(each.target) for each in self._runs.values()]

    # Collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Our items come in before others select among them."""
        for run in self._runs.values():
            report = collect_one_node(ProviderCollector.of(session, run))
            config.hook.pytest_collectreport(report=report)
            items += [item for item in report.result if isinstance(item, CaseItem)]
        if self._wanted:
            self._select(items)

    def _select(self, items: list[pytest.Item]) -> None:
        gone = {item for item in items if isinstance(item, CaseItem) and item.case.id not in self._wanted}
        items[:] = [item for item in items if item not in gone]
        self._config.hook.pytest_deselected(items=list(gone))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What was selected is now settled."""
        for name, run in self._runs.items():
            run.selected = [
                item.case.id
                for item in session.items
                if isinstance(item, CaseItem) and item.run.target.options.provider == name
            ]
            needed = [item.cases for item in session.items if isinstance(item, DeviationItem) and item.run is run]
            run.selected = list(dict.fromkeys([*run.selected, *(case for cases in needed for case in cases)]))

    # The run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Do the provider's run before its first item, outside of anybody's time limit for one test."""
        asks = isinstance(item, CaseItem) or (isinstance(item, DeviationItem) and item.cases)
        if isinstance(item, CaseItem | DeviationItem) and asks and item.run.done is None and not self._only_shown:
            item.run.progress = summary.progress(self._config)
            item.run.result()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Gather the reports; a session in which no case was judged is not a success."""
        for name, run in self._runs.items():
            if run.done is not None:
                report = build.build(run.done, run.target)
                if run.known is not None:
                    report["deviations"] = run.known.rows(run.done.judgements, run.selected)
                if run.notes is not None:
                    report["run"]["recording"] = run.notes
                self.reports.add(name, report, run.made)
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.reports.packed()
        else:
            self.reports.write()
            told = self.reports.made.values()
            judged = any(_judged(report) for report in told)
            empty = session.testscollected > 0 and not judged and not self._only_shown
            if session.exitstatus == pytest.ExitCode.OK and empty:
                session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
            if session.exitstatus == pytest.ExitCode.OK and any(map(deviations.failing, told)):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            if self.reports.unwritten or any("trouble" in report["run"].get("recording", {}) for report in told):
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
        yield

    @property
    def _only_shown(self) -> bool:
        """Whether pytest was asked to show what it would do (``--collect-only``, ``--setup-plan``), and nothing is sent."""
        option = self._config.option
        return bool(option.collectonly or getattr(option, "setuponly", False))

    def collect_from(self, worker_output: dict[str, Any]) -> None:
        """Take the reports that a worker brings."""
        if _KEY in worker_output:
            self.reports.unpack(worker_output[_KEY])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The verdict of each provider, by level, with what was found."""
        for report in self.reports.made.values():
            summary.write(terminalreporter, report)
        for trouble in self.reports.unwritten.values():
            terminalreporter.write_line(messages.printable(f"No report: {trouble}"), red=True)
        if self._only_shown:
            for run in self._runs.values():
                terminalreporter.write_line(summary.forecast(run.target, run.selected))


def _judged(report: dict[str, Any]) -> bool:
    counts = report["counts"]["cases"]
    return any(counts.get(each) for each in ("violation", "advisory", "conformant", "observed", "inconclusive"))
