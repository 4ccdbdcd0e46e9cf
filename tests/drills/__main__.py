"""Runs the drills one after another: `make drills`, or `python -m tests.drills kills overhead`."""

import argparse
import sys
import time

from tests.drills import faults, kills, loss, overhead, parallel, repeat

DRILLS = {
    "faults": faults.main,
    "repeat": repeat.main,
    "parallel": parallel.main,
    "overhead": overhead.main,
    "loss": loss.main,
    "kills": kills.main,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"any of: {', '.join(DRILLS)} (all)")
    parser.add_argument("--kills", type=int, default=50, help="how many times the driver is killed")
    options = parser.parse_args()
    unknown = set(options.drills) - set(DRILLS)
    if unknown:
        parser.error(f"no drill {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    failed = []
    for name in options.drills or DRILLS:
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        if not DRILLS[name](options):
            failed.append(name)
        print(f"== {name}: {'FAILED' if name in failed else 'passed'} in {time.monotonic() - started:.0f} s")
    print(f"\n{len(options.drills or DRILLS) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
