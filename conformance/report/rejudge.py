"""
Judging the evidence of a bundle again, in a process of its own.

Evidence is hostile: YAML can be deep enough to break its parser, or small and yet expand to more than memory holds.
Such a process ends without taking the one that asked with it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import __version__, recorded, resources, target
from conformance.batches import PLAIN, Composer
from conformance.cassettes import form, load, manifest, network, replay
from conformance.errors import UserError
from conformance.plan import Atom
from conformance.report import build, files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.cassettes.manifest import Recording, Session
    from conformance.suite import Suite

_MEMORY = 4 << 30
_SECONDS = 300
_SHOWN = 20
_RUN = ("id", "started_at", "finished_at", "seed", "complete", "selection", "control", "stopped", "left")
_CASES = "expected_cases_sha256"
# What evidence that is no recording makes the judge stumble over.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def ask(folder: Path) -> dict[str, list[list[str]]]:
    """
    What the evidence says against the report of a bundle: ``problems`` and ``notes``, each with what it is about.

    The files of the evidence have to be those that its manifest names.
    """
    command = [sys.executable, "-P", "-m", "conformance.report.rejudge", str(folder)]
    why = "it needs more than any run does"
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603  # ourselves
        try:
            found: dict[str, list[list[str]]] = json.loads(done.stdout)
        except ValueError:
            why = f"its judge broke down ({done.returncode})"
        else:
            return found
    return {"problems": [["evidence", f"evidence/: cannot be judged: {why}"]], "notes": []}


def main(folder: Path) -> None:
    """Print what the evidence says against the report, as JSON."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  # not everywhere

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    problems: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    try:
        _compare(folder, problems, notes)
    except UserError as error:
        problems.append(("evidence", str(error).splitlines()[0]))
    except (*_BROKEN, MemoryError) as error:
        problems.append(("evidence", f"evidence/: not what a run records ({type(error).__name__})"))
    print(json.dumps({"problems": _few(problems), "notes": _few(notes)}))  # noqa: T201  # for the one who asked


