"""Sharding by user, so that one shard sees all events of a user in the log's order."""

from __future__ import annotations

import numpy as np


def mixed(codes: np.ndarray) -> np.ndarray:
    """[K] uint64 hashes (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = np.asarray(codes).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def shards_of(events: np.ndarray, shards: int) -> np.ndarray:
    """[K] shard of each row of `EVENT`; anonymous events are spread by their ids."""
    keys = np.where(events["user"] >= 0, events["user"], events["id"])
    return (mixed(keys) % np.uint64(shards)).astype(np.int64)


def shard_of_user(user: int, shards: int) -> int:
    """The shard of a user."""
    return int(mixed(np.array([user]))[0] % np.uint64(shards))
