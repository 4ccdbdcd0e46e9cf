"""Every log at hand through the engine, with faults: counts to the line, states as of one computation."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from recsys.data.errors import DataUnavailable
from recsys.streaming.engine import spark_session
from recsys.streaming.studies.replayed import replay_rows, rows_to_replay

# name of the figures, data set, raw invoice lines
LOGS = (
    ("demo_store", "demo_store", False),
    ("taobao_userbehavior", "taobao_userbehavior", False),
    ("movielens_multimodal", "movielens_multimodal", False),
    ("online_retail", "online_retail", False),
    ("online_retail, every line", "online_retail", True),
    ("online_retail_2, every line", "online_retail_2", True),
)


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    if not spark_session.installed():
        print("skipped: pyspark is not installed")
        return True, {"skipped": True}
    figures: dict[str, Any] = {}
    for name, dataset, raw in LOGS:
        try:
            rows = rows_to_replay(dataset, raw=raw)
        except DataUnavailable as error:
            print(f"{name}: not here ({error})")
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = replay_rows(rows, Path(folder))
        lines, seconds = int(found.batches["lines"].sum()), found.batches["milliseconds"].sum() / 1000
        figures[name] = {
            "exact": found.exact,
            "events": len(rows),
            "lines": lines,
            "users": int(found.equality["users"]),
            "largest_difference": float(found.equality["largest_difference"]),
            "lines_per_second": round(lines / seconds, 1),
        }
        print(name, figures[name], flush=True)
    return all(figure["exact"] for figure in figures.values()) and len(figures) > 0, figures


if __name__ == "__main__":
    sys.exit(not main(argparse.Namespace())[0])
