"""Runs the drills one after another: `make drills`, or `python -m tests.drills kills overhead`."""

import argparse
import json
import platform
import sys
import time
from typing import Any

import psutil

from recsys.runs import paths
from recsys.runs.checksums import with_checksums
from recsys.runs.grid import git
from tests.drills import (
    by_hand,
    faults,
    jupyterlab,
    kills,
    loss,
    overhead,
    parallel,
    repeat,
    replays,
    setup,
    streams,
    sweep_kills,
    training_kills,
)

DRILLS = {
    "faults": faults.main,
    "repeat": repeat.main,
    "parallel": parallel.main,
    "overhead": overhead.main,
    "loss": loss.main,
    "kills": kills.main,
    "training_kills": training_kills.main,
    "streams": streams.main,
    "replays": replays.main,
    "sweep_kills": sweep_kills.main,
    "by_hand": by_hand.main,
    "jupyterlab": jupyterlab.main,
    "setup": setup.main,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"any of: {', '.join(DRILLS)} (all)")
    parser.add_argument("--kills", type=int, default=50, help="how many times the driver is killed")
    parser.add_argument(
        "--save", action="store_true", help="keep the figures in experiments/reference/drills"
    )
    options = parser.parse_args()
    unknown = set(options.drills) - set(DRILLS)
    if unknown:
        parser.error(f"no drill {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    failed = []
    for name in options.drills or DRILLS:
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        good, figures = DRILLS[name](options)
        if not good:
            failed.append(name)
        if options.save:
            save(name, good, figures)
        print(f"== {name}: {'FAILED' if name in failed else 'passed'} in {time.monotonic() - started:.0f} s")
    print(f"\n{len(options.drills or DRILLS) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}")
    return 1 if failed else 0


def save(name: str, good: bool, figures: dict[str, Any]) -> None:
    """The figures with their provenance, for prose to quote."""
    cores, memory = psutil.cpu_count(), round(psutil.virtual_memory().total / 2**30, 1)
    record = {
        "drill": name,
        "passed": good,
        "figures": figures,
        "code": {"commit": git.head(), "dirty": git.uncommitted()},
        "machine": {"cores": cores, "memory_gb": memory, "load_before": psutil.getloadavg()[1]},
        "python": platform.python_version(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    target = paths.REFERENCE / "drills" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(with_checksums(record), indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
