"""A leak in a published table: popularity counts that include the test events.

The PopRec row of the S3-Rec repository (RUCAIBox/CIKM2020-S3Rec, `all_rank.PNG`, files `data/*.txt`,
leave-one-out, full ranking) is matched to every digit when an item's popularity counts all events, those of
validation and test included, the user's training and validation items are taken out of the list, and equal
counts are ordered by ascending id. Counting training events alone gives other numbers.

The leak is not so much the one purchase that is to be predicted: without it in each user's counts, HR@10 does
not change. It is what all other users buy in the held-out part, that is, future popularity.
"""

import numpy as np
import pandas as pd

from recsys.baselines.popularity import Popularity, counted_events
from recsys.metrics.ranking import evaluate, ranking_metrics

METRICS = ("hr@5", "ndcg@5", "hr@10", "ndcg@10")
# Read from all_rank.PNG in the S3-Rec repository; H@5, N@5, H@10, N@10.
PUBLISHED = {"beauty": (0.0080, 0.0044, 0.0152, 0.0068), "sports": (0.0056, 0.0041, 0.0094, 0.0053)}


class PopularityWithoutOwn:
    """Counts of all events, but for each user without the user's own test events."""

    def __init__(self, split):
        self.counts = Popularity().fit(counted_events(split, "all"), split.n_users, split.n_items).counts
        self.own = split.test[["user", "item"]]

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32 event counts."""
        scores = np.tile(self.counts.astype(np.float32), (len(users), 1))
        row = pd.Index(users).get_indexer(self.own["user"])
        np.subtract.at(scores, (row[row >= 0], self.own["item"].to_numpy()[row >= 0]), 1)
        return scores


def popularity_positions(split) -> dict[tuple[str, str], pd.DataFrame]:
    """Rank positions on test of popularity, by which events are counted and how ties are treated.

    Args:
        split: a `recsys.data.splits.Split`.

    Returns:
        (count, ties) -> positions, for count "all" and "train" and ties "id" and "expected", and for
        ("all but own", "id"), `PopularityWithoutOwn`.
    """
    positions = {}
    for count in ("all", "train"):
        model = Popularity().fit(counted_events(split, count), split.n_users, split.n_items)
        for ties in ("id", "expected"):
            positions[count, ties] = evaluate(model, split, ties=ties)
        if count == "all":
            positions["all but own", "id"] = evaluate(PopularityWithoutOwn(split), split)
    return positions


def leak_table(positions: dict[tuple[str, str], pd.DataFrame], dataset: str) -> pd.DataFrame:
    """The rows of `popularity_positions` as metrics, under the published row where there is one.

    Returns:
        Index (events counted, ties), columns hr@5, ndcg@5, hr@10, ndcg@10, to the published four digits.
    """
    rows = {("published", "not said"): PUBLISHED[dataset]} if dataset in PUBLISHED else {}
    for (count, ties), table in positions.items():
        means, _ = ranking_metrics(table, (5, 10))
        rows[count, ties] = tuple(round(means[name], 4) for name in METRICS)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(METRICS))
    table.index = pd.MultiIndex.from_tuples(rows, names=["events counted", "ties"])
    return table
