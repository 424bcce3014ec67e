"""Detection power as a page: the rows of a measurement in Markdown."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from conformance import __version__

if TYPE_CHECKING:
    from conformance.reference.detection import Row

# What a fault does, by its kind.
KINDS = {
    "hand-made": "a rule broken as the catalogue describes",
    "whole": "a requirement as a whole, under its own id",
    "dropped": "one constraint dropped",
    "one-less": "one bound lower by one",
    "one-more": "one bound higher by one",
    "enum member": "one value of a list refused",
    "a-hundredth-less": "one bound lower by 0.01",
    "a-hundredth-more": "one bound higher by 0.01",
    "excluded": "a bound that is no longer taken itself",
    "included": "an excluded bound that is taken itself",
    "halved": "steps half as wide",
    "doubled": "steps twice as wide",
    "looser": "more than the format taken",
    "narrower": "less than the format taken",
    "fractions": "fractions taken for whole numbers",
    "whole-numbers": "fractions refused where they are allowed",
    "any-case": "listed values taken in any letter case",
    "demanded": "an optional member demanded",
    "refused": "an optional member refused",
    "nullable": "null taken",
    "not-nullable": "null refused where it is allowed",
    "left-out": "a member left out of an answer",
    "renamed": "a member of an answer under another name",
    "null": "a member of an answer null",
    "as-text": "a number of an answer as text",
    "out-of-range": "a number of an answer out of its range",
    "other-type": "a member of an answer of another type",
    "other-value": "a member of an answer of another value",
    "empty": "a member of an answer empty",
}
# How a run can show a fault, best first.
NOTICED = {
    "violation": "a case of the rule's own requirement failed",
    "elsewhere": "none of that requirement's cases failed, but those of others that the fault breaks too",
    "advisory": "only a value that lenient parsers take (†) can show it, and taking that harms nobody",
    "control": "the endpoint refuses the plain batch: the run stops at once, inconclusive",
    "inconclusive": "nothing that was accepted became readable, so that nothing is concluded; such a run is never conformant",
    "observed": "the documentation leaves that side open; what was recorded there differs",
    "invisible": "no request that a user can send shows it, for the reason written below",
    "missed": "none of these",
    "unproven": "no answer of the run differs from the healthy endpoint's, so nothing shows that this is a fault",
}
_PAGE = """\
# What the suite detects: {provider}

The reference endpoint can break each documented rule on purpose; such a fault changes one thing and leaves the rest as
documented. This page says for every fault of the pack how the suite showed it: those made by hand in a full run, those
of single constraints in a run of their requirement's cases and what these need. It was made by
`python -m conformance.reference.detection {provider} --write docs/detection/{provider}.md`, which runs the suite against
one faulty endpoint after the other.

{meanings}

{heads}
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
{summary}

## Not a violation

| fault | noticed | by |
|---|---|---|
{others}

## By requirement

“Others” is how many further requirements one of its faults made by hand turned red, at most.

| requirement | faults | noticed as | others | named faults |
|---|--:|---|--:|---|
{requirements}
"""


def figures(rows: list[Row]) -> dict[str, Any]:
    """The sums of a measurement as data, for the reports about the pack."""
    counts = Counter(row.noticed for row in rows)
    return {"faults": len(rows), "noticed": {word: counts[word] for word in NOTICED}, "suite_version": __version__}


def _line(*cells: object) -> str:
    return " | ".join(["", *(str(each).replace("|", "&#124;") for each in cells), ""]).strip()


def requirement_line(rows: list[Row]) -> str:
    """The line of one requirement in the page's last table."""
    counts = Counter(row.noticed for row in rows)
    ways = ", ".join(f"{counts[word]} {word}" for word in NOTICED if word in counts)
    named = "<br>".join(f"`{row.fault}` {row.title}" for row in rows if row.kind == "hand-made")
    return _line(rows[0].requirement, len(rows), ways, max(row.others for row in rows), named)


def markdown(provider: str, rows: list[Row]) -> str:
    """The rows as a page: figures by kind of fault, what is no violation, and a line for each requirement."""
    counts = Counter((kind, row.noticed) for row in rows for kind in (row.kind, ""))
    known = [kind for kind in KINDS if any(row.kind == kind for row in rows)]
    figures = {kind: [counts[kind, word] for word in NOTICED] for kind in (*known, "")}
    groups = groupby(rows, key=lambda row: row.requirement)
    return _PAGE.format(
        provider=provider,
        meanings="\n".join(f"- **{word}**: {meaning}." for word, meaning in NOTICED.items()),
        heads=_line("fault", "number", *NOTICED),
        summary="\n".join(_line(KINDS.get(kind, "**all**"), sum(each), *each) for kind, each in figures.items()),
        others="\n".join(_line(f"`{row.fault}`", row.noticed, row.reason) for row in rows if row.reason),
        requirements="\n".join(requirement_line(list(group)) for _, group in groups),
    )
