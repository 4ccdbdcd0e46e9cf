"""The overlay: user states that include events since the engine's last batch, for lists in milliseconds.

The engine processes batches, seconds apart. The serving side gets each event immediately and applies the same
pure functions: `arrivals.admit` (whether it counts) and `state_columns.fold` (what it changes). So a state
here equals what the engine's will be once it has processed the event (tested). The engine's store remains
authoritative: events that it has processed are dropped here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from recsys.streaming.arrivals import NEVER, admit, no_events
from recsys.streaming.events import ANONYMOUS
from recsys.streaming.sharding import shards_of
from recsys.streaming.state_columns import fold
from recsys.streaming.stores.feature_store import FeatureStore, UserRow, stacked


class Ranker(Protocol):
    """Computes lists from states, such as `TopLists` or `sequence_ranker.SequenceRanker`."""

    def of_states(self, states: np.ndarray) -> np.ndarray:
        """[U] states -> [U, k] item codes, best first."""


@dataclass
class _Base:
    """A user's state in the store at `offset`, and the accepted events after it."""

    offset: int
    row: UserRow
    loaded: float
    since: np.ndarray = field(default_factory=no_events)


class Overlay:
    """Current user states: the store's, plus newer events. Not thread-safe (`live_lists` uses one thread).

    Args:
        store: the engine's feature store.
        vectors: [M, D], the same as the engine's.
        refresh: seconds after which a user is read from the store again.
    """

    def __init__(self, store: FeatureStore, vectors: np.ndarray, refresh: float = 5.0):
        self.store, self.vectors, self.refresh = store, vectors, refresh
        self.clocks = [store.meta(shard).clock for shard in range(store.shards)]
        self._bases: dict[int, _Base] = {}

    def observe(self, events: np.ndarray) -> list[int]:
        """Apply rows of `EVENT` in the order of the log; events that the engine has processed are skipped.

        After a start, pass the log from the engine's smallest offset on.

        Returns:
            The users whose state changed.
        """
        changed = []
        shards = shards_of(events, self.store.shards)
        for place, shard in enumerate(shards.tolist()):
            event = events[place : place + 1]
            clock, self.clocks[shard] = self.clocks[shard], max(self.clocks[shard], int(event["time"][0]))
            user = int(event["user"][0])
            if user == ANONYMOUS:
                continue
            base = self._base(user)
            if event["offset"][0] <= base.offset:
                continue
            waiting = np.concatenate([base.row.waiting_events(), base.since])
            arrived = admit(clock, waiting, event, self.store.spec.delay)
            if len(arrived.newcomers):
                base.since = np.concatenate([base.since, event])
                changed.append(user)
        return list(dict.fromkeys(changed))

    def states(self, users: Sequence[int]) -> np.ndarray:
        """[U] current states of these users, in ascending order of users; empty for unknown users."""
        bases = [self._base(user) for user in sorted(users)]
        parts = [part for base in bases for part in (base.row.waiting_events(), base.since)]
        events = np.concatenate([no_events(), *parts])
        return fold(
            stacked([base.row for base in bases], self.store.spec), events, self.vectors, self.store.spec
        )

    def _base(self, user: int) -> _Base:
        now = time.monotonic()
        base = self._bases.get(user)
        if base is None or now - base.loaded > self.refresh:
            since = no_events() if base is None else base.since
            meta, row = self.store.snapshot(user)
            row = row or UserRow(user, b"", b"", None)
            base = _Base(meta.offset, row, now, since[since["offset"] > meta.offset])
            self._bases[user] = base
        return base

    def forget(self) -> int:
        """Drop users whose events the engine has all processed; returns how many are left.

        Memory is then bounded by the users active since the engine's last batch.
        """
        for user in [user for user, base in self._bases.items() if not len(base.since) or self._passed(user)]:
            del self._bases[user]
        return len(self._bases)

    def _passed(self, user: int) -> bool:
        self._bases[user].loaded = NEVER
        return not len(self._base(user).since)


def lists_of(overlay: Overlay, ranker: Ranker, users: Iterable[int]) -> dict[int, np.ndarray]:
    """Current top-k lists of some users."""
    users = sorted(set(users))
    if not users:
        return {}
    return dict(zip(users, ranker.of_states(overlay.states(users)), strict=True))
