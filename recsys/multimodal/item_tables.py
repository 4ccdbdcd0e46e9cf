"""One row per item of an event log with the columns that modalities read; nothing from after the training
period."""

from __future__ import annotations

import pandas as pd

from recsys.data import sources
from recsys.data.media.movielens import load_tags
from recsys.data.tables import Dataset
from recsys.encoders.item_text import item_texts
from recsys.multimodal.tasks.subjects import drawn_pictures


def item_table(dataset: Dataset, train: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """M rows: item, text, and where the data set has them picture, tags, and its own numeric columns.

    Only tags written before the end of the training events count, whether the film occurs in training or not:
    what a recommender could have known then. (With a split by each user's own order, that moment is the last
    training event of all users, so some tags are younger than some test events; a run without the modality
    "tags" is free of this.)

    Args:
        train: training events.
        seed: of the synthetic demo store.
    """
    table = dataset.items.copy()
    if "text" not in table:
        columns = tuple(name for name in ("title", "category", "description") if name in table)
        table["text"] = item_texts(table, columns, absent_ok=True)
    if dataset.name == sources.DEMO_STORE:
        table["picture"] = drawn_pictures(dataset, seed)
    elif sources.get(dataset.name).role("tags"):
        tags = load_tags(dataset.name, dataset)
        if "time" in train:
            tags = tags[tags["time"] < train["time"].max()]
        joined = tags.groupby("item")["tag"].agg("\n".join)
        table["tags"] = joined.reindex(table["item"]).to_numpy(object)
        table["tags"] = table["tags"].where(table["tags"].notna(), None)
    return table
