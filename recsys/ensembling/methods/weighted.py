"""Convex combination and reciprocal rank fusion with weights chosen on validation, at the same budget."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Pool, without_fillers
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion_weights import (
    ChosenWeights,
    Measure,
    coordinate_search,
    grid_search,
    random_search,
)
from recsys.ensembling.list_measure import ListMeasure
from recsys.ensembling.score_fusion import PreparedConvex, convex, reciprocal_rank

CONSTANTS = (0.0, 10.0, 60.0, 200.0)  # of reciprocal rank fusion; 60 is the paper's


class Convex:
    """Σ w_s z_s with w chosen by the budget's search, as a `Fusion`."""

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials = budget, None, pd.DataFrame()

    def fit(self, pool: Pool, targets: pd.DataFrame) -> Convex:
        measure = ListMeasure(pool, targets)
        prepared = PreparedConvex(measure.pool.normalised(self.budget.normalisation), "none")
        chosen = search(lambda weights: measure(prepared.at(weights)), len(pool.names), self.budget)
        self.weights, self.trials = chosen.weights, chosen.trials
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        return convex(pool.normalised(self.budget.normalisation), self.weights, "none")


class RankFusion:
    """Weighted reciprocal rank fusion as a `Fusion`; each constant gets an equal share of the budget's calls.

    constant: the chosen one.
    """

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials, self.constant = budget, None, pd.DataFrame(), CONSTANTS[2]

    def fit(self, pool: Pool, targets: pd.DataFrame) -> RankFusion:
        measure, scorers = ListMeasure(pool, targets), len(pool.names)
        share = max(self.budget.calls // len(CONSTANTS), scorers)
        tried, best = [], -math.inf
        scores = without_fillers(measure.pool)
        for constant in CONSTANTS:
            alone = [reciprocal_rank(one[None], constant) for one in scores]
            offered = np.stack([np.isfinite(one) for one in alone])
            parts = np.where(offered, np.stack(alone), 0).reshape(scorers, -1)

            def value(weights: np.ndarray, parts=parts, offered=offered) -> float:
                # reciprocal_rank is linear in its weights: the sum of its terms, each computed once
                fused = (weights.astype(parts.dtype) @ parts).reshape(offered.shape[1:])
                fused[~offered[weights > 0].any(axis=0)] = -np.inf
                return measure(fused)

            chosen = coordinate_search(value, scorers, limit=share)
            tried.append(chosen.trials.assign(constant=constant))
            if chosen.value > best:
                best, self.weights, self.constant = chosen.value, chosen.weights, constant
        self.trials = pd.concat(tried, ignore_index=True)
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        return reciprocal_rank(without_fillers(pool), self.constant, self.weights)


def search(measure: Measure, scorers: int, budget: Budget) -> ChosenWeights:
    """Weights by the budget's search method, with at most its number of calls.

    Raises:
        EnsembleError: no such search.
    """
    if budget.search == "coordinate":
        return coordinate_search(measure, scorers, limit=budget.calls)
    if budget.search == "random":
        return random_search(measure, scorers, budget.calls, budget.seed)
    if budget.search == "grid":
        steps = 1
        while math.comb(steps + scorers, scorers - 1) <= budget.calls and scorers > 1:
            steps += 1
        return grid_search(measure, scorers, steps, limit=max(budget.calls, scorers))
    raise EnsembleError(f"no search {budget.search!r}; there are coordinate, grid, random")
