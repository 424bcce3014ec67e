"""The report as one page of HTML that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.report.page import coverage, evidence, findings, latency, loads, summary, texts


def render(report: dict[str, Any]) -> str:
    """
    The page of a report, a function of the report alone.

    Everything an endpoint said is data in it: escaped, cut where it is endless, and under a
    policy that lets no script run but the page's own.
    """
    rows = [case for row in report["requirements"] for case in row["cases"]]
    cases = {case["id"]: case for case in rows}
    cards = coverage.cards(report)
    cells = coverage.by_case(cards)
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            summary=summary,
            style=Markup(style),  # noqa: S704  # our own file
            script=Markup(script),  # noqa: S704
            style_hash=_hash(style),
            script_hash=_hash(script),
            island=Markup(evidence.data(report, rows, cells)),  # noqa: S704  # escaped for this very place
            rows=rows,
            states=coverage.STATES,
            cards=cards,
            tally=coverage.tally(cards),
            cell_of={name: index for index, name in enumerate(dict.fromkeys(cells.values()))},
            cells=cells,
            strip=latency.strip(report),
            latency=latency,
            loads=loads,
            load_charts=loads.charts(report["load"]) if "load" in report else [],
            violations=findings.failures(report, "violation", cases),
            advisories=findings.failures(report, "advisory", cases),
            unsettled=findings.by_reason(report, "inconclusive"),
            observed=findings.observed(report),
            inapplicable=findings.by_reason(report, "not-applicable"),
            not_sent=findings.not_sent(report),
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("conformance.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # The one place that every value passes on its way into the page.
        finalize=lambda value: texts.visible(value) if type(value) is str else value,
    )
    made.filters["short"] = texts.visible
    made.filters["fact"] = _fact
    made.filters["moment"] = _moment
    made.filters["anchor"] = _anchor
    made.filters["breakable"] = _breakable
    made.filters["number"] = lambda value: f"{value:,}"
    return made


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _moment(text: str) -> str:
    """A time to the minute; whoever needs more finds it in report.json."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _anchor(text: str) -> str:
    """A name without what an id, or an address that ends with it, may not have."""
    return re.sub(r"[\s%]+", "_", texts.visible(text, 200))


def _breakable(text: str) -> Markup:
    """A member's name that may go on in the next line after a dot or an underscore."""
    shown = escape(texts.visible(text, 80))
    return Markup(re.sub(r"([._\]])(?=.)", r"\1<wbr>", str(shown)))  # noqa: S704  # escaped the line before


def _fact(value: Any) -> str:
    """A value of the report in words, as far as it has any."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_fact(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_fact, value)) or "none"
    return "–" if value in ("", None) else value if isinstance(value, str) else texts.shown(value)
