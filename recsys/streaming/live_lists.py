"""The serving loop: events in, updated top-k lists out, many users in one call of the ranker.

One thread takes all waiting events, folds them, ranks all changed users in one batch and publishes their
lists. Under load the batches get larger instead of the queue longer, because the ranker's cost per user falls
with the batch.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field

import numpy as np

from recsys.streaming.events import EVENT
from recsys.streaming.overlay import Overlay, Ranker, lists_of

MOST_A_ROUND = 256  # most events of a batch: bounds the wait of the first of them
SECONDS_BETWEEN_CLEANINGS = 30.0


@dataclass
class LiveLists:
    """The serving thread; use it as a context manager, which starts and ends the thread.

    lists: user -> item codes, best first, replaced as a whole so that readers need no lock. waits: seconds
    from an event's sending until its user's updated list can be read.
    """

    overlay: Overlay
    ranker: Ranker
    lists: dict[int, np.ndarray] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    error: BaseException | None = None

    def __enter__(self) -> LiveLists:
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *failure) -> None:
        self._queue.put(None)
        self._thread.join()
        if self.error is not None:
            raise self.error

    def put(self, row: tuple, sent: float | None = None) -> None:
        """Send an event, fields as in `EVENT`; sent: `time.monotonic()` from which its wait counts."""
        self._queue.put((row, time.monotonic() if sent is None else sent))

    def _run(self) -> None:
        cleaned = time.monotonic()
        try:
            while self._round():
                if time.monotonic() - cleaned > SECONDS_BETWEEN_CLEANINGS:
                    self.overlay.forget()
                    cleaned = time.monotonic()
        except BaseException as error:  # raised for the caller when the context ends
            self.error = error

    def _round(self) -> bool:
        taken = [self._queue.get()]
        while len(taken) < MOST_A_ROUND and not self._queue.empty():
            taken.append(self._queue.get())
        going_on = None not in taken
        taken = [entry for entry in taken if entry is not None]
        if taken:
            changed = self.overlay.observe(np.array([row for row, _ in taken], dtype=EVENT))
            self.lists |= lists_of(self.overlay, self.ranker, changed)
            now = time.monotonic()
            self.waits += [now - sent for _, sent in taken]
        return going_on
