"""Greedy ensemble selection with replacement.

Caruana et al. 2004, "Ensemble selection from libraries of models". Repeatedly adds the model that improves
validation most; a model's weight is how often it was added. Starting from the best few and stopping at the
best size reduce overfitting (section 2.2).
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.list_measure import ListMeasure
from recsys.ensembling.score_fusion import PreparedConvex, convex


class GreedySelection:
    """Greedy selection (see the module) as a `Fusion`. Each addition tried is a call of the budget."""

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials = budget, None, pd.DataFrame()

    def fit(self, pool: Pool, targets: pd.DataFrame) -> GreedySelection:
        measure = ListMeasure(pool, targets)
        prepared = PreparedConvex(measure.pool.normalised(self.budget.normalisation), "none")
        chosen, rows = greedy(lambda w: measure(prepared.at(w)), len(pool.names), self.budget.calls)
        self.weights, self.trials = chosen, rows
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        return convex(pool.normalised(self.budget.normalisation), self.weights, "none")


def greedy(measure, scorers: int, calls: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Weights k_s / Σ k by greedy addition, and one row per call (added, size, value, seconds).

    The weights are those of the best size; of ties the smallest. An addition that does not help is still
    made, as in the paper, because a later one may.
    """
    counts, best, best_value, rows = np.zeros(scorers), None, -np.inf, []
    while len(rows) + scorers <= max(calls, scorers):
        values = []
        for one in range(scorers):
            start = time.perf_counter()
            tried = counts.copy()
            tried[one] += 1
            values.append(float(measure(tried / tried.sum())))
            seconds = time.perf_counter() - start
            rows.append({"added": one, "size": int(tried.sum()), "value": values[-1], "seconds": seconds})
        counts[int(np.argmax(values))] += 1
        if max(values) > best_value:
            best, best_value = counts / counts.sum(), max(values)
    return best, pd.DataFrame(rows)
