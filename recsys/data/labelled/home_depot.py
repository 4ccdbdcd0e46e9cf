"""Home Depot Product Search Relevance: pairs of a search query and a product title, graded by people.

Source: Kaggle competition "Home Depot Product Search Relevance" (2016), file `train.csv`; its rules allow
evaluation, not redistribution, so the user places the file. 74,067 pairs of 11,795 queries and 54,667
products. The file is Latin-1. A grade is the mean of a few raters' 1 (irrelevant) to 3 (perfect match):
mostly thirds, 59 of them quarters.

A query is a group: its judged list is never divided. Lists are short (median 7), and 1,835 have only one
grade: every order of them is ideal, so `judged_lists` leaves them out, and the metric
(`recsys.metrics.judged_lists`) uses gain 2^(grade - 1) - 1 and reports what a random order scores. With
linear gains over all queries a random order has an NDCG@10 of .956 already; with this metric it has .875.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table, require
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source

GRADES = (1.0, 3.0)


@dataclass(frozen=True)
class JudgedLists:
    """The judged lists that can tell orders apart.

    rows: [K] row numbers of `LabelledTexts.table`, list after list.
    lists: [K] code of each row's list, 0 ... L - 1, ascending.
    dropped: lists left out because all their grades are equal (also those of one row).
    """

    rows: np.ndarray
    lists: np.ndarray
    dropped: int


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "home_depot".

    Returns:
        table: text (query), text_pair (product title), label (grade, 1 to 3), group (query), product (the
        source's product number). No names of labels, because the label is a grade.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    types = {"product_uid": int, "product_title": str, "search_term": str, "relevance": float}
    raw = read_table(source, "pairs", types, encoding="latin-1")
    require(raw, "relevance", GRADES, source)
    faults = {"empty query": raw["search_term"] == "", "empty title": raw["product_title"] == ""}
    kept = raw[~(faults["empty query"] | faults["empty title"])].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "text": kept["search_term"],
            "text_pair": kept["product_title"],
            "label": kept["relevance"],
            "group": kept["search_term"],
            "product": kept["product_uid"],
        }
    )
    return LabelledTexts(source.name, table, [], cleaning_counts(len(raw), faults))


def judged_lists(data: LabelledTexts, rows: np.ndarray | None = None) -> JudgedLists:
    """The lists among some rows, without those of one constant grade.

    Args:
        data: graded pairs with a group for each list.
        rows: row numbers, for instance one part of `labelled_split`; None takes all.
    """
    rows = np.arange(len(data)) if rows is None else np.asarray(rows)
    table = data.table.iloc[rows]
    codes, _ = pd.factorize(table["group"])
    spread = table["label"].groupby(codes).transform("nunique").to_numpy()
    order = np.argsort(codes, kind="stable")
    order = order[spread[order] > 1]
    lists, kept = pd.factorize(codes[order])
    return JudgedLists(rows[order], lists, len(np.unique(codes)) - len(kept))


FAMILY = Family(load, ("pairs",))
