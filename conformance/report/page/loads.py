"""The load run as pictures: throughput, percentiles and verdicts over time, each with the same in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.report.page.latency import duration

WIDTH, HEIGHT = 960, 120
_VERDICTS = ("conformant", "advisory", "inconclusive", "violation")


@dataclass(frozen=True, slots=True)
class Chart:
    """
    One picture: lines as (name, SVG path), bars as (verdict, SVG path), gridlines as (height, label).

    ``words`` say what it shows to who cannot see it.
    """

    title: str
    words: str
    lines: tuple[tuple[str, str], ...] = ()
    bars: tuple[tuple[str, str], ...] = ()
    grid: tuple[tuple[float, str], ...] = ()


def charts(section: dict[str, Any]) -> list[Chart]:
    """The pictures of a load run; none where it had no answers."""
    rows = section["timeline"]
    return [_throughput(rows), _percentiles(rows), _verdicts(rows)] if rows else []


def _throughput(rows: list[dict[str, Any]]) -> Chart:
    rates = [row["orders_per_second"] for row in rows]
    top = max(*rates, 1.0)
    words = f"Orders a second: between {min(rates):,.0f} and {max(rates):,.0f}, over {_span(rows)}"
    return Chart(
        "Orders a second", words, (("orders", _line(rates, top)),), (), _grid(top, lambda value: f"{value:,.0f}")
    )


def _percentiles(rows: list[dict[str, Any]]) -> Chart:
    found = {name: [row[name] for row in rows] for name in ("p50", "p95", "p99")}
    top = max((each for each in found["p99"] if each is not None), default=1.0)
    slow = max((each for each in found["p50"] if each is not None), default=0.0)
    words = f"Half of the answers came within {duration(slow)} at the slowest, and 99 % within {duration(top)}"
    lines = tuple((name, _line(values, top)) for name, values in found.items())
    return Chart("How long answers took: p50, p95 and p99", words, lines, (), _grid(top, duration))


def _verdicts(rows: list[dict[str, Any]]) -> Chart:
    top = max(*(sum(row["verdicts"].values()) for row in rows), 1)
    step = WIDTH / len(rows)
    paths: dict[str, list[str]] = {name: [] for name in _VERDICTS}
    for at, row in enumerate(rows):
        bottom = float(HEIGHT)
        for name in _VERDICTS:
            # A single violation among thousands has to be seen.
            height = max(HEIGHT * row["verdicts"].get(name, 0) / top, 3.0) if row["verdicts"].get(name) else 0.0
            if height:
                paths[name].append(
                    f"M{at * step:.1f} {bottom:.1f}v-{height:.1f}h{max(step - 0.8, 0.8):.1f}v{height:.1f}z"
                )
                bottom -= height
    totals = {name: sum(row["verdicts"].get(name, 0) for row in rows) for name in _VERDICTS}
    words = "Verdicts: " + ", ".join(f"{count:,} {name}" for name, count in totals.items() if count)
    bars = tuple((name, "".join(each)) for name, each in paths.items() if each)
    return Chart("Verdicts over time", words, (), bars, _grid(float(top), lambda value: f"{value:,.0f}"))


def _line(values: list[float | None], top: float) -> str:
    """A path through the values; a second without an answer is a gap."""
    step = WIDTH / max(len(values) - 1, 1)
    path, down = "", False
    for at, value in enumerate(values):
        if value is None:
            down = False
            continue
        path += f"{'L' if down else 'M'}{at * step:.1f} {HEIGHT - HEIGHT * value / top:.1f}"
        # A point alone would not be seen.
        path += "" if down else "h1"
        down = True
    return path


def _grid(top: float, told: Any) -> tuple[tuple[float, str], ...]:
    return tuple((round(HEIGHT * (1 - share), 1), told(top * share)) for share in (0.0, 0.5, 1.0))


def _span(rows: list[dict[str, Any]]) -> str:
    return f"{rows[-1]['second'] + rows[-1]['seconds']:,} s"
