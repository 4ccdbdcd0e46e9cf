"""Runs that Ray ended because memory was short: they wait until there is enough, and are tried again.

Ray ends its newest worker when 95 % of the memory is taken, by whichever program: a JupyterLab full of open
kernels would else fail a whole grid in seconds.
"""

import sys
import time
from collections import Counter

import psutil

from recsys.runs.grid.plan import PlannedRun

TRIES = 3  # of one run: what is ended so often needs more memory than there is
RESERVE = 0.1  # of the machine's memory, beside what the run needs: Ray would end it again
LONGEST = 900.0  # seconds of waiting with nothing in progress: what holds the memory is not about to end
PAUSE = 30.0  # seconds before a run on other machines is tried again: their memory is not seen from here


class MemoryShortage:
    """Runs that wait for memory.

    Args:
        cluster: whether the runs are on other machines too.
    """

    def __init__(self, cluster: bool):
        self._cluster = cluster
        self._ended: Counter[str] = Counter()
        self._waiting: list[tuple[float, PlannedRun]] = []
        self._alone: float | None = None  # since when nothing else is in progress

    def __len__(self) -> int:
        return len(self._waiting)

    def takes(self, run: PlannedRun) -> bool:
        """Whether a run that was ended is tried again; says so on stderr when the first one is."""
        self._ended[run.name] += 1
        if self._ended[run.name] >= TRIES:
            return False
        if not self._waiting:
            print(
                f"Memory ran short, and Ray ended {run.name}: it is tried again when there is enough "
                f"({run.needs.memory_gb:g} GiB and a reserve). Close other programs, or use fewer --cores.",
                file=sys.stderr,
            )
        self._waiting.append((time.monotonic(), run))
        return True

    def due(self) -> list[PlannedRun]:
        """The runs that can be tried now: on this machine one at a time, as memory allows."""
        if self._cluster:
            ready = [one for since, one in self._waiting if time.monotonic() - since >= PAUSE]
        else:
            memory = psutil.virtual_memory()
            room = memory.available - RESERVE * memory.total
            ready = [one for _, one in self._waiting[:1] if one.needs.memory_gb * 2**30 <= room]
        self._waiting = [(since, one) for since, one in self._waiting if one not in ready]
        return ready

    def given_up(self, in_progress: bool) -> list[PlannedRun]:
        """The first that waits, once nothing was in progress for `LONGEST` s: the next may need less."""
        if in_progress or not self._waiting:
            self._alone = None
            return []
        self._alone = self._alone or time.monotonic()
        if time.monotonic() - self._alone < LONGEST:
            return []
        (_, first), self._waiting = self._waiting[0], self._waiting[1:]
        return [first]
