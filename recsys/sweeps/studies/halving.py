"""How soon one way of searching is where another one ends: core seconds, with an interval over repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recsys.metrics.significance import mean_with_interval
from recsys.sweeps.results import sweep_trials
from recsys.sweeps.studies.commands import runs_of, timed_sweep, write_spec
from recsys.sweeps.studies.engine_costs import LIMITS, RATES
from recsys.training.hyperparameter_search.trial import DONE

SLOW, FAST = "random", "random+asha"


def core_seconds_to_reach(
    frame: pd.DataFrame, metric: str, slow: str = SLOW, fast: str = FAST, direction: str = "max"
) -> pd.DataFrame:
    """For each repeat: the core seconds until the fast method's choice is as good as the slow one's last.

    Only trials that ran to their end within the budget can be chosen. A fast method that never gets there is
    given the slow one's whole time (ratio 1), and told apart by `reached`: the mean ratio is then too small.

    Args:
        frame: rows of trials, as of `sweep_trials` or `replay_all`: method, repeat, state, counts, spent and
            the metric.

    Returns:
        A row a repeat that both have: repeat, slow_core_seconds (when its last choice was found), slow_spent
        (all of it), fast_core_seconds, ratio (fast_core_seconds ÷ slow_spent), reached;
        empty where the frame is.
    """
    if frame.empty:
        return frame
    sign = 1.0 if direction == "max" else -1.0
    chosen = frame[(frame["state"] == DONE) & frame["counts"]].dropna(subset=[metric])
    rows = []
    for repeat, part in chosen.groupby("repeat"):
        own = {name: part[part["method"] == name].sort_values("spent") for name in (slow, fast)}
        if any(one.empty for one in own.values()):
            continue
        aim = (sign * own[slow][metric]).max()
        whole = frame[(frame["repeat"] == repeat) & (frame["method"] == slow) & frame["counts"]][
            "spent"
        ].max()
        there = own[fast][sign * own[fast][metric] >= aim]
        taken = float(there["spent"].iloc[0]) if len(there) else float(whole)
        found = own[slow][sign * own[slow][metric] >= aim]["spent"].iloc[0]
        row = {"repeat": repeat, "slow_core_seconds": float(found), "slow_spent": float(whole)}
        row |= {"fast_core_seconds": taken, "ratio": min(1.0, taken / whole), "reached": bool(len(there))}
        rows.append(row)
    return pd.DataFrame(rows)


def reach_metrics(table: pd.DataFrame, name: str) -> dict[str, float]:
    """<name>_time_ratio (geometric mean over repeats), <name>_time_ratio_low and _high (95 %, Student's t of
    the logarithms; the mean itself for a single repeat), <name>_reached (share of the repeats).

    Nothing for an empty table.
    """
    if table.empty:
        return {}
    logs = np.log(table["ratio"])
    found = {
        f"{name}_time_ratio": float(np.exp(logs.mean())),
        f"{name}_reached": float(table["reached"].mean()),
    }
    low = high = logs.mean()
    if len(logs) > 1:
        interval = mean_with_interval(logs)
        low, high = interval.low, interval.high
    return found | {
        f"{name}_time_ratio_low": float(np.exp(low)),
        f"{name}_time_ratio_high": float(np.exp(high)),
    }


def halving(
    folder: Path, core_seconds: float, epochs: int, cores: int, repeats: int, seed: int
) -> tuple[dict[str, float], pd.DataFrame]:
    """Random search with and without ASHA, live, at the same core seconds: `reach_metrics`, and its table.

    Args:
        core_seconds: of each of the two searches in each repeat. epochs: of a trial that runs to its end.
    """
    spec = write_spec(
        folder,
        "halving",
        question="How soon is halving where random search ends?",
        function="next_item",
        fixed={"dataset": "demo_store", "model": "sequence", "epochs": float(epochs), "judged_users": 0},
        space=RATES | {"width": {"choice": [64, 128]}},
        objectives=[{"metric": "ndcg@10"}],
        first=[],
        budget={"core_seconds": float(core_seconds)},
        methods=[{"sampler": "random"}, {"sampler": "random", "scheduler": "asha", "most": epochs + 1}],
        repeats=repeats,
        seed=seed,
        limits=LIMITS,
    )
    timed_sweep(folder, spec, "--cores", str(cores))
    table = core_seconds_to_reach(sweep_trials(spec.name, runs_of(folder)), "ndcg@10")
    return reach_metrics(table, "halving"), table
