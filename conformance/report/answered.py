"""Answers to the questions that are put to every provider, from one report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from conformance import schemas
from conformance.report import words

JUDGED = ("violation", "advisory", "conformant", "observed")
_WANTED = {"accept": "accepted", "refuse": "refused", "deny": "refused"}
_HOW = {
    "conformant": "documented",
    "violation": "not as documented",
    "advisory": "not as advised",
    "observed": "observed",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What one provider does when asked.

    ``how`` is ``documented`` (and found to be so), ``not as documented``, ``not as advised``,
    ``observed`` (the documentation is silent) or ``not known``.
    """

    found: str
    how: str
    requirement: str
    title: str

    @property
    def known(self) -> bool:
        """Whether anything was found."""
        return self.how != "not known"


@cache
def questions() -> dict[str, str]:
    """Every question by its name, in words, as the meta-schema of the catalogues lists them."""
    meta = schemas.load(Path(__file__).parents[1] / "metaschemas" / "requirements.schema.json")
    requirement = cast("Any", meta)["properties"]["requirement"]["items"]
    listed = requirement["properties"]["questions"]["properties"]
    return {name: each["description"] for name, each in listed.items()}


def answers(report: dict[str, Any]) -> dict[str, Answer]:
    """The answers of a run by question; those whose case was not selected are not there."""
    asked = {case: question for question, case in report.get("questions", {}).items() if question in questions()}
    found: dict[str, Answer] = {}
    for row in report["requirements"]:
        for case in row["cases"]:
            if case["id"] in asked:
                text, how = _told(case, report)
                found[asked[case["id"]]] = Answer(text, how, words.visible(row["id"]), words.visible(row["title"]))
    return found


def _told(case: dict[str, Any], report: dict[str, Any]) -> tuple[str, str]:
    verdict = case["verdict"]
    if verdict not in JUDGED:
        return words.visible(case.get("reason", verdict), 80), "not known"
    if case.get("found"):
        return words.visible(case["found"], 120), _HOW[verdict]
    status = _status(case, report)
    wanted = _WANTED.get(case["expectation"], verdict)
    if verdict in ("violation", "advisory"):
        if wanted == "refused" and 200 <= status < 300:
            return f"accepted ({status})", _HOW[verdict]
        return words.visible(next((each["got"] for each in case["findings"]), verdict), 60), _HOW[verdict]
    # An answer that tells of each order apart refuses some under a status of success.
    fits = (wanted == "accepted" and 200 <= status < 300) or (wanted == "refused" and status >= 400)
    return f"{wanted} ({status})" if fits else wanted, _HOW[verdict]


def _status(case: dict[str, Any], report: dict[str, Any]) -> int:
    exchanges = [report["exchanges"].get(name) for name in case["exchange_ids"]]
    last = exchanges[-1] if exchanges else None
    return int(last["response"]["status"]) if last and last["response"] else 0
