"""Crowdflower Search Results Relevance: pairs of a search query and a product, graded 1 (worst) to 4 (best).

Source: Kaggle competition "Crowdflower Search Results Relevance" (2015); its whole training set, 10,158 rows
of 261 queries, lies in a public repository as the test folds of a cross-validation, which are joined here
and sorted by id. A grade is the median of several people's; `relevance_variance`, their variance, is kept as
a second label, never as a feature.

Groups: queries that share a product title are kept together by splits, 204 groups. A repeated pair counts
once, with the mean of its grades: of 274 repeated pairs 81 have two different grades.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table, require
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source
from recsys.data.splits import normal_query

GRADES = (1.0, 4.0)
FOLDS = tuple(f"fold_{number}" for number in range(1, 11))  # roles of the files


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "crowdflower_search".

    Returns:
        table: text (query), text_pair (title), label (grade, 1 to 4), group (number of the group of queries),
        query (its normal form), description ("" where there is none), variance.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`.
    """
    types = {"id": int, "query": str, "product_title": str, "product_description": str}
    types |= {"median_relevance": float, "relevance_variance": float}
    folds = [read_table(source, role, types) for role in FOLDS if source.role(role) is not None]
    raw = pd.concat(folds, ignore_index=True).sort_values("id", ignore_index=True)
    require(raw, "median_relevance", GRADES, source)
    normal = pd.DataFrame({"query": normal_query(raw["query"]), "title": normal_query(raw["product_title"])})
    faults = {
        "empty query": normal["query"] == "",
        "empty title": normal["title"] == "",
        "the same pair again (grades averaged)": normal.duplicated(["query", "title"]),
    }
    mean = raw.groupby([normal["query"], normal["title"]])["median_relevance"].transform("mean")
    kept = ~np.logical_or.reduce([np.asarray(rows) for rows in faults.values()])
    table = pd.DataFrame(
        {
            "text": raw["query"],
            "text_pair": raw["product_title"],
            "label": mean,
            "group": groups_of(normal["query"], normal["title"]),
            "query": normal["query"],
            "description": raw["product_description"],
            "variance": raw["relevance_variance"],
        }
    )[kept].reset_index(drop=True)
    return LabelledTexts(source.name, table, [], cleaning_counts(len(raw), faults))


def groups_of(queries: pd.Series, titles: pd.Series) -> np.ndarray:
    """[K] group of each row: queries that share a title, directly or through others, form one group."""
    query, title = pd.factorize(queries)[0], pd.factorize(titles)[0]
    size = query.max(initial=-1) + 1, title.max(initial=-1) + 1
    ends = (query, size[0] + title)
    graph = coo_array((np.ones(len(query)), ends), shape=(sum(size), sum(size)))
    return connected_components(graph, directed=False)[1][query].astype(np.int64)


FAMILY = Family(load, FOLDS)
