"""`recsys sweep` as a user types it, in a folder of its own, with the time that it took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from recsys.runs import paths
from recsys.runs.record import REQUEST
from recsys.sweeps.command import sweep_command
from recsys.sweeps.results import read_arms, sweep_folder
from recsys.sweeps.spec import Spec, load_spec

RUN = (
    sweep_command  # what the command runs: with this, a change of the engine is a change of what is measured
)
NOT_PASSED_ON = (REQUEST, "RAY_ADDRESS", "RAY_JOB_ID", "RAY_RAYLET_PID")  # of the run that measures


class MeasurementFailed(RuntimeError):
    """A sweep that was to be measured did not end well; the message holds its last lines."""


def write_spec(folder: Path, name: str, **content: Any) -> Spec:
    """A sweep's file in a folder, checked as any other.

    Raises:
        recsys.sweeps.spec.SweepError: it is wrong.
    """
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **content}, sort_keys=False), encoding="utf-8")
    return load_spec(path)


def timed_sweep(folder: Path, spec: Spec, *options: str) -> float:
    """Seconds that `recsys sweep` took for the spec of `write_spec`, its start and that of Ray included.

    Args:
        folder: of the spec; its runs go below it.
        options: of the command.

    Raises:
        MeasurementFailed: another exit status than 0.
    """
    command = [sys.executable, "-m", "recsys.cli", "sweep", str(folder / f"{spec.name}.yaml"), *options]
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--runs", str(runs_of(folder))],
        cwd=paths.PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        told = " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise MeasurementFailed(f"recsys sweep {spec.name} {' '.join(options)}: {told}")
    return seconds


def runs_of(folder: Path) -> Path:
    """Where `timed_sweep` has its runs."""
    return folder / "runs"


def in_own_folder(study: Callable[..., Any], **arguments: Any) -> Any:
    """What a study returns that writes into an empty folder, which is removed again."""
    with tempfile.TemporaryDirectory(prefix="recsys-study-") as folder:
        return study(Path(folder), **arguments)


def ends(folder: Path, spec: Spec) -> pd.DataFrame:
    """One row a trial in the order of ends: arm, number, state, seconds, core_seconds, begun, ended (both in
    seconds since the sweep's first trial was handed out)."""
    rows = []
    for arm, (_, events) in read_arms(sweep_folder(spec.name, runs_of(folder))).items():
        begun = {event["number"]: event["at"] for event in events if event["event"] == "handed out"}
        rows += [
            {key: event[key] for key in ("number", "state", "seconds", "core_seconds")}
            | {"arm": arm, "begun": begun[event["number"]], "ended": event["at"]}
            for event in events
            if event["event"] == "ended"
        ]
    frame = pd.DataFrame(rows).sort_values("ended", ignore_index=True)
    first = frame["begun"].min()
    return frame.assign(begun=frame["begun"] - first, ended=frame["ended"] - first)
