"""The report in the Common Test Report Format (CTRF): a test for each requirement."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conformance.report import results, words

if TYPE_CHECKING:
    from conformance.report.results import Result

SPECIFICATION = "0.1.0"
# CTRF has no word for an error; what proves nothing must not look like a success.
_STATUS = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped"}


def render(report: dict[str, Any]) -> str:
    """CTRF as JSON in ASCII; our verdicts stand in ``rawStatus``."""
    rows = results.of(report)
    run, provider = report["run"], report["provider"]
    name = words.visible(provider["name"])
    start = _epoch(run["started_at"])
    stop = _epoch(run["finished_at"] or run["started_at"])
    counts = Counter(_STATUS[row.outcome] for row in rows)
    document = {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        # Equal runs get equal ids: the file can be made anew from report.json, byte for byte.
        "reportId": str(uuid.uuid5(uuid.NAMESPACE_URL, words.visible(f"{name}/{run['id']}/{provider['pack_sha256']}"))),
        "timestamp": run["finished_at"] or run["started_at"],
        "generatedBy": report["suite"]["name"],
        "results": {
            "tool": {"name": report["suite"]["name"], "version": report["suite"]["version"]},
            "summary": {
                "tests": len(rows),
                **{each: counts[each] for each in ("passed", "failed", "skipped", "pending", "other")},
                "start": start,
                "stop": stop,
                "extra": {"verdict": report["verdict"], "inWords": words.in_words(report)},
            },
            "tests": [_test(row, name) for row in rows],
            "environment": {
                "appName": words.visible(provider["title"]),
                "appVersion": words.visible(provider["revision"]),
                "testEnvironment": words.where(report),
                "extra": {
                    "run": words.visible(run["id"]),
                    "seed": run["seed"],
                    "complete": run["complete"],
                    "packSha256": provider["pack_sha256"],
                    "requests": report["counts"]["requests"],
                    "ordersCreated": report["counts"]["orders_created"],
                },
            },
        },
    }
    return json.dumps(document, indent=1) + "\n"


def _test(row: Result, provider: str) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": row.name,
        "status": _STATUS[row.outcome],
        "duration": round(row.milliseconds),
        "suite": [provider, row.area],
        "message": row.message,
        "rawStatus": row.verdict or row.outcome,
    }
    if row.level:
        test["tags"] = [row.level, row.area]
        test["extra"] = {"level": row.level, "source": row.source}
    if row.outcome != "passed" or row.verdict in ("advisory", "observed"):
        test["trace"] = row.details
    return test


def _epoch(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
