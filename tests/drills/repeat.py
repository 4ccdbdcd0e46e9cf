"""The same run twice: another process, another worker count, the same threads; metrics bit-equal."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tests.drills.grid import drill_project, records, run_to_end


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    equal = True
    for threads in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            project = drill_project(Path(folder), 4, threads=threads)
            run_to_end(project, "--runs", "first")
            run_to_end(project, "--runs", "second", "--cores", str(threads))
            passes = [
                {name: record["metrics"] for name, record in records(project, runs).items()}
                for runs in ("first", "second")
            ]
        same = passes[0] == passes[1] and len(passes[0]) == 4
        used = {metrics["threads"] for metrics in passes[0].values()}
        print(f"threads {threads}: all cores against --cores {threads}: bit-equal {same}; kernel used {used}")
        equal &= same and used == {float(threads)}
    return equal, {"bit_equal": equal}
