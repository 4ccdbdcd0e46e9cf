"""Graded lists read as right or wrong: reciprocal rank, recall, accuracy and F1, which the articles ask for.

They lose what grades say (a perfect and a passable product count alike), so NDCG decides; these stand beside
it for readers who compare with other work (Manning, Raghavan & Schütze 2008, ch. 8).

P: (query, product) rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def relevance_measures(
    lists: np.ndarray, relevant: np.ndarray, scores: np.ndarray, threshold: float = np.nan, k: int = 10
) -> dict[str, float]:
    """Measures of lists ordered by descending score; of equal scores the worst order is taken.

    Args:
        lists: [P] key of each row's list. relevant: [P] bool. scores: [P], no NaN.
        threshold: rows from this score on are called relevant; NaN leaves accuracy, recall and f1 out.
        k: cutoff of recall@k, at least 1.

    Returns:
        mrr (mean over lists of 1 / place of the first relevant row, 0 where none is), recall@k (share of a
        list's relevant rows among its first k) over lists that have relevant rows; accuracy, recall and f1
        over rows.

    Raises:
        ValueError: lengths differ, k < 1, NaN in the scores, or no relevant row.

    Example:
        >>> scores = np.array([3.0, 2.0, 1.0])
        >>> relevance_measures(np.array([1, 1, 1]), np.array([False, True, True]), scores, k=2)
        {'mrr': 0.5, 'recall@2': 0.5}
    """
    relevant, scores = np.asarray(relevant, bool), np.asarray(scores, float)
    if not len(lists) == len(relevant) == len(scores) or k < 1:
        raise ValueError(f"{len(lists)} lists, {len(relevant)} flags, {len(scores)} scores; k is {k}")
    if np.isnan(scores).any() or not relevant.any():
        raise ValueError("scores hold NaN, or nothing is relevant: there is nothing to measure")
    table = pd.DataFrame({"list": np.asarray(lists), "relevant": relevant, "score": scores})
    table = table.sort_values(["score", "relevant"], ascending=[False, True], kind="stable")
    table["place"] = table.groupby("list").cumcount() + 1
    right = table[table["relevant"]]
    by_list = right.groupby("list")["place"]
    found = {
        "mrr": float((1 / by_list.min()).mean()),
        f"recall@{k}": float((right["place"] <= k).groupby(right["list"]).mean().mean()),
    }
    if np.isnan(threshold):
        return found
    called = scores >= threshold
    hits = float((called & relevant).sum())
    found["accuracy"] = float((called == relevant).mean())
    found["recall"] = hits / relevant.sum()
    found["f1"] = 2 * hits / (called.sum() + relevant.sum())
    return found


def best_threshold(relevant: np.ndarray, scores: np.ndarray) -> float:
    """The score from which on rows are called relevant, by the highest F1; of equals the highest score.

    Args:
        relevant: [P] bool, of a validation part. scores: [P], no NaN.
    """
    values = np.unique(np.asarray(scores, float))[::-1]
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    hits = np.cumsum(np.asarray(relevant, bool)[order])
    last = np.searchsorted(-np.asarray(scores, float)[order], -values, side="right") - 1
    f1 = 2 * hits[last] / (last + 1 + np.sum(relevant))
    return float(values[np.argmax(f1)])
