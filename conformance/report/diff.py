"""What one report says and another does not: by requirement, so that a nightly run tells how the endpoint drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = "not there"


def differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """A line for each requirement and case with another verdict, and for each policy found to be another."""
    before, after = _requirements(old), _requirements(new)
    for name in (*before, *(each for each in after if each not in before)):
        yield from _requirement(name, before.get(name), after.get(name))
    for name in sorted({*old["policy"], *new["policy"]}):
        was, now = old["policy"].get(name, _ABSENT), new["policy"].get(name, _ABSENT)
        if was != now:
            yield f"policy {name}: {was} -> {now}"


def _requirements(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in report["requirements"]}


def _requirement(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[str]:
    before, after = _cases(old), _cases(new)
    cases = [
        _case(each, before.get(each), after.get(each))
        for each in (*before, *(one for one in after if one not in before))
        if _verdict(before.get(each)) != _verdict(after.get(each))
    ]
    if not cases and _verdict(old) == _verdict(new):
        return
    row = new or old or {}
    if _verdict(old) == _verdict(new):
        yield f"{name} ({row['level']}): {_verdict(new)}, but not in the same cases: {row['title']}"
    else:
        yield f"{name} ({row['level']}): {_verdict(old)} -> {_verdict(new)}: {row['title']}"
    yield from cases


def _cases(row: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in row["cases"]} if row else {}


def _verdict(row: dict[str, Any] | None) -> str:
    return row["verdict"] if row else _ABSENT


def _case(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    line = f"  {name}: {_verdict(old)} -> {_verdict(new)}"
    if new and new["findings"]:
        finding = new["findings"][0]
        line += f": expected {finding['expected']}, got {finding['got']}"
    elif new and new.get("reason"):
        line += f": {new['reason']}"
    return line
