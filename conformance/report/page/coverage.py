"""The field × constraint map: which sides of which constraint of the request body were tested, and what came of it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Case: TypeAlias = "dict[str, Any]"

# Constraints that ask the same of a field share a column; one that is not named here has a column of its own.
_COLUMNS = {
    "required": "presence", "optional": "presence", "type": "type", "enum": "list", "const": "list",
    "minLength": "length", "maxLength": "length", "minimum": "number", "maximum": "number",
    "exclusiveMinimum": "number", "exclusiveMaximum": "number", "multipleOf": "number", "minItems": "count",
    "maxItems": "count", "uniqueItems": "count", "format": "format", "pattern": "format",
}  # fmt: skip
_ORDER = ("presence", "type", "length", "number", "count", "list", "format")
RULES = "rules"
_WHOLE = {"$": "(the whole body)", "[]": "(an order)", "*": "(an order)"}
# An object of fewer fields needs no card of its own.
_SMALL = 5
# The twin of a refused case has a value of the right type, so it is the accepted side; a bound needs a case of its own.
_BY_TWIN = frozenset({"required", "type"})
# Worst first: a cell is what the worst of its constraints is.
STATES = {
    "violated": "violated",
    "unsettled": "not settled",
    "advisory": "broken, but harmless or advice",
    "untested": "not tested",
    "refused": "refused side only",
    "accepted": "accepted side only",
    "both": "both sides tested",
    "observed": "observed: not documented",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One constraint of one field; ``key`` finds its cases."""

    key: str
    field: str
    column: str
    state: str
    words: str
    cases: tuple[str, ...]
    requirement: str


