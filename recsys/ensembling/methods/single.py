"""Baselines of fusion: the best single scorer by validation, and equal weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.list_measure import ListMeasure
from recsys.ensembling.score_fusion import convex


class BestSingle:
    """The single scorer with the highest validation NDCG@10, as a `Fusion`."""

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials = budget, None, pd.DataFrame()

    def fit(self, pool: Pool, targets: pd.DataFrame) -> BestSingle:
        measure = ListMeasure(pool, targets)
        values = [measure(scores) for scores in measure.pool.scores]
        self.trials = pd.DataFrame({"scorer": pool.names, "value": values})
        self.weights = np.eye(len(values))[int(np.argmax(values))]
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        return pool.scores[int(self.weights.argmax())]


class EqualWeights:
    """The mean of all normalised scores, without a choice of weights, as a `Fusion`."""

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials = budget, None, pd.DataFrame()

    def fit(self, pool: Pool, targets: pd.DataFrame) -> EqualWeights:
        self.weights = np.full(len(pool.names), 1 / len(pool.names))
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        return convex(pool.normalised(self.budget.normalisation), self.weights, "none")
