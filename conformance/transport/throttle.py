"""Being throttled: how long an endpoint asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model import Response


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
