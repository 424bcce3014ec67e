"""Patience: how long to wait for what the documentation says may take a while."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# No bound is documented anywhere; a minute is what the fact sheets suggest (RESOLUTIONS 3).
LIMIT_S = 60.0
_FIRST_S = 0.05
_LONGEST_PAUSE_S = 2.0
_INSTANT_S = 0.001
# Once something did not come about within the limit, the next such thing is waited for no longer than this.
_LEAST_S = 5.0
_FACTOR = 10


@dataclass(slots=True)
class Patience:
    """
    Waits, and learns how long storage takes in this run.

    ``longest`` is the longest time, in seconds, that an accepted order took to become
    readable; ``hopeless`` is set where not even the first one did within the limit, ``in_vain``
    where a later one did not. ``ticks`` and ``pause``
    are a clock in seconds and how to let it run.
    """

    limit: float = LIMIT_S
    ticks: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    longest: float | None = None
    hopeless: bool = False
    in_vain: bool = False

    def bound(self) -> float:
        """How long an order is waited for: as long as is allowed, and less once that was in vain."""
        if self.hopeless:
            return 0.0
        if not self.in_vain:
            return self.limit
        # Where nothing came about so far, one full wait was enough to learn that.
        return min(self.limit, max(_LEAST_S, _FACTOR * (self.longest or 0.0)))

    def saw(self, seconds: float) -> None:
        """An order became readable after so long."""
        self.longest = max(self.longest or 0.0, seconds)

    def settle(self) -> None:
        """Wait until whatever was accepted before has been stored: twice the longest time seen."""
        if self.longest:
            self.pause(2 * self.longest)

    def tries(self, bound: float) -> Waiting:
        """Begin to wait for one thing, no longer than ``bound`` seconds."""
        return Waiting(self, self.ticks(), bound)


@dataclass(slots=True)
class Waiting:
    """One thing being waited for."""

    patience: Patience
    started: float
    bound: float
    _pause: float = _FIRST_S

    def once_more(self) -> bool:
        """Pause before another try; False when the time is up."""
        if not self.left():
            return False
        # The last try comes when the time is up: what shows until then has come in time.
        self.patience.pause(min(self._pause, self.bound - self.waited()))
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE_S)
        return True

    def left(self) -> bool:
        """Whether there is time for another try after this one."""
        return self.bound - self.waited() >= _INSTANT_S

    def waited(self) -> float:
        """Seconds since the beginning."""
        return self.patience.ticks() - self.started
