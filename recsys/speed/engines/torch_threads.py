"""Limits torch to one thread per call, so that parallel calls do not compete for cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside: list[int] = []  # previous numbers of torch threads of the callers inside `one_thread`
_seen = threading.local()


@contextmanager
def one_thread() -> Iterator[None]:
    """Context manager: torch operators called by this thread use one thread; restored afterwards.

    A new thread starts with the number that any thread set last. One that starts while another is inside
    would start with 1 and keep it; it gets the other one's previous number instead.
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
