"""One thread for one call, so that several calls can run side by side without a fight for cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside: list[int] = []  # of the threads that are within: how many torch threads each had before
_seen = threading.local()


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, torch's operators called by this thread use no other; afterwards as many as before.

    A new thread begins with the number that any thread set last: one that is born while another is within
    begins with 1, which is not its own and would stay with it. It gets the number of that other one.
    """
    with _lock:
        before = torch.get_num_threads()
        if before == 1 and _inside and not hasattr(_seen, "thread"):
            before = _inside[0]
        _seen.thread = True
        if before > 1:
            _inside.append(before)
            torch.set_num_threads(1)
    try:
        yield
    finally:
        if before > 1:
            with _lock:
                _inside.remove(before)
                torch.set_num_threads(before)
