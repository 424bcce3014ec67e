"""The journal: what a run sent and was answered, written down as it comes, so that nothing is lost with the run."""

from __future__ import annotations

import base64
import json
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conformance.errors import UserError
from conformance.model import Exchange, Record, Request, Response, Trouble

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import JsonObject

NAME = "journal.ndjson"
# What the embedded endpoint has stored, as long as the journal is there.
STATE = "reference.sqlite"
FORMAT = "conformance-journal/1"


@dataclass(frozen=True, slots=True)
class Journal:
    """
    What a journal tells.

    ``head`` says what the run was about; ``done`` names the cases that were sent with all
    their steps, and ``parts`` counts how often the run was taken up again.
    """

    head: JsonObject
    records: list[Record]
    done: set[str]
    parts: int


class Writer:
    """Appends to a journal. Every line is handed to the system at once: only a crash of the machine loses one."""

    def __init__(self, path: Path, redacted: Any) -> None:
        self._redacted = redacted
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def head(self, head: JsonObject) -> None:
        """Begin a journal."""
        self._write({"format": FORMAT, **head})

    def note(self, what: str, value: Any) -> None:
        """Write an event of the run, see Memory; secrets in answers are hidden as in every report."""
        if isinstance(value, Record):
            value = to_json(self._redacted(value))
        self._write({what: value})

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def _write(self, row: Any) -> None:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._file, line) :]


def read(path: Path) -> Journal:
    """
    A journal, up to its last whole line.

    Raises UserError for a file that is none, with the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if not lines:
        raise UserError(f"{path}: the run had not begun; start it anew")
    number = 0
    try:
        rows: list[Any] = []
        for number, line in enumerate(lines, 1):  # noqa: B007  # for the message
            rows.append(json.loads(line))
        if rows[0].get("format") != FORMAT:
            raise UserError(f"{path}: not a journal that this version can read ({FORMAT})")
        return _told(rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: line {number}: not what a run wrote here: {error}") from None


def clear(folder: Path) -> None:
    """Take away what is kept of a run until it comes to its end."""
    for path in (folder / NAME, *folder.glob(f"{STATE}*")):
        path.unlink(missing_ok=True)


def mend(path: Path) -> None:
    """Cut off a last line that was being written when the run was killed."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _told(rows: list[Any]) -> Journal:
    records: list[Record] = []
    done: set[str] = set()
    parts = 0
    for row in rows[1:]:
        [(what, value)] = row.items()
        if what == "record":
            records.append(from_json(value))
        elif what == "done":
            done.add(value)
        elif what == "resumed":
            parts += 1
    return Journal(rows[0], records, done, parts)


def to_json(record: Record) -> JsonObject:
    """A record as data."""
    row: dict[str, Any] = {"purpose": record.purpose, "exchange": _exchange(record.exchange)}
    if record.earlier:
        row["earlier"] = [_exchange(each) for each in record.earlier]
    for name in ("case", "step", "orders"):
        if value := getattr(record, name):
            row[name] = value
    if record.atoms:
        row["atoms"] = list(record.atoms)
    if record.changes:
        row["changes"] = {name: list(each) for name, each in record.changes.items()}
        row["change_of"] = record.change_of
    return row


def from_json(row: Any) -> Record:
    """The record that data tells of. Raises KeyError, TypeError or ValueError."""
    return Record(
        _exchange_of(row["exchange"]),
        row["purpose"],
        tuple(row.get("atoms", ())),
        row.get("case", ""),
        row.get("step", 0),
        row.get("orders", 0),
        {name: tuple(each) for name, each in row.get("changes", {}).items()},
        row.get("change_of", "body"),
        tuple(_exchange_of(each) for each in row.get("earlier", ())),
    )


def _exchange(exchange: Exchange) -> dict[str, Any]:
    request, response, trouble = exchange.request, exchange.response, exchange.trouble
    row: dict[str, Any] = {
        "id": exchange.id,
        "operation": exchange.operation,
        "request": [request.method, request.path, request.query, [list(each) for each in request.headers]],
        "root": request.root,
        "body": _body(request.body),
        "sent_at": exchange.sent_at.isoformat(),
        "duration_ms": exchange.duration_ms,
    }
    if response is not None:
        headers = [list(each) for each in response.headers]
        row["response"] = [response.status, headers, _body(response.body), response.truncated]
    if trouble is not None:
        row["trouble"] = [trouble.kind, trouble.detail]
    return row


def _exchange_of(row: Any) -> Exchange:
    method, path, query, fields = row["request"]
    headers = tuple((name, value) for name, value in fields)
    request = Request(method, path, query, headers, _bytes(row["body"]), row["root"])
    response: Response | None = None
    if "response" in row:
        status, fields, body, truncated = row["response"]
        response = Response(status, tuple((name, value) for name, value in fields), _bytes(body) or b"", truncated)
    trouble = Trouble(*row["trouble"]) if "trouble" in row else None
    sent_at = datetime.fromisoformat(row["sent_at"])
    return Exchange(row["id"], row["operation"], request, sent_at, row["duration_ms"], response, trouble)


def _body(body: bytes | None) -> str | dict[str, str] | None:
    """Text where it is text, so that people can read a journal."""
    if body is None:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _bytes(body: Any) -> bytes | None:
    if body is None:
        return None
    return base64.b64decode(body["base64"]) if isinstance(body, dict) else body.encode()
