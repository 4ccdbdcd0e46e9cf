"""Hyperparameter importance: shares of the variance over the search space, with intervals.

fANOVA (Hutter et al. 2014) fits a random forest to the trials and decomposes its variance: each parameter's
share is its main effect, and what no parameter explains alone is the share of their interactions. PED-ANOVA
(Watanabe et al. 2023, arXiv:2304.10255) compares the distribution of the good trials with that of all; its
shares are made to sum to 1 and hold no interactions. Both by Optuna.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from recsys.metrics.significance import mean_with_interval
from recsys.training.hyperparameter_search.spaces import Choice, Range, Whole, read_space
from recsys.training.hyperparameter_search.tpe import as_study
from recsys.training.hyperparameter_search.trial import DONE, Trial

Evaluator = Literal["fanova", "ped_anova"]
LEAST = 8  # trials; PED-ANOVA needs five above its baseline
RESAMPLES = 20
INTERACTIONS = "interactions"  # the row of fANOVA beside the parameters


class TooFewTrials(ValueError):
    """Too few trials to estimate importance."""


def importance(
    frame: pd.DataFrame,
    space: Mapping[str, Range],
    metric: str,
    direction: str = "max",
    evaluator: Evaluator = "fanova",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Importance of each parameter: mean and 95 % interval.

    The interval is over searches if the frame holds at least three of them (columns method, repeat; Student's
    t). Otherwise it is over resampled trials, which shows how much depends on the trials that happened to be
    run, and is narrower than one over repeats would be.

    Args:
        frame: of `trial.as_frame`. space: parameter → range. metric, direction: the objective ("max" or
            "min").
        evaluator: "fanova" or "ped_anova". resamples: number of bootstrap samples.

    Returns:
        Columns parameter, importance, low, high, over ("repeats" or "resampled trials"), evaluator; the most
        important first. fANOVA: shares of the variance, the main effects, and in a last row "interactions" 1
        minus their sum (never below 0). PED-ANOVA: the parameters alone, their sum made 1.

    Raises:
        TooFewTrials: fewer than eight finished trials in a repeat.
    """
    finished = frame[frame["state"] == DONE].dropna(subset=[metric])
    keys = [name for name in ("method", "repeat") if name in finished]
    repeats = [part for _, part in finished.groupby(keys)] if keys else [finished]
    asked = (space, metric, direction, evaluator)
    named = [*space, INTERACTIONS] if evaluator == "fanova" else list(space)
    if len(repeats) >= 3:
        over = "repeats"
        shares = [_shares(part, *asked, seed) for part in repeats]
        rows = [_row(name, [one[name] for one in shares]) for name in named]
    else:
        over = "resampled trials"
        whole = _shares(finished, *asked, seed)
        generator = np.random.default_rng(seed)
        samples = (finished.sample(frac=1, replace=True, random_state=generator) for _ in range(resamples))
        drawn = [_shares(sample, *asked, seed + k) for k, sample in enumerate(samples)]
        rows = [
            {"parameter": name, "importance": whole[name]}
            | dict(zip(("low", "high"), _percentiles([one[name] for one in drawn]), strict=True))
            for name in named
        ]
    table = pd.DataFrame(rows).assign(over=over, evaluator=evaluator, last=[n == INTERACTIONS for n in named])
    table = table.sort_values(["last", "importance"], ascending=[True, False], ignore_index=True)
    return table.drop(columns="last")


def importances(
    frame: pd.DataFrame, space: Mapping[str, Range], metric: str, direction: str = "max", seed: int = 0
) -> pd.DataFrame:
    """`importance` by both evaluators, concatenated; without rows for one that has too few trials."""
    tables = []
    for evaluator in ("fanova", "ped_anova"):
        try:
            tables.append(importance(frame, space, metric, direction, evaluator, seed))
        except TooFewTrials as error:
            print(error)
    columns = ["parameter", "importance", "low", "high", "over", "evaluator"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def share_metrics(table: pd.DataFrame) -> dict[str, float]:
    """share_<parameter> (main effects) and share_interactions by fANOVA, as metrics of a record."""
    rows = table[table["evaluator"] == "fanova"].to_dict("records")
    return {f"share_{row['parameter']}": float(row["importance"]) for row in rows}


def searched_space(frame: pd.DataFrame) -> dict[str, Range]:
    """The space of a sweep's table (`recsys.sweeps.results.sweep_trials`)."""
    return read_space(frame.attrs["space"])


def _row(name: str, shares: Sequence[float]) -> dict[str, float | str]:
    summary = mean_with_interval(shares)
    low, high = max(0.0, summary.low), min(1.0, summary.high)  # shares lie in [0, 1]
    return {"parameter": name, "importance": summary.mean, "low": low, "high": high}


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _shares(
    frame: pd.DataFrame,
    space: Mapping[str, Range],
    metric: str,
    direction: str,
    evaluator: Evaluator,
    seed: int,
) -> dict[str, float]:
    trials = [
        Trial(
            number,
            {name: _setting(one, row.get(name)) for name, one in space.items()},
            DONE,
            {metric: row[metric]},
        )
        for number, row in enumerate(frame.to_dict("records"))
    ]
    study = as_study(trials, space, [metric], [direction])
    if len(study.trials) < LEAST:
        raise TooFewTrials(f"{len(study.trials)} finished trials; importance needs at least {LEAST}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        judge = (
            FanovaImportanceEvaluator(seed=seed) if evaluator == "fanova" else PedAnovaImportanceEvaluator()
        )
        whole = evaluator == "ped_anova"  # made to sum to 1, fANOVA's would hide the interactions
        found = get_param_importances(study, evaluator=judge, params=list(space), normalize=whole)
    shares = {name: float(found.get(name, 0.0)) for name in space}
    return shares if whole else shares | {INTERACTIONS: max(0.0, 1.0 - sum(shares.values()))}


def _setting(one: Range, value: Any) -> Any:
    """A cell of a data frame as the original setting: next to None, pandas turns 1 into 1.0 and None into
    NaN; of a library's defaults alone there is no column."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(one, Choice):
        return next((choice for choice in one.values if choice is not None and choice == value), value)
    return int(value) if isinstance(one, Whole) else float(value)
