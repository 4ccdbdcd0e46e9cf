"""Checks answers to a notebook's exercises, and predictions against the reader's own runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from recsys.runs import paths
from recsys.runs.grid.experiment import load_experiment
from recsys.runs.grid.plan import declared_parameters, with_defaults
from recsys.runs.records import Record, load_records


def check_answers(
    yours: Sequence[float | None], right: Sequence[float], within: float = 0.01, names: Sequence[str] = ()
) -> pd.DataFrame:
    """Compare answers with solutions, one row per exercise: yours, right, verdict.

    Args:
        yours: answers; None where there is none yet (`right` then stays empty).
        right: solutions, none of them 0.
        within: tolerance, as a share of the solution.
        names: of the rows; without any: numbers from 1.

    Raises:
        ValueError: the numbers of answers and solutions differ.

    Example:
        >>> check_answers([0.5, None], right=[0.5, 2.0])["right"].tolist()
        [0.5, nan]
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
    """Compare a prediction with your own run's record; before that run, show the command for it.

    Args:
        predicted: the metric, or with a control the ratio of the run's metric to the control's; None: no
            prediction yet (the record is then not shown).
        experiment: whose records in experiments/runs are read: yours, not the committed ones.
        metric: name as recorded.
        run: parameters of the predicted run; what is not named has the notebook's defaults, in the run and in
            the command that is shown (runs of the quick grid are smaller). Of several the newest counts.
        control: parameters of the run that it is compared with, or None.
        within: tolerance, as a share of the recorded value.

    Returns:
        One row: predicted, recorded (empty before), verdict.

    Raises:
        ValueError: the run has no such metric.

    Example:
        >>> check_prediction(None, "05_resources", "checkpointing:memory_ratio", {})["verdict"].tolist()
        ['predict first']
    """
    asked = [run] if control is None else [run, control]
    found = [_newest(experiment, parameters) for parameters in asked]
    missing = [parameters for parameters, record in zip(asked, found, strict=True) if record is None]
    row: dict[str, Any] = {"predicted": predicted, "recorded": None}
    if predicted is None:
        row["verdict"] = "predict first"
    elif missing:
        commands = [" ".join([f"recsys run {experiment} --defaults", *_options(each)]) for each in missing]
        row["verdict"] = "run it: " + "; ".join(commands)
    else:
        values = [_metric(record, metric) for record in found if record is not None]
        recorded = values[0] if control is None else values[0] / values[1]
        row["recorded"] = recorded
        near = abs(predicted - recorded) <= within * abs(recorded)
        row["verdict"] = f"within {within:.0%}: why?" if near else f"off by more than {within:.0%}: why?"
    return pd.DataFrame([row], index=pd.Index([metric], name="metric"))


def _newest(experiment: str, parameters: Mapping[str, Any]) -> Record | None:
    """The reader's newest run with these parameters, the others as the notebook has them."""
    declared = declared_parameters(load_experiment(paths.EXPERIMENTS / f"{experiment}.yaml"))
    whole = with_defaults(declared, parameters)
    fitting = [record for record in load_records(paths.RUNS, experiment) if record.parameters == whole]
    return max(fitting, key=lambda record: record.started, default=None)


def _metric(record: Record, metric: str) -> float:
    if metric not in record.metrics:
        raise ValueError(f"{record.name} recorded no '{metric}'; it has {', '.join(sorted(record.metrics))}")
    return float(record.metrics[metric])


def _options(parameters: Mapping[str, Any]) -> list[str]:
    return [f"-p {name}={value}" for name, value in parameters.items()]
