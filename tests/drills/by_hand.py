"""Every notebook by plain papermill, so that no runner sets its threads: idle, and beside a busy core."""

import argparse
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from tests.conftest import ROOT

LONGER, BUSY = 1.5, 2.0  # times what the head says; times what it takes idle
NUMBERS = {"half a": 0.5, "a": 1.0, "a minute and a half": 1.5, "two": 2.0, "three": 3.0}


def stated_seconds(notebook: Path) -> float:
    """What the first cell says: "**Takes** about half a minute", "... a minute and a half", "... 20 seconds".

    Raises:
        ValueError: it says nothing that can be read.
    """
    head = nbformat.read(notebook, as_version=4).cells[0].source
    found = re.search(r"\*\*Takes\*\* (?:about |under )?(.*?)(?: by hand| on the demo|[.,])", head)
    said = found.group(1) if found else ""
    if said in NUMBERS:
        return 60 * NUMBERS[said]
    if number := re.fullmatch(r"(\d+) seconds", said):
        return float(number.group(1))
    if (words := said.removesuffix("s").removesuffix(" minute")) in NUMBERS:
        return 60 * NUMBERS[words]
    raise ValueError(f"{notebook.name}: its first cell does not say '**Takes** about .. by hand'")


def seconds(notebook: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--cwd", str(notebook.parent)]
        started = time.monotonic()
        subprocess.run(
            [*command, str(notebook), f"{folder}/out.ipynb"], check=True, stderr=subprocess.DEVNULL
        )
        return time.monotonic() - started


def spin() -> None:
    while True:
        pass


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    figures: dict[str, Any] = {}
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        stated, idle = stated_seconds(notebook), seconds(notebook)
        other = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
        other.start()
        try:
            busy = seconds(notebook)
        finally:
            other.kill()
            other.join()
        good = idle <= LONGER * stated and busy <= BUSY * idle
        figures[notebook.stem] = {
            "stated": stated,
            "idle": round(idle, 1),
            "busy": round(busy, 1),
            "good": good,
        }
        print(f"{notebook.stem}: says {stated:.0f} s, idle {idle:.0f} s, busy {busy:.0f} s", flush=True)
    return all(row["good"] for row in figures.values()), figures
