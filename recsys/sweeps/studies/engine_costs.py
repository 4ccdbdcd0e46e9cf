"""What the engine costs: trials side by side against one after another, and a trial beside what it does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys.sweeps.engine import ask
from recsys.sweeps.results import read_arms, sweep_folder
from recsys.sweeps.spec import Spec
from recsys.sweeps.studies.commands import MeasurementFailed, ends, runs_of, timed_sweep, write_spec
from recsys.sweeps.trials.trial_client import TrialClient
from recsys.training.hyperparameter_search.trial import STOPPED

RATES = {"learning_rate": {"real": [0.0002, 0.01], "log": True}, "drop": {"real": [0.1, 0.7]}}
PLANE = {"x": {"real": [-1.0, 1.0]}, "y": {"real": [-1.0, 1.0]}}
SMALL_SECONDS = 0.01  # of each of many small trials
LIMITS = {"seconds": 600.0, "memory_gb": 3.0}


def side_by_side(folder: Path, trials: int, epochs: int, cores: int, seed: int) -> dict[str, float]:
    """The same trials on several cores and one after another, ended by ASHA at the same reports.

    One after another means without Ray: one warm process that is asked for trial after trial. Every trial has
    one thread in both.

    Args:
        folder: empty. trials, epochs: how many, and passes of one that is not ended early.

    Returns:
        side_by_side_speedup: seconds one after another ÷ seconds from the first trial that was handed out to
        the end of the last one; side_by_side_whole_speedup: ÷ those of the whole command, Ray's start in it;
        one_after_another_seconds, side_by_side_seconds; side_by_side_stopped: share ended early;
        side_by_side_same: share of trials with the same last value in both.

    Raises:
        MeasurementFailed: a sweep failed, or a trial in it.
    """
    spec = write_spec(
        folder,
        "side_by_side",
        question="How much faster are trials on several cores?",
        function="next_item",
        fixed={"dataset": "demo_store", "model": "sequence", "epochs": float(epochs), "judged_users": 2000},
        space=RATES,
        objectives=[{"metric": "ndcg@10"}],
        first=[],
        budget={"trials": trials},
        methods=[{"sampler": "random", "scheduler": "asha", "most": epochs + 1}],
        seed=seed,
        limits=LIMITS,
    )
    whole = timed_sweep(folder, spec, "--cores", str(cores))
    ended = ends(folder, spec)
    if (ended["state"] == "failed").any():
        raise MeasurementFailed(f"{(ended['state'] == 'failed').sum()} trials failed side by side")
    plan = reached(folder, spec)
    seconds, values = one_after_another(folder, spec, plan)
    together = float(ended["ended"].max())
    return {
        "side_by_side_speedup": seconds / together,
        "side_by_side_whole_speedup": seconds / whole,
        "one_after_another_seconds": seconds,
        "side_by_side_seconds": together,
        "side_by_side_stopped": float((ended["state"] == STOPPED).mean()),
        "side_by_side_same": float(
            np.mean([value == plan[number]["value"] for number, value in values.items()])
        ),
    }


def reached(folder: Path, spec: Spec) -> dict[int, dict[str, Any]]:
    """What each trial of a sweep's only arm came to: number → settings, reports that it gave before it ended,
    whether it was stopped, and its last value."""
    ((_, events),) = read_arms(sweep_folder(spec.name, runs_of(folder))).values()
    metric = spec.objectives[0].metric
    found: dict[int, dict[str, Any]] = {}
    for event in events:
        own = found.setdefault(event["number"], {"reports": 0})
        if event["event"] == "handed out":
            own["settings"] = event["settings"]
        elif event["event"] == "report":
            own["reports"] = event["epoch"]
        else:
            own |= {"stopped": event["state"] == STOPPED, "value": event["metrics"][metric]}
    for own in found.values():  # the report at which it was stopped is logged as its end
        own["reports"] += own["stopped"]
    return dict(sorted(found.items()))


def one_after_another(
    folder: Path, spec: Spec, plan: dict[int, dict[str, Any]]
) -> tuple[float, dict[int, float]]:
    """Seconds of all the trials in one warm process, its start in it, and each trial's last value.

    Args:
        plan: of `reached`.

    Raises:
        MeasurementFailed: a trial failed.
    """
    told, values = ask(spec, folder), {}
    started = time.perf_counter()
    client = TrialClient(spec.needs.threads, spec.limits.seconds, spec.limits.memory_gb, told["environment"])
    try:
        for number, own in plan.items():
            client.begin(told["ask"] | {"settings": told["ask"]["unsearched"] | own["settings"]})
            message, reports = client.next(), 1
            while message.kind == "report" and not (own["stopped"] and reports >= own["reports"]):
                message, reports = client.next(), reports + 1
            if message.kind == "failed":
                raise MeasurementFailed(f"trial {number} one after another: {message.reason}")
            values[number] = message.metrics[spec.objectives[0].metric]
    finally:
        client.stop()
        seconds = time.perf_counter() - started
        client.close()
    return seconds, values


def overhead(folder: Path, trials: int, seconds: float, seed: int) -> dict[str, float]:
    """What a trial costs beside itself, on one core, from trials of known length.

    Args:
        trials: at least 3. seconds: that each sleeps.

    Returns:
        overhead_seconds: mean of the times between two ends, less the trial's own; overhead_longest_seconds;
        first_trial_seconds: from handing out the first trial to its end, its process's start in it.
    """
    spec = _planted(folder, "overhead", trials, seconds, seed)
    timed_sweep(folder, spec, "--cores", "1")
    ended = ends(folder, spec)["ended"]
    gaps = ended.diff().iloc[1:] - seconds
    return {
        "overhead_seconds": float(gaps.mean()),
        "overhead_longest_seconds": float(gaps.max()),
        "first_trial_seconds": float(ended.iloc[0]),
    }


def small_trials(folder: Path, trials: int, cores: int, seed: int) -> dict[str, float]:
    """A sweep of many trials of 10 ms, and how long `--status` takes to tell how it stands.

    Returns:
        small_trials_seconds: of the whole command; status_seconds.
    """
    spec = _planted(folder, "small_trials", trials, SMALL_SECONDS, seed)
    return {
        "small_trials_seconds": timed_sweep(folder, spec, "--cores", str(cores)),
        "status_seconds": timed_sweep(folder, spec, "--status"),
    }


def _planted(folder: Path, name: str, trials: int, seconds: float, seed: int) -> Spec:
    return write_spec(
        folder,
        name,
        question="What does a trial cost beside itself?",
        function="planted",
        fixed={"seconds": float(seconds)},
        space=PLANE,
        objectives=[{"metric": "quality"}],
        budget={"trials": trials},
        methods=[{"sampler": "quasi_random"}],
        seed=seed,
        limits=LIMITS,
    )


def as_table(metrics: Mapping[str, float]) -> pd.DataFrame:
    """Metrics as a reader sees them, a row each."""
    return pd.Series(metrics, dtype=float).map("{:.4g}".format).rename("measured").to_frame()
