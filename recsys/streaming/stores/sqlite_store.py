"""The embedded feature store: one SQLite file per shard, write-ahead log, synced at every commit."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from recsys.streaming.arrivals import NEVER
from recsys.streaming.events import Letter
from recsys.streaming.sharding import shard_of_user
from recsys.streaming.stores.feature_store import (
    SHARDS,
    Changes,
    FeatureStore,
    Meta,
    UserRow,
    already_applied,
    check_identity,
    identity,
    spec_from,
)
from recsys.streaming.user_state import StateSpec
from recsys.streaming.windows import COUNT, EARLIER

TABLES = """
create table if not exists meta (one integer primary key check (one = 1), offset_ integer, clock integer,
    batch integer, tallies text);
create table if not exists users (user integer primary key, state blob, waiting blob, due integer, top blob);
create index if not exists due on users (due) where due is not null;
create table if not exists windows (window integer, item integer, count integer, primary key (window, item))
    without rowid;
create table if not exists letters (offset_ integer primary key, reason text, line text);
"""
USERS_A_QUERY = 30_000  # SQLite takes at most 32,766 values in one statement
SECONDS_TO_WAIT = 60  # for another writer of the shard, such as a task that Spark has given up


class SQLiteStore(FeatureStore):
    """A feature store in SQLite; open it by `stores.opening.open_store`.

    Safe for many readers and one writer per shard, across processes.
    """

    def __init__(self, folder: Path, spec: StateSpec | None, shards: int | None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        told = folder / "store.json"
        if not told.exists():
            fresh = folder / f"store.json.{id(self)}"
            fresh.write_text(identity(spec or StateSpec(), shards or SHARDS))
            with contextlib.suppress(FileExistsError):
                told.hardlink_to(fresh)  # atomic, and does not overwrite another process's file
            fresh.unlink()
        found = told.read_text()
        self.spec, self.shards = spec_from(found)
        check_identity(found, identity(spec or self.spec, shards or self.shards), str(folder))
        self._open: dict[int, sqlite3.Connection] = {}

    def _connection(self, shard: int) -> sqlite3.Connection:
        if shard not in self._open:
            path = self.folder / f"shard-{shard:04d}.sqlite"
            connection = sqlite3.connect(
                path, timeout=SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
            )
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.executescript(TABLES)
            self._open[shard] = connection
        return self._open[shard]

    def meta(self, shard: int) -> Meta:
        row = self._connection(shard).execute("select offset_, clock, batch, tallies from meta").fetchone()
        return Meta(*row[:3], json.loads(row[3])) if row else Meta()

    def snapshot(self, user: int) -> tuple[Meta, UserRow | None]:
        shard = shard_of_user(user, self.shards)
        connection = self._connection(shard)
        connection.execute("begin")  # a read transaction, for a consistent snapshot
        try:
            meta, rows = self.meta(shard), self.rows(shard, [user], NEVER)
        finally:
            connection.execute("commit")
        return meta, rows[0] if rows else None

    def rows(self, shard: int, users: Iterable[int], due_before: int) -> list[UserRow]:
        connection = self._connection(shard)
        columns = "select user, state, waiting, due, top from users where "
        found = {row[0]: row for row in connection.execute(columns + "due < ?", (due_before,))}
        asked = [int(user) for user in users if int(user) not in found]
        for start in range(0, len(asked), USERS_A_QUERY):
            part = asked[start : start + USERS_A_QUERY]
            marks = ",".join("?" * len(part))
            found |= {row[0]: row for row in connection.execute(f"{columns} user in ({marks})", part)}
        return [UserRow(*found[user]) for user in sorted(found)]

    def commit(self, shard: int, changes: Changes) -> None:
        meta = changes.meta
        with self._transaction(shard) as connection:
            before = connection.execute("select offset_ from meta").fetchone()
            if already_applied(before[0] if before else -1, changes, shard):
                return
            connection.executemany(
                "replace into users values (?, ?, ?, ?, ?)",
                ((row.user, row.state, row.waiting, row.due, row.top) for row in changes.rows),
            )
            connection.executemany(
                "insert into windows values (?, ?, ?) "
                "on conflict do update set count = count + excluded.count",
                changes.windows.tolist(),
            )
            self._roll_up(connection, changes.first_window)
            connection.executemany("replace into letters values (?, ?, ?)", changes.letters)
            connection.execute(
                "replace into meta values (1, ?, ?, ?, ?)",
                (meta.offset, meta.clock, meta.batch, json.dumps(meta.tallies)),
            )

    @staticmethod
    def _roll_up(connection: sqlite3.Connection, first: int) -> None:
        old = (EARLIER, first)
        connection.execute(
            "insert into windows select ?, item, sum(count) from windows where window > ? and window < ? "
            "group by item on conflict do update set count = count + excluded.count",
            (EARLIER, *old),
        )
        connection.execute("delete from windows where window > ? and window < ?", old)

    @contextlib.contextmanager
    def _transaction(self, shard: int) -> Iterator[sqlite3.Connection]:
        connection = self._connection(shard)
        connection.execute("begin immediate")
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")

    def all_rows(self, shard: int) -> list[UserRow]:
        read = "select user, state, waiting, due, top from users order by user"
        return [UserRow(*row) for row in self._connection(shard).execute(read)]

    def windows(self, shard: int) -> np.ndarray:
        read = "select window, item, count from windows order by window, item"
        return np.array(self._connection(shard).execute(read).fetchall(), dtype=COUNT)

    def letters(self, shard: int) -> list[Letter]:
        read = "select offset_, reason, line from letters order by offset_"
        return [Letter(*row) for row in self._connection(shard).execute(read)]

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()
