"""The report in the W3C Evaluation and Report Language (EARL 1.0) as JSON-LD that needs no network to be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from conformance.report import words

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTEXT = {
    "earl": "http://www.w3.org/ns/earl#",
    "dct": "http://purl.org/dc/terms/",
    "doap": "http://usefulinc.com/ns/doap#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "boc": "urn:bulk-order-conformance:terms:",
    "assertedBy": {"@id": "earl:assertedBy", "@type": "@id"},
    "subject": {"@id": "earl:subject", "@type": "@id"},
    "test": {"@id": "earl:test", "@type": "@id"},
    "result": "earl:result",
    "outcome": {"@id": "earl:outcome", "@type": "@id"},
    "mode": {"@id": "earl:mode", "@type": "@id"},
    "info": "earl:info",
    "title": "dct:title",
    "description": "dct:description",
    "source": "dct:source",
    "isPartOf": {"@id": "dct:isPartOf", "@type": "@id"},
    "date": {"@id": "dct:date", "@type": "xsd:dateTime"},
    "name": "doap:name",
    "release": "dct:hasVersion",
    "verdict": "boc:verdict",
    "level": "boc:level",
}
# Observed is no pass: the documentation has nothing that could be passed or failed.
OUTCOMES = {
    "conformant": "earl:passed",
    "advisory": "earl:passed",
    "violation": "earl:failed",
    "inconclusive": "earl:cantTell",
    "observed": "earl:cantTell",
    "not-applicable": "earl:inapplicable",
    "untested": "earl:untested",
}


def render(report: dict[str, Any]) -> str:
    """An assertion for each requirement, and one for each of its cases, in ASCII."""
    return json.dumps({"@context": _CONTEXT, "@graph": list(_graph(report))}, indent=1) + "\n"


def _graph(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    base = f"urn:bulk-order-conformance:{_part(report['provider']['name'])}"
    run, suite, provider = report["run"], report["suite"], report["provider"]
    asserted = {
        "assertedBy": f"urn:bulk-order-conformance:suite:{_part(suite['version'])}",
        "subject": f"{base}:run:{_part(run['id'])}",
        "mode": "earl:automatic",
    }
    yield {"@id": asserted["assertedBy"], "@type": ["earl:Assertor", "earl:Software"], "name": suite["name"],
           "release": suite["version"]}  # fmt: skip
    yield {"@id": asserted["subject"], "@type": "earl:TestSubject", "title": words.visible(provider["title"]),
           "description": words.where(report), "release": words.visible(provider["revision"]),
           "date": run["started_at"], "verdict": report["verdict"], "info": words.in_words(report)}  # fmt: skip
    for row in report["requirements"]:
        requirement = f"{base}:{_part(row['id'])}"
        yield {"@id": requirement, "@type": "earl:TestRequirement", "title": words.visible(row["title"]),
               "source": words.visible(row["source"]), "level": row["level"]}  # fmt: skip
        yield _assertion(asserted, requirement, row["verdict"], row.get("untestable", ""), run)
        for case in row["cases"]:
            name = f"{base}:{_part(case['id'])}"
            yield {"@id": name, "@type": "earl:TestCase", "title": words.visible(case["id"]), "isPartOf": requirement}
            yield _assertion(asserted, name, case["verdict"], _info(case), run)


def _assertion(asserted: dict[str, str], test: str, verdict: str, info: str, run: dict[str, Any]) -> dict[str, Any]:
    result = {"@type": "earl:TestResult", "outcome": OUTCOMES[verdict], "verdict": verdict}
    if run["finished_at"]:
        result["date"] = run["finished_at"]
    if info:
        result["info"] = words.visible(info, 1000)
    return {"@type": "earl:Assertion", **asserted, "test": test, "result": result}


def _info(case: dict[str, Any]) -> str:
    findings = [f"{each['where']}: expected {each['expected']}, got {each['got']}" for each in case["findings"][:5]]
    return case.get("reason") or "; ".join(words.visible(each) for each in findings)


def _part(text: str) -> str:
    """Text as a part of a URN, whatever it holds."""
    return quote(words.visible(text), safe="")
