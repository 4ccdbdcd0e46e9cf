"""Diversity of scorers: rank correlation, overlap of lists, correlation of errors.

The mean of scorers gains from uncorrelated errors: for squared errors exactly (Krogh & Vedelsby 1995), for
rankings as a rule of thumb, which `what_diversity_predicts` tests.

S: scorers. B: users. C: candidates.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.list_measure import ListMeasure
from recsys.ensembling.score_fusion import convex, lowest_where_missing, normalise

TOP = 10


def diversity(pool: Pool, targets: pd.DataFrame, top: int = TOP) -> pd.DataFrame:
    """One row per pair of scorers.

    Columns: first, second; rank_correlation: mean over users of Spearman's ρ over the candidates that either
    kept, in [−1, 1]; overlap@k: share of items that both top-k lists have, in [0, 1]; error_correlation:
    Pearson's r of the users' NDCG@10; both_miss: share of users for whom both lists miss, and either_hits:
    share for whom at least one hits, the hit rate of an oracle that chooses the better list.

    Args:
        targets: columns user, item.
        top: k.
    """
    measure = ListMeasure(pool, targets)
    hits = [_hit(measure, scores) for scores in measure.pool.scores]
    quality = [_spread_out(measure, measure.per_row(scores)) for scores in measure.pool.scores]
    tops = [_top_mask(scores, top) for scores in pool.scores]
    rows = []
    for a, b in itertools.combinations(range(len(pool.names)), 2):
        either = hits[a] | hits[b]
        rows.append(
            {
                "first": pool.names[a],
                "second": pool.names[b],
                "rank_correlation": _spearman(pool.scores[a], pool.scores[b]),
                f"overlap@{top}": float((tops[a] & tops[b]).sum() / max(tops[a].sum(), 1)),
                "error_correlation": _correlation(quality[a], quality[b]),
                "both_miss": 1 - float(either.sum() / measure.rows),
                "either_hits": float(either.sum() / measure.rows),
            }
        )
    return pd.DataFrame(rows)


def what_diversity_predicts(pool: Pool, targets: pd.DataFrame) -> pd.DataFrame:
    """`diversity`, with the gain in NDCG@10 of fusing the pair at equal weights over its better member."""
    measure = ListMeasure(pool, targets)
    values = measure.pool.normalised()
    alone = dict(zip(pool.names, (measure(scores) for scores in measure.pool.scores), strict=True))
    place = {name: number for number, name in enumerate(pool.names)}
    table = diversity(pool, targets)
    gains = []
    for first, second in zip(table["first"], table["second"], strict=True):
        pair = values[[place[first], place[second]]]
        gains.append(measure(convex(pair, [1, 1], "none")) - max(alone[first], alone[second]))
    weaker = [
        min(alone[a], alone[b]) / max(alone[a], alone[b], 1e-12)
        for a, b in zip(table["first"], table["second"], strict=True)
    ]
    return table.assign(strength_ratio=weaker, gain=gains)


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[B, k] and [B, k] lists of ids -> [B] share of the k that both lists have; negative ids do not count.

    Example:
        >>> overlap(np.array([[1, 2]]), np.array([[2, 3]])).tolist()
        [0.5]
    """
    same = (first[:, :, None] == second[:, None, :]) & (first[:, :, None] >= 0)
    return same.any(axis=2).sum(axis=1) / np.maximum((first >= 0).sum(axis=1), 1)


def _hit(measure: ListMeasure, scores: np.ndarray) -> np.ndarray:
    return measure.per_row(scores) > 0


def _spread_out(measure: ListMeasure, values: np.ndarray) -> np.ndarray:
    """Values of all evaluated rows, with zeros for those whose targets no scorer kept."""
    return np.concatenate([values, np.zeros(measure.rows - len(values))])


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    there = np.isfinite(first) | np.isfinite(second)
    ranks = []
    for scores in (first, second):
        values = np.where(there, lowest_where_missing(scores), -np.inf)
        rank = normalise(values, "rank")
        centred = np.where(there, rank - np.mean(rank, axis=1, where=there, keepdims=True), 0)
        ranks.append(centred / np.maximum(np.sqrt(np.square(centred).sum(axis=1, keepdims=True)), 1e-12))
    return float((ranks[0] * ranks[1]).sum(axis=1).mean())


def _top_mask(scores: np.ndarray, top: int) -> np.ndarray:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, order, True, axis=1)
    return mask & np.isfinite(scores)
