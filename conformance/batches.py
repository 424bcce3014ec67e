"""Batches: orders composed into requests, with the one change that a case is about."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, urlencode

from conformance import changes, envelope, values
from conformance.model import Json, JsonObject, Operations, Recipe, Request
from conformance.orders import OrderMaker, Plain
from conformance.values import Past

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from conformance.model import Case, Step
    from conformance.operations import Operation
    from conformance.plan import Atom
    from conformance.providers import Provider
    from conformance.suite import Suite
    from conformance.values import Scope


class Unmade(ValueError):  # noqa: N818  # of the account, not of the code
    """An order that cannot be made for this account: its template lacks what a change is about."""


PLAIN = Recipe()
NO_PAST = Past()


@dataclass(frozen=True, slots=True)
class Composed:
    """
    A request ready to be sent, with what its orders stand for.

    ``orders`` are the orders before anything was done to the body itself; ``atoms``,
    ``case``, ``changes`` and ``change_of`` are those of a Record.
    """

    operation: str
    request: Request
    orders: tuple[Json, ...]
    atoms: tuple[str, ...] = ()
    case: str = ""
    changes: dict[str, Operations] = field(default_factory=dict["str", "Operations"])
    change_of: str = "body"


class Composer:
    """
    Composes the requests of one run.

    Equal arguments give equal bytes: values depend on (seed, token, case, attempt, instant).
    """

    def __init__(self, suite: Suite, seed: int, token: str) -> None:
        self._provider: Provider = suite.provider
        self._maker = OrderMaker(suite.provider.main, suite.account, seed, token)
        self._authorized: Mapping[str, str] = suite.authorization[0]
        self._fillers = 0

    def turn_to(self, plain: Plain) -> None:
        """
        From now on plain orders are others.

        For endpoints that refuse the plain batch although they should take it.
        """
        self._maker.plain = plain
        self._fillers = plain.fillers

    def authorize(self, headers: Mapping[str, str]) -> None:
        """From now on requests carry other headers, with placeholders, to authenticate."""
        self._authorized = headers

    def orders(self, atoms: Sequence[Atom], attempt: str, now: datetime) -> Composed:
        """A batch of orders. Raises Unmade when the change of one does not fit it."""
        operation = self._provider.main
        made: list[Json] = []
        changed: dict[str, Operations] = {}
        for index, atom in enumerate(atoms):
            # Whatever is sent again has other names and the same data: what was refused may have been refused for them.
            order, scope = self._maker.make(atom.recipe, f"{atom.id}/{attempt}", now, drawn=atom.drawn or atom.id)
            filled = _fitting(values.filled_operations(atom.change, scope), order)
            made.append(_changed(order, filled))
            changed[atom.id] = changes.moved(filled, envelope.place(operation, index))
        names = [atom.id for atom in atoms]
        if len(made) == 1:
            for filler in range(self._fillers):
                made.append(self._maker.make(PLAIN, f"{names[0]}/{attempt}/{filler}", now, drawn=_good(filler))[0])
                names.append("")
        request = self._request(operation, envelope.wrap(operation, made))
        return Composed(operation.id, request, tuple(made), tuple(names), changes=changed)

    def step(
        self, case: Case, index: int, attempt: str, now: datetime, *, first: Json = None, past: Past = NO_PAST
    ) -> Composed:
        """
        The request of one step of a case.

        ``first`` is the first order of the case's first step, ``past`` what its steps sent and
        were answered so far. Raises Unmade when the change does not fit the order, NotSaid when
        a step recalls what no answer said.
        """
        step = case.steps[index]
        operation = self._provider.operation(step.operation or case.operation)
        if operation.order is None:
            return self._without_orders(
                case, step, operation, replace(self._maker.make(PLAIN, case.id, now)[1], past=past)
            )
        made: list[Json] = []
        change: Operations = ()
        scope: Scope | None = None
        slots = step.slots + ("good",) * (self._fillers if step.slots == ("changed",) and not step.names else 0)
        for slot, word in enumerate(slots):
            same = first if first is not None else (made[0] if made else None)
            recipe = case.recipe if word != "good" or step.scope in ("body", "request") else PLAIN
            drawn = _good(slot) if recipe is not case.recipe else _drawn(case, index, slot)
            order, scope = self._maker.make(recipe, f"{case.id}/{attempt}/{index}.{slot}", now, drawn=drawn)
            scope = replace(scope, past=past)
            if word.startswith("same"):
                order = same
            if word.endswith("changed") and step.scope == "order":
                filled = values.filled_operations(step.change, replace(scope, same=same if same is not None else order))
                filled = _fitting(filled, order)
                order = _changed(order, filled)
                change += changes.moved(filled, envelope.place(operation, slot, step.names))
            made.append(order)
        assert scope is not None, f"{case.id}: a batch without orders"
        scope = replace(scope, same=first if first is not None else made[0])
        orders = tuple(made)
        body = envelope.wrap(operation, made, step.names)
        if step.scope == "body":
            return replace(self._about_body(case, step, operation, body, scope), orders=orders)
        request = self._request(operation, body)
        if step.scope == "request":
            request, change = _changed_request(request, step.change, scope)
            return Composed(operation.id, request, orders, (), case.id, {case.id: change}, "request")
        if step.scope == "batch":
            change = ({"op": "add", "path": envelope.place(operation, len(made) - 1), "value": made[-1]},)
        atoms = tuple(case.id if word.endswith("changed") else "" for word in slots)
        return Composed(operation.id, request, orders, atoms, case.id, {case.id: change} if change else {})

    def _without_orders(self, case: Case, step: Step, operation: Operation, bare: Scope) -> Composed:
        """The request of a step that is not about orders: one that reads, deletes, or asks for a token."""
        if operation.body is not None or step.body is not None:
            body = values.fill(step.body, bare) if step.body is not None else operation.body
            return self._about_body(case, step, operation, body, bare)
        path = {name: values.fill(value, bare) for name, value in step.path}
        query = {name: values.fill(value, bare) for name, value in step.query}
        composed = replace(self.read(operation, path, query), case=case.id)
        if step.scope != "request" or not step.change:
            return composed
        request, altered = _changed_request(composed.request, step.change, bare)
        return replace(composed, request=request, changes={case.id: altered}, change_of="request")

    def read(self, operation: Operation, path: Mapping[str, Json], query: Mapping[str, Json] | str = "") -> Composed:
        """A request without a body: parameters of the path by name, and the query's, or the query as it stands."""
        place = _placed(operation.path, path)
        if not isinstance(query, str):
            query = urlencode({name: value for name, value in query.items() if value is not None})
        headers = (("accept", "application/json"), *self._authorization(operation))
        return Composed(operation.id, Request(operation.method, place, query, headers, root=operation.root), ())

    def _about_body(self, case: Case, step: Step, operation: Operation, body: Json, scope: Scope) -> Composed:
        change = values.filled_operations(step.change, scope) if step.scope != "request" else ()
        request = self._request(operation, _changed(body, change))
        if step.path:
            path = {name: values.fill(value, scope) for name, value in step.path}
            request = replace(request, path=_placed(operation.path, path))
        if step.scope == "request" and step.change:
            request, change = _changed_request(request, step.change, scope)
            return Composed(operation.id, request, (), (), case.id, {case.id: change}, "request")
        return Composed(operation.id, request, (), (), case.id, {case.id: change} if change else {})

    def _request(self, operation: Operation, body: Json) -> Request:
        headers = [("content-type", operation.content_type), ("accept", "application/json")]
        if operation.authorization or not operation.anonymous:
            headers += self._authorization(operation)
        raw = envelope.encode(body)
        if "form" in operation.content_type:
            # Placeholders keep their braces here; the transport escapes what it puts in.
            raw = urlencode(cast("dict[str, str]", body), safe="{}").encode()
        return Request(operation.method, operation.path, headers=tuple(headers), body=raw, root=operation.root)

    def _authorization(self, operation: Operation) -> list[tuple[str, str]]:
        if operation.authorization:
            return [("authorization", operation.authorization)]
        return [(name.lower(), value) for name, value in self._authorized.items()]


