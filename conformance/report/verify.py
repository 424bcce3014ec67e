"""Verifying a bundle: who signed it, whether it is whole, and whether its evidence gives its verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from conformance import __version__
from conformance.model import Verdict, worst
from conformance.report import attestation, bundle, files, rejudge
from conformance.target import challenged

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.report.attestation import PublicKey

_LONGEST = 300


@dataclass(slots=True)
class Outcome:
    """What was found: ``problems`` by the check that found each; without any the bundle is verified."""

    report: dict[str, Any] = field(default_factory=dict[str, Any])
    files: int = 0
    key_ids: list[str] = field(default_factory=list[str])
    key_checked: bool = False
    attested_at: str = ""
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notes: list[str] = field(default_factory=list[str])

    def refuse(self, check: str, message: str) -> None:
        """Keep a problem, in a line of bounded length."""
        line = " ".join(message.split())
        self.problems.append((check, line if len(line) <= _LONGEST else line[:_LONGEST] + "…"))


def verify(folder: Path, key: PublicKey | None, challenge: str, max_age: float | None, now: datetime) -> Outcome:
    """
    Every check of a bundle; none stops another that can still tell something.

    ``challenge`` may be empty; ``max_age`` is in days. Raises UserError for a folder that is none at all.
    """
    found = Outcome()
    there, odd = files.listed(folder)
    for name in odd:
        found.refuse("files", f"{name}: not a plain file, or larger than any of a run")
    sealed = _sealed(folder, found)
    if sealed is not None:
        _digests(folder, sealed.statement, there, found)
        _signature(sealed, key, found)
    report = _report(folder, found)
    if report is None:
        return found
    found.report = report
    _consistent(report, found)
    if not odd:
        asked = rejudge.ask(folder)
        for check, message in asked["problems"]:
            found.refuse(check, message)
        found.notes += [message for _, message in asked["notes"]]
    _rebuilt(folder, report, there, found)
    if sealed is not None:
        _attested(sealed.statement, report, found)
    _challenge(report, challenge, found)
    if max_age is not None:
        _age(report, found, max_age, now)
    _scope(report, found)
    return found


def _sealed(folder: Path, found: Outcome) -> attestation.Sealed | None:
    path = folder / bundle.ATTESTATION
    if not path.is_file():
        found.refuse("files", f"{path.name}: missing: it was taken away, or the run was cut off before it wrote it")
        return None
    try:
        data = files.data(path)
    except ValueError as error:
        found.refuse("attestation", f"{path.name}: not a DSSE envelope ({error})")
        return None
    try:
        return attestation.Sealed(data)
    except ValueError as error:
        found.refuse("attestation", f"{path.name}: {error}")
        return None


def _digests(folder: Path, statement: dict[str, Any], there: list[str], found: Outcome) -> None:
    try:
        subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
        subjects = {name: digest for name, digest in subjects.items() if not name.startswith("pack/")}
    except (KeyError, TypeError, AttributeError):
        found.refuse("attestation", f"{bundle.ATTESTATION}: its Statement has no subjects with a SHA-256")
        return
    present = set(there) - {bundle.ATTESTATION}
    for name in sorted({*subjects, bundle.REPORT} - present):
        found.refuse("files", f"{name}: missing")
    for name in sorted(present - set(subjects)):
        found.refuse("files", f"{name}: not among the attested files")
    for name in sorted(present & set(subjects)):
        if files.sha(folder / name) != subjects[name]:
            found.refuse("digest", f"{name}: changed after it was attested")
    found.files = len(present & set(subjects))


def _signature(sealed: attestation.Sealed, key: PublicKey | None, found: Outcome) -> None:
    found.key_ids = sealed.key_ids
    if key is None:
        said = f"signed with {', '.join(sealed.key_ids)}, which nobody checked: give --key"
        found.notes.append(said if sealed.key_ids else "nobody signed it: whoever made it can have made all of it up")
        return
    if trouble := sealed.trouble(key):
        found.refuse("signature", f"{bundle.ATTESTATION}: {trouble}")
    else:
        found.key_checked = True


def _report(folder: Path, found: Outcome) -> dict[str, Any] | None:
    """The report, where it has the form of one."""
    path = folder / bundle.REPORT
    try:
        report = files.report(path)
    except ValueError as error:
        found.refuse("schema", f"{path.name}: not a report ({error})")
        return None
    if bundle.text(report).encode() != path.read_bytes():
        found.refuse("schema", f"{path.name}: not as the suite writes it: what it says may depend on who reads it")
    return report


def _consistent(report: dict[str, Any], found: Outcome) -> None:
    """What a report says in one place agrees with what it says in another, whichever suite made it."""
    verdicts: list[str] = []
    for row in report["requirements"]:
        own = [Verdict(case["verdict"]) for case in row["cases"]]
        verdicts += own
        if row["verdict"] != worst(own):
            found.refuse(
                "verdict", f"report.json: {row['id']} is {row['verdict']}, and its cases amount to {worst(own)}"
            )
    said = report["verdict"]
    if (said == "nonconformant") != (Verdict.VIOLATION in verdicts):
        found.refuse("verdict", f"report.json: the verdict is {said}, and its cases say otherwise")
    whole = report["run"]["complete"] and not report["run"]["stopped"] and Verdict.INCONCLUSIVE not in verdicts
    if said == "conformant" and not whole:
        found.refuse("verdict", "report.json: the verdict is conformant, and not everything was judged")


def _rebuilt(folder: Path, report: dict[str, Any], there: list[str], found: Outcome) -> None:
    """The files for readers are what this very suite makes of report.json."""
    if report["suite"]["version"] != __version__:
        return
    for name, content in bundle.rendered(report).items():
        if name not in there:
            found.refuse("files", f"{name}: missing, as every bundle has one")
        elif (folder / name).read_bytes() != content.encode():
            found.refuse("rebuilt", f"{name}: not what report.json says; conformance report makes it anew")


def _attested(statement: dict[str, Any], report: dict[str, Any], found: Outcome) -> None:
    """The Statement is about this run."""
    try:
        said = statement["predicate"]["result"]
        found.attested_at = statement["predicate"]["configuration"][3]["annotations"]["attested_at"]
        subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
        subjects.pop(f"pack/{report['provider']['name']}")
        same = statement == attestation.statement(report, subjects, found.attested_at)
    except (KeyError, TypeError, IndexError, AttributeError):
        found.refuse("attestation", f"{bundle.ATTESTATION}: not a Statement about a run of this suite")
        return
    if said != attestation.result(report):
        found.refuse(
            "attestation",
            f"{bundle.ATTESTATION}: attests {said}, and report.json amounts to {attestation.result(report)}",
        )
    elif not same and report["suite"]["version"] == __version__:
        found.refuse("attestation", f"{bundle.ATTESTATION}: about another run than report.json")


def _challenge(report: dict[str, Any], challenge: str, found: Outcome) -> None:
    known = report["run"].get("challenge")
    token = report["run"]["id"].partition("-")[0]
    if known and challenged(known["text"], known["nonce"]) != token:
        found.refuse("challenge", f"report.json: the run token {token} is not the one that its challenge gives")
    if not challenge:
        return
    if not known:
        found.refuse("challenge", "made without a challenge: it may be older than yours")
    elif known["text"] != challenge:
        found.refuse("challenge", "made for another challenge than yours")


def _age(report: dict[str, Any], found: Outcome, limit: float, now: datetime) -> None:
    run = report["run"]
    times = {"attested": found.attested_at}
    if not _stands_still(report):
        times["finished"] = run["finished_at"] or run["started_at"]
    for what, text in times.items():
        try:
            moment = datetime.fromisoformat(text)
            age = now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, TypeError, OverflowError):
            found.refuse("age", f"it does not say when it was {what}")
            continue
        if age.total_seconds() > limit * 86400:
            found.refuse("age", f"{what} on {text[:10]}, {age.days} days ago, and --max-age is {limit:g}")
        elif age < -timedelta(days=1):
            found.refuse("age", f"{what} on {text[:10]}, which is still to come")


def _stands_still(report: dict[str, Any]) -> bool:
    """Whether the clock of the run stood still, as that of the embedded endpoint does."""
    source = report["run"].get("recording", {}).get("source")
    return "reference" in (report["target"]["kind"], source)


def _scope(report: dict[str, Any], found: Outcome) -> None:
    """What a reader may overlook."""
    if not report["run"]["complete"]:
        found.notes.append("incomplete: not every case was judged")
    if _stands_still(report):
        found.notes.append("a run of the reference endpoint that comes with the suite: it says nothing about a vendor")
    if report["target"]["kind"] == "cassettes":
        found.notes.append("replayed from a recording: nothing was sent in this run")
