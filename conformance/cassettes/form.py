"""
vcrpy's cassette format: records as interactions, and back. The only door to vcrpy and YAML.

What a verdict needs beside request and response stands with each interaction under a key of
our own, which vcrpy passes over when it loads the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import yaml
from vcr.request import Request as VcrRequest
from vcr.serialize import deserialize, serialize
from vcr.serializers import yamlserializer

from conformance.answers import clock_skew
from conformance.model import Exchange, Record, Request, Response, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance.model import JsonObject

OWN = "conformance"
# Larger bodies stand in files of their own: half of what the packaged recordings would weigh otherwise.
LARGE = 32 * 1024
# What YAML's block style can hold without loss: lines of printable characters, none of them ending in a space.
_BLOCK = re.compile(r"(?![ \n])(?:[!-~\xa1-\u167f\u1681-\u1fff\u2010-\u2027\u2030-\u205e\u3001-\ud7ff\ue000-\ufefe\uff00-\ufffd]|[ \n](?![ \n]*(?:\n|\Z)))+")  # fmt: skip
_SHORT = 60
_MANY_WORDS = re.compile('[ {<"]')
# No recording comes near it, and libyaml's composer ends the process at some hundred times as deep.
_DEEPEST = 100
# Fields that change from answer to answer and say nothing.
_NOISE = frozenset({"server", "connection", "keep-alive"})
# The date is such a field too, while clocks agree. Half of what a verdict minds.
_SKEW = timedelta(minutes=1)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # whichever there is
    """Texts as blocks, where YAML can hold them so; nothing by reference."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    long = "\n" in text or (len(text) > _SHORT and _MANY_WORDS.search(text))
    block = long and _BLOCK.fullmatch(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _text)


def to_yaml(data: Any, *, lines: bool = False) -> str:
    """Data as YAML that people can read, in the order given; ``lines``: each value on a line of its own."""
    flow = False if lines else None
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30, default_flow_style=flow
    )
    return text


