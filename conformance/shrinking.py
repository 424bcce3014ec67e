"""Shrinking: a made-up change that shows something is tried in simpler forms, until none of them shows it any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.answers import Answer, fates
from conformance.batches import Unmade
from conformance.exploration import simpler
from conformance.exploration.cases import Explorer, is_explored
from conformance.model import Expect, Step

if TYPE_CHECKING:
    from conformance.batches import Composer
    from conformance.model import Case, Operations, Record
    from conformance.sender import Sender
    from conformance.suite import Suite

# Requests for one finding, and for all of a run: one cause may show in many examples.
_TRIES = 20
_ALL = 150
_BAD = {
    Expect.ACCEPT: (Answer.REFUSED, Answer.FAILED),
    Expect.REFUSE: (Answer.ACCEPTED, Answer.FAILED),
    Expect.OBSERVE: (Answer.FAILED,),
}


class Shrinker:
    """Looks for simpler forms of what the made-up cases of one run showed. Readings and orders known to do harm are left."""

    def __init__(self, suite: Suite, composer: Composer, sender: Sender) -> None:
        self._suite = suite
        self._composer = composer
        self._sender = sender
        self._left = _ALL

    def run(self) -> None:
        """Shrink every finding, one request at a time, in the order of the suite."""
        cases = [case for case in self._suite.cases if is_explored(case)]
        if not cases:
            return
        explorer = Explorer(self._suite.provider, self._suite.catalogue, self._suite.account)
        last: dict[str, Record] = {}
        for record in self._sender.run.records:
            last |= dict.fromkeys((*record.atoms, record.case), record)
        for case in cases:
            if case.id in last and not case.reading and self._shows(case, last[case.id]):
                self._shrink(explorer, case)

    def _shows(self, case: Case, record: Record) -> bool:
        """Whether a request with the case's order on its own was not answered as it should be."""
        main = self._suite.provider.main
        by_name = main.outcome is not None and main.outcome.by_name
        if record.purpose == "lost" or case.id not in record.atoms or (len(record.atoms) > 1 and not by_name):
            return False
        told = fates(main, record.exchange, len(record.atoms))[record.atoms.index(case.id)]
        return told in _BAD[case.expect]

    def _shrink(self, explorer: Explorer, case: Case) -> None:
        change, tries, tried = case.steps[0].change, _TRIES, {repr(case.steps[0].change)}
        shown: list[Operations] = []
        found = True
        while found:
            found = False
            for candidate in simpler.changes(change):
                like = explorer.case(candidate)
                if repr(candidate) in tried or like is None or not _alike(like, case):
                    continue
                if not tries or not self._left or not self._sender.room_for(1, ()):
                    break
                tried.add(repr(candidate))
                tries, self._left = tries - 1, self._left - 1
                if self._send(case, like.steps[0].change, explorer, _TRIES - tries):
                    change, found = candidate, True
                    shown.append(candidate)
                    break
        # An order's other values change from try to try, and may be to blame: the last form that shows it again counts.
        for number, candidate in enumerate(reversed(shown)):
            if self._left and self._sender.room_for(1, ()):
                self._left -= 1
                if self._send(case, candidate, explorer, _TRIES + 1 + number):
                    break

    def _send(self, case: Case, change: Operations, explorer: Explorer, number: int) -> bool:
        made = replace(case, recipe=explorer.recipe(change), steps=(Step(change=change),))
        attempt = self._sender.memory.attempt(f"s{number}")
        try:
            composed = self._composer.step(made, 0, attempt, self._sender.now())
        except Unmade:
            return False
        return self._shows(case, self._sender.send_and_keep(composed, "shrink"))


def _alike(like: Case, case: Case) -> bool:
    """Whether a simpler change asks the same: of the same requirement, or of less of a batch that has to succeed."""
    several = len(case.steps[0].change) > 1
    return (
        like.expect is case.expect
        and like.reading == case.reading
        and (several or like.requirement == case.requirement)
    )
