"""Stacking (Wolpert 1992): a logistic regression of relevance on the scorers' scores and ranks.

Fitted on validation lists, and judged out of fold (`recsys.ensembling.fusion.cross_fitted`), so that no
user's target is used twice. Learnt from are the candidates near the top, of users whose target is among them:
all six hundred would teach what is not in question, the order of the far tail.

S: scorers. B: users. C: candidates. F: features, 3 S.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Pool, without_fillers
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import convex, lowest_where_missing, reciprocal_rank

NEGATIVES = 40  # of each user: the best by equal weights, the target among them
FEWEST = 8  # users
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # C of the logistic model, chosen inside the training users


class Stacking:
    """Stacking (see the module) as a `Fusion`. It has coefficients of features instead of weights."""

    def __init__(self, budget: Budget):
        self.budget, self.weights, self.trials = budget, None, pd.DataFrame()

    def fit(self, pool: Pool, targets: pd.DataFrame) -> Stacking:
        rows, columns, label = _examples(pool, targets, self.budget)
        features = _features(pool)[:, rows, columns].T
        self.mean, self.scale = features.mean(axis=0), features.std(axis=0)
        self.scale[self.scale == 0] = 1
        features = (features - self.mean) / self.scale
        inner = np.random.default_rng(self.budget.seed).permutation(len(pool.rows))[rows] % 4 == 0
        tried = []
        for strength in STRENGTHS:
            start = time.perf_counter()
            model = LogisticRegression(C=strength, max_iter=500).fit(features[~inner], label[~inner])
            value = _log_likelihood(model, features[inner], label[inner])
            tried.append({"strength": strength, "value": value, "seconds": time.perf_counter() - start})
        self.trials = pd.DataFrame(tried)
        best = max(tried, key=lambda trial: trial["value"])["strength"]
        self.model = LogisticRegression(C=best, max_iter=500).fit(features, label)
        return self

    def fuse(self, pool: Pool) -> np.ndarray:
        """Pool -> [B, C] log odds."""
        weights = self.model.coef_[0] / self.scale
        fused = np.tensordot(weights, _features(pool), axes=1) - float(weights @ self.mean)
        return np.where(np.isfinite(pool.scores).any(axis=0), fused, -np.inf)


def _features(pool: Pool) -> np.ndarray:
    """[F, B, C]: z-scores, reciprocal ranks, and whether each scorer kept the candidate."""
    scores = without_fillers(pool)
    kept = np.isfinite(scores).astype(np.float32)
    reciprocal = np.stack([reciprocal_rank(one[None], k=10) for one in scores])
    reciprocal = np.where(kept > 0, reciprocal, 0).astype(np.float32)
    return np.concatenate([lowest_where_missing(pool.normalised("z_score")), reciprocal, kept])


def _examples(pool: Pool, targets: pd.DataFrame, budget: Budget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, columns, labels) of the training examples, of users with a kept target only."""
    pairs = targets.loc[targets["user"].isin(pool.rows), ["user", "item"]].drop_duplicates()
    row = pd.Index(pool.rows).get_indexer(pairs["user"])
    hit = pool.ids[row] == pairs["item"].to_numpy()[:, None]
    row, column = row[hit.any(axis=1)], hit[hit.any(axis=1)].argmax(axis=1)
    rough = convex(pool.normalised(), np.ones(len(pool.names)), "none")
    place = np.argsort(np.argsort(-rough, axis=1, kind="stable"), axis=1)
    near = (place < NEGATIVES) & np.isfinite(rough)
    # a target from further down, beside the best alone, would teach that low scores are the sign
    found = near[row, column]
    row, column = row[found], column[found]
    if len(np.unique(row)) < FEWEST:
        raise EnsembleError(
            f"stacking needs at least {FEWEST} users with a target among their {NEGATIVES} best, got "
            f"{len(np.unique(row))}: give it more validation users (rows)"
        )
    positive = np.zeros(pool.ids.shape, bool)
    positive[row, column] = True
    learnt = np.zeros(pool.ids.shape, bool)
    learnt[np.unique(row)] = True
    rows, columns = np.nonzero(learnt & near)
    return rows, columns, positive[rows, columns].astype(int)


def _log_likelihood(model: LogisticRegression, features: np.ndarray, label: np.ndarray) -> float:
    probability = np.clip(model.predict_proba(features)[np.arange(len(label)), label], 1e-12, 1)
    return float(np.log(probability).mean())
