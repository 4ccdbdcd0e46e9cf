"""Top-k lists, and what they say about a recommender beyond accuracy: coverage and novelty.

B: users. M: items in the catalogue. k: length of a list.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.metrics.ranking import Scorer, score_batches

NO_ITEM = -1  # fills a list when fewer than k items are offered


def top_lists(scores: np.ndarray, k: int) -> np.ndarray:
    """The k best items of each row, best first, equal scores by ascending item code.

    Args:
        scores: [B, M], −∞ where an item is not offered; no NaN.
        k: 1 to M.

    Returns:
        [B, k] int64 item codes; `NO_ITEM` (−1) where a user is offered fewer than k items.

    Raises:
        ValueError: k is out of range.

    Example:
        >>> top_lists(np.array([[0.1, 0.7, 0.7, -np.inf]]), k=4).tolist()
        [[1, 2, 0, -1]]
    """
    users, items = scores.shape
    if not 1 <= k <= items:
        raise ValueError(f"k must be between 1 and the {items} items of the catalogue, got {k}")
    # Nothing below this bound can be among the k best; ties with it stay in. nonzero keeps items in id order.
    row, item = np.nonzero((scores >= _lower_bound(scores, k)) & (scores > -np.inf))
    order = np.lexsort((item, -scores[row, item], row))
    row, item = row[order], item[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    lists = np.full((users, k), NO_ITEM, dtype=np.int64)
    lists[row[place < k], place[place < k]] = item[place < k]
    return lists


def _lower_bound(scores: np.ndarray, k: int) -> np.ndarray:
    """[B, 1] a bound that at least k scores of the row reach: the k-th largest of the maxima of blocks.

    Each of the k best blocks holds a score that reaches it. One pass for the maxima and a partition of few
    numbers take a fifth of the time of a partition of the whole row.
    """
    users, items = scores.shape
    width = max(1, items // (8 * k))
    cut = items - items % width
    maxima = scores[:, :cut].reshape(users, -1, width).max(axis=2)
    if maxima.shape[1] < k:
        return np.partition(scores, items - k, axis=1)[:, items - k, None]
    return np.partition(maxima, maxima.shape[1] - k, axis=1)[:, maxima.shape[1] - k, None]


def recommend(
    model: Scorer, users: np.ndarray, k: int, seen: pd.DataFrame | None = None, batch: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Top-k lists of many users, in batches.

    Args:
        model: scores users (`recsys.metrics.ranking.Scorer`).
        users: distinct user codes.
        k: length of a list.
        seen: columns user, item: left out of the lists; None leaves nothing out.
        batch: users scored at once.

    Returns:
        The users in ascending order [B], and their lists [B, k] as from `top_lists`.

    Example:
        >>> from recsys.baselines.popularity import Popularity
        >>> clicks = pd.DataFrame({"user": [0, 0, 1], "item": [2, 1, 2]})
        >>> model = Popularity().fit(clicks, n_users=2, n_items=3)
        >>> recommend(model, np.array([0, 1]), k=2, seen=clicks)[1].tolist()
        [[0, -1], [1, 0]]
    """
    parts = [(codes, top_lists(scores, k)) for codes, scores in score_batches(model, users, seen, batch)]
    if not parts:
        raise ValueError("no users to recommend to")
    return np.concatenate([codes for codes, _ in parts]), np.concatenate([lists for _, lists in parts])


def coverage_and_novelty(lists: np.ndarray, train_counts: np.ndarray) -> dict[str, float]:
    """How much of the catalogue is ever shown, and how unexpected the shown items are.

    coverage@k is the share of the catalogue that stands in at least one list, in [0, 1]. novelty@k is
    the mean self-information −log2 p(i), in bits, of the listed items (Vargas & Castells 2011), with
    p(i) = (count + 1) / (all counts + M): the one added keeps an item without any event finite.

    Args:
        lists: [B, k] item codes, `NO_ITEM` where a list is short.
        train_counts: [M] training events of each item, >= 0.

    Returns:
        {"coverage@k": ..., "novelty@k": ...} with k filled in.

    Raises:
        ValueError: no item is listed.

    Example:
        >>> coverage_and_novelty(np.array([[0, 1], [0, 2]]), train_counts=np.array([3, 1, 0, 0]))
        {'coverage@2': 0.75, 'novelty@2': 1.75}
    """
    listed = lists[lists != NO_ITEM]
    if not listed.size:
        raise ValueError("the lists hold no item: coverage and novelty are undefined")
    counts = np.asarray(train_counts, dtype=float)
    information = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    k = lists.shape[1]
    return {
        f"coverage@{k}": len(np.unique(listed)) / len(counts),
        f"novelty@{k}": float(information[listed].mean()),
    }


def breadth_of_each_list(lists: np.ndarray, train_counts: np.ndarray) -> pd.DataFrame:
    """Coverage and novelty list by list, so that two recommenders can be paired by user.

    A catalogue's coverage belongs to all lists together. Its jackknife (Burnham & Overton 1978, as they
    count species) gives each list a value of its own, c + (B − 1)·o / M with c the coverage, o the items that
    stand in this list alone: their mean is the coverage with the bias of few lists taken off, their spread
    over lists gives its interval.

    Args:
        lists, train_counts: as `coverage_and_novelty` takes them.

    Returns:
        B rows: coverage@k, novelty@k (mean self-information of the list's items; 0 for an empty list).

    Raises:
        ValueError: no item is listed.
    """
    k, items = lists.shape[1], len(train_counts)
    whole = coverage_and_novelty(lists, train_counts)
    there = lists != NO_ITEM
    often = np.bincount(lists[there], minlength=items)
    alone = ((often[np.where(there, lists, 0)] == 1) & there).sum(axis=1)
    counts = np.asarray(train_counts, dtype=float)
    information = -np.log2((counts + 1) / (counts.sum() + items))
    told = np.where(there, information[np.where(there, lists, 0)], 0.0).sum(axis=1)
    return pd.DataFrame(
        {
            f"coverage@{k}": whole[f"coverage@{k}"] + (len(lists) - 1) * alone / items,
            f"novelty@{k}": told / np.maximum(there.sum(axis=1), 1),
        }
    )


def distance_within_lists(lists: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """How unlike the items of each list are: the mean of 1 − cosine over its pairs, in [0, 2].

    Ziegler et al. 2005 (WWW, "Improving recommendation lists through topic diversification"), one minus their
    intra-list similarity. The vectors are the yardstick: those of a taxonomy are fair to models that read
    texts and to models that look at pictures.

    Args:
        lists: [B, k] item codes, `NO_ITEM` where a list is short.
        vectors: [M, D]; a row of zeros is unlike everything.

    Returns:
        [B]; 0 for a list of fewer than two items.
    """
    there = lists != NO_ITEM
    rows = np.asarray(vectors, dtype=np.float32)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    chosen = rows[np.where(there, lists, 0)] * there[..., None]
    # the sum over pairs is that of the squared sum, less each item with itself
    own = np.square(chosen).sum(axis=(1, 2))
    together = np.square(chosen.sum(axis=1)).sum(axis=1) - own
    pairs = there.sum(axis=1) * (there.sum(axis=1) - 1)
    return np.where(pairs > 0, 1 - together / np.maximum(pairs, 1), 0.0)
