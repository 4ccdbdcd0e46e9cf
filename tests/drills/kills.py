"""The driver is killed with SIGKILL at random moments and restarted each time."""

import argparse
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.drills.grid import command, digest, drill_project, records, run_to_end

SLOW_WORK = """\
import time
generator = torch.Generator().manual_seed(seed)
matrix = torch.randn(size, size, generator=generator)
score = torch.linalg.svdvals(matrix @ matrix.T / size).log1p().sum()
time.sleep(4)"""
SECONDS_TO_CLEAR = 30


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


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    random.seed(0)
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        undisturbed = drill_project(Path(first), options.kills, work=SLOW_WORK)
        run_to_end(undisturbed)
        disturbed = drill_project(Path(second), options.kills, work=SLOW_WORK)
        problems: list[str] = []
        finished: dict[str, str] = {}
        for number in range(1, options.kills + 1):
            process = command(disturbed, "run")
            # Ray takes some 5 to 10 s to start: moments before, during and after it all occur.
            try:
                process.communicate(timeout=random.uniform(0.5, 20))
            except Exception:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            deadline = time.monotonic() + SECONDS_TO_CLEAR
            while (left := left_over(disturbed)) and time.monotonic() < deadline:
                time.sleep(0.2)
            if left:
                problems.append(f"kill {number}: left behind {left}")
            runs = disturbed / "experiments" / "runs"
            now = {path.parent.name: digest(path) for path in runs.glob("*/[!.]*/record.json")}
            repeated = [name for name, sha in finished.items() if now.get(name) != sha]
            if repeated:
                problems.append(f"kill {number}: finished runs gone or repeated: {repeated}")
            finished = now
            whole = records(disturbed)  # raises on a half-written record
            print(f"kill {number}: {len(whole)} of {options.kills} runs finished", flush=True)
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
    print(f"{options.kills} kills, {len(got)} runs complete, metrics bit-equal: {want == got}")
    return not problems, {
        "kills": options.kills,
        "runs": len(got),
        "bit_equal": want == got,
        "problems": problems,
    }
