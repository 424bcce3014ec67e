"""The plain values that everything else passes around: frozen, without sockets, clocks or files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = "dict[str, Json]"
# RFC 6902, for example {"op": "remove", "path": "/customer"}.
Operations: TypeAlias = "tuple[JsonObject, ...]"


class Level(StrEnum):
    """How strongly the documentation states a requirement."""

    MUST = "must"
    SHOULD = "should"
    SILENT = "silent"
    CONTRADICTORY = "contradictory"


class Expect(StrEnum):
    """What a case expects of the endpoint."""

    ACCEPT = "accept"  # taken: a documented success
    REFUSE = "refuse"  # refused for what the body says
    DENY = "deny"  # refused for who asks: any status but a success or a server error
    OBSERVE = "observe"  # whatever it does is recorded
    CONSISTENT = "consistent"  # the same as the other cases of its group


class Verdict(StrEnum):
    """The verdicts, worst first: a requirement has the worst of its cases."""

    VIOLATION = "violation"
    INCONCLUSIVE = "inconclusive"
    ADVISORY = "advisory"
    CONFORMANT = "conformant"
    OBSERVED = "observed"
    NOT_APPLICABLE = "not-applicable"
    UNTESTED = "untested"


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of ``verdicts``; ``untested`` when there is none."""
    return min(verdicts, key=list(Verdict).index, default=Verdict.UNTESTED)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One documented fact. ``source`` says where the documentation states it."""

    id: str
    level: Level
    area: str
    title: str
    source: str
    untestable: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    How one order is made: where it starts, and what is prepared before the one change.

    ``start`` is ``plain``, ``minimal`` or ``full``; ``free`` makes every amount zero; ``given`` is a JSON Patch that
    the accepted twin has too. Cases of equal recipes are twins. ``lines`` is 0 where their number does not matter.
    """

    start: str = "plain"
    country: str = ""
    currency: str = ""
    lines: int = 0
    free: bool = False
    given: Operations = ()
    # Members taken from the full order when the start lacks them (JSON Pointers).
    carry: tuple[str, ...] = ()
    # Members left out of the start (JSON Pointers).
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """
    What an answer has to show beside its status.

    ``kind`` is ``is``, ``is-not``, ``one-of``, ``reads`` (equal as text), ``amount`` (equal as decimals), ``count``,
    ``at-most``, ``at-least``, ``falling``, ``type``, ``absent`` or ``status``, about the value at the JSON Pointer ``at``; or ``points-at``, about
    the places that a refusal names. ``@answer 1 /data/0/id`` and ``@sent 1 /0/order_id`` in ``value`` recall what the
    steps of the case were answered and sent.
    """

    kind: str
    value: Json
    at: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """
    One request of a case.

    ``slots`` is the composition of the batch: ``good``, ``changed``, ``same`` or ``same-changed``, one word an order.
    ``scope`` says what ``change`` points into: the changed ``order``, the whole ``body`` or the ``request`` document.
    ``operation`` is the case's own unless named; ``path`` and ``query`` fill its parameters. A step without an
    ``expect`` of its own that is not the last sets the stage: without it nothing is proved. ``wait`` is ``until``
    (repeat until the checks hold) or ``settled`` (wait for storage first); where it is ``undetermined``, having waited
    in vain leaves the case not applicable. ``names`` are those of the orders, where orders have names; ``body`` is that of another
    operation.
    """

    slots: tuple[str, ...] = ("changed",)
    change: Operations = ()
    scope: str = "order"
    operation: str = ""
    expect: Expect | None = None
    path: tuple[tuple[str, Json], ...] = ()
    query: tuple[tuple[str, Json], ...] = ()
    checks: tuple[Check, ...] = ()
    wait: str = ""
    names: tuple[str, ...] = ()
    body: Json = None
    undetermined: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """
    One question to the endpoint: requirement × operation × batch.

    ``reading`` marks a value that lenient parsers take: taking it is advisory at most. ``twin`` is the id of the
    accepted counterpart (``control`` for the plain batch). ``reads`` names cases whose exchanges are looked at instead
    of sending anything. ``standing`` names what is held against all exchanges of the run instead; then ``reads`` are
    cases that have to be among them. ``excluded`` says why the case is not applicable in this run, or is empty.
    ``turn`` numbers the refusals of one order at one site, so that they get different places in batches.
    """

    id: str
    requirement: Requirement
    operation: str
    expect: Expect
    recipe: Recipe = Recipe()
    steps: tuple[Step, ...] = (Step(),)
    parallel: bool = False
    reading: bool = False
    twin: str = "control"
    group: str = ""
    reads: tuple[str, ...] = ()
    standing: str = ""
    policy: str = ""
    answers_form: bool = False
    rank: int = 50
    needs: tuple[str, ...] = ()
    needs_credentials: tuple[str, ...] = ()
    when: tuple[tuple[str, Json], ...] = ()
    rule: JsonObject | None = None
    value_at: str = ""
    why: str = ""
    site: str = ""
    excluded: str = ""
    turn: int | None = None

    @property
    def sends(self) -> bool:
        """Whether the case has requests of its own."""
        return not (self.reads or self.standing or self.excluded)

    @property
    def drawn(self) -> str:
        """What its order is drawn from: where it is refused, what its accepted twin is, so that only the change differs."""
        return self.twin if self.expect is Expect.REFUSE else self.id

    @property
    def orders(self) -> int:
        """How many orders the endpoint may create for this case."""
        if not self.sends or self.expect is Expect.DENY:
            return 0
        counts = [len(step.slots) for step in self.steps if step.operation in ("", self.operation)]
        less = {Expect.CONSISTENT: 1, Expect.REFUSE: counts[-1] if counts else 0}
        return sum(counts) - less.get(self.expect, 0)

    @property
    def is_scenario(self) -> bool:
        """Whether its steps are judged one by one: some expect, check or address something of their own."""
        return len(self.steps) > 1 and any(step.expect or step.checks or step.operation for step in self.steps)

    def wanted(self, index: int) -> Expect:
        """What a step has to be answered; one that sets the stage has to be accepted."""
        return self.steps[index].expect or (Expect.ACCEPT if self.stages(index) else self.expect)

    def stages(self, index: int) -> bool:
        """Whether a step merely sets the stage for a later one."""
        return self.is_scenario and self.steps[index].expect is None and index < len(self.steps) - 1


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request as it is composed, before secrets: they stand in it as ``{{name}}`` and are put in on the wire.

    ``path`` begins with a slash and is relative to the endpoint, except after ``root``, where it is relative to the
    host.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    root: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. ``body`` is decoded of transfer and content coding; ``truncated`` if it passed the limit."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    truncated: bool = False

    def header(self, name: str) -> str:
        """The first value of a header, by any letter case, or an empty string."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer: ``kind`` is ``connect``, ``timeout``, ``broken`` or ``credentials``."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came of it. Exactly one of ``response`` and ``trouble`` is set. Times are UTC."""

    id: str
    operation: str
    request: Request
    sent_at: datetime
    duration_ms: float
    response: Response | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """
    An exchange with what it was for: everything a verdict needs.

    ``purpose`` is ``control``, ``pulse`` (a control among other requests), ``probe``, ``pack``, ``twin``, ``case``,
    ``confirm``, ``swapped`` and ``alone`` (:mod:`conformance.beside`), ``shrink``, ``watch``, ``lookup``, ``sweep``,
    ``clean-up``, or ``lost`` when it proves nothing; ``earlier`` ones were answered "not yet". ``atoms`` names, order
    by order, what each order of the batch stands for (a case id, a twin id, ``control``, or nothing for a filler);
    ``case`` is the case that the request as a whole is about, if it is about one. ``changes`` are the JSON Patches
    against the twins' requests, by atom or case: pointers into the body or, where ``change_of`` says so, into the
    request document.
    """

    exchange: Exchange
    purpose: str
    atoms: tuple[str, ...] = ()
    case: str = ""
    step: int = 0
    orders: int = 0
    changes: dict[str, Operations] = field(default_factory=dict["str", "Operations"])
    change_of: str = "body"
    earlier: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what was expected and what was got."""

    where: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of one case with what it rests on."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    exchange_ids: tuple[str, ...] = ()
    order_index: int | None = None
    reason: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The business facts of the account under test; never a secret."""

    facts: dict[str, Json] = field(default_factory=dict)

    def get(self, key: str) -> Json:
        """
        The fact at a dotted key (``merchant_ids.1``), or None.

        An empty list, an empty text and ``false`` count as not given.
        """
        value: Json = self.facts
        for part in key.split("."):
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value or None
