"""A fault: one documented rule of a reference endpoint, broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.reference.behaviour import Behaviour


@dataclass(frozen=True, slots=True)
class Fault:
    """
    ``id`` is ``AL-034``, a name below it (``AL-166/first-10-only``) or a site and what was done to it.

    ``kind`` is ``hand-made``, ``whole`` (it bears the requirement's own id) or what was done
    to one constraint at one place. ``unseen`` says why no case can show the fault, or is empty.
    """

    id: str
    requirement: str
    title: str
    apply: Callable[[Behaviour], Behaviour]
    kind: str = "hand-made"
    unseen: str = ""