@dataclass(frozen=True, slots=True)
class Row:
    """A field with a cell, or nothing, for every column of its card."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """The fields of one object."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Field:
    """What is known of one field: its cases by column and constraint, each with the requirement's id."""

    columns: dict[str, dict[str, list[tuple[str, Case]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )


def cards(report: dict[str, Any]) -> list[Card]:
    """The map, one card an object, in the order of the body; the main operation's first. All cards have the same columns."""
    fields = _fields(report)
    used = {column for each in fields.values() for column in each.columns}
    further = sorted(used - {*_ORDER, RULES})
    columns = (*(each for each in _ORDER if each in used), *further, *((RULES,) if RULES in used else ()))
    operations = [operation for operation, _ in Counter(operation for operation, _ in fields).most_common()]
    made: list[Card] = []
    for operation in operations:
        paths = {path: each for (at, path), each in fields.items() if at == operation}
        for parent, members in _objects(_in_tree_order(list(paths))).items():
            title = _title(parent) if operation == operations[0] else f"{operation}: {_title(parent)}"
            rows = [Row(_inside(path, parent), _cells(path, columns, paths[path])) for path in members]
            made.append(Card(title, columns, tuple(rows)))
    return made


def tally(made: list[Card]) -> dict[str, int]:
    """How many cells are in each state, in the order of the legend."""
    counts = Counter(cell.state for card in made for row in card.rows for cell in row.cells if cell)
    legend = ("both", "accepted", "refused", "untested", "observed", "advisory", "unsettled", "violated")
    return {state: counts[state] for state in legend if counts[state]}


def by_case(made: list[Card]) -> dict[str, str]:
    """The key of the cell that a case belongs to."""
    return {name: cell.key for card in made for row in card.rows for cell in row.cells if cell for name in cell.cases}


def _fields(report: dict[str, Any]) -> dict[tuple[str, str], _Field]:
    fields: dict[tuple[str, str], _Field] = defaultdict(_Field)
    rows = [(requirement, case) for requirement in report["requirements"] for case in requirement["cases"]]
    operations = {case["id"]: _operation(report, case) for _, case in rows}
    main = Counter(each for each in operations.values() if each).most_common(1)
    usual = main[0][0] if main else ""
    named = any(case.get("site", "").startswith("*.") for _, case in rows)
    known = {case["site"].rpartition(" ")[0] for _, case in rows if case.get("site")}
    known |= {path for _, case in rows if case["expectation"] == "accept" and (path := _changed(case, named=named))}
    # By hand: a case belongs to the one constraint that its requirement has at the place of its change.
    owned: dict[tuple[str, str], set[str]] = defaultdict(set)
    for requirement, case in rows:
        if case.get("site"):
            path, _, keyword = case["site"].rpartition(" ")
            owned[requirement["id"], path].add(keyword)
    for requirement, case in rows:
        if case.get("site"):
            path, _, keyword = case["site"].rpartition(" ")
        else:
            changed = _changed(case, named=named)
            path = _nearest(changed, case, known)
            keywords = owned.get((requirement["id"], changed), set())
            keyword = next(iter(keywords)) if len(keywords) == 1 else RULES
        if path:
            place = fields[operations[case["id"]] or usual, path]
            place.columns[_COLUMNS.get(keyword, keyword)][keyword].append((requirement["id"], case))
    return fields


def _operation(report: dict[str, Any], case: Case) -> str:
    names = [name for name in case["exchange_ids"] if name in report["exchanges"]]
    return str(report["exchanges"][names[0]]["operation"]) if names else ""


def _changed(case: Case, *, named: bool) -> str:
    """The field that a case changes, written as sites are: ``[].lines[].sku``; empty unless it is one field of the body."""
    if len(case["change"]) != 1 or case.get("change_of", "body") != "body":
        return ""
    segments = str(case["change"][0]["path"]).split("/")[1:]
    if named and segments:
        segments[0] = "*"
    path = ""
    for segment in (each.replace("~1", "/").replace("~0", "~") for each in segments):
        path += "[]" if re.fullmatch(r"\d+|-", segment) else f".{segment}"
    return path.lstrip(".")


def _nearest(path: str, case: Case, known: set[str]) -> str:
    """The field itself where it is one, and what holds it where a case adds something unheard of."""
    if path and path not in known and case["change"][0]["op"] == "add":
        while path and path not in known:
            path = path[:-2] if path.endswith("[]") else path.rpartition(".")[0]
    return path


def _in_tree_order(paths: list[str]) -> list[str]:
    """Every object's fields together, children after their parent, otherwise as they came."""
    ranks: dict[str, int] = {}
    for path in paths:
        parts = path.split(".")
        for count in range(1, len(parts) + 1):
            ranks.setdefault(".".join(parts[:count]).replace("[]", ""), len(ranks))

    def rank(path: str) -> list[int]:
        parts = path.replace("[]", "").split(".")
        return [ranks[".".join(parts[:count])] for count in range(1, len(parts) + 1)]

    return sorted(dict.fromkeys(paths), key=rank)


def _objects(paths: list[str]) -> dict[str, list[str]]:
    """Fields by the object that holds them; a small object's stand with those of the one around it."""
    homes = {path: path.rpartition(".")[0] for path in paths}
    for parent in sorted(set(homes.values()), key=lambda each: -each.count(".")):
        members = [path for path, home in homes.items() if home == parent]
        around = parent.rpartition(".")[0]
        if len(members) < _SMALL and around in homes.values():
            homes |= dict.fromkeys(members, around)
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[homes[path]].append(path)
    return found


def _inside(path: str, parent: str) -> str:
    if path in _WHOLE:
        return _WHOLE[path]
    return path[len(parent) + 1 :] if parent else path


def _title(parent: str) -> str:
    inside = re.sub(r"^(\[\]|\*)\.?", "", parent)
    if parent and not inside:
        return "order"
    return inside or "body"


def _cells(path: str, columns: tuple[str, ...], known: _Field) -> tuple[Cell | None, ...]:
    return tuple(_cell(path, each, known.columns[each]) if each in known.columns else None for each in columns)


def _cell(path: str, column: str, keywords: dict[str, list[tuple[str, Case]]]) -> Cell:
    states = {keyword: _state(keyword, [case for _, case in rows]) for keyword, rows in keywords.items()}
    state = min(states.values(), key=list(STATES).index)
    rows = [row for each in keywords.values() for row in each]
    worst = next((row for row in rows if row[1]["verdict"] == "violation"), rows[0])
    names = "further rules" if column == RULES else ", ".join(keywords)
    said = "held" if column == RULES and state == "both" else STATES[state]
    words = f"{path}, {names}: {said}, {len(rows)} case{'s' * (len(rows) > 1)}"
    return Cell(f"{path} {column}", path, column, state, words, tuple(case["id"] for _, case in rows), worst[0])


def _state(keyword: str, cases: list[Case]) -> str:
    verdicts = {case["verdict"] for case in cases}
    for verdict, state in (("violation", "violated"), ("inconclusive", "unsettled"), ("advisory", "advisory")):
        if verdict in verdicts:
            return state
    good = [case for case in cases if case["verdict"] == "conformant"]
    open_ = any(case["verdict"] == "observed" for case in cases)
    accepted = [case for case in good if case["expectation"] == "accept"]
    refused = [case for case in good if case["expectation"] == "refuse"]
    if keyword == "optional":
        # Nothing can be refused here: its two sides are the order with the member and the one without.
        return "both" if len(accepted) > 1 else "accepted" if accepted else "observed" if open_ else "untested"
    if keyword == RULES and good:
        return "both"
    takes = bool(accepted) or (keyword in _BY_TWIN and any(case.get("twin") for case in refused))
    if takes and refused:
        return "both"
    if takes or refused:
        # What the documentation leaves open on the other side was looked at all the same.
        return "both" if open_ else "accepted" if takes else "refused"
    return "observed" if open_ else "untested"
