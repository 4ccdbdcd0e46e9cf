"""S = α s + β f as printed in 004 §4.2, on a log: the effect of each of its errors, and the corrected form.

n: views. L: lists.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.search.ranking import rank_scores
from recsys.search.studies.logged_feedback import user_ndcg
from recsys.search.studies.logged_lists import LoggedLists

WIDTH = 3  # classes of a feedback vector: O, Positive, Negative


def printed_faults(logged: LoggedLists) -> pd.DataFrame:
    """One row per erratum (its id in experiments/claims): what was measured, as printed, corrected.

    f-vector-and-function: number of different orders of one list, as a scalar plus a vector is ambiguous.
    scales-of-s-and-f: share of lists that s + f, with f a count of clicks, orders like the count alone.
    feedback-before-display: NDCG@10 where f is the reaction to the list itself (1 means a leak of the
    answer), and with earlier f. no-user-in-score: share of products shown to two users for one query whose
    scores differ between the two.
    """
    rows = logged.part("judging").copy()
    keys, match, rate = (rows[name].to_numpy() for name in ("search", "match", "rate"))
    vector = np.stack([1 - rate, rate, np.zeros(len(rows))], axis=1)
    first = keys == keys[0]
    orders = {tuple(np.argsort(-column)) for column in (match[first, None] + vector[first]).T}
    clicks = logged.part("learning").groupby("item")["click"].sum()
    count = rows["item"].map(clicks).fillna(0).to_numpy(float)
    mended = rank_scores(keys, match, count, 0.5)
    rows["printed"] = rank_scores(keys, match, rows["click"].to_numpy(float), 0.5)
    rows["before"] = rank_scores(keys, match, rate, 0.5)
    personal = match + rows["own"].to_numpy()
    return pd.DataFrame(
        [
            ("f-vector-and-function", "orders of one list", len(orders), 1),
            (
                "scales-of-s-and-f",
                "lists ordered as by f alone",
                _same_order(keys, match + count, count),
                _same_order(keys, mended, count),
            ),
            (
                "feedback-before-display",
                "ndcg@10",
                user_ndcg(rows, "printed").mean(),
                user_ndcg(rows, "before").mean(),
            ),
            (
                "no-user-in-score",
                "products whose score differs by user",
                _differs(rows, match),
                _differs(rows, personal),
            ),
        ],
        columns=["erratum", "measured", "as_printed", "mended"],
    )


def _same_order(keys: np.ndarray, score: np.ndarray, other: np.ndarray) -> float:
    """Share of lists in which `score` reverses no pair that `other` orders."""
    same = []
    for rows in pd.Series(np.arange(len(keys))).groupby(keys).indices.values():
        by, against = score[rows], other[rows]
        apart = against[:, None] > against[None, :]
        same.append(bool((by[:, None] > by[None, :])[apart].all()))
    return float(np.mean(same))


def _differs(rows: pd.DataFrame, score: np.ndarray) -> float:
    """Share of (query, product) pairs, shown to two users or more, with different scores."""
    grouped = rows.assign(score=score).groupby(["query", "item"])
    users, spread = grouped["user"].nunique(), grouped["score"].agg(np.ptp)
    return float((spread[users > 1] > 1e-6).mean())
