"""Compares the speed of several callables on a machine that is not idle.

They take turns within a round, so that other load slows all of them, and are compared within rounds. Wall
time is reported with the process's own time: where they differ, other programs used the cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

BUSY = 0.8  # least share of wall time spent computing; below it a measurement counts as contended
Timed = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of R rounds.

    wall, process: [R rounds × callables], columns named; process counts all threads of this process.
    threads: as requested. load: the machine's load average over the last minute; nan where not available.
    """

    wall: pd.DataFrame
    process: pd.DataFrame
    threads: int
    load: float

    def table(self, baseline: str) -> pd.DataFrame:
        """Summary, one row per callable.

        seconds, low, high: median and quartiles of wall time. cpu: median of the process's time.
        speedup: median over rounds of the baseline's wall time ÷ its own; speedup_low, speedup_high:
        quartiles; speedup_cpu: the same in process time, which other programs disturb less. busy: share of
        wall time × threads spent computing: below 0.8 other programs used the cores.

        Raises:
            KeyError: no callable of that name.
        """
        wall = self.wall.quantile([0.25, 0.5, 0.75])
        ratio = (1 / self.wall).mul(self.wall[baseline], axis=0).quantile([0.25, 0.5, 0.75])
        ratio_cpu = (1 / self.process).mul(self.process[baseline], axis=0).median()
        return pd.DataFrame(
            {
                "seconds": wall.loc[0.5],
                "low": wall.loc[0.25],
                "high": wall.loc[0.75],
                "cpu": self.process.median(),
                "speedup": ratio.loc[0.5],
                "speedup_low": ratio.loc[0.25],
                "speedup_high": ratio.loc[0.75],
                "speedup_cpu": ratio_cpu,
                "busy": self.busy,
            }
        )

    def each(self, count: int) -> Timing:
        """Seconds per item, where every call processed `count` items."""
        return replace(self, wall=self.wall / count, process=self.process / count)

    @property
    def busy(self) -> pd.Series:
        """Share of wall time × threads spent computing, for each callable."""
        return (self.process / self.wall).median() / self.threads

    @property
    def contended(self) -> bool:
        """Whether other programs used the cores for a fifth of the time or more: compare `cpu` then."""
        return bool((self.process.sum() / self.wall.sum() / self.threads).max() < BUSY)


def interleave(
    callables: Mapping[str, Timed],
    *,
    rounds: int = 7,
    warm_up: int = 1,
    calls: int = 1,
    threads: int = 1,
    before: Timed | None = None,
    seed: int = 0,
) -> Timing:
    """Time callables in turns, in another order each round.

    Args:
        callables: name -> a function of no arguments.
        rounds: measurements of each, at least 1.
        warm_up: rounds before that are not counted: first calls allocate, compile and fill caches.
        calls: of one measurement; the time is that of one call.
        threads: of matrix products while measuring; restored afterwards.
        before: called before each measurement, not timed (to empty caches, say).
        seed: of the orders.

    Raises:
        ValueError: a count below 1 (`warm_up` below 0), or no callable.

    Example:
        >>> timing = interleave({"sum": lambda: sum(range(10_000)), "nothing": lambda: None}, rounds=3)
        >>> timing.table("sum").index.tolist(), len(timing.wall)
        (['sum', 'nothing'], 3)
    """
    if min(rounds, calls) < 1 or warm_up < 0 or not callables:
        raise ValueError("there must be callables, and rounds and calls must be at least 1")
    generator = np.random.default_rng(seed)
    names = list(callables)
    rows = []
    with thread_count(threads):
        for _ in range(warm_up + rounds):
            found = {}
            for place in generator.permutation(len(names)):
                function = callables[names[place]]
                if before is not None:
                    before()
                wall, process = time.perf_counter(), time.process_time()
                for _ in range(calls):
                    function()
                process, wall = time.process_time() - process, time.perf_counter() - wall
                found[names[place]] = wall / calls, process / calls
            rows.append(found)
    rows = rows[warm_up:]
    tables = [pd.DataFrame([{n: row[n][kind] for n in names} for row in rows]) for kind in (0, 1)]
    # a coarse clock can give 0, by which nothing can be divided
    wall, process = (table.clip(lower=1e-9) for table in tables)
    return Timing(wall, process, threads, _load())


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Context manager: `threads` threads in torch and every loaded BLAS. Raises ValueError below 1."""
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
