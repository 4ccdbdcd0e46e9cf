"""S = α s + β f: how well a product fits the query, and what feedback says of it (004 §3.2, §4.2).

As printed the article adds a number s to a vector f, and leaves both on their own scales. Mended: f is one
number a product (the probability of the feedback that is wanted), both are normalised within the query's
list, and only the ratio of α and β matters for an order, so α + β = 1. The sum itself is
`recsys.ensembling.score_fusion`'s.

L: lists (queries). P: (query, product) rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.ensembling.score_fusion import Normalisation, convex
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.errors import SearchError

SHARES = tuple(np.round(np.linspace(0, 1, 11), 2).tolist())  # of α


def rank_scores(
    lists: np.ndarray,
    match: np.ndarray,
    feedback: np.ndarray,
    alpha: float,
    normalisation: Normalisation = "z_score",
) -> np.ndarray:
    """S of each row.

    Args:
        lists: [P] key of each row's list.
        match: [P] s. feedback: [P] f; NaN where nothing is known (a new product): it takes its list's mean.
        alpha: in [0, 1]; β = 1 − α.
        normalisation: within each list.

    Raises:
        SearchError: lengths differ, alpha out of range.
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
    """NDCG@k at each α and normalisation: the surface that α is chosen on, from validation lists.

    Returns:
        One row a cell: normalisation, alpha, ndcg, random (the expectation of any order).
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
    """(normalisation, α) of the highest cell; of equals the one nearest to the match alone."""
    best = surface.sort_values(["ndcg", "alpha"], ascending=False).iloc[0]
    return str(best["normalisation"]), float(best["alpha"])


def _padded(lists: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(list number, place within it) of each row, and the number again."""
    codes, _ = pd.factorize(lists)
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy() if len(codes) else np.empty(0, int)
    return codes, place, codes
