"""The state of one user, and its update by an event: pure functions, without engine or clock.

`step(state, event)` returns a new state. Events of a user are folded in the order of (time, id), whatever the
order of their arrival, which `recsys.streaming.arrivals` ensures. The same events then give the same state,
however the stream was cut into batches. `state_columns.fold` does the same for many users at once.

Interest is a decayed sum: with h the half-life, w the weight of the event's kind and v its item's vector,
    interest ← interest · 2^(−Δt / h) + w v.
Intent is the same sum without decay over the events of the running session, which ends after a pause.

D: width of the item vectors. R: recent items kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recsys.streaming.events import DAY, HOUR, KINDS, MINUTE, Event

NONE = -1  # an empty entry of `recent`


@dataclass(frozen=True)
class StateSpec:
    """Sizes and weights of user states; part of a feature store's identity.

    width: D. recent: R. half_life: of interest. pause: that ends a session. delay: of the watermark behind
    the newest event. window: width of the popularity windows; windows: how many of the newest are kept
    separately. All times in milliseconds.
    weights: of the kinds of events in interest and intent, in the order of `KINDS`; kinds with weight 0
    (searches, returns) do not enter `recent` either. popular: integer weights of the kinds in popularity.
    """

    width: int = 16
    recent: int = 20
    half_life: int = 7 * DAY
    pause: int = 30 * MINUTE
    delay: int = 10 * MINUTE
    window: int = HOUR
    windows: int = 48
    weights: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 3.0, 0.0)
    popular: tuple[int, ...] = (0, 0, 1, 1, 1, 0)

    def __post_init__(self) -> None:
        if min(self.width, self.recent, self.half_life, self.pause, self.window, self.windows) < 1:
            raise ValueError("width, recent, half_life, pause, window and windows must be at least 1")
        if self.delay < 0:
            raise ValueError(f"delay must be 0 or more, got {self.delay}")
        if len(self.weights) != len(KINDS) or len(self.popular) != len(KINDS):
            raise ValueError(f"weights and popular need a number for each kind: {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class UserState:
    """One user's state after all events up to `last`.

    last: time of the newest event, ms. counts: events by kind. items, times: the newest R items with a
    weight and their times, oldest first. interest, intent: [D]. session_start: ms. session_events: of the
    current session. sessions: number of sessions, including the current one.
    """

    last: int
    counts: tuple[int, ...]
    items: tuple[int, ...]
    times: tuple[int, ...]
    interest: tuple[float, ...]
    intent: tuple[float, ...]
    session_start: int
    session_events: int
    sessions: int


def step(state: UserState | None, event: Event, vectors: np.ndarray, spec: StateSpec) -> UserState:
    """The state after one more event.

    Args:
        state: None before the first event.
        event: not older than `state.last`.
        vectors: [M, D] float64, one row per item; an item code ≥ M (too new for a vector) changes counts and
            recent items, but neither interest nor intent.

    Raises:
        ValueError: the event is older than the state: fold in the order of (time, id).
    """
    kind, time = event.kind, event.time
    weight = spec.weights[kind]
    if state is None:
        zeros = (0.0,) * spec.width
        state = UserState(time, (0,) * len(KINDS), (), (), zeros, zeros, time, 0, 0)
    elif time < state.last:
        raise ValueError(f"event {event.id} is older than the state that it should enter")
    if new_session := not state.sessions or time - state.last > spec.pause:
        intent = (0.0,) * spec.width
    else:
        intent = state.intent
    # numpy's exp2, not math's, to be bit-equal to `state_columns.fold`
    decay = float(np.exp2(-(time - state.last) / spec.half_life)) if time > state.last else 1.0
    interest = tuple([value * decay for value in state.interest]) if decay != 1.0 else state.interest
    items, times = state.items, state.times
    if weight:
        items = (*items, event.item)[-spec.recent :]
        times = (*times, time)[-spec.recent :]
        if 0 <= event.item < len(vectors):
            add = [weight * value for value in vectors[event.item].tolist()]
            interest = tuple([a + b for a, b in zip(interest, add, strict=True)])
            intent = tuple([a + b for a, b in zip(intent, add, strict=True)])
    counts = (*state.counts[:kind], state.counts[kind] + 1, *state.counts[kind + 1 :])
    return UserState(
        time,
        counts,
        items,
        times,
        interest,
        intent,
        time if new_session else state.session_start,
        1 if new_session else state.session_events + 1,
        state.sessions + new_session,
    )


def fold_events(
    state: UserState | None, events: Iterable[Event], vectors: np.ndarray, spec: StateSpec
) -> UserState | None:
    """The state after these events of one user, which are first sorted by (time, id)."""
    for event in sorted(events, key=lambda event: (event.time, event.id)):
        state = step(state, event, vectors, spec)
    return state
