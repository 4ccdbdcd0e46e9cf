"""The driver is killed with SIGKILL at random moments and restarted each time."""

import argparse
import random
import signal
import subprocess
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
time.sleep(1)"""
SECONDS_TO_CLEAR = 30
RUNS_PER_KILL = 6


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


def kill_once(project: Path, after: float) -> bool:
    """Start the command and kill it so many seconds later; False when it had ended by itself by then."""
    process = command(project, "run")
    try:
        process.communicate(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    random.seed(0)
    cells = RUNS_PER_KILL * options.kills  # so that work is left until the last kill
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        undisturbed = drill_project(Path(first), cells, work=WORK)
        run_to_end(undisturbed)
        disturbed = drill_project(Path(second), cells, work=WORK)
        problems: list[str] = []
        finished: dict[str, str] = {}
        kills = 0
        while kills < options.kills and len(finished) < cells:
            # Ray takes some 5 to 10 s to start: moments before, during and after it all occur.
            kills += kill_once(disturbed, random.uniform(0.5, 20))
            deadline = time.monotonic() + SECONDS_TO_CLEAR
            while (left := left_over(disturbed)) and time.monotonic() < deadline:
                time.sleep(0.2)
            if left:
                problems.append(f"kill {kills}: left behind {left}")
            runs = disturbed / "experiments" / "runs"
            now = {path.parent.name: digest(path) for path in runs.glob("*/[!.]*/record.json")}
            repeated = [name for name, sha in finished.items() if now.get(name) != sha]
            if repeated:
                problems.append(f"kill {kills}: finished runs gone or repeated: {repeated}")
            finished = now
            whole = records(disturbed)  # raises on a half-written record
            print(f"kill {kills}: {len(whole)} of {cells} runs finished", flush=True)
        done_under_fire = len(finished)
        run_to_end(disturbed)
        want = {name: record["metrics"] for name, record in records(undisturbed).items()}
        got = {name: record["metrics"] for name, record in records(disturbed).items()}
        if want != got:
            problems.append("metrics differ from the undisturbed pass")
        in_flight = list((disturbed / "experiments" / "runs").glob("*/.in-flight-*"))
        if in_flight:
            problems.append(f"left in flight: {in_flight}")
    for problem in problems:
        print(problem)
    print(f"{kills} kills, {len(got)} runs complete, metrics bit-equal: {want == got}")
    return not problems and kills == options.kills, {
        "kills": kills,
        "runs": len(got),
        "runs_finished_between_kills": done_under_fire,
        "bit_equal": want == got,
        "problems": problems,
    }
