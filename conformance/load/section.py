"""The section ``load`` of a report: what a load run found, as data that readers and diagrams are made from."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conformance.load.tally import Tally, percentile, together

if TYPE_CHECKING:
    from conformance.load.settings import Load
    from conformance.suite import Suite

# More points than that are no easier to read.
_POINTS = 120
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_VERDICTS = ("violation", "inconclusive", "advisory", "conformant")


def build(suite: Suite, load: Load, gathered: dict[str, Any], tally: Tally, more: dict[str, Any]) -> dict[str, Any]:
    """
    The section of a load run.

    ``more`` is what was found afterwards: ``read_back``, ``races``, ``clean_up`` and when the run began and ended.
    """
    checks = _checks(suite, tally)
    missing = [_missing(each) for each in gathered["workers"] if each["lost_at_s"] is not None]
    elapsed = max(gathered["elapsed"], 0.001)
    counts = tally.counts
    return {
        "verdict": _verdict(checks, missing, counts),
        "why": _why(checks, missing, counts),
        "asked": {
            "orders_per_second": load.orders_per_second,
            "duration_s": load.duration,
            "reject_share": load.reject,
            "batch_sizes": list(load.sizes),
            "callers": load.users,
            "workers": load.processes,
            "seed": load.seed,
            "quota": load.quota,
        },
        "token": load.token,
        "elapsed_s": round(elapsed, 1),
        "counts": {
            "requests": counts["requests"],
            "orders": counts["orders"],
            "orders_accepted": counts["orders accepted"],
            "batches_with_a_bad_order": counts["batches with a bad order"],
            "throttled": counts["throttled"],
            "asked_to_come_again": counts["asked to come again"],
            "statuses": dict(sorted(tally.statuses.items())),
        },
        "rate": {
            "orders_per_second": round(counts["orders"] / elapsed, 1),
            "requests_per_second": round(counts["requests"] / elapsed, 1),
        },
        "latency": [_latency(size, tally.sizes[size]) for size in sorted(tally.sizes)],
        "generator": _generator(tally),
        "checks": checks,
        "timeline": _timeline(tally),
        "workers": gathered["workers"],
        "missing": missing,
        "stopped": _stopped(gathered, load),
        **more,
    }


def _checks(suite: Suite, tally: Tally) -> list[dict[str, Any]]:
    """Every check with its verdicts, the worst first."""
    by_title: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in tally.checks:
        case = suite.by_id.get(name)
        own = ("load", name[:1].upper() + name[1:] + ".")
        by_title[(case.requirement.id, case.requirement.title) if case else own].append(name)
    rows: list[dict[str, Any]] = []
    for (requirement, title), names in by_title.items():
        verdicts = together(tally.checks[name] for name in names)
        found = [each for each in _VERDICTS if verdicts[each]]
        rows.append(
            {
                "id": requirement,
                "title": title,
                "verdict": found[0] if found else "untested",
                "counts": {each: verdicts[each] for each in found},
                "findings": [each for name in names for each in tally.findings.get(name, ())],
                "open": [each for name in names for each in tally.findings.get(f"{name}: open", ())],
            }
        )
    rows.sort(key=lambda row: (_rank(row["verdict"]), row["id"] != "load", row["id"], row["title"]))
    return rows


def _rank(verdict: str) -> int:
    return _VERDICTS.index(verdict) if verdict in _VERDICTS else len(_VERDICTS)


def _verdict(checks: list[dict[str, Any]], missing: list[str], counts: dict[str, int]) -> str:
    """The verdict of the load alone; that of the cases is another."""
    found = {row["verdict"] for row in checks}
    if "violation" in found:
        return "nonconformant"
    if "inconclusive" in found or missing or not counts["orders accepted"]:
        return "inconclusive"
    return "conformant"


def _why(checks: list[dict[str, Any]], missing: list[str], counts: dict[str, int]) -> str:
    broken = [row for row in checks if row["verdict"] == "violation"]
    left = [row for row in checks if row["verdict"] == "inconclusive"]
    if broken:
        return f"{len(broken)} of {len(checks)} checks are broken under this load"
    if missing:
        return "; ".join(missing)
    if left:
        first = left[0]["open"][0]["got"] if left[0]["open"] else ""
        total = sum(row["counts"].get("inconclusive", 0) for row in left)
        return f"{total} verdicts are open, the first because: {first}"
    if not counts["orders accepted"]:
        return "no order was accepted, so nothing was shown"
    return f"all {len(checks)} checks hold under this load"


def _missing(worker: dict[str, Any]) -> str:
    """What is not known of a worker that is gone."""
    return (
        f"worker {worker['index']} was gone {worker['lost_at_s']:g} s into the run: what it did after"
        f" {worker['silent_since_s']:g} s is missing, {worker['in_flight']} requests under way among it"
    )


def _stopped(gathered: dict[str, Any], load: Load) -> str:
    if gathered["exhausted"]:
        return "every order that the run was allowed was sent"
    # A worker that is gone ends a run that has no other.
    return "" if gathered["elapsed"] >= load.duration * 0.99 else "before its time"


def _latency(size: int, histogram: dict[int, int]) -> dict[str, Any]:
    return {
        "batch_size": size,
        "requests": sum(histogram.values()),
        **{name: percentile(histogram, share) for name, share in _SHARES.items()},
    }


def _generator(tally: Tally) -> dict[str, float]:
    """What share of the workers' time went into making payloads and judging answers."""
    elapsed = max(tally.clock["elapsed"], 1e-9)
    shares = {name: round(tally.clock[name] / elapsed, 4) for name in ("making", "judging", "cpu")}
    return {**shares, "seconds": round(tally.clock["elapsed"], 1)}


def _timeline(tally: Tally) -> list[dict[str, Any]]:
    """What happened when: second by second, or in longer steps where there would be too many."""
    if not tally.seconds:
        return []
    last = max(tally.seconds)
    step = max(1, math.ceil((last + 1) / _POINTS))
    rows: list[dict[str, Any]] = []
    for start in range(0, last + 1, step):
        within = range(start, start + step)
        counts = together(tally.seconds[each] for each in within if each in tally.seconds)
        histogram = together(tally.latency[each] for each in within if each in tally.latency)
        rows.append(
            {
                "second": start,
                "seconds": step,
                "orders_per_second": round(counts["orders"] / step, 1),
                "requests": counts["requests"],
                **{name: percentile(histogram, share) for name, share in _SHARES.items()},
                "verdicts": {each: counts[each] for each in _VERDICTS if counts[each]},
            }
        )
    return rows
