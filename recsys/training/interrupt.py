"""Ctrl-C ends training between two steps, when weights and counters are consistent."""

from __future__ import annotations

import signal
import threading


class Interrupt:
    """While entered, the first SIGINT sets `asked`; a second one raises KeyboardInterrupt at once."""

    def __init__(self):
        self.asked = False
        self._before = None

    def _handle(self, number, frame) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __enter__(self) -> Interrupt:
        # only Python's main thread can handle signals; SIGINT does not arrive in others
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
