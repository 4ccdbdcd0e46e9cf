"""Which arriving events count, and when their turn comes: watermark, duplicates, lateness.

The watermark is the newest event time that has *arrived so far in the log's order*, less `delay`. An event
older than the watermark at its arrival is late; one whose user already has a waiting event of the same id is
a duplicate; the others wait until the watermark has passed them, and are then folded in the order of
(time, id). So every verdict depends on the log alone. Spark's own watermark moves between batches only: with
it, which late event is dropped depends on where the batches were cut, and a crash cuts them elsewhere.

Waiting events are all the memory that duplicates need: a repeat of an event that no longer waits is older
than the watermark, and so late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.streaming.events import EVENT

NEVER = -(2**62)  # the clock before the first event; far enough from the end for any delay to be taken off


@dataclass(frozen=True)
class Arrivals:
    """events that are due (time below the watermark) and that go on waiting, rows of `EVENT`; newcomers:
    accepted among those that arrived now; late: rows; duplicates: how many; clock: newest time seen, ms."""

    due: np.ndarray
    waiting: np.ndarray
    newcomers: np.ndarray
    late: np.ndarray
    duplicates: int
    clock: int


def newest_time(clock: int, events: np.ndarray) -> int:
    """The clock after these events."""
    return max(clock, int(events["time"].max())) if len(events) else clock


def admit(clock: int, waiting: np.ndarray, events: np.ndarray, delay: int) -> Arrivals:
    """Sort out the next stretch of a log.

    Args:
        clock: newest event time before it, `NEVER` at the log's start.
        waiting: events that wait, at least those of users in `events` and those that are due afterwards.
        events: rows of `EVENT` in the order of their offsets.
        delay: ms.
    """
    before = np.maximum.accumulate(np.r_[np.int64(clock), events["time"]])[:-1]
    is_late = events["time"] < before - delay
    late, kept = events[is_late], events[~is_late]
    newcomers = kept[_first_of_its_id(waiting, kept)]
    clock = newest_time(clock, events)
    everything = np.concatenate([waiting, newcomers])
    is_due = everything["time"] < clock - delay
    return Arrivals(
        everything[is_due], everything[~is_due], newcomers, late, len(kept) - len(newcomers), clock
    )


def _first_of_its_id(waiting: np.ndarray, events: np.ndarray) -> np.ndarray:
    """[K] whether no waiting and no earlier event of the same user has the same id."""
    if not len(events):
        return np.zeros(0, dtype=bool)
    users = np.concatenate([waiting["user"], events["user"]])
    ids = np.concatenate([waiting["id"], events["id"]])
    order = np.lexsort((np.arange(len(ids)), ids, users))
    repeats = np.zeros(len(ids), dtype=bool)
    same = (users[order][1:] == users[order][:-1]) & (ids[order][1:] == ids[order][:-1])
    repeats[order[1:]] = same
    return ~repeats[len(waiting) :]


def no_events() -> np.ndarray:
    """[0] rows of `EVENT`."""
    return np.zeros(0, dtype=EVENT)
