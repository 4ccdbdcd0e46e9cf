"""A recorded pool of configurations of one model: chosen by validation, each evaluated on test afterwards.

The search itself gets data without the test part. Every model is evaluated on test when its trial has ended,
into a table that no sampler reads, so that the best of n can be simulated later without fitting again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys.baselines.candidates import BASELINES
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.evaluation import fewer_users, with_known_history, with_training_history
from recsys.models.next_item.search import search_ranges
from recsys.sweeps.functions.next_item import declared, fit_baseline, fit_trained
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.search import Budget, Found, Measured, search
from recsys.training.hyperparameter_search.trial import Trial, as_frame

METRIC = "ndcg@10"


@dataclass(frozen=True)
class Pool:
    """Every configuration of a model, evaluated.

    Attributes:
        trials: as `trial.as_frame`, the chosen one marked; columns validation and test hold ndcg@10, NaN if a
            trial failed.
        validation, test: [K, V] and [K, U] ndcg@10 per user (K configurations); NaN rows for failed trials.
        positions: rank positions of the chosen model's test targets.
        metrics: of the chosen model, on test.
    """

    trials: pd.DataFrame
    validation: np.ndarray
    test: np.ndarray
    positions: pd.DataFrame
    metrics: dict[str, float]


def tuning_pool(
    data: NextItemData,
    model: str,
    trials: int,
    *,
    sampler: str = "quasi_random",
    epochs: float = 0.0,
    judged_users: int = 5000,
    test_users: int = 0,
    seed: int = 0,
) -> Pool:
    """Fit and evaluate a number of configurations, the defaults first.

    Args:
        data: with its test part. model: one with a search space
            (`recsys.models.next_item.search.search_ranges`).
        trials: number of configurations, K.
        sampler: a name of the search's samplers.
        epochs: of a trained model, the same for all; 0: its default.
        judged_users: number of validation users. test_users: number of test users; 0: all.
        seed: of sampler and model.

    Raises:
        ValueError: no such model, or no trial succeeded.
    """
    declared({"model": model})
    users = judged_users or data.split.n_users
    looked_at = fewer_users(data.split, test_users) if test_users else data.split
    common = {"seed": seed, "epochs": epochs, "judged_users": users}
    tables = _Tables()

    def fit_and_measure(settings: dict[str, Any], given: NextItemData) -> Measured:
        if model in BASELINES:
            fitted = fit_baseline(model, given, settings, seed)
        else:
            fitted = fit_trained(model, given, settings, common, lambda metrics: None)
        per_user = _per_user(with_training_history(fitted, given), _judged(given, users), "validation")[0]
        return Measured({METRIC: float(per_user.mean())}, (fitted, per_user))

    def judge(trial: Trial, kept: Any) -> None:
        if kept is None:
            tables.failed(trial)
            return
        per_user, positions = _per_user(with_known_history(kept[0], data), looked_at, "test")
        tables.add(trial, kept[1], per_user, positions)

    space = search_ranges(model)
    proposals = Listed(
        [BASELINES.load(model).default if model in BASELINES else {}], make_sampler(sampler, space, seed)
    )
    found = search(fit_and_measure, data, proposals, Budget(trials=trials), metric=METRIC, after_trial=judge)
    return tables.pool(found)


class _Tables:
    """Collects the results of each trial; rank positions only of the best so far."""

    def __init__(self):
        self.rows: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.best: float = -np.inf
        self.positions = pd.DataFrame()

    def failed(self, trial: Trial) -> None:
        self.rows[trial.number] = (np.array([np.nan]), np.array([np.nan]))

    def add(self, trial: Trial, validation: np.ndarray, test: np.ndarray, positions: pd.DataFrame) -> None:
        self.rows[trial.number] = (validation, test)
        if trial.metrics[METRIC] > self.best:
            self.best, self.positions = trial.metrics[METRIC], positions

    def pool(self, found: Found) -> Pool:
        validation, test = (_stacked([self.rows[number][k] for number in sorted(self.rows)]) for k in (0, 1))
        table = as_frame(found.trials).assign(validation=validation.mean(axis=1), test=test.mean(axis=1))
        table["chosen"] = table["number"] == found.best.number
        return Pool(table, validation, test, self.positions, ranking_metrics(self.positions)[0])


def pool_metrics(pool: Pool, draws: pd.DataFrame, halves: pd.DataFrame) -> dict[str, float]:
    """The metrics of a pool that a record keeps: the chosen model's test metrics and figures of the search.

    Returns:
        The chosen model's metrics; ndcg@10_validation, default_ndcg@10 (test), tuning_gain; tuning_spread
        (best minus median on validation, as a share of the best, without the defaults; 0 if nothing else was
        tried); failed_trials, search_core_seconds; gain_of_<n>, optimism_of_<n> (`best_of_draws`);
        hidden_by_choice_of_<n> (`optimism_of_halves`).
    """
    searched = pool.trials["validation"].iloc[1:].dropna()
    chosen = pool.trials[pool.trials["chosen"]].iloc[0]
    found: Mapping[str, float] = {
        "ndcg@10_validation": chosen["validation"],
        "default_ndcg@10": pool.trials["test"].iloc[0],
        "tuning_gain": chosen["test"] - pool.trials["test"].iloc[0],
        "failed_trials": float((pool.trials["state"] == "failed").sum()),
        "search_core_seconds": pool.trials["core_seconds"].sum(),
    }
    spread = searched.max() > 0  # also False where nothing but the defaults was tried
    found["tuning_spread"] = (searched.max() - searched.median()) / searched.max() if spread else 0.0
    for row in draws.to_dict("records"):
        found |= {f"gain_of_{row['tried']}": row["gain"], f"optimism_of_{row['tried']}": row["optimism"]}
    found |= {f"hidden_by_choice_of_{row['tried']}": row["optimism"] for row in halves.to_dict("records")}
    return {name: float(value) for name, value in (pool.metrics | found).items()}


def _judged(data: NextItemData, users: int) -> Any:
    from dataclasses import replace

    from recsys.data.splits import evenly

    part = data.split.validation
    return replace(data.split, validation=part[part["user"].isin(evenly(part["user"], users))])


def _per_user(model: Any, parts: Any, part: str) -> tuple[np.ndarray, pd.DataFrame]:
    """[U] ndcg@10 by ascending user, and the rank positions behind it."""
    positions = evaluate(model, parts, part)
    per_user = ranking_metrics(positions, (10,))[1][METRIC].sort_index()
    return per_user.to_numpy(dtype=np.float32), positions


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    """[K, U]; a failed trial gives a row of NaN."""
    width = max(len(row) for row in rows)
    return np.stack([np.broadcast_to(row, width) if len(row) == 1 else row for row in rows])
