"""Exchanges as the page shows them: in lines where a person reads them, and cut so that the page stays light."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from conformance.report.page import changes, commands
from conformance.report.page.indent import Line, lines
from conformance.report.page.texts import island, visible

# A page of more than ten megabytes is opened by nobody. What opens with a case may take this many bytes of it, and
# what stands in failures this many characters: markup and escapes make up to five times as much of them.
_BUDGET, _IN_FAILURES = 5_000_000, 1_000_000
_LONGEST, _SHORTEST, _FIELD = 16_384, 64, 2_000
# Lines of a body that are shown at once in a failure.
_LINES = 160
# A longer body is not taken apart to be shown in lines.
_PARSED = 1_000_000


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of a body; ``mark`` where the one change is."""

    text: str
    mark: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line, its headers and its body. ``note`` says what is not shown of it."""

    first: str
    headers: tuple[tuple[str, str], ...]
    lines: tuple[ShownLine, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An exchange of a failure, with the command that sends it again."""

    name: str
    sent_at: str
    duration_ms: float
    request: Message
    answer: Message | None
    trouble: str
    curl: str


def share(messages: int) -> int:
    """How many characters each of so many requests and answers may have in failures."""
    return min(_LONGEST, _IN_FAILURES // max(messages, 1))


def shown(report: dict[str, Any], case: dict[str, Any], name: str, longest: int, *, last: bool) -> Shown:
    """One exchange of a case; the change is marked in the last one, which it is about."""
    exchange = report["exchanges"][name]
    request, response = exchange["request"], exchange["response"]
    query = f"?{request['query']}" if request["query"] else ""
    body = changes.body_of(report, case) if last else None
    order = changes.order_at(body, case["order_index"]) if isinstance(body, list | dict) and len(body) > 1 else ""
    marks = [each["path"] for each in case["change"]] if last and case.get("change_of", "body") == "body" else []
    trouble = exchange.get("trouble")
    return Shown(
        name,
        exchange["sent_at"],
        exchange["duration_ms"],
        _message(f"{request['method']} {request['path']}{query}", request, marks, order, longest),
        _message(f"{response['status']}", response, [], "", longest) if response else None,
        f"{trouble['kind']}: {trouble['detail']}" if trouble else "",
        commands.curl(report, name, min(longest, commands.LONGEST)),
    )


def _message(first: str, part: dict[str, Any], marks: list[str], order: str, longest: int) -> Message:
    headers = tuple((name, visible(value, 600)) for name, value in part["headers"][:40])
    if "body_base64" in part:
        line = ShownLine(visible(part["body_base64"], longest), mark=False)
        return Message(first, headers, (line,), "bytes that are no UTF-8, as base64")
    body = part["body"]
    if not body:
        return Message(first, headers, (), "no body")
    made, note = _around(lines(body), order) if len(body) <= _PARSED else ([Line(body)], "")
    kept: list[ShownLine] = []
    left = longest
    for each in made[:_LINES]:
        if left > 0:
            kept.append(ShownLine(visible(each.text, left), any(_within(each.pointer, mark) for mark in marks)))
            left -= len(each.text)
    if len(kept) < len(made):
        note = f"{len(made) - len(kept)} lines more; report.json has all of them"
    if part.get("truncated"):
        note = "longer than what is read of an answer; the rest was not recorded"
    return Message(first, headers, tuple(kept), note)


def _around(made: list[Line], order: str) -> tuple[list[Line], str]:
    """The lines of one order of a large batch, and those of every other batch."""
    if len(made) <= _LINES or not order:
        return made, ""
    mine = [each for each in made if _within(each.pointer, order)]
    return (mine, f"the order at {order} of a larger batch; report.json has all of it") if mine else (made, "")


def _within(pointer: str, place: str) -> bool:
    return bool(place) and (pointer == place or pointer.startswith(f"{place}/"))


def data(report: dict[str, Any], rows: list[dict[str, Any]], cells: dict[str, str]) -> str:
    """What the script of the page builds the details of a case from, when somebody opens it, as JSON for a script element."""
    names = dict.fromkeys(name for case in rows for name in case["exchange_ids"] if name in report["exchanges"])
    places = {name: index for index, name in enumerate(names)}
    cases = {case["id"]: case for case in rows}
    keys = [visible(each) for each in dict.fromkeys(cells.values())]
    longest = _limit([report["exchanges"][name] for name in names])
    while True:
        field = min(longest, _FIELD)
        made = {
            "cells": keys,
            "cases": [_case(report, case, cases, places, longest) for case in rows],
            "exchanges": [_entry(name, report["exchanges"][name], longest, field) for name in names],
        }
        text = island(made)
        if longest <= _SHORTEST or len(text.encode()) <= _BUDGET:
            return text
        longest //= 2


def _limit(exchanges: list[dict[str, Any]]) -> int:
    """How much of every body fits in the page, by their lengths alone: a first guess."""
    sizes = [len(part.get("body", "")) for each in exchanges for part in (each["request"], each["response"] or {})]
    longest = _LONGEST
    while longest > _SHORTEST and sum(min(size, longest) for size in sizes) > _BUDGET:
        longest //= 2
    return longest


def _case(
    report: dict[str, Any], case: dict[str, Any], cases: dict[str, dict[str, Any]], places: dict[str, int], longest: int
) -> dict[str, Any]:
    """Members that are empty are left out: there are thousands of these."""

    def short(text: str) -> str:
        return visible(text, min(longest, _FIELD))

    made = {
        "why": short(case.get("why", "")),
        "reason": short(case.get("reason", "")),
        "twin": short(case.get("twin", "")),
        "change": [[short(each.path), short(each.old), short(each.new)] for each in changes.rows(report, case, cases)],
        "of": short(case.get("change_of", "")),
        "findings": [
            [short(each["where"]), short(each["expected"]), short(each["got"])] for each in case["findings"][:20]
        ],
        "exchanges": [places[name] for name in case["exchange_ids"][:20] if name in places],
        "order": _order(report, case, longest),
    }
    return {name: value for name, value in made.items() if value}


def _order(report: dict[str, Any], case: dict[str, Any], longest: int) -> str:
    """The order that a case is about, where the request has others beside it and is too long to show."""
    names = [name for name in case["exchange_ids"] if name in report["exchanges"]]
    if not names or len(report["exchanges"][names[-1]]["request"].get("body", "")) <= longest:
        return ""
    body = changes.body_of(report, case)
    place = changes.order_at(body, case["order_index"])
    return visible(json.dumps(changes.at(body, place), ensure_ascii=False), longest) if place else ""


def _entry(name: str, exchange: dict[str, Any], longest: int, field: int) -> list[Any]:
    request, response, trouble = exchange["request"], exchange["response"], exchange.get("trouble")
    query = f"?{request['query']}" if request["query"] else ""
    lost = f"{trouble['kind']}: {trouble['detail']}" if trouble else "no answer"
    return [
        visible(name),
        visible(f"{request['method']} {request['path']}{query}", field),
        _headers(request, field),
        _body(request, longest),
        _headers(response, field) if response else "",
        _body(response, longest) if response else "",
        response["status"] if response else visible(lost, field),
        visible(exchange["sent_at"], field),
        exchange["duration_ms"],
    ]


def _headers(part: dict[str, Any], longest: int) -> str:
    return visible("\n".join(f"{name}: {value}" for name, value in part["headers"]), longest)


def _body(part: dict[str, Any], longest: int) -> str:
    return visible(part["body"], longest) if "body" in part else f"(base64) {visible(part['body_base64'], longest)}"
