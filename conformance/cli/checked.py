"""What ``conformance check`` prints: findings as text, JSON, SARIF or annotations, each as it comes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from conformance import catalogue
from conformance.cli import marks
from conformance.cli.printing import printable
from conformance.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.inspection.files import PayloadFile, Placed
    from conformance.providers import Provider

_SEVERITIES = {"violation": "error", "advisory": "warning", "observed": "note"}
_PLURALS = {"violation": "violations", "advisory": "advisories", "observed": "observed"}


class Tally:
    """Counts findings as they go by, since none of them is kept."""

    def __init__(self, provider: Provider, files: Sequence[PayloadFile]) -> None:
        self.provider = provider
        self.files = files
        self.counts: Counter[str] = Counter()
        self.requirements: set[str] = set()

    def counted(self, findings: Iterable[Placed]) -> Iterator[Placed]:
        """The same findings."""
        for each in findings:
            self.counts[each.objection.verdict] += 1
            self.requirements.add(each.objection.requirement)
            yield each

    def summary(self) -> str:
        """One line: what was found in how much."""
        orders, spoilt = sum(each.orders for each in self.files), sum(each.spoilt for each in self.files)
        count = f"{len(self.files)} files" if len(self.files) > 1 else self.files[0].name
        parts = [
            f"{self.counts[word]} {word if self.counts[word] == 1 else _PLURALS[word]}"
            for word in _SEVERITIES
            if self.counts[word]
        ]
        lines = sum(each.records for each in self.files if each.by_line)
        read = f", {lines} {'line' if lines == 1 else 'lines'} of NDJSON" if lines else ""
        of = f"{orders} {'order' if orders == 1 else 'orders'}"
        found = f"{', '.join(parts)}; {spoilt} of {of} affected" if parts else f"{of}, nothing found"
        return f"{printable(count)}: {found}{read} ({self.provider.name} {self.provider.revision})"


def _text(tally: Tally, findings: Iterator[Placed]) -> Iterator[str]:
    for each in findings:
        found = each.objection
        weight = "" if found.verdict == Verdict.VIOLATION else f", {found.verdict}"
        words = f"{found.requirement} ({found.level}{weight}) {found.pointer or '/'}: {_words(each)}"
        yield printable(f"{each.file}:{each.line}:{each.column}: {words}") + "\n"
    yield tally.summary() + "\n"


def _words(each: Placed) -> str:
    return f"expected {each.objection.expected}, got {each.objection.got}"


def _row(each: Placed) -> dict[str, Any]:
    found = {name: getattr(each.objection, name) for name in each.objection.__slots__}
    return {"file": each.file, "line": each.line, "column": each.column, **found}


def _json(tally: Tally, findings: Iterator[Placed]) -> Iterator[str]:
    head = {"provider": tally.provider.name, "revision": tally.provider.revision}
    yield json.dumps(head)[:-1] + ', "findings": ['
    between = "\n"
    for each in findings:
        yield between + json.dumps(_row(each), ensure_ascii=False)
        between = ",\n"
    files = [
        {"file": each.name, "ndjson": bool(each.by_line), "records": each.records, "orders": each.orders,
         "orders_with_findings": each.spoilt}
        for each in tally.files
    ]  # fmt: skip
    counts = {word: tally.counts[word] for word in _SEVERITIES}
    yield f'\n], "files": {json.dumps(files, ensure_ascii=False)}, "counts": {json.dumps(counts)}}}\n'


def _github(tally: Tally, findings: Iterator[Placed]) -> Iterator[str]:
    for each in findings:
        place = marks.Place(each.file, each.line, each.column)
        message = f"{each.objection.pointer or '/'}: {_words(each)} ({each.objection.title})"
        severity = _SEVERITIES[each.objection.verdict]
        yield marks.github(severity, place, each.objection.requirement, message) + "\n"
    yield tally.summary() + "\n"


def _sarif(tally: Tally, findings: Iterator[Placed]) -> Iterator[str]:
    def rules() -> list[dict[str, Any]]:
        known = catalogue.load(tally.provider.name, tally.provider.revision).requirements
        return [
            marks.rule(each.id, each.title, f"{each.level}: {each.source}", "error")
            for each in known
            if each.id in tally.requirements
        ]

    results = (
        marks.result(
            each.objection.requirement, _SEVERITIES[each.objection.verdict],
            marks.Place(each.file, each.line, each.column), each.objection.pointer, _words(each),
        )
        for each in findings
    )  # fmt: skip
    yield from marks.sarif("conformance check", results, rules)
    yield "\n"


FORMS: dict[str, Callable[[Tally, Iterator[Placed]], Iterator[str]]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
