"""A feature store in a Redis server, for engines and readers on several machines.

Keys, with p the prefix and s the shard: p:identity; p:s:meta (hash); p:s:users (hash of packed rows);
p:s:due (users by their earliest waiting event); p:s:windows (hash "window:item" → count); p:s:letters (hash
of offset → JSON). A batch is one MULTI/EXEC, watched on the meta key; Redis writes it to its append-only
file as one piece.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable

import numpy as np

from recsys.streaming.errors import NoRedis, StreamError
from recsys.streaming.events import EVENT, Letter
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

PASSWORD = "RECSYS_REDIS_PASSWORD"  # name of the environment variable; an address may end up in a log
LENGTHS = struct.Struct("<III")


def connect(address: str, **options):
    """A client for "redis://host:port/database", password from the environment.

    Raises:
        NoRedis: the package or the server is missing.
    """
    try:
        import redis
    except ImportError:
        raise NoRedis("the package redis is not installed: pip install 'recsys[streaming]'") from None
    client = redis.Redis.from_url(address, password=os.environ.get(PASSWORD), **options)
    try:
        client.ping()
    except redis.RedisError as error:
        raise NoRedis(
            f"no Redis server answers at {address} ({error}); set {PASSWORD} if it wants one"
        ) from None
    return client


class RedisStore(FeatureStore):
    """A feature store in Redis; open it by `stores.opening.open_store`."""

    def __init__(self, address: str, spec: StateSpec | None, shards: int | None, prefix: str = "recsys"):
        self.client, self.prefix = connect(address), prefix
        key = f"{prefix}:identity"
        self.client.set(key, identity(spec or StateSpec(), shards or SHARDS), nx=True)
        found = self.client.get(key).decode()
        self.spec, self.shards = spec_from(found)
        check_identity(found, identity(spec or self.spec, shards or self.shards), address)

    def _key(self, shard: int, part: str) -> str:
        return f"{self.prefix}:{shard}:{part}"

    def meta(self, shard: int) -> Meta:
        return _meta(self.client.get(self._key(shard, "meta")))

    def snapshot(self, user: int) -> tuple[Meta, UserRow | None]:
        shard = shard_of_user(user, self.shards)
        with self.client.pipeline(transaction=True) as pipe:
            pipe.get(self._key(shard, "meta"))
            pipe.hget(self._key(shard, "users"), str(user))
            meta, row = pipe.execute()
        return _meta(meta), None if row is None else _unpacked(user, row)

    def rows(self, shard: int, users: Iterable[int], due_before: int) -> list[UserRow]:
        due = self.client.zrangebyscore(self._key(shard, "due"), "-inf", f"({due_before}")
        wanted = sorted({int(user) for user in users} | {int(user) for user in due})
        if not wanted:
            return []
        packed = self.client.hmget(self._key(shard, "users"), wanted)
        return [_unpacked(user, row) for user, row in zip(wanted, packed, strict=True) if row is not None]

    def commit(self, shard: int, changes: Changes) -> None:
        import redis

        key = self._key(shard, "meta")
        with self.client.pipeline(transaction=True) as pipe:
            try:
                pipe.watch(key)
                if already_applied(_meta(pipe.get(key)).offset, changes, shard):
                    return
                stored = _windows(pipe.hgetall(self._key(shard, "windows")))
                pipe.multi()
                self._queue(pipe, shard, changes, stored)
                pipe.execute()
            except redis.WatchError:
                raise StreamError(f"shard {shard} was moved by another writer; try again") from None

    def _queue(self, pipe, shard: int, changes: Changes, stored: np.ndarray) -> None:
        if changes.rows:
            pipe.hset(self._key(shard, "users"), mapping={row.user: _packed(row) for row in changes.rows})
            waiting = {row.user: row.due for row in changes.rows if row.due is not None}
            settled = [row.user for row in changes.rows if row.due is None]
            if waiting:
                pipe.zadd(self._key(shard, "due"), waiting)
            if settled:
                pipe.zrem(self._key(shard, "due"), *settled)
        name = self._key(shard, "windows")
        for window, item, count in changes.windows.tolist():
            window = EARLIER if window < changes.first_window else window
            pipe.hincrby(name, f"{window}:{item}", count)
        for window, item, count in stored.tolist():
            if EARLIER < window < changes.first_window:
                pipe.hincrby(name, f"{EARLIER}:{item}", count)
                pipe.hdel(name, f"{window}:{item}")
        if changes.letters:
            mapping = {letter.offset: json.dumps(letter[1:]) for letter in changes.letters}
            pipe.hset(self._key(shard, "letters"), mapping=mapping)
        meta = changes.meta
        told = {"offset": meta.offset, "clock": meta.clock, "batch": meta.batch, "tallies": meta.tallies}
        pipe.set(self._key(shard, "meta"), json.dumps(told))

    def all_rows(self, shard: int) -> list[UserRow]:
        packed = self.client.hgetall(self._key(shard, "users"))
        return sorted((_unpacked(int(user), row) for user, row in packed.items()), key=lambda row: row.user)

    def windows(self, shard: int) -> np.ndarray:
        return _windows(self.client.hgetall(self._key(shard, "windows")))

    def letters(self, shard: int) -> list[Letter]:
        found = self.client.hgetall(self._key(shard, "letters"))
        return sorted(Letter(int(offset), *json.loads(rest)) for offset, rest in found.items())

    def close(self) -> None:
        self.client.close()


def _meta(raw: bytes | None) -> Meta:
    return Meta(**json.loads(raw)) if raw else Meta()


def _windows(raw: dict[bytes, bytes]) -> np.ndarray:
    rows = sorted((*map(int, key.split(b":")), int(count)) for key, count in raw.items())
    return np.array(rows, dtype=COUNT)


def _packed(row: UserRow) -> bytes:
    parts = (row.state, row.waiting, row.top)
    return LENGTHS.pack(*map(len, parts)) + b"".join(parts)


def _unpacked(user: int, raw: bytes) -> UserRow:
    state, waiting, _ = LENGTHS.unpack_from(raw)
    middle = LENGTHS.size + state
    events = raw[middle : middle + waiting]
    due = int(np.frombuffer(events, dtype=EVENT)["time"].min()) if events else None
    return UserRow(user, raw[LENGTHS.size : middle], events, due, raw[middle + waiting :])
