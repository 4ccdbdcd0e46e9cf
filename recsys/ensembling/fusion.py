"""Fusion methods: their interface, their registry, and cross-fitted validation.

A method is fitted on validation lists and targets, and then fuses any pool of the same scorers. On
validation, methods are compared by *cross-fitting*: users are divided into folds, and each fold is fused by a
method that was fitted on the others, so that no user's target evaluates weights that it helped to choose.
The test part is fused by the method fitted on all of validation.

S: scorers. B: users. C: candidates.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from recsys.code.registry import Registry
from recsys.data.splits import evenly
from recsys.ensembling.budget import BUDGET, Budget
from recsys.ensembling.candidate_lists import Pool, fused_positions
from recsys.ensembling.errors import EnsembleError

METHODS = Registry(
    "method of fusion",
    {
        "single": "recsys.ensembling.methods.single:BestSingle",
        "equal": "recsys.ensembling.methods.single:EqualWeights",
        "convex": "recsys.ensembling.methods.weighted:Convex",
        "rrf": "recsys.ensembling.methods.weighted:RankFusion",
        "stacking": "recsys.ensembling.methods.stacking:Stacking",
        "greedy": "recsys.ensembling.methods.selection:GreedySelection",
        "bayesian": "recsys.ensembling.methods.bayesian_averaging:BayesianAveraging",
    },
)


class Fusion(Protocol):
    """A fusion method: `fit` on validation, then `fuse` any pool of the same scorers.

    weights: [S] if the method has one weight per scorer, else None. trials: settings tried (may be empty).
    """

    weights: np.ndarray | None
    trials: pd.DataFrame

    def __init__(self, budget: Budget): ...

    def fit(self, pool: Pool, targets: pd.DataFrame) -> Fusion: ...

    def fuse(self, pool: Pool) -> np.ndarray:
        """Pool -> [B, C] fused scores."""
        ...


@dataclass(frozen=True)
class Fused:
    """A fitted method with its rank positions. seconds: of fitting. validation: cross-fitted positions."""

    fusion: Fusion
    seconds: float
    validation: pd.DataFrame
    test: pd.DataFrame
    names: tuple[str, ...] = field(default=())

    def weights(self) -> pd.Series | None:
        """Weight of each scorer; None for methods without weights."""
        own = self.fusion.weights
        return None if own is None else pd.Series(own, index=list(self.names), name="weight")


def fit(method: str, pool: Pool, targets: pd.DataFrame, budget: Budget = BUDGET) -> Fusion:
    """Fit the named method on at most `budget.rows` validation users, spread evenly over their codes.

    Raises:
        EnsembleError: a single scorer, or no targets.
        RegistryError: no such method.
    """
    make = METHODS.load(method)
    if len(pool.names) < 2 and method != "single":
        raise EnsembleError(
            f"one model only ({', '.join(pool.names)}): a fusion needs two or more, "
            "and method 'single' judges one"
        )
    if budget.rows and len(pool.rows) > budget.rows:
        pool = pool.take(np.isin(pool.rows, evenly(pd.Series(pool.rows), budget.rows)))
    return make(budget).fit(pool, targets)


def fuse(
    method: str,
    validation: Pool,
    test: Pool,
    targets: dict[str, pd.DataFrame],
    budget: Budget = BUDGET,
    folds: int = 3,
) -> Fused:
    """Fit on validation and fuse the test part; validation positions are cross-fitted.

    Args:
        method: name of the method.
        validation, test: pools of the same scorers in the same order.
        targets: by part, columns user, item.
        budget: for choosing weights.
        folds: of validation users, ≥ 2.

    Raises:
        EnsembleError: pools with different scorers; see `fit` too.
    """
    if validation.names != test.names:
        raise EnsembleError(
            f"validation has the scorers {', '.join(validation.names)}, test {', '.join(test.names)}"
        )
    held_out = cross_fitted(method, validation, targets["validation"], budget, folds)
    start = time.perf_counter()
    fusion = fit(method, validation, targets["validation"], budget)
    seconds = time.perf_counter() - start
    places = fused_positions(test, fusion.fuse(test), targets["test"])
    return Fused(fusion, seconds, held_out, places, validation.names)


def cross_fitted(
    method: str, pool: Pool, targets: pd.DataFrame, budget: Budget = BUDGET, folds: int = 3
) -> pd.DataFrame:
    """Rank positions of validation targets, each user fused by a method fitted without that user.

    Raises:
        EnsembleError: fewer than 2 folds, or fewer users than folds.
    """
    if not 2 <= folds <= len(pool.rows):
        raise EnsembleError(f"folds must be between 2 and the {len(pool.rows)} users, got {folds}")
    fold = np.random.default_rng(budget.seed).permutation(len(pool.rows)) % folds
    parts = []
    for one in range(folds):
        fusion = fit(method, pool.take(fold != one), targets, budget)
        own = pool.take(fold == one)
        parts.append(fused_positions(own, fusion.fuse(own), targets))
    return pd.concat(parts, ignore_index=True).sort_values(["user", "item"], ignore_index=True)