def _few(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(told) <= _SHOWN:
        return told
    return [*told[:_SHOWN], (told[_SHOWN][0], f"and {len(told) - _SHOWN} more")]


def _compare(folder: Path, problems: list[tuple[str, str]], notes: list[tuple[str, str]]) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    name = report["provider"]["name"]
    evidence = folder / "evidence"
    named = manifest.read(form.from_yaml((evidence / manifest.NAME).read_text(encoding="utf-8"))).files
    if {manifest.NAME, *named} != set(files.listed(evidence)[0]):
        # Names may lead out of the folder: nothing is looked at before they are known not to.
        problems.append(("evidence", "evidence/: its manifest names other files than there are"))
        return
    with network.closed():
        head = load.head(evidence, name)
        made = recorded.in_place(target.Options(name), head)
        recording = load.whole(evidence, head)
        chosen = report["run"]["selection"]
        names = set(made.suite.by_id) if chosen == "all" else made.suite.by_id.keys() & set(chosen)
        again = build.build(replay.replay(recording, made.suite, names), made)
    # No version of the suite sees these otherwise.
    problems += _exchanges(report, again)
    problems += _circumstances(report, again, recording, made.suite)
    problems += _then(report, recording)
    if "challenge" in report["run"] and not _tells(recording.sessions[0], made.suite):
        notes.append(
            ("challenge", "orders of this provider carry no run token: only what is attested names the challenge")
        )
    if "load" in report:
        notes.append(("load", "what was found under load is attested as it was told: no evidence of it is kept"))
    same = (report["suite"]["version"], report["provider"]["pack_sha256"]) == (
        __version__,
        resources.folders_of(name).digest(),
    )
    if same:
        problems += [("verdict", f"report.json: {line}") for line in _verdicts(report, again, "the evidence says")]
        problems += _rest(report, again)
        return
    version = f"{report['suite']['name']} {report['suite']['version']}"
    notes.append(
        ("version", f"made by {version} with a pack that need not be today's: that version confirms its verdicts")
    )
    notes += [("today", line) for line in _verdicts(report, again, f"{__version__} and today's pack say")]


def _exchanges(report: dict[str, Any], again: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys([*report["exchanges"], *again["exchanges"]]):
        if _plain(report["exchanges"].get(name)) != _plain(again["exchanges"].get(name)):
            yield "exchange", f"report.json: exchange {name} is another than in the evidence"
    if list(report["exchanges"]) != list(again["exchanges"]):
        yield "exchange", "report.json: the exchanges are not in the order of the evidence"


def _circumstances(
    report: dict[str, Any], again: dict[str, Any], recording: Recording, made: Suite
) -> Iterator[tuple[str, str]]:
    for key in _RUN:
        if report["run"][key] != again["run"][key]:
            yield "run", f"report.json: run.{key} is another than in the evidence"
    if report["run"].get("explore") != again["run"].get("explore"):
        yield "run", "report.json: run.explore is another than in the evidence"
    if report["account"] != again["account"]:
        yield "run", "report.json: the account facts are others than in the evidence"
    kind, source = report["target"]["kind"], recording.sessions[-1].source
    if kind not in ("cassettes", source) or report["target"]["url"] != again["target"]["url"]:
        yield "run", f"report.json: the target is another than in the evidence, which is of a {source} endpoint"
    for session in recording.sessions:
        if _tells(session, made) and not _carried(session):
            yield "run", f"evidence/: the run token {session.token} is not in the orders"


def _then(report: dict[str, Any], recording: Recording) -> Iterator[tuple[str, str]]:
    """Verdicts that are others than when the evidence was written; in a replay they may be."""
    if report["target"]["kind"] == "cassettes":
        return
    for name, case in _cases(report).items():
        then = recording.case(name)
        if then is not None and then.verdict != case["verdict"]:
            yield "verdict", f"report.json: {name} is {case['verdict']}, and was {then.verdict} when it was sent"


def _tells(session: Session, made: Suite) -> bool:
    """Whether orders of this provider carry the run token: those that name themselves do."""
    composed = Composer(made, session.seed, session.token).orders([Atom("control", PLAIN)], "c", session.started_at)
    return session.token.encode() in (composed.request.body or b"")


def _carried(session: Session) -> bool:
    token = session.token.encode()
    return all(token in (each.exchange.request.body or b"") for each in session.records if each.purpose == "control")


def _plain(exchange: dict[str, Any] | None) -> dict[str, Any] | None:
    """An exchange without how long it took, which is not told where the clock stands still."""
    return exchange and {key: value for key, value in exchange.items() if key != "duration_ms"}


def _verdicts(report: dict[str, Any], again: dict[str, Any], who: str) -> Iterator[str]:
    told, now = _cases(report), _cases(again)
    for name in dict.fromkeys([*told, *now]):
        if name not in told:
            yield f"{name} is missing, a case that had to run"
        elif name not in now:
            yield f"{name} is no case of this pack"
        elif told[name]["verdict"] != now[name]["verdict"]:
            yield f"{name} is {told[name]['verdict']}, and {who} {now[name]['verdict']}"
    if report["verdict"] != again["verdict"]:
        yield f"the verdict is {report['verdict']}, and {who} {again['verdict']}"


def _cases(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {case["id"]: case for row in report["requirements"] for case in row["cases"]}


def _rest(report: dict[str, Any], again: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What else this very suite would have written."""
    if report["run"][_CASES] != again["run"][_CASES]:
        yield "cases", "report.json: the digest of the cases that had to run is not that of this pack and account"
    told, now = ({row["id"]: row for row in each["requirements"]} for each in (report, again))
    if list(told) != list(now):
        yield "report", "report.json: the requirements are not those of the pack"
    cases, cases_now = _cases(report), _cases(again)
    for name, case in cases.items():
        if name in cases_now and case["verdict"] == cases_now[name]["verdict"] and case != cases_now[name]:
            yield "report", f"report.json: {name} is told otherwise than the evidence has it"
    for name, row in told.items():
        if {**row, "cases": []} != {**now.get(name, {}), "cases": []}:
            yield "report", f"report.json: {name} is told otherwise than the pack and the evidence have it"
    for key in ("provider", "suite", "policy", "counts", "not_run", "detection"):
        if report.get(key) != again.get(key):
            yield "report", f"report.json: {key} is another than pack and evidence give"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
