"""Room for what endpoints answer, so that no endpoint can fill the memory."""

from __future__ import annotations

import threading

# Of a body that is too long only the beginning is kept: it is no JSON any more, and a run has thousands.
KEPT_OF_LONG = 1 << 10
# So much may the bodies of a run take together: several times what they take where nothing is wrong. A report holds
# each of them again, as text.
_ROOM = 8 << 20
# A listing of what is stored is read in the end, when the run may have filled its room.
LISTING = 16 << 20


class Room:
    """What the longer bodies of a run may still take, ``size`` bytes at its beginning."""

    def __init__(self, size: int = _ROOM) -> None:
        self._left = size
        self._lock = threading.Lock()

    def for_body(self, body: bytes, truncated: bool) -> tuple[bytes, bool]:  # noqa: FBT001  # a pair in, a pair out
        """What is kept of a body, and whether that is not all of it."""
        if len(body) <= KEPT_OF_LONG:
            return body, truncated
        with self._lock:
            if truncated or len(body) > self._left:
                return body[:KEPT_OF_LONG], True
            self._left -= len(body)
        return body, False