def from_yaml(text: str) -> Any:
    """What YAML says, by vcrpy's own loader. Raises ValueError for anything else, with the line."""
    try:
        _not_too_deep(text)
        return yamlserializer.deserialize(text)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _not_too_deep(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = f"line {event.start_mark.line + 1}: " if event.start_mark else ""
            raise ValueError(f"{line}nested more than {_DEEPEST} levels deep")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A record with the place of its first exchange among all exchanges of its session."""

    at: int
    record: Record


class _Serializer:
    """vcrpy's interface of a serializer; adds our notes when it writes, and keeps all it reads."""

    def __init__(self, head: JsonObject | None = None, notes: Sequence[JsonObject] = ()) -> None:
        self._head = head
        self._notes = notes
        self.data: Any = None

    def serialize(self, data: Any) -> str:
        pairs = zip(data["interactions"], self._notes, strict=True)
        interactions = [{OWN: note, **interaction} for interaction, note in pairs]
        return to_yaml({"version": data["version"], OWN: self._head, "interactions": interactions})

    def deserialize(self, text: str) -> Any:
        self.data = from_yaml(text)
        return self.data


def dump(unit: Iterable[Numbered], head: JsonObject, base: str, bodies: dict[str, bytes]) -> str:
    """
    The text of a cassette.

    ``base`` is the URL that paths are relative to. Bodies too large for it are put into
    ``bodies``, by their SHA-256.
    """
    requests: list[VcrRequest] = []
    responses: list[JsonObject] = []
    notes: list[JsonObject] = []
    for each in unit:
        exchanges = (*each.record.earlier, each.record.exchange)
        for at, exchange in enumerate(exchanges, each.at):
            note: dict[str, Any] = {"at": at, "id": exchange.id, "operation": exchange.operation}
            if exchange is each.record.exchange:
                note |= _purpose(each.record)
            else:
                note["earlier_than"] = each.record.exchange.id
            request = _request(exchange.request, base, note, bodies)
            response = _response(exchange, note, bodies)
            note["sent_at"] = exchange.sent_at.isoformat()
            if exchange.duration_ms:
                note["duration_ms"] = exchange.duration_ms
            requests.append(request)
            responses.append(response)
            notes.append(note)
    head = {**head, "count": len(notes)}
    return cast("str", serialize({"requests": requests, "responses": responses}, _Serializer(head, notes)))


def _purpose(record: Record) -> dict[str, Any]:
    note: dict[str, Any] = {"purpose": record.purpose}
    if record.case:
        note["case"] = record.case
    if record.step:
        note["step"] = record.step
    if record.atoms != _own(record.case):
        note["atoms"] = list(record.atoms)
    if record.orders:
        note["orders"] = record.orders
    if record.changes:
        # JSON, because YAML cannot hold every text and number of JSON.
        note["changes"] = json.dumps(record.changes, separators=(",", ":"))
    if record.change_of != "body":
        note["change_of"] = record.change_of
    return note


def _own(case: str) -> tuple[str, ...]:
    """What the orders of most requests stand for: one of the case's own."""
    return (case,) if case else ()


def _request(request: Request, base: str, note: dict[str, Any], bodies: dict[str, bytes]) -> VcrRequest:
    uri = _uri(request, base)
    if request.root:
        note["root"] = True
    if _place(uri, base, root=request.root) != (request.path, request.query):
        note["path"], note["query"] = request.path, request.query
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers.setdefault(name, value)
    if tuple(headers.items()) != request.headers or len({name.lower() for name in headers}) < len(headers):
        note["request_headers"] = [list(each) for each in request.headers]
    body = request.body
    if body is not None and len(body) > LARGE:
        body = _aside(body, "request", note, bodies)
    return VcrRequest(request.method, uri, body, headers)


def _response(exchange: Exchange, note: dict[str, Any], bodies: dict[str, bytes]) -> JsonObject:
    response = exchange.response
    if response is None:
        trouble = exchange.trouble or Trouble("broken", "")
        note["trouble"] = {"kind": trouble.kind, "detail": trouble.detail}
        return {"status": {"code": 0, "message": "no answer"}, "headers": {}, "body": {"string": ""}}
    headers: dict[str, list[str]] = {}
    noise = _NOISE if clock_skew(exchange) > _SKEW else {*_NOISE, "date"}
    told = [(name, value) for name, value in response.headers if name.lower() not in noise]
    for name, value in told:
        headers.setdefault(name, []).append(value)
    if [(name, value) for name, values in headers.items() for value in values] != told:
        note["response_headers"] = [list(each) for each in told]
    if response.truncated:
        note["truncated"] = True
    body = response.body
    if len(body) > LARGE:
        body = _aside(body, "response", note, bodies)
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = ""
    shown = cast("JsonObject", {"string": body})
    return {"status": {"code": response.status, "message": phrase}, "headers": cast("Any", headers), "body": shown}


def _aside(body: bytes, whose: str, note: dict[str, Any], bodies: dict[str, bytes]) -> bytes:
    name = hashlib.sha256(body).hexdigest()
    bodies[name] = body
    note[f"{whose}_body"] = name
    return f"({len(body)} bytes, in bodies/{name}.gz)".encode()


def _uri(request: Request, base: str) -> str:
    start = base
    if request.root:
        scheme, _, rest = base.partition("://")
        start = f"{scheme}://{rest.partition('/')[0]}"
    return start + request.path + (f"?{request.query}" if request.query else "")


def _place(uri: str, base: str, *, root: bool) -> tuple[str, str]:
    """Path and query of a request from where it went."""
    start = _uri(Request("", "", root=root), base)
    path, _, query = uri.removeprefix(start).partition("?")
    return path, query


def load(text: str, base: str, body: Callable[[str], bytes]) -> list[Numbered]:
    """
    The records in a cassette; ``body`` gives the large ones by SHA-256.

    Raises ValueError, KeyError or TypeError for a text that is none.
    """
    serializer = _Serializer()
    read: tuple[Any, ...] = deserialize(text, serializer)
    earlier: list[Exchange] = []
    found: list[Numbered] = []
    for interaction, request, response in zip(serializer.data["interactions"], read[0], read[1], strict=True):
        note = interaction[OWN]
        exchange = _exchange(note, request, response, base, body)
        if "earlier_than" in note:
            earlier.append(exchange)
            continue
        record = Record(
            exchange,
            note["purpose"],
            tuple(note["atoms"]) if "atoms" in note else _own(note.get("case", "")),
            note.get("case", ""),
            note.get("step", 0),
            note.get("orders", 0),
            {name: tuple(each) for name, each in json.loads(note.get("changes", "{}")).items()},
            note.get("change_of", "body"),
            tuple(earlier),
        )
        found.append(Numbered(note["at"] - len(earlier), record))
        earlier = []
    return found


def _exchange(note: Any, request: Any, response: Any, base: str, body: Callable[[str], bytes]) -> Exchange:
    root = note.get("root", False)
    path, query = (note["path"], note["query"]) if "path" in note else _place(request.uri, base, root=root)
    headers = note.get("request_headers") or list(request.headers.items())
    sent = request.body if "request_body" not in note else body(note["request_body"])
    answer: Response | None = None
    trouble: Trouble | None = None
    if "trouble" in note:
        trouble = Trouble(note["trouble"]["kind"], note["trouble"]["detail"])
    else:
        got = response["body"]["string"] if "response_body" not in note else body(note["response_body"])
        fields = note.get("response_headers") or [
            (name, value) for name, values in response["headers"].items() for value in values
        ]
        code, truncated = response["status"]["code"], note.get("truncated", False)
        answer = Response(code, tuple((name, value) for name, value in fields), got, truncated)
    return Exchange(
        note["id"],
        note["operation"],
        Request(request.method, path, query, tuple((name, value) for name, value in headers), sent, root),
        datetime.fromisoformat(note["sent_at"]),
        note.get("duration_ms", 0.0),
        answer,
        trouble,
    )
