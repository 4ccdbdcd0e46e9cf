"""The driver is killed with SIGKILL, each time after at least one further record, and restarted.

A kill before anything was done tries nothing. So each kill waits for progress first, then draws its
moment: at once, while some run's folder is being written, or some time later.
"""

import argparse
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.drills.grid import command, digest, drill_project, records, run_to_end

WORK = """\
import time
generator = torch.Generator().manual_seed(seed)
matrix = torch.randn(size, size, generator=generator)
score = torch.linalg.svdvals(matrix @ matrix.T / size).log1p().sum()
time.sleep(.3)"""
SECONDS_TO_CLEAR = 30
SECONDS_TO_PROGRESS = 600
SECONDS_AFTER = 4.0  # the longest between the progress and the kill: several runs end in it
RUNS_PER_KILL = 6
WRITTEN = ("record.json", "executed.ipynb")  # of a folder in flight: its run is being written down


def left_over(mark: Path) -> list[str]:
    """Processes that still belong to the drill's project: kernels, Ray, warm parents."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            environment = process.environ()
            if environment.get("PYTHONPATH") == str(mark) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.info["cmdline"] or [])[:100])
        except psutil.Error:
            continue
    return found


def finished(project: Path) -> dict[str, str]:
    """Name of each finished run, and a digest of its record."""
    runs = project / "experiments" / "runs"
    return {path.parent.name: digest(path) for path in runs.glob("*/[!.]*/record.json")}


def being_written(project: Path) -> bool:
    """Whether a run's results lie in a folder that is not in its place yet."""
    in_flight = (project / "experiments" / "runs").glob("*/.in-flight-*")
    return any((folder / name).is_file() for folder in in_flight for name in WRITTEN)


def kill_once(project: Path, chance: random.Random) -> str | None:
    """Start the command, wait for progress, draw the moment, kill.

    Returns:
        "in a write", "after a record", or None where the command had ended by itself.
    """
    before, process = len(finished(project)), command(project, "run")
    deadline = time.monotonic() + SECONDS_TO_PROGRESS
    while len(finished(project)) <= before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    in_a_write = chance.random() < 0.5
    if in_a_write:
        while not being_written(project) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
    else:
        time.sleep(chance.uniform(0, SECONDS_AFTER))
    ended = process.poll() is not None
    caught = being_written(project)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if ended:
        return None
    return "in a write" if caught else "after a record"


def wait_until_clear(project: Path) -> list[str]:
    """What is left of a killed driver after half a minute: nothing, if all is well."""
    deadline = time.monotonic() + SECONDS_TO_CLEAR
    while (left := left_over(project)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    chance = random.Random(0)
    cells = RUNS_PER_KILL * options.kills  # so that work is left until the last kill
    problems: list[str] = []
    moments: list[str] = []
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        undisturbed = drill_project(Path(first), cells, work=WORK)
        run_to_end(undisturbed)
        disturbed = drill_project(Path(second), cells, work=WORK)
        before: dict[str, str] = {}
        for number in range(1, options.kills + 1):
            moment = kill_once(disturbed, chance)
            if moment is None:
                problems.append(f"kill {number}: the command had ended by itself")
                break
            moments.append(moment)
            if left := wait_until_clear(disturbed):
                problems.append(f"kill {number}: left behind {left}")
            before = _compare(disturbed, before, number, problems)
            whole = len(records(disturbed))  # raises on a half-written record
            print(f"kill {number}, {moment}: {whole} of {cells} runs finished", flush=True)
        done_under_fire = len(before)
        run_to_end(disturbed)
        _compare(disturbed, before, options.kills + 1, problems, further=0)
        want, got = ({name: r["metrics"] for name, r in records(p).items()} for p in (undisturbed, disturbed))
        if want != got or len(got) != cells:
            problems.append(f"{len(got)} of {cells} runs, or metrics that differ from the undisturbed pass")
        if in_flight := list((disturbed / "experiments" / "runs").glob("*/.in-flight-*")):
            problems.append(f"left in flight: {in_flight}")
    for problem in problems:
        print(problem)
    inside = moments.count("in a write")
    print(f"{len(moments)} kills, {inside} of them in a write, {len(got)} runs, bit-equal: {want == got}")
    return not problems and len(moments) == options.kills, {
        "kills": len(moments),
        "kills_inside_a_write": inside,
        "runs": len(got),
        "runs_finished_between_kills": done_under_fire,
        "bit_equal": want == got,
        "problems": problems,
    }


def _compare(
    project: Path, before: dict[str, str], number: int, problems: list[str], further: int = 1
) -> dict[str, str]:
    """What is finished now; notes what was repeated or lost, and a kill before any progress."""
    now = finished(project)
    repeated = [name for name, sha in before.items() if now.get(name) != sha]
    if repeated:
        problems.append(f"kill {number}: finished runs gone or repeated: {repeated}")
    if len(now) < len(before) + further:
        problems.append(f"kill {number}: no further record before it")
    return now
