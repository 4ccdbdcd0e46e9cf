"""Monitoring of a running stream: throughput, lag, state, and changes of one user's list."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.streaming.events import KINDS, as_events
from recsys.streaming.overlay import Overlay, Ranker, lists_of
from recsys.streaming.user_state import StateSpec, step


def ticker(
    overlay: Overlay, ranker: Ranker, rows: np.ndarray, user: int, titles: Sequence[str], every: int = 200
) -> pd.DataFrame:
    """Feed rows to the overlay in small steps, with one line per step.

    Args:
        rows: of `EVENT`, by time.
        user: whose list is shown. titles: of the items.
        every: events in a step.

    Returns:
        One row per step: events, events_per_second, users, behind_s (event time between the newest event and
        the engine's clock), changed (number of new items in the user's list), first (the top title).
    """
    told, before, seen = [], np.zeros(0, dtype=np.int64), set()
    for start in range(0, len(rows), every):
        part = rows[start : start + every]
        began = time.perf_counter()
        changed = overlay.observe(part)
        lists_of(overlay, ranker, changed)
        seconds = time.perf_counter() - began
        seen.update(changed)
        top = lists_of(overlay, ranker, [user])[user]
        engine = max(overlay.store.meta(shard).clock for shard in range(overlay.store.shards))
        told.append(
            {
                "events": start + len(part),
                "events_per_second": len(part) / seconds,
                "users": len(seen),
                "behind_s": max(0, int(part["time"].max()) - engine) / 1000 if engine > 0 else np.nan,
                "changed": len(np.setdiff1d(top, before)),
                "first": titles[int(top[0])],
            }
        )
        before = top
        _write(told[-1], user)
    sys.stdout.write("\n")
    return pd.DataFrame(told).set_index("events")


def state_by_state(
    rows: np.ndarray, user: int, vectors: np.ndarray, spec: StateSpec, most: int = 6
) -> pd.DataFrame:
    """A user's state after each of the first events: time, kind, recent items, session, length of vectors."""
    told, state = [], None
    for event in as_events(rows[rows["user"] == user][:most]):
        state = step(state, event, vectors, spec)
        told.append(
            {
                "time": pd.to_datetime(state.last, unit="ms"),
                "kind": KINDS[event.kind],
                "recent items": len(state.items),
                "session": state.sessions,
                "events in it": state.session_events,
                "|interest|": np.linalg.norm(state.interest).round(3),
                "|intent|": np.linalg.norm(state.intent).round(3),
            }
        )
    return pd.DataFrame(told)


def busiest_user(rows: np.ndarray) -> int:
    """The user with the most events, whose list changes most."""
    users, counts = np.unique(rows["user"][rows["user"] >= 0], return_counts=True)
    return int(users[counts.argmax()])


def _write(row: dict, user: int) -> None:
    line = f"\r{row['events']:>7,} events {row['events_per_second']:>9,.0f}/s {row['users']:>5,} users, "
    sys.stdout.write(f"{line}user {user}: {row['changed']:>2} of 10 new, first {row['first'][:40]:<40}")
    sys.stdout.flush()
