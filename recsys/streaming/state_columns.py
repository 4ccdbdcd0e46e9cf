"""Vectorised user states: many users as one array, with the same fold as `user_state.step`.

The n-th events of all users are folded together, so Python's overhead is per round and not per event; the
number of rounds is the largest number of events of a user in the batch.

B: users of a round. U: users. K: events.
"""

from __future__ import annotations

import itertools

import numpy as np

from recsys.streaming.events import KINDS
from recsys.streaming.user_state import NONE, StateSpec, UserState


def state_dtype(spec: StateSpec) -> np.dtype:
    """dtype of a user's state as one row of fixed size, whose bytes a feature store keeps."""
    return np.dtype(
        [
            ("user", "<i8"),
            ("last", "<i8"),
            ("session_start", "<i8"),
            ("session_events", "<i8"),
            ("sessions", "<i8"),
            ("counts", "<i8", (len(KINDS),)),
            ("items", "<i8", (spec.recent,)),
            ("times", "<i8", (spec.recent,)),
            ("interest", "<f8", (spec.width,)),
            ("intent", "<f8", (spec.width,)),
        ]
    )


def empty_states(users: np.ndarray, spec: StateSpec) -> np.ndarray:
    """[U] states of users without an event. `items` is filled from the end; empty entries are `NONE`."""
    states = np.zeros(len(users), dtype=state_dtype(spec))
    states["user"], states["items"], states["times"] = users, NONE, NONE
    return states


def fold(states: np.ndarray, events: np.ndarray, vectors: np.ndarray, spec: StateSpec) -> np.ndarray:
    """States after the events, as a new array.

    Args:
        states: [U] sorted by user, each once; not changed.
        events: [K] rows of `EVENT`, in any order, all of users in `states`.
        vectors: [M, D] float64, as for `step`.

    Raises:
        ValueError: a user without a row, or an event older than its user's state.
    """
    states = states.copy()
    if not len(events):
        return states
    order = np.lexsort((events["id"], events["time"], events["user"]))
    events = events[order]
    rows = np.searchsorted(states["user"], events["user"])
    if not len(states) or rows.max() >= len(states) or (states["user"][rows] != events["user"]).any():
        raise ValueError("an event's user has no row among the states")
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    by_round = np.argsort(place, kind="stable")
    bounds = np.r_[0, np.cumsum(np.bincount(place))]
    weights = np.array(spec.weights)
    for start, stop in itertools.pairwise(bounds):
        chosen = by_round[start:stop]
        _round(states, rows[chosen], events[chosen], weights, vectors, spec)
    return states


def _round(
    states: np.ndarray,
    rows: np.ndarray,
    events: np.ndarray,
    weights: np.ndarray,
    vectors: np.ndarray,
    spec: StateSpec,
) -> None:
    """Fold one event of each of B users, in the order of the steps of `step`."""
    time, item, kind = events["time"], events["item"], events["kind"]
    weight = weights[kind]
    old = states[rows]
    first = old["sessions"] == 0
    if (~first & (time < old["last"])).any():
        raise ValueError("an event is older than the state that it should enter")
    last = np.where(first, time, old["last"])
    new_session = first | (time - last > spec.pause)
    old["interest"] *= np.exp2(-(time - last) / spec.half_life)[:, None]
    old["intent"][new_session] = 0.0
    listed = np.flatnonzero(weight)
    for field, values in (("items", item), ("times", time)):
        table = old[field][listed]
        table[:, :-1] = table[:, 1:]
        table[:, -1] = values[listed]
        old[field][listed] = table
    known = np.flatnonzero((weight != 0) & (item >= 0) & (item < len(vectors)))
    add = weight[known, None] * vectors[item[known]]
    old["interest"][known] += add
    old["intent"][known] += add
    old["counts"][np.arange(len(rows)), kind] += 1
    old["session_start"][new_session] = time[new_session]
    old["session_events"] = np.where(new_session, 1, old["session_events"] + 1)
    old["sessions"] += new_session
    old["last"] = time
    states[rows] = old


def from_row(row: np.void) -> UserState | None:
    """One row as `UserState`; None where the user has no event yet."""
    if not row["sessions"]:
        return None
    filled = row["items"] != NONE
    return UserState(
        int(row["last"]),
        tuple(row["counts"].tolist()),
        tuple(row["items"][filled].tolist()),
        tuple(row["times"][filled].tolist()),
        tuple(row["interest"].tolist()),
        tuple(row["intent"].tolist()),
        int(row["session_start"]),
        int(row["session_events"]),
        int(row["sessions"]),
    )


def to_row(user: int, state: UserState | None, spec: StateSpec) -> np.ndarray:
    """[1] the row of one user."""
    row = empty_states(np.array([user]), spec)
    if state is not None:
        for field in ("last", "counts", "interest", "intent", "session_start", "session_events", "sessions"):
            row[field] = getattr(state, field)
        if state.items:
            row["items"][0, -len(state.items) :] = state.items
            row["times"][0, -len(state.times) :] = state.times
    return row
