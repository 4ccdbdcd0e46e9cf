"""Ranks against a few sampled negatives: what many papers report, and how it misleads.

A target is compared with m items drawn at random instead of the whole catalogue. With draws from the
candidates (with replacement, weights w), each draw lands above the target with the probability
p = Σ w over better items / Σ w over all candidates, so the numbers above, beside and below it are
multinomial(m; p_better, p_equal, p_worse). Drawing those counts has exactly the same distribution as
drawing items and comparing scores, and needs no list of negatives.

Sources: Krichene & Rendle, "On sampled metrics for item recommendation", KDD 2020. The S3-Rec logs rank
against 99 negatives; Petrov & Macdonald show how such metrics reorder methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from recsys.metrics.ranking import Scorer, earlier_events, new_targets, ranking_metrics, score_batches


def sampled_positions(
    model: Scorer,
    split,
    part: Literal["validation", "test"] = "test",
    negatives: int = 99,
    weights: np.ndarray | None = None,
    seed: int = 0,
    batch: int = 512,
) -> pd.DataFrame:
    """Positions of the new targets of `part` among themselves and `negatives` drawn items.

    Candidates are the items that the user has not met before and that are no target of the user.

    Args:
        model: scores users (`recsys.metrics.ranking.Scorer`).
        split: has train, validation and test tables with columns user, item.
        part: which part holds the targets.
        negatives: m >= 1 draws for each target.
        weights: [M] >= 0, chance of an item to be drawn (up to a factor); None draws uniformly.
        seed: of the draws.
        batch: users scored at once.

    Returns:
        user, item, better, equal, one row per (user, target). Every pair is ranked against negatives of
        its own, so measure it as a case of its own (`sampled_metrics`).

    Raises:
        ValueError: fewer than one negative, or weights that leave a user without candidates.
    """
    if negatives < 1:
        raise ValueError(f"negatives must be at least 1, got {negatives}")
    random = np.random.default_rng(seed)
    targets = new_targets(split, part)
    known = earlier_events(split, part)
    parts = []
    for users, scores in score_batches(model, targets["user"].unique(), known, batch):
        pairs = targets[targets["user"].isin(users)]
        chances = _chances(scores, np.searchsorted(users, pairs["user"]), pairs["item"].to_numpy(), weights)
        drawn = random.multinomial(negatives, chances)
        parts.append(pairs.assign(better=drawn[:, 0], equal=drawn[:, 1]))
    return pd.concat(parts, ignore_index=True).astype({"better": "int32", "equal": "int32"})


def _chances(
    scores: np.ndarray, rows: np.ndarray, items: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """[T, 3] chances that one drawn candidate scores better than, equal to or worse than the target.

    The user's targets themselves are no candidates: they are taken out like seen items.
    """
    own = scores[rows, items][:, None]
    pool = scores.copy()
    pool[rows, items] = -np.inf
    offered = _mass(pool > -np.inf, weights)
    if (offered <= 0).any():
        raise ValueError("a user has no candidate with a positive weight to draw; give every item a weight")
    pool, total = pool[rows], offered[rows]
    better = _mass(pool > own, weights) / total
    equal = _mass(pool == own, weights) / total * np.isfinite(own[:, 0])
    worse = np.clip(1.0 - better - equal, 0.0, 1.0)
    chances = np.clip(np.stack([better, equal, worse], axis=1), 0.0, 1.0)
    return chances / chances.sum(axis=1, keepdims=True)


def _mass(chosen: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """[T, M] bool -> [T] summed weight of the chosen items."""
    if weights is None:
        return np.count_nonzero(chosen, axis=1).astype(float)
    return chosen @ np.asarray(weights, dtype=float)


def sampled_metrics(positions: pd.DataFrame, cutoffs: Sequence[int] = (5, 10)) -> dict[str, float]:
    """Means over (user, target) pairs of a table from `sampled_positions`.

    Returns:
        As `ranking_metrics`, each name with "sampled_" before it. Meaningless beside a full-catalogue
        metric of the same name: hr@10 against 99 draws is about 0.1 for a random scorer.
    """
    means, _ = ranking_metrics(positions.assign(user=np.arange(len(positions))), cutoffs)
    return {f"sampled_{name}": value for name, value in means.items()}
