"""What a reference endpoint remembers: orders, their versions and values seen, in SQLite."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import datetime

    from conformance.model import Json

# ``orders`` shows the last accepted body of each order; ``versions`` says from when on which body can be read.
_TABLES = """
create table if not exists orders (id integer primary key, stored_at text, body text);
create table if not exists seen (place text, value text, primary key (place, value));
create table if not exists identities (id integer primary key, key text, born text, deleted integer default 0);
create index if not exists identities_by_key on identities (key);
create table if not exists versions
    (seq integer primary key, id integer, body text, stored_at text, visible_at real);
create index if not exists versions_by_id on versions (id, seq);
create table if not exists facets (name text, value text, seq integer);
create index if not exists facets_by_value on facets (name, value);
"""
# The newest version of an order that can be read at an instant.
_READABLE = (
    "select v.id, v.body, i.born, v.stored_at, v.visible_at from versions v join identities i on i.id = v.id "
    "where v.seq = (select max(seq) from versions w where w.id = v.id and w.visible_at <= ?)"
)
NEVER = math.inf
# Larger than any id.
_TOO_LARGE = 2**63
# Later than everything that can be read some day.
SOME_DAY = 1e300


@dataclass(frozen=True, slots=True)
class Stored:
    """
    An order as it can be read: what was sent, under which id, since when and last changed when (RFC 3339).

    ``ready_at`` is the instant from which on it can be read, or has been dealt with.
    """

    id: int
    body: Json
    created_at: str
    modified_at: str
    ready_at: float


class Store:
    """
    Orders of one endpoint, in memory or in a file. Safe to use from several threads.

    Instants of visibility are seconds of a clock that begins anew with every process: what a
    file holds when it is opened can be read at once.
    """

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        # What was written outlives this process, and that is all that is asked of it.
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = off;")
        self._db.executescript(_TABLES)
        # How often the file had been opened before: what is only counted in memory must not begin anew with it.
        self.openings = int(self._db.execute("pragma user_version").fetchone()[0])
        with self._db:
            self._db.execute(f"pragma user_version = {self.openings + 1}")
            self._db.execute("update versions set visible_at = 0 where visible_at < ?", (NEVER,))

    @contextmanager
    def together(self) -> Generator[None]:
        """Everything inside is written, or nothing; nobody else reads or writes meanwhile."""
        with self._lock, self._db:
            yield

    # Orders without an identity

    def add(self, orders: Sequence[Json], now: datetime) -> None:
        """Store orders that can neither be changed nor read."""
        with self._lock, self._db:
            self._db.executemany(
                "insert into orders (stored_at, body) values (?, ?)",
                [(now.isoformat(), json.dumps(order)) for order in orders],
            )

    def remember(self, keys: Sequence[tuple[str, Json]]) -> None:
        """Remember identifying (place, value) pairs."""
        if keys:
            with self._lock, self._db:
                self._db.executemany(
                    "insert or ignore into seen values (?, ?)", [(place, json.dumps(value)) for place, value in keys]
                )

    def seen(self, place: str, value: Json) -> bool:
        """Whether an earlier order had this value at this place."""
        with self._lock:
            found = self._db.execute("select 1 from seen where place = ? and value = ?", (place, json.dumps(value)))
            return found.fetchone() is not None

    def has(self, number: int) -> bool:
        """Whether there is, or was, an order of this number."""
        with self._lock:
            found = self._db.execute("select 1 from orders where id = ?", (number,)) if number < _TOO_LARGE else None
            return found is not None and found.fetchone() is not None

    @property
    def empty(self) -> bool:
        """Whether there never was an order."""
        with self._lock:
            return self._db.execute("select 1 from orders limit 1").fetchone() is None

    def count(self) -> int:
        """How many orders are stored."""
        return len(self.orders())

    def orders(self) -> list[Json]:
        """The last accepted form of all orders that were not deleted, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "select body from orders where id not in (select id from identities where deleted) order by id"
            )
            return [json.loads(row[0]) for row in rows]

    # Orders with an identity; writing belongs inside ``together``

    def find(self, key: str) -> int | None:
        """The id of the oldest order with this key."""
        with self._lock:
            row = self._db.execute("select min(id) from identities where key = ? and not deleted", (key,)).fetchone()
            return None if row[0] is None else int(row[0])

    def latest(self, number: int) -> Json:
        """The last accepted body of an order, whether it can be read yet or not; None without such an order."""
        with self._lock:
            row = self._db.execute(
                "select body from orders join identities using (id) where id = ? and not deleted", (number,)
            ).fetchone()
            return json.loads(row[0]) if row else None

    def open(self, key: str, now: datetime, number: int | None = None) -> int:
        """A new order that has no body yet; gives its id, which is ``number`` where that is given."""
        row = (number, now.isoformat())
        number = self._db.execute("insert into orders (id, stored_at, body) values (?, ?, 'null')", row).lastrowid
        self._db.execute("insert into identities (id, key, born) values (?, ?, ?)",
                         (number, key, now.isoformat()))  # fmt: skip
        return int(number or 0)

    def rename(self, number: int, key: str) -> None:
        """Know an order by another key."""
        self._db.execute("update identities set key = ? where id = ?", (key, number))

    def write(
        self, number: int, body: Json, facets: Sequence[tuple[str, str]], now: datetime, *, visible_at: float
    ) -> None:
        """A new version of an order, to be read from an instant on and found by its facets."""
        text = json.dumps(body)
        self._db.execute("update orders set body = ? where id = ?", (text, number))
        version = self._db.execute(
            "insert into versions (id, body, stored_at, visible_at) values (?, ?, ?, ?)",
            (number, text, now.isoformat(), visible_at),
        )
        self._db.executemany("insert into facets values (?, ?, ?)", [(*each, version.lastrowid) for each in facets])

    def storing(self, number: int, instant: float) -> bool:
        """Whether a version of this order is on its way at an instant."""
        with self._lock:
            found = self._db.execute(
                "select 1 from versions where id = ? and visible_at > ? and visible_at < ?", (number, instant, NEVER)
            )
            return found.fetchone() is not None

    def readable(self, number: int) -> bool:
        """Whether an order can be read, now or some day."""
        return self.one(number, SOME_DAY) is not None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock, self._db:
            for table in ("orders", "seen", "identities", "versions", "facets"):
                self._db.execute(f"delete from {table}")  # noqa: S608  # our own names

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def delete(self, number: int) -> None:
        """Take an order away; its key is free again."""
        with self._lock, self._db:
            self._db.execute("update identities set deleted = 1 where id = ?", (number,))

    def lose(self) -> None:
        """Forget the newest order, as if it had never been stored."""
        with self._lock, self._db:
            newest = self._db.execute("select max(id) from orders").fetchone()[0]
            self._db.execute("update identities set deleted = 1 where id = ?", (newest,))
            self._db.execute("update orders set body = 'null' where id = ?", (newest,))

    def one(self, number: int, instant: float, *, deleted: bool = False) -> Stored | None:
        """The order with this id as it can be read at an instant; ``deleted`` reads those too."""
        where = f"{_READABLE} and v.id = ?" + ("" if deleted else " and not i.deleted")
        with self._lock:
            row = self._db.execute(where, (instant, number)).fetchone()
        return _stored(row) if row else None

    def page(
        self, facets: dict[str, Sequence[str]], instant: float, size: int, after: int | None, *, falling: bool
    ) -> list[Stored]:
        """Orders that have one of the values of every facet, by id, at most so many ``after`` an id."""
        text, more = _chosen(facets, instant)
        if after is not None:
            text += f" and v.id {'<' if falling else '>'} ?"
            more.append(after)
        text += f" order by v.id {'desc' if falling else 'asc'} limit ?"
        with self._lock:
            return [_stored(row) for row in self._db.execute(text, (*more, size))]

    def slice(
        self, facets: dict[str, Sequence[str]], instant: float, size: int, offset: int, *, falling: bool = True
    ) -> tuple[int, list[Stored]]:
        """How many orders have one of the values of every facet, and so many of them, the newest first or last."""
        text, more = _chosen(facets, instant)
        with self._lock:
            total = self._db.execute(f"select count(*) from ({text})", more).fetchone()[0]  # noqa: S608  # question marks
            rows = self._db.execute(
                f"{text} order by v.id {'desc' if falling else 'asc'} limit ? offset ?", (*more, size, offset)
            )
            return int(total), [_stored(row) for row in rows]


def _chosen(facets: dict[str, Sequence[str]], instant: float) -> tuple[str, list[str | float]]:
    """The query for orders that have one of the values of every facet, and its parameters."""
    text = f"{_READABLE} and not i.deleted"
    more: list[str | float] = [instant]
    for name, wanted in facets.items():
        marks = ", ".join("?" * len(wanted))
        text += f" and v.seq in (select seq from facets where name = ? and value in ({marks}))"  # noqa: S608  # question marks
        more += [name, *wanted]
    return text, more


def _stored(row: tuple[int, str, str, str, float]) -> Stored:
    return Stored(row[0], json.loads(row[1]), *row[2:])
