"""Tunes a click model's learning rate and penalty strength on validation, with the same budget for all.

The settings are a Latin hypercube: as many learning rates and strengths as trials, each spread evenly over
the logarithm of its range (dropout rates over the range itself), paired at random. An objective that ignores
one of the two tries the other's values; one that ignores both is trained once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.models.clicks.data import ClickData
from recsys.models.clicks.evaluation import evaluate_model
from recsys.models.clicks.objectives import parse_objective
from recsys.models.clicks.training import Fit, fit
from recsys.training.hyperparameter_search import search as hyperparameter_search
from recsys.training.hyperparameter_search.samplers import Listed
from recsys.training.hyperparameter_search.search import Budget, Measured

LEARNING_RATES = (0.01, 0.1)  # range searched
STRENGTHS = {"l2": (1.0, 100.0), "dropout": (0.1, 0.7)}  # ranges searched
CHOSEN_BY = "ndcg@10"  # on validation


@dataclass(frozen=True)
class Search:
    """What `search` found: the chosen fit, and one row per trial in the order they were run.

    trials: learning_rate, strength (NaN where the objective ignores it), chosen (bool), solver, state and
        reason, gradient_ratio, the validation metrics of `evaluate_model`, seconds, core_seconds, spent.
    """

    best: Fit
    trials: pd.DataFrame


def search(data: ClickData, objective: str, trials: int = 4, seed: int = 0, **training: int) -> Search:
    """Train with `trials` settings and keep the one with the best NDCG@10 on validation.

    Args:
        objective: see `recsys.models.clicks.training.fit`.
        trials: settings tried, ≥ 1.
        training: steps, batch_users, width of `fit`.
    """

    def fit_and_measure(setting: dict[str, float | None], given: ClickData) -> Measured:
        told = {name: number for name, number in setting.items() if number is not None}
        result = fit(given, objective, seed=seed, **told, **training)
        metrics, _ = evaluate_model(result.model, given, "validation")
        return Measured({"gradient_ratio": result.gradient_ratio, **metrics}, result)

    tried = settings(data, objective, trials, seed)
    # the log's JSON has no NaN
    tried = [{name: None if np.isnan(v) else v for name, v in one.items()} for one in tried]
    found = hyperparameter_search.search(
        fit_and_measure, data, Listed(tried), Budget(trials=trials), metric=CHOSEN_BY
    )
    table = found.frame.drop(columns=["number", "counts"])
    table = table.astype({"learning_rate": float, "strength": float})
    table.insert(2, "chosen", table.pop("chosen"))
    table.insert(3, "solver", found.kept.solver)  # one objective, one solver
    return Search(found.kept, table)


def settings(data: ClickData, objective: str, trials: int, seed: int = 0) -> list[dict[str, float]]:
    """The settings to try: dicts of learning_rate and strength, NaN where the objective ignores one.

    Raises:
        ValueError: trials < 1, or an unknown objective.
    """
    if trials < 1:
        raise ValueError(f"need at least one trial, got {trials}")
    nothing = {"learning_rate": np.nan, "strength": np.nan}
    if objective in ("untrained", "popularity"):
        return [nothing]
    parsed = parse_objective(objective)
    exact = parsed.is_smooth and data.features is not None
    if exact and not parsed.penalty:
        return [nothing]
    rates = np.full(trials, np.nan) if exact else _spread(*LEARNING_RATES, trials, np.geomspace)
    if not parsed.penalty:
        strengths = np.full(trials, np.nan)
    else:
        space = np.linspace if parsed.penalty == "dropout" else np.geomspace
        strengths = _spread(*STRENGTHS[parsed.penalty], trials, space)
    order = np.random.default_rng(seed).permutation(trials)
    return [
        {"learning_rate": float(rate), "strength": float(strength)}
        for rate, strength in zip(rates[order], strengths, strict=True)
    ]


def _spread(low: float, high: float, count: int, space) -> np.ndarray:
    """`count` values over the range, ends included; the middle for a count of 1."""
    return space(low, high, count) if count > 1 else space(low, high, 3)[1:2]
