"""A throw-away project with a grid of small runs, for the drills."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import make_project, write_notebook

NAME = "00_drill"
PARAMETERS = "seed: int = 0\nsize: int = 200  # rows and columns"
IMPORTS = "import torch, transformers\nfrom recsys.runs.record import record"
# Some floating-point work whose result depends on the seed and on every bit of the arithmetic.
WORK = """\
generator = torch.Generator().manual_seed(seed)
matrix = torch.randn(size, size, generator=generator)
score = torch.linalg.svdvals(matrix @ matrix.T / size).log1p().sum()"""
LAST = "record(metrics={'score': score.item(), 'threads': float(torch.get_num_threads())})"


def drill_project(folder: Path, runs: int, threads: int = 1, work: str = WORK) -> Path:
    project = make_project(folder)
    write_notebook(project / "notebooks" / f"{NAME}.ipynb", PARAMETERS, IMPORTS, work, LAST)
    (project / "experiments" / f"{NAME}.yaml").write_text(
        f"name: {NAME}\nnotebook: notebooks/{NAME}.ipynb\nquestion: Does it survive?\n"
        "metrics: [score, threads]\nprimary_metric: score\n"
        f"needs: {{threads: {threads}, memory_gb: 0.5}}\n"
        f"profiles:\n  quick: {{cells: [{{grid: {{seed: {list(range(runs))}}}}}]}}\n"
    )
    return project


def command(project: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "recsys.cli", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_to_end(project: Path, *arguments: str) -> str:
    process = command(project, "run", *arguments)
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"recsys run ended with {process.returncode}:\n{output}")
    return output


def records(project: Path, runs: str = "experiments/runs") -> dict[str, dict]:
    return {
        path.parent.name: json.loads(path.read_text())
        for path in sorted((project / runs).glob("*/*/record.json"))
        if not path.parent.name.startswith(".")
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
