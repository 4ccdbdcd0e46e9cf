"""What the runner adds to a run, against the `papermill` command on the same notebook, interleaved."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.drills.grid import NAME, drill_project, records, run_to_end

PAIRS = 5
CELLS = 20


def seconds(function, *arguments) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def papermill(project: Path) -> None:
    notebook = project / "notebooks" / f"{NAME}.ipynb"
    # the notebook's last cell shows its metrics and records nothing when no run was requested
    subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), str(project / "out.ipynb"), "-p", "seed", "0"],
        check=True,
        capture_output=True,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"},
    )


def spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f} s ({min(values):.2f} … {max(values):.2f})"


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        project = drill_project(Path(folder), CELLS, work="score = torch.ones(())")
        papermill(project)  # warm-up: byte code and the disk's cache
        run_to_end(project, "--only", "seed=0")
        alone, single, inside = [], [], []
        for _pair in range(PAIRS):
            alone.append(seconds(papermill, project))
            single.append(seconds(run_to_end, project, "--only", "seed=0", "--force"))
            inside += [record["seconds"] for record in records(project).values()]
        grid = seconds(run_to_end, project, "--force")
        each = (grid - statistics.median(single)) / (CELLS - 1)
        nothing = seconds(run_to_end, project)
    command = statistics.median(alone)
    ratio = grid / (CELLS * command)
    print(f"papermill command:                 {spread(alone)}")
    print(f"recsys run, one run, with Ray:     {spread(single)}")
    print(f"  of which the run itself:         {spread(inside)}   bar: papermill + 0.5 s")
    print(f"grid of {CELLS}: {grid:.1f} s, {each:.2f} s for each further run")
    print(f"  against {CELLS} papermill commands:   {ratio:.3f}   bar: 0.333")
    print(f"second run, nothing changed:       {nothing:.2f} s   bar: 5 s")
    figures = {
        "papermill_seconds": command,
        "one_run_with_ray_seconds": statistics.median(single),
        "run_itself_seconds": statistics.median(inside),
        "grid_of_20_seconds": grid,
        "further_run_seconds": each,
        "grid_against_papermill": ratio,
        "nothing_changed_seconds": nothing,
    }
    return statistics.median(inside) <= command + 0.5 and ratio <= 1 / 3 and nothing <= 5, figures
