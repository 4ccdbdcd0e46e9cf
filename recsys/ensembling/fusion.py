"""What every method of fusion is told and gives, the registry of methods, and their honest validation.

A method is fitted on validation lists and targets, and then fuses any pool of the same scorers. Methods are
compared by *cross-fitted* validation lists: users are dealt into folds, and each fold is fused by a method
that was fitted on the others, so that no user's target judges a weight that it helped to choose. The test
part is fused by the method fitted on all of validation.

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
from recsys.ensembling.candidate_lists import Pool, fused_positions
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import Normalisation

METHODS = Registry(
    "method of fusion",
    {
        "single": "recsys.ensembling.single:BestSingle",
        "equal": "recsys.ensembling.single:EqualWeights",
        "convex": "recsys.ensembling.weighted:Convex",
        "rrf": "recsys.ensembling.weighted:RankFusion",
        "stacking": "recsys.ensembling.stacking:Stacking",
        "greedy": "recsys.ensembling.selection:GreedySelection",
        "bayesian": "recsys.ensembling.bayesian_averaging:BayesianAveraging",
    },
)


@dataclass(frozen=True)
class Budget:
    """The same for every method that is compared.

    calls: of the measure, at most. rows: validation users looked at in choosing, at most; 0: all.
    search: "coordinate", "grid" or "random". normalisation: of scores. seed: of folds and draws.
    """

    calls: int = 300
    rows: int = 6000
    search: str = "coordinate"
    normalisation: Normalisation = "z_score"
    seed: int = 0


class Fusion(Protocol):
    """A method: `fit` on validation, then `fuse` any pool of the same scorers.

    weights: [S] where the method has one for each scorer, else None. trials: what was tried (may be empty).
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
    """A method fitted, and its lists' places. seconds: of fitting. validation: cross-fitted places."""

    fusion: Fusion
    seconds: float
    validation: pd.DataFrame
    test: pd.DataFrame
    names: tuple[str, ...] = field(default=())

    def weights(self) -> pd.Series | None:
        """Weight of each scorer, where the method has them."""
        own = self.fusion.weights
        return None if own is None else pd.Series(own, index=list(self.names), name="weight")


def fit(method: str, pool: Pool, targets: pd.DataFrame, budget: Budget = Budget()) -> Fusion:
    """The named method fitted on at most `budget.rows` validation users, spread evenly over their codes.

    Raises:
        EnsembleError: one scorer only (there is nothing to fuse), or nothing to choose by.
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
    budget: Budget = Budget(),
    folds: int = 3,
) -> Fused:
    """Fit on validation, fuse the test part; validation places are cross-fitted.

    Args:
        validation, test: pools of the same scorers in the same order.
        targets: by part, columns user, item.
        folds: of validation users, ≥ 2.

    Raises:
        EnsembleError: pools of other scorers; see `fit` too.
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
    method: str, pool: Pool, targets: pd.DataFrame, budget: Budget = Budget(), folds: int = 3
) -> pd.DataFrame:
    """Places of validation targets, each user fused by a method that never saw that user's target.

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
