"""`recsys rerun`: repeats a committed run at its own commit and compares the metrics.

The commit is checked out in a git worktree and the run is repeated there by that commit's runner, with the
installed packages. Computed metrics must be equal: bit for bit on the same kind of processor with the same
kernels for matrices, within `TOLERANCE` on another one; where even that fails, the value is compared with the
prediction interval of the run's other seeds. An older record does not name its kernels: there, too, a
difference within `TOLERANCE` may come from them. Measured values (seconds, memory, rates) are not compared.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.grid.fingerprint import SCORES_FOLDER, versions
from recsys.runs.grid.git import git, missing_commits
from recsys.runs.records import Record

TOLERANCE = 1e-4  # relative; other processors sum in another order
MEASURED = ("*second*", "*_ms", "*_ms_*", "*:ms", "*speedup*", "*memory*", "*megabytes*", "*throughput*")
MEASURED += ("*latency*", "*_per_second", "*load*", "*time_ratio*", "*attention_*", "*_metric*", "*peak*")
MEASURED += ("*_gb", "*_mb", "*entry_bytes", "*share_of_gemm", "first_too_large", "kit_*", "plain_*")
MEASURED += ("trainer_*", "cores_*", "*:cost*", "queries_*")


class RerunError(RuntimeError):
    """A run cannot be repeated; the message says why."""


@dataclass(frozen=True)
class Repetition:
    """Comparison of a repeated run with its record.

    same_machine: whether processor and kernels are the recorded ones, so that every bit must agree; False for
    an older record, without kernels, whose bits do not. different: metrics that do not agree, with both
    values. measured: metrics that were not compared. newer: packages with another version than recorded.
    """

    record: Record
    same_machine: bool
    compared: int
    different: dict[str, tuple[float, float]]
    measured: list[str]
    newer: list[str]
    inside: list[str]

    @property
    def ok(self) -> bool:
        """Whether all compared metrics agree."""
        return not self.different or (not self.same_machine and set(self.different) == set(self.inside))

    def words(self) -> str:
        """One line: equal or not, and possible reasons of a difference."""
        if not self.compared:
            return f"repeated; all {len(self.measured)} metrics are measured ones, nothing must be equal"
        how = (
            "bit for bit"
            if self.same_machine
            else f"within {TOLERANCE:g} (another processor, or other kernels for matrices)"
        )
        if not self.different:
            return f"{self.compared} metrics equal {how}; {len(self.measured)} measured ones not compared"
        listed = ", ".join(f"{n} {was:.8g} → {now:.8g}" for n, (was, now) in list(self.different.items())[:4])
        told = f"{len(self.different)} of {self.compared} metrics are not equal {how}: {listed}"
        if self.inside:
            told += f"; {len(self.inside)} of them lie inside the band of the other seeds"
        return told + (f"; packages that differ: {', '.join(self.newer)}" if self.newer else "")


def is_measured(metric: str) -> bool:
    """Whether a metric is a time, memory or rate, which differs between runs."""
    return any(fnmatch(metric, pattern) for pattern in MEASURED)


def rerun(record: Record, others: Sequence[Record] = ()) -> Repetition:
    """Repeat a run at its own commit and compare its metrics with those recorded.

    Args:
        record: a published one.
        others: the same cell with other seeds, for the prediction interval.

    Raises:
        RerunError: its commit is not in this repository, or the run failed there.
    """
    commit = record.code["commit"]
    if commit is None or record.code["dirty"]:
        raise RerunError(f"{record.name} was made from uncommitted code, which nobody can lay out again")
    if missing_commits([commit]):
        raise RerunError(
            f"{record.name}: commit {commit[:8]} is not in this repository; in a shallow clone fetch the "
            "history with `git fetch --unshallow`"
        )
    with _worktree(commit) as folder, tempfile.TemporaryDirectory() as runs:
        again = _repeat(record, folder, Path(runs))
    return compare(record, again, others)


def compare(record: Record, again: Mapping[str, Any], others: Sequence[Record] = ()) -> Repetition:
    """Compare a record with the record of its repetition."""
    was, now = record.machine, again["machine"]
    named = "kernels" in was
    same = was["processor"] == now["processor"] and (not named or was["kernels"] == now.get("kernels"))
    counted = [name for name in record.metrics if not is_measured(name)]
    different = _different(record.metrics, again["metrics"], counted, 0.0 if same else TOLERANCE)
    if different and same and not named:  # perhaps of a processor of the same name with other kernels
        same, different = False, _different(record.metrics, again["metrics"], counted, TOLERANCE)
    inside = [name for name, (_, now) in different.items() if _in_band([record, *others], name, now)]
    recorded = (record.provenance() or {}).get("versions", {})
    present = versions(recorded)
    newer = [f"{n} {present.get(n, 'missing')} (was {v})" for n, v in recorded.items() if present.get(n) != v]
    measured = [name for name in record.metrics if name not in counted]
    return Repetition(record, same, len(counted), different, measured, newer, inside)


def _different(
    recorded: Mapping[str, float], repeated: Mapping[str, float], names: Sequence[str], tolerance: float
) -> dict[str, tuple[float, float]]:
    """Metrics whose values differ by more than a share `tolerance` of the larger, with both values."""
    found = {}
    for name in names:
        was, now = recorded[name], repeated.get(name, float("nan"))
        # a missing metric is NaN, and never equal
        if not abs(was - now) <= tolerance * max(abs(was), abs(now)):
            found[name] = (was, now)
    return found


def _in_band(group: Sequence[Record], metric: str, value: float) -> bool:
    """Whether a further seed of the same cell would be expected there (95 % prediction interval)."""
    from recsys.metrics.significance import seed_band

    values = [record.metrics[metric] for record in group if metric in record.metrics]
    if len(values) < 3:
        return False
    band = seed_band(values)
    return band.low <= value <= band.high


@contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / commit[:12]
        if git("worktree", "add", "--detach", str(folder), commit) is None:
            raise RerunError(f"git could not lay out commit {commit[:8]} in {folder}")
        try:
            yield folder
        finally:
            git("worktree", "remove", "--force", str(folder))


def _repeat(record: Record, project: Path, runs: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "recsys.cli", "run", record.experiment, "--profile", record.profile]
    command += ["--threads", str(record.threads), "--runs", str(runs)]
    for name, value in record.parameters.items():
        command += ["-p", f"{name}={value if isinstance(value, str | None) else json.dumps(value)}"]
    # a fusion reads what earlier runs kept, and the commit's own folder has no runs
    environment = {SCORES_FOLDER: str(paths.RUNS)} | os.environ | {"PYTHONPATH": str(project)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    # an older runner takes a name for the beginning of others' too, and runs those beside it
    own = runs / record.experiment
    found = [path for path in own.glob("*/record.json") if not path.parent.name.startswith(".")]
    if len(found) != 1:
        said = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise RerunError(f"{record.name} could not be repeated at its commit:\n" + "\n".join(said))
    return json.loads(found[0].read_text(encoding="utf-8"))


def find_records(asked: str, reference: Sequence[Record]) -> list[Record]:
    """Committed records by "experiment/run", a run's name, its identity (the last eight digits) or a folder.

    Raises:
        RerunError: none, or more than one.
    """
    wanted = asked.rstrip("/").removesuffix("/record.json")
    tail = "/".join(Path(wanted).parts[-2:])
    found = [r for r in reference if tail in (r.name, r.run, r.run.rpartition("-")[2])]
    if not found and (paths.REFERENCE / wanted).is_dir():
        raise RerunError(f"'{asked}' is an experiment: name one of its records, such as {wanted}/…-0a1b2c3d")
    if len(found) != 1:
        such = ", ".join(record.name for record in (found or list(reference))[:3])
        raise RerunError(
            f"'{asked}' names {len(found)} committed records; name one as its folder stands in "
            f"experiments/reference{such and f', such as {such}'}"
        )
    return found
