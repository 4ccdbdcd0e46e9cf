"""Choose a click model's learning rate and penalty strength on validation; every objective has one budget.

The settings are a Latin hypercube: as many learning rates and strengths as trials, each spread evenly over
the logarithm of its range (dropout rates evenly over theirs), paired at random. An objective that ignores one
of the two tries the other's values; one that ignores both is trained once, as more could change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.models.clicks.data import ClickData
from recsys.models.clicks.evaluation import evaluate_model
from recsys.models.clicks.objectives import parse_objective
from recsys.models.clicks.training import Fit, fit

LEARNING_RATES = (0.01, 0.1)  # range searched
STRENGTHS = {"l2": (1.0, 100.0), "dropout": (0.1, 0.7)}  # ranges searched
CHOSEN_BY = "ndcg@10"  # on validation


@dataclass(frozen=True)
class Search:
    """What `search` found: the chosen fit, and one row per trial in the order they were run.

    trials: learning_rate, strength (NaN where the objective ignores it), chosen (bool), solver,
        gradient_ratio, and the validation metrics of `evaluate_model`.
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
    fits, rows = [], []
    for setting in settings(data, objective, trials, seed):
        given = {name: number for name, number in setting.items() if not np.isnan(number)}
        result = fit(data, objective, seed=seed, **given, **training)
        metrics, _ = evaluate_model(result.model, data, "validation")
        fits.append(result)
        rows.append({**setting, "solver": result.solver, "gradient_ratio": result.gradient_ratio, **metrics})
    table = pd.DataFrame(rows)
    best = int(table[CHOSEN_BY].argmax())
    table.insert(2, "chosen", table.index == best)
    return Search(fits[best], table)


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
    """`count` values over the range, its ends included; its middle for one alone."""
    return space(low, high, count) if count > 1 else space(low, high, 3)[1:2]
