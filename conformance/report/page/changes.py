"""The one change of a case as rows of a diff: what the accepted twin has at a place, and what the case has there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from conformance.report.page.texts import shown

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Row:
    """``old`` is empty where it is not known for sure what the twin has there, ``new`` where something was removed."""

    path: str
    old: str
    new: str


def rows(report: dict[str, Any], case: dict[str, Any], cases: dict[str, dict[str, Any]]) -> list[Row]:
    """The rows of a case; ``cases`` are all of the report by their ids."""
    return [_row(report, case, cases, each) for each in case["change"]]


def _row(
    report: dict[str, Any], case: dict[str, Any], cases: dict[str, dict[str, Any]], operation: dict[str, Any]
) -> Row:
    path, kind = operation["path"], operation["op"]
    new = (
        ""
        if kind == "remove"
        else shown(operation["value"])
        if "value" in operation
        else f"from {operation.get('from')}"
    )
    old = "" if kind == "add" else _before(report, case, cases, path)
    return Row(path or "(the whole body)", old, new)


def _before(report: dict[str, Any], case: dict[str, Any], cases: dict[str, dict[str, Any]], path: str) -> str:
    """What the recorded request of the twin has at the place of a change."""
    twin = _control(report) if case.get("twin") == "control" else cases.get(case.get("twin", ""))
    if twin is None or case.get("change_of", "body") != "body" or twin["order_index"] is None:
        return ""
    mine, theirs = body_of(report, case), body_of(report, twin)
    place, other = order_at(mine, case["order_index"]), order_at(theirs, twin["order_index"])
    if mine is None or theirs is None or not (path == place or path.startswith(f"{place}/")):
        return ""
    found = at(theirs, other + path[len(place) :])
    return "" if found is _NOTHING else shown(found)


def _control(report: dict[str, Any]) -> dict[str, Any] | None:
    """A control that was accepted, in the form of a case; None where the report does not tell controls apart."""
    for name, each in report["exchanges"].items():
        if each.get("purpose") == "control" and each["response"] and each["response"]["status"] < 300:
            return {"exchange_ids": [name], "order_index": 0}
    return None


def body_of(report: dict[str, Any], case: dict[str, Any]) -> Any:
    """The JSON of the last request of a case, or None."""
    names = [name for name in case["exchange_ids"] if name in report["exchanges"]]
    return _parsed(report["exchanges"][names[-1]]["request"].get("body", "")) if names else None


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def order_at(body: Any, index: int | None) -> str:
    """The JSON Pointer of an order in a body, in any envelope; the whole body where that is the order."""
    if index is None:
        return ""
    if isinstance(body, list):
        return f"/{index}"
    if isinstance(body, dict):
        if len(body) == 1 and isinstance(next(iter(body.values())), list):
            return f"/{_segment(next(iter(body)))}/{index}"
        if body and index < len(body) and all(isinstance(each, dict) for each in body.values()):
            return f"/{_segment(list(body)[index])}"
    return ""


def _segment(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def at(value: Any, pointer: str) -> Any:
    """The value at a JSON Pointer, or a mark of its own where there is none."""
    for segment in pointer.split("/")[1:]:
        name = segment.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return _NOTHING
    return value
