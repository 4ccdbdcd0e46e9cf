"""The ranking score S = α s + β f: match with the query plus users' feedback (004 §3.2, §4.2).

The article adds a number s to a vector f, each on its own scale. Corrected: f is one number per product (the
probability of the desired feedback), both are normalised within the query's list, and α + β = 1, because only
their ratio matters for an order. The sum itself is computed by `recsys.ensembling.score_fusion`.

L: lists (queries). P: (query, product) rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.ensembling.score_fusion import Normalisation, convex, reciprocal_rank
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.errors import SearchError

SHARES = tuple(np.round(np.linspace(0, 1, 11), 2).tolist())  # values of α that are tried


def rank_scores(
    lists: np.ndarray,
    match: np.ndarray,
    feedback: np.ndarray,
    alpha: float,
    normalisation: Normalisation = "z_score",
) -> np.ndarray:
    """S of each row, [P].

    Args:
        lists: [P] key of each row's list.
        match: [P] s. feedback: [P] f; NaN where unknown (a new product), replaced by the list's mean.
        alpha: in [0, 1]; β = 1 − α.
        normalisation: within each list.

    Raises:
        SearchError: lengths differ, alpha out of range.

    Example:
        >>> keys, match = np.array([1, 1, 1]), np.array([0.9, 0.8, 0.1])
        >>> feedback = np.array([0.0, 0.5, 0.1])  # click probabilities
        >>> int(rank_scores(keys, match, feedback, alpha=0.5).argmax())
        1
    """
    lists, match, feedback = np.asarray(lists), np.asarray(match, float), np.asarray(feedback, float)
    if not len(lists) == len(match) == len(feedback):
        raise SearchError(
            f"lists, match and feedback differ in length: {len(lists)}, {len(match)}, {len(feedback)}"
        )
    if not 0 <= alpha <= 1:
        raise SearchError(f"alpha must be in [0, 1], got {alpha}")
    rows, place, codes = _padded(lists)
    table = np.full((2, rows.max(initial=-1) + 1, place.max(initial=-1) + 1), -np.inf)
    known = pd.Series(feedback)
    own_mean = known.groupby(codes).transform("mean").fillna(0.0)
    table[0, rows, place], table[1, rows, place] = match, known.fillna(own_mean)
    return convex(table, [alpha, 1 - alpha], normalisation)[rows, place]


def rank_places(lists: np.ndarray, *scorers: np.ndarray) -> np.ndarray:
    """[P] reciprocal rank fusion within each list: no weight, no scale, nothing to choose on validation.

    Args:
        lists: [P] key of each row's list. scorers: [P] scores each, no NaN.
    """
    rows, place, _ = _padded(np.asarray(lists))
    table = np.full((len(scorers), rows.max(initial=-1) + 1, place.max(initial=-1) + 1), -np.inf)
    for number, scores in enumerate(scorers):
        table[number, rows, place] = scores
    return reciprocal_rank(table)[rows, place]


def alpha_surface(
    lists: np.ndarray,
    grades: np.ndarray,
    match: np.ndarray,
    feedback: np.ndarray,
    alphas: Sequence[float] = SHARES,
    normalisations: Sequence[Normalisation] = ("z_score", "min_max", "rank"),
    k: int = 10,
    lowest: float = 1.0,
) -> pd.DataFrame:
    """NDCG@k for each α and normalisation, on validation lists, to choose α by.

    Returns:
        One row per combination: normalisation, alpha, ndcg, random (the expectation of a random order).
    """
    rows = []
    for normalisation in normalisations:
        for alpha in alphas:
            scores = rank_scores(lists, match, feedback, alpha, normalisation)
            found = judged_ndcg(lists, grades, scores, k, lowest)
            rows.append(
                {
                    "normalisation": normalisation,
                    "alpha": alpha,
                    "ndcg": found.mean,
                    "random": found.random_mean,
                }
            )
    return pd.DataFrame(rows)


def choose_alpha(surface: pd.DataFrame) -> tuple[str, float]:
    """(normalisation, α) with the highest NDCG; of ties the one with the largest α (match alone)."""
    best = surface.sort_values(["ndcg", "alpha"], ascending=False).iloc[0]
    return str(best["normalisation"]), float(best["alpha"])


def _padded(lists: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(list number, position within the list) of each row, and the list number again."""
    codes, _ = pd.factorize(lists)
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy() if len(codes) else np.empty(0, int)
    return codes, place, codes