def _good(slot: int) -> str:
    """What a good order of a batch is drawn from: the same everywhere, so that a batch and its twin differ in one change."""
    return f"good/{slot}"


def _drawn(case: Case, index: int, slot: int) -> str:
    """What an order that a case is about is drawn from."""
    if len(case.steps) > 1:
        return f"{case.id}/{index}.{slot}"
    return case.drawn if len(case.steps[0].slots) == 1 else _good(slot)


def _changed(document: Json, change: Operations) -> Json:
    """A document with a case's change. Raises Unmade where that does not fit."""
    try:
        return changes.apply(document, change)
    except ValueError as error:
        raise Unmade(str(error)) from error


def _placed(path: str, parameters: Mapping[str, Json]) -> str:
    """A path with its parameters filled in."""
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path


def _fitting(change: Operations, order: Json) -> Operations:
    """
    A member that is to be replaced but is not there is added.

    It happens to members that a valid order carries only where the account has a value for them.
    """
    return tuple(
        {**each, "op": "add"} if each["op"] == "replace" and not changes.exists(order, str(each["path"])) else each
        for each in change
    )


def _changed_request(request: Request, change: Operations, scope: Scope) -> tuple[Request, Operations]:
    """A request after a JSON Patch on the document {method, path, query, headers, body}."""
    text = (request.body or b"").decode()
    raw: dict[str, bytes] = {}
    filled: list[JsonObject] = []
    for operation in change:
        step = dict(operation)
        value = step.get("value")
        if isinstance(value, str) and value.startswith("@body."):
            raw["body"] = _BODIES[value.removeprefix("@body.")](text)
            step["value"] = raw["body"].decode("latin-1")
        elif "value" in step:
            step["value"] = values.fill(step["value"], scope)
        filled.append(step)
    document: JsonObject = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": dict(request.headers),
        "body": text,
    }
    changed = cast("dict[str, str]", changes.apply(document, tuple(filled)))
    headers = cast("dict[str, str]", changed["headers"])
    body = raw.get("body", changed.get("body", "").encode())
    fields = tuple(headers.items())
    result = Request(changed["method"], changed["path"], changed["query"], fields, body or None, request.root)
    return result, tuple(filled)


