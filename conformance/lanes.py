"""Lanes: how many requests may be on their way at once, and tasks at work beside one another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

T = TypeVar("T")


class Lanes:
    """So many requests may be on their way at once. Safe to use from several threads."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._free = threading.Semaphore(width)
        self._turn = threading.Lock()

    @contextmanager
    def one(self) -> Generator[None]:
        """A lane for one request; waits until one is free."""
        with self._free:
            yield

    @contextmanager
    def together(self, count: int) -> Generator[None]:
        """
        Lanes for requests that have to go out at the same time; waits until they are all free.

        Where there are fewer lanes than requests, all lanes are taken: nothing else is on its way meanwhile.
        """
        taken = min(count, self.width)
        # Two that each held one of the other's lanes would wait for ever.
        with self._turn:
            for _ in range(taken):
                self._free.acquire()
        try:
            yield
        finally:
            self._free.release(taken)


def in_flight(tasks: Sequence[Callable[[], T]], width: int) -> list[T]:
    """The results of tasks in their order, at most ``width`` of them at work at once."""
    if width == 1 or len(tasks) == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(width) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]
