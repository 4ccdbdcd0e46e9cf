"""Opens a feature store by its address: a folder is SQLite, "redis://…" is Redis.

The Redis password is read from the variable RECSYS_REDIS_PASSWORD, because addresses may be logged.
"""

from __future__ import annotations

from pathlib import Path

from recsys.streaming.stores.feature_store import FeatureStore
from recsys.streaming.stores.redis_store import RedisStore
from recsys.streaming.stores.sqlite_store import SQLiteStore
from recsys.streaming.user_state import StateSpec


def open_store(address: str | Path, spec: StateSpec | None = None, shards: int | None = None) -> FeatureStore:
    """Open the store at an address; creates it if it does not exist.

    Args:
        address: a folder, or "redis://host:port/database".
        spec, shards: of a new store (default `StateSpec()` and 4); None: those of an existing one.

    Raises:
        StoreMismatch: it exists with other settings than requested.
        NoRedis: the server cannot be reached.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = open_store(folder)
        ...     shards = store.shards
        ...     store.close()
        >>> shards
        4
    """
    if str(address).startswith(("redis://", "rediss://")):
        return RedisStore(str(address), spec, shards)
    return SQLiteStore(Path(address), spec, shards)
