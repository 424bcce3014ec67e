"""The report as JUnit XML: a suite for the provider, a test case for each requirement."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from conformance.report import results, words

if TYPE_CHECKING:
    from conformance.report.results import Result

_ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def render(report: dict[str, Any]) -> str:
    """
    JUnit XML as Jenkins' junit-10.xsd has it, which knows no properties of a single test case.

    Level, source and verdict stand in its text therefore.
    """
    rows = results.of(report)
    name = words.visible(report["provider"]["name"])
    counts = Counter(row.outcome for row in rows)
    numbers = {
        "tests": str(len(rows)),
        "failures": str(counts["failed"]),
        "errors": str(counts["error"]),
        "time": _seconds(sum(row.milliseconds for row in rows)),
    }
    root = ET.Element("testsuites", {"name": "bulk-order-conformance", **numbers})
    started = {"timestamp": report["run"]["started_at"].partition(".")[0], "hostname": report["target"]["kind"]}
    suite = ET.SubElement(root, "testsuite", {"name": name, **numbers, "skipped": str(counts["skipped"]), **started})
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report).items():
        ET.SubElement(properties, "property", {"name": key, "value": words.visible(value)})
    for row in rows:
        _case(suite, name, row)
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _properties(report: dict[str, Any]) -> dict[str, object]:
    run = report["run"]
    return {
        "verdict": report["verdict"],
        "verdict in words": words.in_words(report),
        "complete": str(run["complete"]).lower(),
        "endpoint": words.where(report),
        "revision": report["provider"]["revision"],
        "pack_sha256": report["provider"]["pack_sha256"],
        "suite version": report["suite"]["version"],
        "run": run["id"],
        "seed": run["seed"],
        "requests": report["counts"]["requests"],
        "orders created": report["counts"]["orders_created"],
    }


def _case(suite: ET.Element, name: str, row: Result) -> None:
    attributes = {"classname": f"{name}.{row.area}", "name": row.name, "time": _seconds(row.milliseconds)}
    case = ET.SubElement(suite, "testcase", attributes)
    if row.outcome in _ELEMENTS:
        kind = row.verdict or row.outcome
        element = ET.SubElement(case, _ELEMENTS[row.outcome], {"type": kind, "message": row.message})
        element.text = row.details
    else:
        ET.SubElement(case, "system-out").text = row.details


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}"
