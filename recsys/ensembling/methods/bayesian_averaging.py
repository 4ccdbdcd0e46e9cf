"""Bayesian model averaging: p(i | u) = Σ_s p(s | D) p(i | u, s), with each scorer's scores as logits.

Members that differ only in their seed are (approximate) draws from one posterior, each with weight 1/S:
Lakshminarayanan et al. 2017 (arXiv:1612.01474), Wilson & Izmailov 2020 (arXiv:2002.08791). Unlike averaging
scores (`EqualWeights`), averaging probabilities lets one confident member decide. Scores that are no logits
(cosines, counts) need a temperature, which is chosen by maximum likelihood on validation.

Probabilities are over the pool's candidates, not the catalogue. S: scorers. B: users. C: candidates.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import lowest_where_missing

TEMPERATURES = np.geomspace(0.05, 20, 25)  # in units of z-scores


class BayesianAveraging:
    """Bayesian model averaging (see the module) as a `Fusion`. weights: [S] p(s), all 1/S."""

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials = budget, None, pd.DataFrame()

    def fit(self, pool: Pool, targets: pd.DataFrame) -> BayesianAveraging:
        values = _logits(pool)
        row, column = _kept_targets(pool, targets)
        rows = []
        self.temperatures = np.empty(len(values))
        for scorer, one in enumerate(values):
            tried = []
            for temperature in TEMPERATURES:
                start = time.perf_counter()
                logs = _log_softmax(one[row] / temperature)
                value = float(logs[np.arange(len(row)), column].mean())
                tried.append((value, temperature, time.perf_counter() - start))
            rows += [
                {"scorer": pool.names[scorer], "value": v, "temperature": t, "seconds": s}
                for v, t, s in tried
            ]
            self.temperatures[scorer] = max(tried)[1]
        self.weights = np.full(len(values), 1 / len(values))
        self.trials = pd.DataFrame(rows)
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        """Pool -> [B, C] log p(i | u)."""
        logs = [_log_softmax(one / t) for one, t in zip(_logits(pool), self.temperatures, strict=True)]
        fused = logsumexp(np.stack(logs), axis=0, b=self.weights[:, None, None])
        return np.where(np.isfinite(pool.scores).any(axis=0), fused, -np.inf)


def _logits(pool: Pool) -> np.ndarray:
    return lowest_where_missing(pool.normalised("z_score"))


def _log_softmax(values: np.ndarray) -> np.ndarray:
    return values - logsumexp(values, axis=-1, keepdims=True)


def _kept_targets(pool: Pool, targets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    pairs = targets.loc[targets["user"].isin(pool.rows), ["user", "item"]].drop_duplicates()
    row = pd.Index(pool.rows).get_indexer(pairs["user"])
    hit = pool.ids[row] == pairs["item"].to_numpy()[:, None]
    kept = hit.any(axis=1)
    if not kept.any():
        raise EnsembleError("nothing to choose temperatures by: no scorer kept any target")
    return row[kept], hit[kept].argmax(axis=1)
