"""Pace: how many requests in which time, over all threads; and standing back when an endpoint asks for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many requests of these methods in any span of so many seconds; no methods are all."""

    requests: int
    seconds: float
    methods: tuple[str, ...] = ()


class Pace:
    """
    Lets requests go one by one, as fast as all rates allow. Safe to use from several threads.

    ``ticks`` and ``pause`` are a clock in seconds and how to let it run.
    """

    def __init__(
        self,
        per_second: float = 0.0,
        rates: Iterable[Rate] = (),
        ticks: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        own = [Rate(1, 1 / per_second)] if per_second else []
        self._rates: list[tuple[Rate, deque[float]]] = [(each, deque(maxlen=each.requests)) for each in (*own, *rates)]
        self._lock = threading.Lock()
        self._ticks = ticks
        self._pause = pause
        self._held = 0.0

    def wait(self, method: str) -> None:
        """Return when it is this request's turn."""
        with self._lock:
            now = self._ticks()
            turn = max(now, self._held)
            own = [(rate, past) for rate, past in self._rates if not rate.methods or method in rate.methods]
            for rate, past in own:
                if len(past) == rate.requests:
                    turn = max(turn, past[0] + rate.seconds)
            for _, past in own:
                past.append(turn)
        if turn > now:
            self._pause(turn - now)

    def hold(self, seconds: float) -> None:
        """Let nothing go for so long: an endpoint that throttles one request would throttle the next too."""
        with self._lock:
            self._held = max(self._held, self._ticks() + seconds)