def _duplicate_key(text: str) -> bytes:
    """The same body, with the first member of its first object once more."""
    body = json.loads(text)
    first: JsonObject = body[0] if isinstance(body, list) else body
    name = next(iter(first))
    member = json.dumps({name: first[name]}, ensure_ascii=False)[1:-1]
    return text.replace("{", f"{{{member},", 1).encode()


# Up to the value of the first member that is a text, and the last member that is a number.
_FIRST_TEXT = re.compile(r'":"(?=[^"])')
_LAST_NUMBER = re.compile(r'(?<=":)-?[0-9][0-9.eE+-]*(?!.*":-?[0-9])', re.DOTALL)


def _in_first_text(text: str, more: bytes) -> bytes:
    """The same body with something put into its first text, which no JSON text can hold; at the end where there is none."""
    found = _FIRST_TEXT.search(text)
    at = found.end() if found else len(text)
    return text[:at].encode() + more + text[at:].encode()


_BODIES: dict[str, Callable[[str], bytes]] = {
    "bom": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "duplicate-key": _duplicate_key,
    "latin-1": lambda text: text.encode("latin-1", "replace"),
    "as-text": lambda text: json.dumps(text).encode(),
    "form": lambda _text: b"orders=1&format=form",
    "unclosed": lambda text: text.encode().rstrip()[:-1],
    "truncated": lambda text: text.encode()[: len(text.encode()) * 2 // 3],
    # What many parsers take although RFC 8259 has none of it, and one that needs a careless number besides.
    "trailing-text": lambda text: f"{text} and more".encode(),
    "trailing-comma": lambda text: f"{text[:-1]},{text[-1:]}".encode(),
    "single-quotes": lambda text: text.replace("'", "").replace('"', "'").encode(),
    "control-character": lambda text: _in_first_text(text, b"\x01"),
    "bad-utf-8": lambda text: _in_first_text(text, b"\xff"),
    "nan": lambda text: _LAST_NUMBER.sub("NaN", text).encode(),
    "infinity": lambda text: _LAST_NUMBER.sub("Infinity", text).encode(),
}
