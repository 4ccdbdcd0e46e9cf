"""The driver of a sweep is killed with SIGKILL, each time after at least one further trial, and resumed.

Nothing finished may be lost or run twice, no process may be left, and the final table must be that of a
sweep that nobody touched: for grid, random and quasi-random search without a scheduler. TPE goes on from its
history; which trials ran side by side is the machine's business, so its table is only checked for holes.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT

SPEC = """\
name: drill
question: Does a sweep survive its driver?
function: planted
fixed: {epochs: 2, seconds: 0.4}
space: {x: {choice: [-1.0, 0.0, 0.3, 0.6]}, y: {choice: [-1.0, -0.6, 0.0]}}
objectives: [{metric: quality}]
budget: {trials: 12}
methods: [{sampler: grid}, {sampler: random}, {sampler: quasi_random}, {sampler: tpe}]
"""
SECONDS_TO_CLEAR = 40
Table = dict[tuple[str, int], tuple[str, str]]


def events(runs: Path) -> dict[str, list[dict[str, Any]]]:
    """Arm → whole lines of its log."""
    found = {}
    for path in runs.glob("sweeps/drill/*.jsonl"):
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        found[path.stem] = [json.loads(line) for line in whole][1:]
    return found


def ended(runs: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(arm, e) for arm, lines in events(runs).items() for e in lines if e["event"] == "ended"]


def final(runs: Path) -> Table:
    """(arm, number) → settings and metrics."""
    return {
        (arm, e["number"]): (json.dumps(e["settings"]), json.dumps(e["metrics"])) for arm, e in ended(runs)
    }


def command(spec: Path, runs: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "recsys.cli", "sweep", str(spec), "--runs", str(runs), *options]


def left_over(mark: str) -> list[str]:
    """Processes of the drill that are still there."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            there = process.environ().get("SWEEP_DRILL") == mark
            if there and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(" ".join(process.info["cmdline"] or [])[:80])
        except psutil.Error:
            continue
    return found


def kill_once(spec: Path, runs: Path, mark: str, generator: random.Random, first: bool) -> bool:
    """Kill the driver after one to three further trials; False when it had ended by then."""
    before = len(ended(runs))
    environment = {**os.environ, "SWEEP_DRILL": mark}
    options = () if first else ("--resume",)
    driver = subprocess.Popen(
        command(spec, runs, *options), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    wanted = before + generator.randint(1, 3)
    while driver.poll() is None and len(ended(runs)) < wanted:
        time.sleep(0.05)
    time.sleep(generator.random() * 0.5)  # in the midst of writing one, as often as not
    running = driver.poll() is None
    driver.kill()
    driver.wait()
    return running


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    """Kill, resume, compare; the figures say what was seen."""
    generator, mark = random.Random(7), f"{os.getpid()}"
    lost, orphans, kills = 0, 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec, runs = folder / "drill.yaml", folder / "killed"
        spec.write_text(SPEC, encoding="utf-8")
        known: Table = {}
        while kills < min(options.kills, 10) and kill_once(spec, runs, mark, generator, first=kills == 0):
            kills += 1
            now = final(runs)
            lost += sum(now.get(key) != row for key, row in known.items())
            known = now
            deadline = time.monotonic() + SECONDS_TO_CLEAR
            while (left := left_over(mark)) and time.monotonic() < deadline:
                time.sleep(0.5)
            orphans += len(left)
            print(f"kill {kills}: {len(known)} trials had ended, {len(left)} processes left", flush=True)
        subprocess.run(command(spec, runs, "--resume"), cwd=ROOT, stdout=subprocess.DEVNULL)
        whole = folder / "whole"
        subprocess.run(command(spec, whole), cwd=ROOT, stdout=subprocess.DEVNULL)
        twice = len(ended(runs)) - len(final(runs))
        fixed = {key: row for key, row in final(runs).items() if not key[0].startswith("tpe")}
        same = fixed == {key: row for key, row in final(whole).items() if not key[0].startswith("tpe")}
        figures = {"kills": kills, "trials": len(final(runs)), "lost": lost, "run_twice": twice}
        figures |= {"orphans": orphans, "same_final_table": same}
    print(figures)
    good = kills > 0 and same and not (lost or twice or orphans) and figures["trials"] == 48
    return good, figures
