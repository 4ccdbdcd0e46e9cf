"""Answers to a notebook's exercises, and predictions held against the runs that they foresaw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from recsys.runs import paths
from recsys.runs.records import Record, load_records


def check_answers(
    yours: Sequence[float | None], right: Sequence[float], within: float = 0.01, names: Sequence[str] = ()
) -> pd.DataFrame:
    """A row an exercise: yours, right (empty until there is an answer), verdict.

    Args:
        yours: None where there is no answer yet.
        right: as many, none of them 0.
        within: how far an answer may be off, as a share of the right one.
        names: of the rows; none: numbers from 1.

    Raises:
        ValueError: another number of answers than of right ones.
    """
    if len(yours) != len(right):
        raise ValueError(f"{len(yours)} answers to {len(right)} exercises")
    table = pd.DataFrame({"yours": yours, "right": right}, dtype=float)
    table.index = pd.Index(names or range(1, len(table) + 1), name="exercise")
    near = (table["yours"] / table["right"] - 1).abs() < within
    table["verdict"] = near.map({True: "right", False: "not yet"})
    table.loc[table["yours"].isna(), ["right", "verdict"]] = [None, "no answer yet"]
    return table


def check_prediction(
    predicted: float | None,
    experiment: str,
    metric: str,
    run: Mapping[str, Any],
    control: Mapping[str, Any] | None = None,
    within: float = 0.2,
) -> pd.DataFrame:
    """A prediction beside what your own run recorded; until it has run, the command that runs it.

    Args:
        predicted: the metric, or with a control the metric's ratio of run to control; None: not said yet. The
            record is shown only to those who have said something.
        experiment: whose records are read, of experiments/runs: yours, not the committed ones.
        metric: as recorded.
        run: parameters of the run that is foreseen. Of several runs with them the newest counts; what it does
            not name stands at the notebook's defaults when you give the command below and nothing more.
        control: the same of the run that it is compared with.
        within: how far a prediction may be off, as a share of what was recorded.

    Returns:
        One row: predicted, recorded (empty before), verdict.

    Raises:
        ValueError: the run has no such metric.

    Example:
        >>> check_prediction(0.8, "05_resources", "checkpointing:memory_ratio", {"tokens": 32})
    """
    asked = [run] if control is None else [run, control]
    found = [_newest(experiment, parameters) for parameters in asked]
    missing = [parameters for parameters, record in zip(asked, found, strict=True) if record is None]
    row: dict[str, Any] = {"predicted": predicted, "recorded": None}
    if predicted is None:
        row["verdict"] = "predict first"
    elif missing:
        commands = [" ".join([f"recsys run {experiment}", *_options(each)]) for each in missing]
        row["verdict"] = "run it: " + "; ".join(commands)
    else:
        values = [_metric(record, metric) for record in found if record is not None]
        recorded = values[0] if control is None else values[0] / values[1]
        row["recorded"] = recorded
        near = abs(predicted - recorded) <= within * abs(recorded)
        row["verdict"] = f"within {within:.0%}: why?" if near else f"off by more than {within:.0%}: why?"
    return pd.DataFrame([row], index=pd.Index([metric], name="metric"))


def _newest(experiment: str, parameters: Mapping[str, Any]) -> Record | None:
    """The reader's last run with these parameters; smoke runs, whose sizes say nothing, left out."""
    fitting = [
        record
        for record in load_records(paths.RUNS, experiment)
        if record.profile != "smoke" and parameters.items() <= record.parameters.items()
    ]
    return max(fitting, key=lambda record: record.started, default=None)


def _metric(record: Record, metric: str) -> float:
    if metric not in record.metrics:
        raise ValueError(f"{record.name} recorded no '{metric}'; it has {', '.join(sorted(record.metrics))}")
    return float(record.metrics[metric])


def _options(parameters: Mapping[str, Any]) -> list[str]:
    return [f"-p {name}={value}" for name, value in parameters.items()]
