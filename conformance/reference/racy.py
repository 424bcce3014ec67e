"""What a careless endpoint does only where requests overlap: faults that no run of one request at a time can find."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conformance.reference.behaviour import Behaviour

T = TypeVar("T")
# ``lost-sibling``: the last order of a batch is answered and not stored; ``double-upsert``: a known key is a new order;
# ``swapped-answers``: two callers get each other's answer; ``half-refused``: the good orders of a refused batch are
# stored; ``overload``: an internal error where more than a few requests are under way.
KINDS = ("lost-sibling", "double-upsert", "swapped-answers", "half-refused", "overload")
# So long every request takes, that others can begin meanwhile.
_PAUSE_S = 0.01
_PARTNER_S = 0.05
_MANY = 4


def careless(how: Behaviour) -> Behaviour:
    """How an endpoint behaves towards a request that overlaps with another."""
    kind = how.racy
    how = replace(how, racy="")
    if kind == "double-upsert":
        rules = tuple(each for each in how.rules if each["rule"] != "unique")
        return replace(how, on_known_key="add", rules=rules)
    return replace(how, kept_when_refused="good") if kind == "half-refused" else how


class Contest(Generic[T]):
    """Who is under way, and what becomes of those who are not alone."""

    def __init__(self, kind: str, fail: Callable[[], T], lose: Callable[[], None]) -> None:
        self._kind, self._fail, self._lose = kind, fail, lose
        self._flying = 0
        self._begun = 0
        self._waiting: list[tuple[T, asyncio.Future[T]]] = []

    async def serve(self, good: Callable[[], Awaitable[T]], bad: Callable[[], Awaitable[T]], orders: int) -> T:
        """The answer to a request of so many orders: the ``good`` one, unless another was under way meanwhile."""
        self._flying += 1
        self._begun += 1
        others, mine = self._flying > 1, self._begun
        try:
            await asyncio.sleep(_PAUSE_S)
            if not others and self._begun == mine:
                return await good()
            if self._kind == "overload" and self._flying > _MANY:
                return self._fail()
            answer = await bad()
            if self._kind == "lost-sibling" and orders > 1:
                self._lose()
            return await self._swapped(answer) if self._kind == "swapped-answers" else answer
        finally:
            self._flying -= 1

    async def _swapped(self, answer: T) -> T:
        if self._waiting:
            other, partner = self._waiting.pop()
            partner.set_result(answer)
            return other
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((answer, future))
        done, _ = await asyncio.wait([future], timeout=_PARTNER_S)
        if done:
            return future.result()
        self._waiting.remove((answer, future))
        return answer
