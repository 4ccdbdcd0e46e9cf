"""An LRU cache with a time to live, for answers or query vectors.

functools' cache has no time to live; cachetools' TTLCache has one, but would be another dependency for these
forty lines, and still need a lock.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

ABSENT = object()


class TimedLruCache:
    """Evicts the least recently used entry; an entry expires after its time to live, even if it is read.

    Safe to call from several threads.

    Args:
        entries: maximum number, at least 1.
        time_to_live: in the clock's units, above 0; None: entries never expire.
        clock: monotonic.

    Raises:
        ValueError: `entries` below 1, `time_to_live` not above 0.
    """

    def __init__(
        self, entries: int, time_to_live: float | None = None, clock: Callable[[], float] = time.monotonic
    ):
        if entries < 1 or (time_to_live is not None and not time_to_live > 0):
            raise ValueError(f"entries ≥ 1 and time_to_live > 0 are needed, got {entries}, {time_to_live}")
        self.entries, self.clock = entries, clock
        self.time_to_live = float("inf") if time_to_live is None else time_to_live
        self._kept: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, default: object = None) -> object:
        """The value of a key, which becomes the most recent; `default` if there is none or it has expired."""
        with self._lock:
            end, value = self._kept.get(key, (0.0, ABSENT))
            if value is ABSENT:
                return default
            if self.clock() >= end:
                del self._kept[key]
                return default
            self._kept.move_to_end(key)
            return value

    def put(self, key: Hashable, value: object) -> None:
        """Store a value; evicts the least recently used entry if the cache is full."""
        with self._lock:
            self._kept[key] = (self.clock() + self.time_to_live, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self.entries:
                self._kept.popitem(last=False)
