"""S = α s + β f as printed in 004 §4.2, on a log: the effect of each of its errors, and the corrected form.

n: views. L: lists.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.search.feedback.review_feedback import predict_sentiment, review_table, sentiment_before
from recsys.search.ranking import rank_scores
from recsys.search.studies.logged_feedback import user_ndcg
from recsys.search.studies.logged_lists import LoggedLists

WIDTH = 3  # classes of a feedback vector: O, Positive, Negative


def printed_faults(logged: LoggedLists) -> pd.DataFrame:
    """One row per erratum (its id in experiments/claims): what was measured, as printed, corrected.

    f-vector-and-function: orders that a scalar plus a vector leaves one list with. scales-of-s-and-f: share
    of lists that s + f, with f a count of clicks, orders as the count alone does. feedback-before-display:
    NDCG@10 where f is the reaction to the list itself (1 means that the answer was among the features), and
    with f from before. no-user-in-score: share of products shown to two users for one query whose scores
    differ between the two; item-sentiment-as-user-feedback: the same with the sentiment of the product's
    reviews as f, and with the user's own clicks. same-symbol-text-and-vector: orders that one list has where
    BERT(u) may be the mean, the first or the last token's vector; one where the pooling is said.
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
    sentiment = match + _sentiment(logged, rows)
    poolings = {tuple(np.argsort(-by, kind="stable")) for by in _by_pooling(logged, rows[first])}
    of_orders, of_users = "orders of one list", "products whose score differs by user"
    own = rows["own"].to_numpy()
    found = [("f-vector-and-function", of_orders, len(orders), 1)]
    found += [("same-symbol-text-and-vector", of_orders, len(poolings), 1)]
    same = _same_order(keys, match + count, count), _same_order(keys, mended, count)
    found += [("scales-of-s-and-f", "lists ordered as by f alone", *same)]
    ranked = (user_ndcg(rows, name).mean() for name in ("printed", "before"))
    found += [("feedback-before-display", "ndcg@10", *ranked)]
    for erratum, score in (("no-user-in-score", match), ("item-sentiment-as-user-feedback", sentiment)):
        found += [(erratum, of_users, _differs(rows, score), _differs(rows, score + own))]
    return pd.DataFrame(found, columns=["erratum", "measured", "as_printed", "mended"])


def _sentiment(logged: LoggedLists, rows: pd.DataFrame) -> np.ndarray:
    """[n] sentiment of each product's reviews when the judging time began: one number for all its users."""
    start = rows["time"].min()
    reviews = review_table(logged.shop.events)
    items = rows["item"].to_numpy()
    said = predict_sentiment(reviews, until=start)
    return sentiment_before(reviews, said, items, np.full(len(rows), start.to_datetime64()))


def _by_pooling(logged: LoggedLists, rows: pd.DataFrame) -> list[np.ndarray]:
    """Cosines of one list's titles with its query, by each pooling."""
    titles, found = logged.shop.items["title"].iloc[rows["item"]].tolist(), []
    for pooling in ("mean", "cls", "last"):
        network = load_backbone(logged.backbone, pooling=pooling)
        query, *own = embed_texts(network, [rows["query"].iloc[0], *titles], precision="fp32")
        found.append(np.stack(own) @ query)
    return found


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
