"""The driver of a sweep is killed with SIGKILL, each time after at least one further trial, and resumed.

Nothing finished may be lost or run twice, no process may be left, and the final table must be that of a
sweep that nobody touched: for grid, random and quasi-random search without a scheduler. TPE goes on from its
history; which trials ran side by side is the machine's business, so of its table only the numbers are
compared. Half of the kills come within milliseconds of a line of the log, the others some time later.
"""

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.conftest import ROOT

SAMPLERS = ("grid", "random", "quasi_random", "tpe")
MOST_KILLS = 10  # each costs a start of Ray
TRIALS_PER_KILL = 10  # so that work is left until the last kill
SECONDS_TO_CLEAR = 40
SECONDS_TO_PROGRESS = 300
SECONDS_AFTER = 1.5  # the longest between the progress and a kill that is not at once
LOOK = 0.002
Table = dict[tuple[str, int], tuple[str, str]]


def write_spec(folder: Path, trials: int) -> Path:
    """A sweep of so many trials for each sampler: two values of y, the rest of x."""
    half = math.ceil(trials / 2)
    x = [round(-1 + 2 * k / max(1, half - 1), 3) for k in range(half)]
    spec = {
        "name": "drill",
        "question": "Does a sweep survive its driver?",
        "function": "planted",
        "fixed": {"epochs": 2, "seconds": 0.4},
        "space": {"x": {"choice": x}, "y": {"choice": [-0.6, 0.0]}},
        "objectives": [{"metric": "quality"}],
        "budget": {"trials": 2 * half},
        "methods": [{"sampler": name} for name in SAMPLERS],
    }
    path = folder / "drill.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def logs(runs: Path) -> list[Path]:
    return sorted(runs.glob("sweeps/drill/*.jsonl"))


def events(runs: Path) -> dict[str, list[dict[str, Any]]]:
    """Arm → whole lines of its log."""
    found = {}
    for path in logs(runs):
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


def wait_until_clear(mark: str) -> list[str]:
    """What is left of a killed driver after a while: nothing, if all is well."""
    deadline = time.monotonic() + SECONDS_TO_CLEAR
    while (left := left_over(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def log_bytes(runs: Path) -> int:
    return sum(path.stat().st_size for path in logs(runs))


def kill_once(spec: Path, runs: Path, mark: str, chance: random.Random, first: bool) -> str | None:
    """Start, wait for one to three further trials, draw the moment, kill.

    Returns:
        "at a line", "later", or None where the command had ended by itself or made no progress.
    """
    before = len(ended(runs))
    environment = {**os.environ, "SWEEP_DRILL": mark}
    options = () if first else ("--resume",)
    driver = subprocess.Popen(
        command(spec, runs, *options), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    wanted, deadline = before + chance.randint(1, 3), time.monotonic() + SECONDS_TO_PROGRESS
    while driver.poll() is None and len(ended(runs)) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    at_a_line = chance.random() < 0.5
    if at_a_line:
        size = log_bytes(runs)
        while driver.poll() is None and log_bytes(runs) == size and time.monotonic() < deadline:
            time.sleep(LOOK)
    else:
        time.sleep(chance.uniform(0, SECONDS_AFTER))
    lived = driver.poll() is None and len(ended(runs)) > before
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    if not lived:
        return None
    return "at a line" if at_a_line else "later"


def compare(runs: Path, known: Table, kill: int, problems: list[str]) -> Table:
    """What is finished now; notes what was lost, changed or run twice."""
    now = final(runs)
    if lost := [key for key, row in known.items() if now.get(key) != row]:
        problems.append(f"kill {kill}: finished trials gone or changed: {lost}")
    if twice := len(ended(runs)) - len(now):
        problems.append(f"kill {kill}: {twice} trials ended twice")
    return now


def check_end(killed: Path, whole: Path, trials: int, problems: list[str]) -> bool:
    """Whether the samplers that know no history gave the same table; notes what else is wrong."""
    got, want = final(killed), final(whole)
    for sampler in SAMPLERS:
        numbers = sorted(number for arm, number in got if arm == f"{sampler}-0")
        if numbers != list(range(trials)):
            problems.append(f"{sampler}: trials {numbers} instead of 0 to {trials - 1}")
    failed = [(arm, e["number"]) for arm, e in ended(killed) if e["state"] != "done"]
    if failed:
        problems.append(f"not done: {failed}")
    same = {k: v for k, v in got.items() if not k[0].startswith("tpe")} == {
        k: v for k, v in want.items() if not k[0].startswith("tpe")
    }
    if not same:
        problems.append("grid, random or quasi-random search ended in another table than undisturbed")
    return same


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    """Kill, resume, compare; the figures say what was seen."""
    chance, mark = random.Random(7), f"{os.getpid()}"
    kills = min(options.kills, MOST_KILLS)
    trials = 2 * math.ceil(TRIALS_PER_KILL * kills / len(SAMPLERS) / 2)
    problems: list[str] = []
    moments: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec, runs, whole = write_spec(folder, trials), folder / "killed", folder / "whole"
        known: Table = {}
        for number in range(1, kills + 1):
            moment = kill_once(spec, runs, mark, chance, first=number == 1)
            if moment is None:
                problems.append(f"kill {number}: no further trial before it, or the command had ended")
                break
            moments.append(moment)
            known = compare(runs, known, number, problems)
            if left := wait_until_clear(mark):
                problems.append(f"kill {number}: left behind {left}")
            print(f"kill {number}, {moment}: {len(known)} of {4 * trials} trials had ended", flush=True)
        resumed = subprocess.run(command(spec, runs, "--resume"), cwd=ROOT, stdout=subprocess.DEVNULL)
        undisturbed = subprocess.run(command(spec, whole), cwd=ROOT, stdout=subprocess.DEVNULL)
        if resumed.returncode or undisturbed.returncode:
            problems.append(f"exit status {resumed.returncode} resumed, {undisturbed.returncode} undisturbed")
        compare(runs, known, kills + 1, problems)
        same = check_end(runs, whole, trials, problems)
        after = len(ended(runs))
    for problem in problems:
        print(problem)
    figures = {"kills": len(moments), "kills_at_a_line": moments.count("at a line"), "trials": after}
    figures |= {"trials_ended_between_kills": len(known), "same_final_table": same, "problems": problems}
    print(figures)
    return not problems and len(moments) == kills, figures
