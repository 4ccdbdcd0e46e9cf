"""A fresh clone in an empty folder: `make reproduce` and `make test`, each building its own environment."""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

BARS = {"reproduce": 10, "test": 25}  # minutes


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    figures: dict[str, Any] = {}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RECSYS_", "PYTHON", "VIRTUAL"))}
    for target in BARS:
        with tempfile.TemporaryDirectory() as folder:
            clone = Path(folder) / "clone"
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            environment["RECSYS_CACHE"] = str(Path(folder) / "cache")
            started = time.monotonic()
            done = subprocess.run(["make", target], cwd=clone, env=environment, stdin=subprocess.DEVNULL)
            figures[f"{target}_minutes"] = round((time.monotonic() - started) / 60, 2)
            figures[f"{target}_status"] = done.returncode
        print(f"make {target}: {figures[f'{target}_minutes']} min, exit status {done.returncode}")
    good = all(figures[f"{t}_status"] == 0 and figures[f"{t}_minutes"] <= bar for t, bar in BARS.items())
    return good, figures
