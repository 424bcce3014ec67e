"""The latency strip: how long every request took, in the order of sending."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 960, 88
_BARS = 240


@dataclass(frozen=True, slots=True)
class Strip:
    """An SVG path of bars, marks for requests without an answer, gridlines, and the same in words."""

    operation: str
    path: str
    troubles: tuple[float, ...]
    grid: tuple[tuple[float, str], ...]
    words: str


def strip(report: dict[str, Any]) -> Strip | None:
    """The strip of the operation that most requests went to; None where nothing took time."""
    exchanges = list(report["exchanges"].values())
    names = Counter(each["operation"] for each in exchanges if each["request"]["method"] == "POST")
    if not names:
        return None
    operation = names.most_common(1)[0][0]
    sent = [each for each in exchanges if each["operation"] == operation]
    times = [float(each["duration_ms"]) for each in sent]
    if max(times) <= 0:
        return None
    low, high = math.log10(max(min(each for each in times if each > 0), 0.1)), math.log10(max(times))
    bottom, top = math.floor(low), math.ceil(high) if high > math.floor(low) else math.floor(low) + 1

    def height(milliseconds: float) -> float:
        return HEIGHT * (math.log10(max(milliseconds, 10**bottom)) - bottom) / (top - bottom)

    # Neighbours share a bar where there are more of them than anybody could tell apart; the slowest is shown.
    share = math.ceil(len(times) / _BARS)
    slowest = [max(times[at : at + share]) for at in range(0, len(times), share)]
    step = WIDTH / len(slowest)
    path = "".join(
        f"M{at * step:.1f} {HEIGHT}v-{max(height(each), 1):.1f}h{max(step - 0.8, 0.8):.1f}V{HEIGHT}z"
        for at, each in enumerate(slowest)
    )
    troubles = tuple(round((at // share + 0.4) * step, 1) for at, each in enumerate(sent) if each["response"] is None)
    grid = tuple((round(HEIGHT - height(10**power), 1), duration(10.0**power)) for power in range(bottom, top + 1))
    return Strip(operation, path, troubles, grid, _words(operation, times, len(troubles)))


def _words(operation: str, times: list[float], lost: int) -> str:
    ordered = sorted(times)
    tail = ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
    missing = f"; {lost} had no answer" if lost else ""
    return (
        f"{len(times):,} requests to {operation}: half within {duration(statistics.median(times))},"
        f" 95 % within {duration(tail)}, the slowest {duration(ordered[-1])}{missing}"
    )


def duration(milliseconds: float) -> str:
    """A duration as people say it."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds:.2g} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
