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
    newcomers = kept[_no_repeats(waiting, kept, before[~is_late] - delay)]
    clock = newest_time(clock, events)
    everything = np.concatenate([waiting, newcomers])
    is_due = everything["time"] < clock - delay
    return Arrivals(
        everything[is_due], everything[~is_due], newcomers, late, len(kept) - len(newcomers), clock
    )


def _no_repeats(waiting: np.ndarray, events: np.ndarray, watermarks: np.ndarray) -> np.ndarray:
    """[K] whether, when an event arrives, no accepted event of the same user and id is waiting.

    An id that comes again when its first event has left (a producer that counts anew) is a new event, in
    whatever batch; what is sent again as it was is late by then.
    """
    if not len(events):
        return np.zeros(0, dtype=bool)
    users = np.concatenate([waiting["user"], events["user"]])
    ids = np.concatenate([waiting["id"], events["id"]])
    order = np.lexsort((np.arange(len(ids)), ids, users))  # within a group: waiting first, then by arrival
    same = np.r_[False, (users[order][1:] == users[order][:-1]) & (ids[order][1:] == ids[order][:-1])]
    fresh = np.ones(len(events), dtype=bool)
    times = np.concatenate([waiting["time"], events["time"]])
    last = 0  # newest accepted of the group: the groups are short, and most have one member
    for place in np.flatnonzero(same | np.r_[same[1:], False]).tolist():
        row = int(order[place])
        arrived = row - len(waiting)
        if same[place] and arrived >= 0 and times[last] >= watermarks[arrived]:
            fresh[arrived] = False
        else:
            last = row
    return fresh


def no_events() -> np.ndarray:
    """[0] rows of `EVENT`."""
    return np.zeros(0, dtype=EVENT)
