"""Two runs at once on two cores: both cores busy, and no run uses more threads than it was given."""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.drills.grid import command, drill_project

WORK = """\
import time
end = time.monotonic() + 12
while time.monotonic() < end:
    score = (torch.randn(1500, 1500) @ torch.randn(1500, 1500)).mean()"""


def busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    if (os.cpu_count() or 1) < 2:
        print("skipped: needs two cores")
        return True, {}
    with tempfile.TemporaryDirectory() as folder:
        project = drill_project(Path(folder), 2, work=WORK)
        process = command(project, "run", "--cores", "2")
        shares: list[float] = []
        while process.poll() is None:
            alive = [one for one in psutil.process_iter() if is_kernel(one, project)]
            if len(alive) == 2:
                try:
                    before, clock = [busy(one) for one in alive], time.monotonic()
                    time.sleep(3)
                    passed = time.monotonic() - clock
                    now = [(busy(one) - b) / passed for one, b in zip(alive, before, strict=True)]
                except psutil.NoSuchProcess:
                    continue
                shares += now
            time.sleep(0.2)
        process.communicate()
    if not shares:
        print("two kernels were never seen at once")
        return False, {}
    print(f"cores used by each of two kernels at once, at best: {max(shares):.2f}, samples {len(shares)}")
    steady = sorted(shares)[len(shares) // 2]
    print(f"median share of a core for each kernel: {steady:.2f} (1.00 = one thread, busy all the time)")
    return max(shares) <= 1.15 and steady >= 0.7, {"share_of_a_core": steady, "at_best": max(shares)}


def is_kernel(process: psutil.Process, project: Path) -> bool:
    """A forked kernel of this project: a child of the parent process."""
    try:
        environment = process.environ()
        parent = process.parent()
        forked = parent is not None and any("kernel_parent_process.py" in part for part in parent.cmdline())
        return environment.get("PYTHONPATH") == str(project) and forked
    except psutil.Error:
        return False
