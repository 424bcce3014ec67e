"""The guard: controls that show, again and again, that the endpoint still takes a plain valid batch."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance import bodies, changes
from conformance.answers import TROUBLE, Answer, describe
from conformance.batches import PLAIN
from conformance.orders import Plain
from conformance.plan import Atom
from conformance.sender import status

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.batches import Composer
    from conformance.model import Record
    from conformance.operations import Operation
    from conformance.sender import Sender
    from conformance.transport import Transport

# A control stands at least this often between other requests.
CONTROL_EVERY = 50
_PAUSE_S = 1.0
# Seconds to wait before another control where one got no answer: trouble on the way is no verdict on the endpoint.
_PAUSES = (0.1, 0.5, 2.0, 5.0)
# Trouble in which nothing was sent, and nothing will be in a moment.
_THE_SAME_AGAIN = ("connect", "credentials", "money")
# Tokens expire; an endpoint that fails more often than this is not being tested but endured.
_MAX_LAPSES = 20
# Tried in this order when the plain batch is refused.
_OTHERS = (
    Plain("full", "full"),
    Plain("full with two lines", "full", lines=2),
    Plain("two full orders", "full", lines=2, fillers=1),
    Plain("minimal", "minimal"),
)


class Stop(Exception):  # noqa: N818  # not an error: the run ends here
    """Nothing more can be concluded; the text is for the user."""


class Guard:
    """
    Sends the controls of one run.

    :meth:`check` gives back the records that prove nothing because the endpoint had lapsed
    meanwhile; they have to be sent again.
    """

    def __init__(
        self,
        operation: Operation,
        composer: Composer,
        sender: Sender,
        transport: Transport,
        alternatives: tuple[dict[str, str], ...] = (),
    ) -> None:
        self._operation = operation
        self._alternatives = alternatives
        self._composer = composer
        self._sender = sender
        self._transport = transport
        self._good_until = 0
        self._lapses = 0
        self._shaken = False

    def open(self) -> Record:
        """The first control that was accepted. Raises Stop when no plain valid batch is."""
        record = self._answered()
        answer = self._sender.answer(record)
        if answer is Answer.AMBIGUOUS and status(record) in (404, 405) and self._transport.other_base():
            self._set_aside()
            record = self._control()
            answer = self._sender.answer(record)
        if status(record) in (401, 403) and self._alternatives:
            record = self._other_credentials(record)
            answer = self._sender.answer(record)
        if answer is Answer.REFUSED:
            answer = self._another()
        if answer is not Answer.ACCEPTED or self._is_web_page(record):
            if self._turned_away(record):
                # It speaks of no order, so it is no answer to a batch: perhaps the key is mistyped.
                self._set_aside()
            raise Stop(self._advice(record, answer))
        self._good_until = len(self._sender.run.records)
        return self._sender.run.records[-1]

    def check(self) -> list[Record]:
        """
        A control between other requests.

        Raises Stop when the endpoint no longer takes a valid batch, not even with fresh credentials.
        """
        if self._sender.since_control == 0:
            return []
        record = self._answered()
        if self._sender.answer(record) is Answer.ACCEPTED:
            shaken, self._shaken = self._shaken, False
            if shaken:
                return self._lost()
            self._good_until = len(self._sender.run.records)
            return []
        renewed = status(record) in (401, 403) and self._transport.renew_credentials()
        if not renewed:
            time.sleep(_PAUSE_S)
        again = self._answered()
        answer = self._sender.answer(again)
        if answer is Answer.REFUSED and status(again) not in (401, 403):
            got = describe(again.exchange)
            raise Stop(
                f"in mid-run {self._operation.method} {self._operation.path}: a plain valid batch was refused though"
                f" others like it were accepted: {got}"
            )
        if answer is not Answer.ACCEPTED:
            raise Stop(f"in mid-run {self._advice(again, answer)}")
        self._shaken = False
        return self._lost()

    def pulse(self) -> Callable[[], list[Record]]:
        """What sends a control among other requests."""
        number = self._sender.next_unit()
        composed = self._composer.orders(
            [Atom("control", PLAIN)], self._sender.memory.attempt(f"u{number}"), self._sender.now()
        )
        return lambda: [self._sender.send(composed, "pulse", number)]

    def felt(self, record: Record) -> bool:
        """Whether a pulse, the last that was kept, was accepted; one without an answer is set aside."""
        answer = self._sender.answer(record)
        if answer in TROUBLE:
            self._set_aside()
        elif answer is not Answer.ACCEPTED:
            self._shaken = True
        return answer is Answer.ACCEPTED

    def _answered(self) -> Record:
        """A control that was answered, or the last of several that were not."""
        record = self._control()
        for pause in _PAUSES:
            trouble = record.exchange.trouble
            if self._sender.answer(record) not in TROUBLE or (trouble and trouble.kind in _THE_SAME_AGAIN):
                break
            if trouble and trouble.kind == "timeout" and (pause > _PAUSES[0] or not self._good_until):
                # Two time-outs in a row are as telling as five, and cost less; one is, where nothing was answered yet.
                break
            if not self._sender.room_for(0, (), 0):
                break
            self._set_aside()
            time.sleep(pause)
            record = self._control()
        return record

    def _set_aside(self) -> None:
        """The last record proves nothing."""
        records = self._sender.run.records
        records[-1] = replace(records[-1], purpose="lost", atoms=())

    def _lost(self) -> list[Record]:
        """What was not accepted since the last good control, set aside: it proves nothing."""
        self._lapses += 1
        if self._lapses > _MAX_LAPSES:
            raise Stop(f"the endpoint stopped taking the plain valid batch {self._lapses} times in this run")
        records = self._sender.run.records
        lost: list[Record] = []
        for index in range(self._good_until, len(records) - 1):
            record = records[index]
            if record.purpose == "control" or self._sender.answer(record) is not Answer.ACCEPTED:
                lost.append(record)
                records[index] = replace(record, purpose="lost", atoms=(), case="")
        self._good_until = len(records)
        return [each for each in lost if each.purpose not in ("control", "pulse")]

    def _another(self) -> Answer:
        """
        Try another valid batch as the control.

        Perhaps the endpoint demands a member, a second line or a second order that the
        documentation does not ask for, or refuses a value that it allows. With a control all the
        rest can still be judged, and what was refused turns up as the violation that it is.
        """
        known = self._operation.order.currencies if self._operation.order else ()
        for plain in (*_OTHERS, *(Plain(f"plain in {each}", currency=each) for each in known[1:])):
            self._composer.turn_to(plain)
            answer = self._sender.answer(self._control())
            if answer is not Answer.REFUSED:
                self._sender.run.control = plain.name
                return answer
        return Answer.REFUSED

    def _other_credentials(self, record: Record) -> Record:
        """Try the other documented ways to authenticate that are known, where the first is turned away."""
        for headers in self._alternatives:
            self._set_aside()
            self._composer.authorize(headers)
            record = self._control()
            if status(record) not in (401, 403):
                self._sender.run.control = "plain with other credentials"
                break
        return record

    def _is_web_page(self, record: Record) -> bool:
        """A success that is not the documented one and reads HTML comes from something else than the API."""
        response = record.exchange.response
        return (
            response is not None
            and response.status not in self._operation.success
            and "html" in response.header("content-type")
        )

    def _turned_away(self, record: Record) -> bool:
        """A success by its status whose body refuses the request as a whole."""
        outcome, told = self._operation.outcome, bodies.answered(record.exchange)
        if self._sender.answer(record) is not Answer.UNTOLD or outcome is None or not outcome.by_name:
            return False
        return any(value == outcome.refused for _, value in changes.select(told, outcome.status))

    def _control(self) -> Record:
        if reason := self._sender.no_room:
            raise Stop(reason)
        attempt = self._sender.memory.attempt(f"c{len(self._sender.run.records)}")
        composed = self._composer.orders([Atom("control", PLAIN)], attempt, self._sender.now())
        return self._sender.send_and_keep(composed, "control")

    def _advice(self, record: Record, answer: Answer) -> str:
        """What happened, where, and what to check."""
        got = describe(record.exchange)
        path = f"{self._operation.method} {self._operation.path}"
        trouble = record.exchange.trouble
        if answer is Answer.NONE and trouble is not None:
            hint = "" if trouble.kind == "credentials" else "; check that the endpoint is running and its URL is right"
            return f"{path}: {got}{hint}"
        code = status(record)
        if code in (401, 403):
            hint = "check the credentials and what they allow"
        elif self._turned_away(record):
            hint = "it speaks of no order: check the credentials and what they allow"
        elif code in (404, 405) or code < 400:
            hint = f"check --endpoint: it is the part before {self._operation.path}"
        else:
            # Both are possible: an endpoint that refuses valid data looks the same from here.
            facts = "check the account facts (--account); where they are right, it refuses valid orders"
            hint = facts if code < 500 else "try again later"
        return f"{path}: the plain valid batch was not accepted: {got}; {hint}"
