"""A training is killed with SIGKILL at random moments and started again each time."""

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from tests.training.killable import digest, finish, kill_once, killable_training

KILLS = 10
EPOCHS = 60  # × 7 steps
LONGEST = 0.8  # seconds of training before a kill, at most: ten of them end before the training does


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    chance = random.Random(0)
    want = json.loads(json.dumps(digest(killable_training(None, EPOCHS, pause=0))))
    problems: list[str] = []
    reached: list[int] = []
    half_written = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(1, KILLS + 1):
            reached.append(kill_once(folder, EPOCHS, chance, LONGEST))
            half_written += (folder / "checkpoint.new").exists()
            print(f"kill {number}: {reached[-1]} of {want['steps']} steps kept", flush=True)
        if reached != sorted(reached):
            problems.append(f"steps were lost again: {reached}")
        if reached[-1] >= want["steps"]:
            problems.append("the last kills came after the end: they tried nothing")
        got = finish(folder, EPOCHS)
    problems += [f"{part} differs from the undisturbed run" for part in want if got[part] != want[part]]
    for problem in problems:
        print(problem)
    print(f"{KILLS} kills, {half_written} of them in the middle of a write, bit-equal: {got == want}")
    return not problems, {
        "kills": KILLS,
        "kills_inside_a_write": half_written,
        "steps": want["steps"],
        "bit_equal": got == want,
        "problems": problems,
    }
