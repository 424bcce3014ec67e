"""What a reference endpoint remembers: orders and values seen, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from conformance.model import Json


class Store:
    """Orders of one endpoint, in memory or in a file. Safe to use from several threads."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.executescript(
            "create table if not exists orders (id integer primary key, stored_at text, body text);"
            "create table if not exists seen (place text, value text, primary key (place, value));"
        )

    def add(self, orders: list[Json], keys: list[tuple[str, Json]], now: datetime) -> None:
        """Store a batch of orders, and the identifying (place, value) pairs in them."""
        with self._lock, self._db:
            self._db.executemany(
                "insert into orders (stored_at, body) values (?, ?)",
                [(now.isoformat(), json.dumps(order)) for order in orders],
            )
            self._db.executemany(
                "insert or ignore into seen values (?, ?)", [(place, json.dumps(value)) for place, value in keys]
            )

    def seen(self, place: str, value: Json) -> bool:
        """Whether an earlier order had this value at this place."""
        with self._lock:
            found = self._db.execute("select 1 from seen where place = ? and value = ?", (place, json.dumps(value)))
            return found.fetchone() is not None

    def count(self) -> int:
        """How many orders are stored."""
        with self._lock:
            return int(self._db.execute("select count(*) from orders").fetchone()[0])

    def orders(self) -> list[Json]:
        """All stored orders, oldest first."""
        with self._lock:
            return [json.loads(row[0]) for row in self._db.execute("select body from orders order by id")]
