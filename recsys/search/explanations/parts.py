"""Which part of S = α s + β f placed a product: its match with the query, or users' feedback (004 §4.2)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.ensembling.score_fusion import Normalisation
from recsys.search.ranking import rank_scores


def parts(
    match: np.ndarray, feedback: np.ndarray, alpha: float, normalisation: Normalisation = "z_score"
) -> pd.DataFrame:
    """Shares of the match and of the feedback in S, for each product of one list.

    Args:
        match: [n] s of the list's products. feedback: [n] f; NaN where unknown: the list's mean.
        alpha: in [0, 1], weight of the match; β = 1 − α.
        normalisation: within the list, see `recsys.search.ranking.rank_scores`.

    Returns:
        n rows in the order given: match (α s), feedback (β f), S (their sum), decides (the part that is
        farther from 0, "match" where both are equal; with z-scores 0 is the list's mean).

    Raises:
        SearchError: lengths differ, alpha out of range.

    Example:
        >>> parts(np.array([0.9, 0.1]), np.array([0.0, 0.5]), alpha=0.75)["decides"].tolist()
        ['match', 'match']
    """
    one = np.zeros(len(match), int)
    whole = rank_scores(one, match, feedback, alpha, normalisation)
    own = alpha * rank_scores(one, match, feedback, 1.0, normalisation)
    given = (1 - alpha) * rank_scores(one, match, feedback, 0.0, normalisation)
    decides = np.where(np.abs(given) > np.abs(own), "feedback", "match")
    return pd.DataFrame({"match": own, "feedback": given, "S": whole, "decides": decides})
