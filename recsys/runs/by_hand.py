"""Threads of a notebook that is run by hand, in JupyterLab or with plain papermill.

`recsys run` gives every run its threads and cores. In a notebook run by hand, numeric libraries use all
cores; where another process occupies one of them, every small operation waits for the slowest thread, while
the others spin: beside one busy core of two a notebook of half a minute took three. So the first cell calls
`use_free_cores`.
"""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

import psutil

from recsys.runs.execution.kernel_parent import THREAD_VARIABLES, THREADS
from recsys.runs.record import REQUEST

OURS = "RECSYS_THREADS_BY_HAND"  # the value that the last call set, to distinguish it from a user's
SECONDS = 0.5  # for which the load of the cores is measured
# Waiting threads sleep instead of spinning, because a core may become busy later. libgomp, Intel's OpenMP.
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: "200000 100000" is two cores


def use_free_cores() -> int:
    """Use as many threads as there are free cores, at least one, and print the number.

    Call it before other imports: most libraries read their thread count once, when they are loaded; libraries
    that are loaded already are set directly. Does nothing under `recsys run`; keeps OMP_NUM_THREADS where it
    is set.

    Returns:
        The number of threads.

    Example:
        from recsys.runs.by_hand import use_free_cores
        use_free_cores()  # the first cell; prints "1 of 2 cores is free: this notebook uses 1 thread (...)"
    """
    if REQUEST in os.environ:
        return int(os.environ[THREADS])
    chosen = os.environ.get(THREADS, "")
    if chosen.isdecimal() and int(chosen) > 0 and not _ours():
        threads = int(chosen)
        print(f"this notebook uses {_count(threads, 'thread')}, as OMP_NUM_THREADS says")
    else:
        cores = allowed_cores()
        free = free_cores(cores)
        threads = max(1, free)
        print(
            f"{free} of {_count(cores, 'core')} {'is' if free == 1 else 'are'} free: this notebook uses "
            f"{_count(threads, 'thread')} (set OMP_NUM_THREADS to choose)"
        )
        os.environ[OURS] = str(threads)
    set_threads(threads, os.environ)
    return threads


def allowed_cores() -> int:
    """Cores that this process may use: by its CPU affinity, and at most its container's quota."""
    bound = len(_bound_to())
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return max(1, min(bound, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return bound


def free_cores(cores: int, seconds: float = SECONDS) -> int:
    """How many of `cores` are idle, measured for `seconds`; a core counts if it is idle half the time."""
    busy = psutil.cpu_percent(interval=seconds, percpu=True)
    idle = sum(1 - busy[core] / 100 for core in _bound_to() if core < len(busy))
    return max(0, min(cores, round(idle)))


def _bound_to() -> list[int]:
    return (
        sorted(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else list(range(os.cpu_count() or 1))
    )


def set_threads(threads: int, environment: MutableMapping[str, str]) -> None:
    """Set the threads of numeric libraries: by variables if not loaded yet, by functions otherwise."""
    environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    for name, value in SLEEPING.items():
        environment.setdefault(name, value)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _ours() -> bool:
    """Whether an earlier call set the variable, so that a repeated cell measures again."""
    return os.environ.get(OURS) == os.environ.get(THREADS)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
