"""Processes one batch of one shard, from arrived rows to a transaction of the feature store (no Spark)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.streaming.arrivals import Arrivals, admit, newest_time, no_events
from recsys.streaming.events import ANONYMOUS, Letter, as_events, to_line
from recsys.streaming.sharding import shards_of
from recsys.streaming.state_columns import fold
from recsys.streaming.stores.feature_store import Changes, FeatureStore, Meta, UserRow, stacked
from recsys.streaming.top_lists import TopLists
from recsys.streaming.windows import count_windows, oldest_kept

LATE = "late: older than the watermark"


@dataclass(frozen=True)
class Applied:
    """Result of a batch: lines read (0 if it was applied before), number of changed users and lists."""

    lines: int
    users: int
    lists: int


def apply_batch(
    store: FeatureStore,
    shard: int,
    batch: int,
    events: np.ndarray,
    letters: Sequence[Letter],
    vectors: np.ndarray,
    top_lists: TopLists | None = None,
) -> Applied:
    """Apply the next events of the log to a shard; lines that it has seen before are skipped.

    Args:
        batch: number of the engine's batch, stored for readers.
        events: checked rows of `EVENT` of this shard, in any order.
        letters: the bad lines of this shard.
        vectors: [M, D], see `user_state.step`.
        top_lists: computes the lists of users whose state changed; None: no lists.
    """
    meta, spec = store.meta(shard), store.spec
    events = np.sort(events[events["offset"] > meta.offset], order="offset")
    letters = [letter for letter in letters if letter.offset > meta.offset]
    lines = len(events) + len(letters)
    if not lines:
        return Applied(0, 0, 0)
    watermark = newest_time(meta.clock, events) - spec.delay
    rows = store.rows(shard, np.unique(events["user"]), watermark)
    waiting = np.concatenate([no_events(), *(row.waiting_events() for row in rows)])
    arrivals = admit(meta.clock, waiting, events, spec.delay)
    changed, lists = _changed_rows(rows, arrivals, vectors, store, top_lists)
    late = [
        Letter(int(row["offset"]), LATE, to_line(event))
        for row, event in zip(arrivals.late, as_events(arrivals.late), strict=True)
    ]
    last = max([int(events["offset"].max(initial=-1)), *(letter.offset for letter in letters)])
    tallies = _tallies(meta, arrivals, lines, len(letters))
    store.commit(
        shard,
        Changes(
            meta.offset,
            Meta(last, arrivals.clock, batch, tallies),
            changed,
            count_windows(arrivals.due, spec),
            [*letters, *late],
            oldest_kept(arrivals.clock - spec.delay, spec),
        ),
    )
    return Applied(lines, len(changed), lists)


def apply_rows(
    store: FeatureStore, batch: int, rows: np.ndarray, vectors: np.ndarray, top_lists: TopLists | None = None
) -> None:
    """Apply rows of all shards in this process: embedded use, without Spark."""
    shards = shards_of(rows, store.shards)
    for shard in range(store.shards):
        apply_batch(store, shard, batch, rows[shards == shard], [], vectors, top_lists)


def _changed_rows(
    rows: Sequence[UserRow],
    arrivals: Arrivals,
    vectors: np.ndarray,
    store: FeatureStore,
    top_lists: TopLists | None,
) -> tuple[list[UserRow], int]:
    """New rows of users with a new or due event, and the number of their lists that changed."""
    moved = np.union1d(arrivals.newcomers["user"], arrivals.due["user"])
    known = {row.user: row for row in rows}
    before = [known.get(user, UserRow(user, b"", b"", None)) for user in moved.tolist()]
    waiting = np.sort(arrivals.waiting, order=["user", "time", "id"])
    due = arrivals.due[arrivals.due["user"] != ANONYMOUS]
    settled = fold(stacked(before, store.spec), due, vectors, store.spec)
    tops = [row.top for row in before]
    if top_lists is not None:
        still = waiting[(waiting["user"] != ANONYMOUS) & np.isin(waiting["user"], moved)]
        view = fold(settled, still, vectors, store.spec)
        tops = [top.tobytes() for top in top_lists.of_states(view)]
    bounds = np.searchsorted(waiting["user"], moved), np.searchsorted(waiting["user"], moved, side="right")
    after = []
    for place, (start, stop) in enumerate(zip(*bounds, strict=True)):
        own = waiting[start:stop]
        state = settled[place].tobytes() if settled["sessions"][place] else b""
        due_at = int(own["time"][0]) if len(own) else None
        top = tops[place] if moved[place] != ANONYMOUS else b""
        after.append(UserRow(int(moved[place]), state, own.tobytes(), due_at, top))
    return after, sum(old.top != new.top for old, new in zip(before, after, strict=True))


def _tallies(meta: Meta, arrivals: Arrivals, lines: int, malformed: int) -> dict[str, int]:
    new = {
        "read": lines,
        "accepted": len(arrivals.newcomers),
        "anonymous": int((arrivals.newcomers["user"] == ANONYMOUS).sum()),
        "duplicates": arrivals.duplicates,
        "late": len(arrivals.late),
        "malformed": malformed,
    }
    return {name: meta.tallies[name] + count for name, count in new.items()}
