"""What was received: requests as a mock remembers them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from conformance.mock.violations import Violation
    from conformance.model import Json, JsonObject
    from conformance.operations import Operation

HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has just come in. Names of headers are in small letters; ``ticks`` is a monotonic clock."""

    number: int
    method: str
    # As it was sent, percent signs and all.
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    # The operation of the pack, where it is one; ``known`` are paths of token endpoints too.
    operation: Operation | None
    known: bool
    # The orders in the body of the main operation, as far as there are any to be seen.
    orders: tuple[Json, ...]
    at: datetime
    ticks: float


@dataclass(frozen=True, slots=True)
class Received:
    """
    A request and what became of it.

    ``operation`` is its id in the pack, or empty for a path that the pack does not know; ``status`` is 0 where no
    answer was sent. ``failure`` is the trouble that was asked for. What authenticates is hidden in ``headers``.
    """

    number: int
    at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    operation: str
    status: int
    failure: str
    orders: int
    seconds: float
    violations: tuple[Violation, ...]
    advice: tuple[Violation, ...]

    @property
    def json(self) -> Json:
        """The body as JSON. Raises ValueError where it is none."""
        return cast("Json", json.loads(self.body))

    def as_json(self) -> JsonObject:
        """The request as the control API shows it."""
        try:
            body = self.json if self.body else None
        except (ValueError, RecursionError):
            body = self.body.decode("utf-8", "replace")
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": dict(self.headers),
            "body": body,
            "operation": self.operation,
            "status": self.status,
            "failure": self.failure,
            "orders": self.orders,
            "violations": [each.as_json() for each in self.violations],
            "advice": [each.as_json() for each in self.advice],
        }

    @property
    def line(self) -> str:
        """The request as one line of a log."""
        query = f"?{self.query}" if self.query else ""
        told = [f"{self.at:%Y-%m-%dT%H:%M:%SZ} {self.method} {self.path}{query}", str(self.status or "-")]
        if self.failure:
            told.append(f"[{self.failure}]")
        if self.orders:
            told.append("1 order" if self.orders == 1 else f"{self.orders} orders")
        for found, one, many in (
            (self.violations, "violation", "violations"),
            (self.advice, "piece of advice", "pieces of advice"),
        ):
            if found:
                names = ",".join(dict.fromkeys(each.requirement for each in found))
                told.append(f"{len(found)} {one if len(found) == 1 else many} {names}")
        return " ".join([*told, f"{self.seconds * 1000:.0f} ms"])


def hidden(headers: dict[str, str], secret: Iterable[str]) -> dict[str, str]:
    """Headers without what authenticates."""
    names = {"authorization", "proxy-authorization", "cookie", *secret}
    return {name: HIDDEN if name in names else value for name, value in headers.items()}
