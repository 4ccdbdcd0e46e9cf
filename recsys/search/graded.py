"""Loads graded pairs of query and product, split so that no query is in two parts.

P: pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.load import load_dataset
from recsys.data.splits import by_salt
from recsys.search.errors import SearchError

FOLDS = 5
LOWEST = {"crowdflower_search": 1.0, "home_depot": 1.0, "chorus_electronics": 0.0, "demo_store": 0.0}


@dataclass(frozen=True)
class Graded:
    """A graded data set of P pairs.

    table: columns query, title, grade, list (key of the query's list), and product where it is known.
    parts: train, validation, test -> row numbers; no query, and no group of queries, is in two of them.
    lowest: the grade with gain 0.
    """

    name: str
    table: pd.DataFrame
    parts: dict[str, np.ndarray]
    lowest: float

    def part(self, name: str) -> pd.DataFrame:
        """The rows of one part."""
        return self.table.iloc[self.parts[name]]


def load_graded(name: str, fold: int = 0, salt: str = "recsys") -> Graded:
    """Load a graded data set.

    Crowdflower: five salted folds over groups of queries that share a title; `fold` is the test part, the
    next one validation. Home Depot and the demo store: by a salted hash of the query (fold is part of the
    salt). Chorus is test only: train and validation are empty.

    Args:
        name: of LOWEST.
        fold: 0 … 4.
        salt: another salt gives another division.

    Raises:
        SearchError: no such data set, or fold out of range. DataUnavailable: its files cannot be obtained.
    """
    if name not in LOWEST:
        raise SearchError(f"no graded search data {name!r}; there are {', '.join(LOWEST)}")
    if not 0 <= fold < FOLDS:
        raise SearchError(f"fold must be 0 to {FOLDS - 1}, got {fold}")
    if name == "demo_store":
        table = _demo_store()
        part = by_salt(table["list"], f"{salt} {fold}", {"train": 0.6, "validation": 0.2, "test": 0.2})
        parts = {one: np.flatnonzero(part == one) for one in ("train", "validation", "test")}
        return Graded(name, table, parts, LOWEST[name])
    data = load_labelled(name)
    source = data.table
    table = pd.DataFrame({"query": source["text"], "title": source["text_pair"], "grade": source["label"]})
    table["list"] = source["query"] if "query" in source else source["text"]
    if "product" in source:
        table["product"] = source["product"]
    if name == "crowdflower_search":
        parts = _folds(source["group"], table["list"], fold, salt)
    elif name == "home_depot":
        parts = labelled_split(data, salt=f"{salt} {fold}")
    else:
        parts = {"train": np.empty(0, int), "validation": np.empty(0, int), "test": np.arange(len(table))}
    return Graded(name, table, parts, LOWEST[name])


def _folds(group: pd.Series, queries: pd.Series, fold: int, salt: str) -> dict[str, np.ndarray]:
    # named by its first query, not by a number that depends on the order of rows
    name = queries.groupby(group).transform("min")
    shares = {str(number): 1 / FOLDS for number in range(FOLDS)}
    own = by_salt(name, salt, shares).astype(int)
    validation = (fold + 1) % FOLDS
    return {
        "train": np.flatnonzero((own != fold) & (own != validation)),
        "validation": np.flatnonzero(own == validation),
        "test": np.flatnonzero(own == fold),
    }


def _demo_store() -> pd.DataFrame:
    data = load_dataset("demo_store")
    judged = data.judgements
    return pd.DataFrame(
        {
            "query": judged["query"],
            "title": data.items["title"].to_numpy()[judged["item"]],
            "grade": judged["grade"].astype(float),
            "list": judged["query"],
            "product": judged["item"],
        }
    ).reset_index(drop=True)
