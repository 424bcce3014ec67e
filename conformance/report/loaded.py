"""A load run in a report: in words for a terminal, and beside the cases of the same endpoint, whose verdict it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance.errors import UserError
from conformance.report import attestation, build, bundle, files
from conformance.runner import Run, Settings
from conformance.target import vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.report.attestation import Signer
    from conformance.target import Target


def before(folder: Path, made: Target, signer: Signer | None) -> dict[str, Any] | None:
    """
    The report that the section is to stand in; None where there is none yet.

    Raises UserError for one of another endpoint, and for one whose signature would be lost.
    """
    path = folder / bundle.REPORT
    if not path.exists():
        return None
    try:
        report = files.report(path)
    except ValueError as error:
        raise UserError(f"{path}: not a report ({error}); give another --report") from None
    mine = build.target_of(made)
    if report["provider"]["name"] != made.suite.provider.name or report["target"]["url"] != mine["url"]:
        whose = f"{report['provider']['name']} at {report['target']['url']}"
        raise UserError(f"{folder}: holds the report of {whose}; give another --report")
    if report["target"]["kind"] != mine["kind"]:
        raise UserError(f"{folder}: holds the report of a {report['target']['kind']} run; give another --report")
    if signer is None and _is_signed(folder):
        raise UserError(f"{folder}: signed, and would be another now; give --signing-key to sign it anew")
    return report


def _is_signed(folder: Path) -> bool:
    path = folder / bundle.ATTESTATION
    try:
        return path.exists() and bool(attestation.Sealed(files.data(path)).key_ids)
    except ValueError:
        return False


def write(
    folder: Path, report: dict[str, Any] | None, section: dict[str, Any], made: Target, signer: Signer | None
) -> None:
    """
    Write a report with the section of a load run.

    A bundle that was there is sealed anew. Without one there is a report of no case, which proves nothing but what
    the section says: it has no evidence, and no attestation. Raises UserError where a secret would stand in it.
    """
    from conformance.cassettes import redact  # noqa: PLC0415  # vcrpy, for those who write reports

    report = {**(report or alone(made, section)), "load": section}
    if found := redact.leak([(bundle.REPORT, bundle.text(report).encode())], vault(made)):
        raise UserError(f"{folder}: not written: {found[1]} would stand in {found[0]}")
    if (folder / bundle.ATTESTATION).exists():
        bundle.write(folder, report, signer, datetime.now(UTC))
        return
    try:
        for name, content in {bundle.REPORT: bundle.text(report), **bundle.rendered(report)}.items():
            bundle.put(folder / name, content)
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror or error})") from error


def alone(made: Target, section: dict[str, Any]) -> dict[str, Any]:
    """A report of no case at all."""
    started, finished = (datetime.fromisoformat(section[name]) for name in ("started_at", "finished_at"))
    settings = Settings(made.options.seed, section["token"])
    run = Run(made.suite, settings, (), started, stopped="only put under load", finished_at=finished)
    return build.build(run, replace(made, options=replace(made.options, challenge="")))


def lines(section: dict[str, Any]) -> Iterator[str]:
    """What a load run found, in lines of text."""
    counts, rate, made = section["counts"], section["rate"], section["generator"]
    yield f"load: {section['verdict']}: {section['why']}"
    yield (
        f"{counts['requests']:,} requests with {counts['orders']:,} orders in {section['elapsed_s']:g} s:"
        f" {rate['orders_per_second']:,} orders a second, {counts['orders_accepted']:,} accepted"
    )
    for row in section["latency"]:
        yield (
            f"batches of {row['batch_size']}: {row['requests']:,} answered, half within {row['p50']:g} ms,"
            f" 95 % within {row['p95']:g} ms, 99 % within {row['p99']:g} ms"
        )
    yield (
        f"making payloads took {made['making']:.1%} of the workers' time, judging {made['judging']:.1%};"
        f" their processors were busy for {made['cpu']:.1%}"
    )
    if counts["throttled"] or counts["asked_to_come_again"]:
        yield f"throttled {counts['throttled']} times, asked to come again {counts['asked_to_come_again']} times"
    for row in section["checks"]:
        told = ", ".join(f"{count:,} {verdict}" for verdict, count in row["counts"].items())
        yield f"{row['verdict']:<13}{row['id']:<8}{row['title']} ({told})"
        for each in (*row["findings"][:3], *(row["open"][:1] if row["verdict"] != "violation" else ())):
            yield from _finding(each)
    for each in section["missing"]:
        yield f"missing: {each}"
    if left := (section["clean_up"] or {}).get("left"):
        yield f"left there: {left:,} orders, which carry the run token {section['token']}"
    if section["stopped"]:
        yield f"stopped: {section['stopped']}"


def _finding(each: dict[str, Any]) -> Iterator[str]:
    if each["title"]:
        yield f"    {each['title']}"
    at = f"{each['where']}: expected {each['expected']}, got " if each["where"] else ""
    name = f" ({each['exchange']})" if each.get("exchange") else ""
    yield f"    {at}{each['got']}{name}"
