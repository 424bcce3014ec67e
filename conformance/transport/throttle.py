"""Being throttled: at most so many requests a second, and how long an endpoint asks to be left alone."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model import Response


class Pace:
    """At most so many requests a second, over all threads."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this request's turn."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._gap
        time.sleep(max(turn - now, 0))


def retry_after(response: Response | None) -> float | None:
    """The seconds after which a throttled request may be sent again; None for any other answer."""
    if response is None or response.status not in (429, 503):
        return None
    stated = response.header("retry-after")
    if stated.isascii() and stated.isdigit():
        return float(stated)
    try:
        moment = parsedate_to_datetime(stated)
        # Without a zone it is UTC (RFC 9110, section 5.6.7).
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
