"""Units: which file of a recording a record stands in."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model import Record

_TOGETHER = {
    "control": "controls",
    "pulse": "controls",
    "probe": "controls",
    "lost": "lost",
    "sweep": "sweeps",
    "lookup": "sweeps",
    "clean-up": "clean-up",
}
_LONGEST = 100


def unit(record: Record, case_steps: int) -> str:
    """
    The name of a record's file, without its ending.

    A pack and a case of several steps have files of their own; cases of one request stand with the others of
    their requirement, and controls, sweeps and the clean-up together.
    """
    if record.purpose in _TOGETHER:
        return _TOGETHER[record.purpose]
    if not record.case:
        own = [name for name in record.atoms if name and name != "control"]
        if record.purpose == "pack" and len(own) > 1:
            return f"packs/{_safe(record.exchange.id)}"
        name = own[0] if own else record.purpose
        return _safe(name.partition("/")[0])
    requirement = record.case.partition("/")[0]
    return _safe(requirement) if case_steps < 2 else f"{_safe(requirement)}/{_safe(record.case.partition('/')[2])}"


def _safe(name: str) -> str:
    """A name that every file system takes."""
    plain = re.sub(r"[^A-Za-z0-9._~-]", "-", name)
    # Some file systems do not tell capitals from small letters.
    if plain == name and len(plain) <= _LONGEST and (plain == plain.lower() or plain == plain.upper()):
        return plain
    return f"{plain[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
