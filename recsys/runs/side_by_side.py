"""Independent work in forked processes, one for each core, where threads would wait for Python's lock."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_shared: tuple[Callable[[Any], Any], Sequence[Any]] | None = (
    None  # a fork inherits it: only results are copied
)


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`work(item)` of every item, in their order.

    What `work` changes in its own process is lost but for the files that it writes. Without fork (macOS's is
    unsafe beside threads, Windows has none), with one core or one item, nothing is forked.

    Args:
        work: its results can be pickled.

    Raises:
        Exception: what `work` raised first.
        BrokenProcessPool: a process was killed from outside, e.g. for memory.

    Example:
        >>> side_by_side(abs, [-2, 1, -3])
        [2, 1, 3]
    """
    global _shared
    processes = min(len(os.sched_getaffinity(0)), len(items)) if sys.platform == "linux" else 1
    if processes < 2 or _shared:  # inside of other work: its processes have the cores
        return [work(item) for item in items]
    _shared = work, items
    try:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
            try:
                return list(_handed_out(pool, len(items)))
            except BaseException:  # Ctrl-C too: what has not begun never does
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        _shared = None


def _handed_out(pool: ProcessPoolExecutor, count: int) -> Iterator[Any]:
    """The work begun. The processes inherit that SIGINT is blocked: at Ctrl-C the command stops them, after
    the item that each is at, where a stack trace from each would help nobody."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(_one, range(count))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _one(place: int) -> Any:
    work, items = _shared
    return work(items[place])
