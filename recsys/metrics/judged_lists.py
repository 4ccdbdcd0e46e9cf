"""NDCG of lists whose items all carry a grade, as people judged them (a search query and its results).

Gain 2^(grade - lowest) - 1 (Burges et al. 2005), discount 1 / log2(place + 1), divided by the best order's
sum. Two traps are avoided. A list whose items all have the same grade scores 1 in every order: it is dropped
and counted. And short lists of mostly good items score high in any order, so the expectation of a random
order comes with every result: what counts is the distance from it.

Equal scores stand in uniformly random order and the exact expectation is reported (McSherry & Najork 2008):
each of them takes the mean gain of its tie group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class JudgedNdcg:
    """NDCG@k of L lists.

    per_list: [L], index the list's key, ascending; in [0, 1].
    random: [L], same index: the expectation of NDCG@k over all orders.
    dropped: lists left out because all their grades are equal.
    """

    per_list: pd.Series
    random: pd.Series
    dropped: int

    @property
    def mean(self) -> float:
        """Mean NDCG@k over lists."""
        return float(self.per_list.mean())

    @property
    def random_mean(self) -> float:
        """Mean over lists of what a random order scores: the trivial scorer's row of a table of results."""
        return float(self.random.mean())


def judged_ndcg(
    lists: np.ndarray, grades: np.ndarray, scores: np.ndarray, k: int = 10, lowest: float = 1.0
) -> JudgedNdcg:
    """NDCG@k with exponential gain of judged lists, each list weighing the same.

    Args:
        lists: [K] key of each row's list, for instance the query; rows of one list need not be neighbours.
        grades: [K], at least `lowest`.
        scores: [K], higher is better; for ties see the module's docstring.
        k: cutoff, at least 1.
        lowest: the grade with gain 0.

    Raises:
        ValueError: lengths differ, a grade is below `lowest`, a number is NaN, k < 1, or every list has one
            constant grade.

    Example:
        >>> lists, grades = np.array(["sofa"] * 3 + ["mug"] * 2), np.array([3, 1, 1, 2, 2])
        >>> result = judged_ndcg(lists, grades, scores=np.array([0.1, 0.9, 0.5, 1.0, 2.0]))
        >>> result.mean, result.dropped  # the best sofa stands third: 1 / log2(4); "mug" has one grade only
        (0.5, 1)
    """
    grades, scores = np.asarray(grades, float), np.asarray(scores, float)
    keys, row = np.unique(np.asarray(lists), return_inverse=True)
    if not (len(row) == len(grades) == len(scores)):
        raise ValueError(
            f"lists, grades and scores differ in length: {len(row)}, {len(grades)}, {len(scores)}"
        )
    if k < 1:
        raise ValueError(f"k is a list length of at least 1, got {k}")
    if np.isnan(scores).any() or np.isnan(grades).any():
        raise ValueError("scores or grades hold NaN; an order of NaN means nothing: mend the model")
    if (grades < lowest).any():
        raise ValueError(f"grades must be at least {lowest}, the grade worth nothing; got {grades.min()}")
    by_list = pd.Series(grades).groupby(row)
    varied = (by_list.max() > by_list.min()).to_numpy(bool)
    if not varied.any():
        raise ValueError(f"no list to measure: each of the {len(keys)} has one constant grade")
    inside = varied[row]
    row, gains, scores = row[inside], np.exp2(grades[inside] - lowest) - 1, scores[inside]
    ideal = _expected_dcg(row, gains, gains, len(keys), k)[varied]
    index = pd.Index(keys[varied], name="list")
    found = [_expected_dcg(row, gains, by, len(keys), k)[varied] for by in (scores, np.zeros(len(row)))]
    series = [pd.Series(dcg / ideal, index=index) for dcg in found]
    return JudgedNdcg(*series, dropped=int((~varied).sum()))


def _expected_dcg(row: np.ndarray, gains: np.ndarray, scores: np.ndarray, n_lists: int, k: int) -> np.ndarray:
    """[n_lists] expected DCG@k of each list ordered by descending score."""
    order = np.lexsort((-scores, row))
    row, gains, scores = row[order], gains[order], scores[order]
    starts = np.r_[True, row[1:] != row[:-1]]
    place = np.arange(len(row)) - np.flatnonzero(starts)[np.cumsum(starts) - 1]
    tie = np.cumsum(starts | np.r_[True, scores[1:] != scores[:-1]]) - 1
    mean_gain = (np.bincount(tie, weights=gains) / np.bincount(tie))[tie]
    discount = np.where(place < k, 1 / np.log2(place + 2), 0.0)
    return np.bincount(row, weights=mean_gain * discount, minlength=n_lists)
