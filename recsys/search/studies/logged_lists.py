"""A shop's logged result lists, split by time, with features known before each list.

Four periods follow each other: counts (for click rates), learning, choosing (of α), judging. A list's
features use only what happened before it: for products, clicks of the first period; for users, their own
earlier clicks; of reviews, those published before (`recsys.search.feedback.review_feedback`).

n: views (one product at one position of one list). D: width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data import demo_store
from recsys.data.tables import Dataset
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.feedback.result_lists import click_rates, examination_curve, result_lists

TIMES = {
    "counts": 0.5,
    "learning": 0.7,
    "choosing": 0.85,
    "judging": 1.0,
}  # ends of the periods, as shares of the log's time span


@dataclass(frozen=True)
class LoggedLists:
    """table: n rows: search, user, item, position, click, time, part, match (cosine of query and title),
    rate (click rate of the first time, corrected for places), own (cosine of the title with the mean of the
    titles that the user clicked before; 0 without any), price (its logarithm), view (row in the events).

    products: [n, D] product of the unit vectors of query and title, dimension by dimension; it sums to match.
    backbone: name of the encoder.
    """

    shop: Dataset
    table: pd.DataFrame
    products: np.ndarray
    backbone: str

    def part(self, name: str) -> pd.DataFrame:
        """Rows of one period."""
        return self.table[self.table["part"] == name]


def logged_lists(backbone: str = "minilm", seed: int = 0, learn_all: bool = False) -> LoggedLists:
    """The demo store's lists that were shown in random order (others' clicks follow the production order).

    Counting takes all lists, weighted by their propensities; learning, choosing and judging the random ones.

    Args:
        learn_all: learning takes the other lists too, for models that have the place among their features.
    """
    shop = demo_store.load()
    lists = result_lists(shop.events)
    start, end = lists["time"].min(), lists["time"].max()
    share = (lists["time"] - start) / (end - start)
    names = list(TIMES)
    place = np.searchsorted(list(TIMES.values()), share, side="left").clip(max=len(names) - 1)
    lists = lists.assign(part=np.array(names, dtype=object)[place])
    counted = lists[lists["part"] == "counts"]
    rates = click_rates(counted, shop.n_items, examination_curve(counted))
    # one product out of its place proves the random order; that others stand in theirs is chance, and lists
    # left out for it would leave an order that is not random
    chance = lists["propensity"].groupby(lists["search"]).transform("min") < 0.1
    random = chance | (learn_all & (lists["part"] == "learning"))
    kept = lists[random & (lists["part"] != "counts")]
    table = kept.rename_axis("view").reset_index()
    network = load_backbone(backbone, seed=seed)
    titles = embed_texts(network, shop.items["title"].tolist(), max_tokens=TITLE_TOKENS)
    query, row = _queries(network, table["query"])
    items = table["item"].to_numpy()
    products = query[row] * titles[items]
    table["match"] = products.sum(axis=1)
    table["rate"] = pd.Series(rates[items]).fillna(float(np.nanmean(rates))).to_numpy()
    table["own"] = _own_taste(shop.events, table, titles)
    table["price"] = np.log(shop.items["price"].to_numpy()[items])
    return LoggedLists(shop, table, products, backbone)


def _queries(network: Backbone, queries: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    texts, rows = np.unique(queries.to_numpy(object), return_inverse=True)
    return embed_texts(network, list(texts), max_tokens=QUERY_TOKENS), rows


def _own_taste(events: pd.DataFrame, table: pd.DataFrame, titles: np.ndarray) -> np.ndarray:
    """[n] cosine of each row's title with the mean title of the user's clicks before the row's list."""
    clicks = events[events["kind"] == "click"].sort_values(["user", "time"], kind="stable")
    starts = table.groupby("search")["time"].transform("min")
    out = np.zeros(len(table))
    by_user = dict(iter(clicks.groupby("user")))
    for user, rows in table.groupby("user").indices.items():
        own = by_user.get(user)
        if own is None:
            continue
        sums = np.cumsum(titles[own["item"].to_numpy()], axis=0)
        seen = np.searchsorted(own["time"].to_numpy(), starts.to_numpy()[rows], side="left")
        known = seen > 0
        mean = sums[seen[known] - 1]
        mean /= np.linalg.norm(mean, axis=1, keepdims=True).clip(1e-9)
        out[rows[known]] = np.einsum("nd,nd->n", mean, titles[table["item"].to_numpy()[rows[known]]])
    return out
