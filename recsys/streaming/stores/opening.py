"""One door to feature stores: a folder is SQLite, "redis://…" is Redis.

Redis' password comes from the environment variable RECSYS_REDIS_PASSWORD, as addresses end up in logs.
"""

from __future__ import annotations

from pathlib import Path

from recsys.streaming.stores.feature_store import FeatureStore
from recsys.streaming.stores.redis_store import RedisStore
from recsys.streaming.stores.sqlite_store import SQLiteStore
from recsys.streaming.user_state import StateSpec


def open_store(address: str | Path, spec: StateSpec | None = None, shards: int | None = None) -> FeatureStore:
    """The store at an address; made when it is not there.

    Args:
        address: a folder, or "redis://host:port/database".
        spec, shards: of a new store (default `StateSpec()` and 4); None takes what an existing one has.

    Raises:
        StoreMismatch: it was made with other settings than asked for.
        NoRedis: the server cannot be reached.
    """
    if str(address).startswith(("redis://", "rediss://")):
        return RedisStore(str(address), spec, shards)
    return SQLiteStore(Path(address), spec, shards)
