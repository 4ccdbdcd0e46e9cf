"""Watermark, late events and duplicates: which arriving events count, and when they are processed.

The watermark is the newest event time that has *arrived so far in the log's order*, minus `delay`. An event
older than the watermark at its arrival is late; one whose user already has a waiting event with the same id
is a duplicate; the others wait until the watermark has passed them, and are then folded into the user's state
in the order of (time, id). So every decision depends on the log alone. Spark's own watermark moves only
between batches: with it, the decision which late event is dropped would depend on batch boundaries, which
change after a crash.

To detect duplicates only waiting events need to be stored: a repeat of an event that no longer waits is older
than the watermark, and so late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.streaming.events import EVENT

NEVER = -(2**62)  # the clock before the first event; no overflow when a delay is subtracted


@dataclass(frozen=True)
class Arrivals:
    """Decisions on a batch of arriving events (rows of `EVENT`).

    due: events older than the watermark, to be folded now. waiting: events that still wait. newcomers:
    accepted events of this batch. late: dropped as late. duplicates: number dropped. clock: newest event time
    so far, ms.
    """

    due: np.ndarray
    waiting: np.ndarray
    newcomers: np.ndarray
    late: np.ndarray
    duplicates: int
    clock: int


def newest_time(clock: int, events: np.ndarray) -> int:
    """The clock (newest event time, ms) after these events."""
    return max(clock, int(events["time"].max())) if len(events) else clock


def admit(clock: int, waiting: np.ndarray, events: np.ndarray, delay: int) -> Arrivals:
    """Classify the next events of a log.

    Args:
        clock: newest event time before them; `NEVER` at the log's start.
        waiting: waiting events, at least those of users in `events` and those that become due.
        events: rows of `EVENT` in the order of their offsets.
        delay: of the watermark, ms.
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
    """[K] whether an event is no repeat: at its arrival no accepted event of the same user and id waits.

    An id that recurs after its first event was folded (a producer that restarted its counter) is a new event,
    whatever the batches; an identical repeat would be late by then.
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
