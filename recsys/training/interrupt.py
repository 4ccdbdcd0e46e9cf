"""Ctrl-C ends a training between two steps, when its weights and counters fit each other."""

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
        # Python lets the main thread alone handle signals; elsewhere SIGINT does not arrive either
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
