"""Trouble that was asked for: which of the next requests fail, and how."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.errors import UserError, nearest
from conformance.reference import faults

if TYPE_CHECKING:
    from conformance.operations import Operation
    from conformance.providers import Provider

# Connections that break off, or stay silent, after the request was dealt with or before.
CUTS = ("reset", "reset-before", "timeout", "timeout-before")
ANY = "any"


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of trouble: the name it was asked for by; its status, or its fault, or neither for a cut connection."""

    name: str
    status: int = 0
    fault: str = ""
    retry_after: float | None = None

    @property
    def cut(self) -> bool:
        """Whether no answer is sent."""
        return self.name in CUTS

    @property
    def early(self) -> bool:
        """Whether the request is not dealt with at all."""
        return not self.fault and (not self.cut or self.name.endswith("-before"))


@dataclass(slots=True)
class _Planned:
    failure: Failure
    left: int
    operation: str


def failure(provider: Provider, what: int | str, retry_after: float | None) -> Failure:
    """A failure by its name. Raises UserError with the nearest one."""
    name = str(what)
    if name in CUTS:
        return Failure(name)
    if name == "throttle":
        return Failure(name, 429, retry_after=1.0 if retry_after is None else retry_after)
    if name == "busy" and provider.main.refusal and provider.main.refusal.temporary:
        return Failure(name, provider.main.refusal_status or 400)
    if name.isascii() and name.isdigit():
        if not 400 <= int(name) <= 599:
            raise UserError(f"fail next {name}: only statuses from 400 to 599 are failures")
        return Failure(name, int(name), retry_after=retry_after)
    known = faults.of(provider)
    if name in known:
        return Failure(name, fault=name)
    words = [*CUTS, "throttle", *known]
    raise UserError(f"fail next {name!r}: neither a status nor a fault of {provider.name}; {nearest(name, words)}")


class Trouble:
    """The failures that are still to come, first come first served. Safe to use from several threads."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []

    def plan(self, failure: Failure, times: int, operation: str) -> None:
        """Fail the next so many requests of an operation, of ``any`` one, or of the main one where none is named."""
        if times < 1:
            raise UserError(f"fail next {failure.name}: times={times}; once at least")
        names = [each.id for each in self._provider.operations]
        if operation not in ("", ANY, *names):
            raise UserError(
                f"fail next {failure.name}: no operation {operation!r}; {nearest(operation, [ANY, *names])}"
            )
        with self._lock:
            self._planned.append(_Planned(failure, times, operation or self._provider.main.id))

    def next(self, operation: Operation | None) -> Failure | None:
        """The failure that is due for a request, which is then done with."""
        name = operation.id if operation else ""
        with self._lock:
            for each in self._planned:
                if each.operation in (ANY, name):
                    each.left -= 1
                    if not each.left:
                        self._planned.remove(each)
                    return each.failure
        return None

    @property
    def left(self) -> int:
        """How many failures are still to come."""
        with self._lock:
            return sum(each.left for each in self._planned)

    def clear(self) -> None:
        """Nothing fails any more."""
        with self._lock:
            self._planned.clear()
