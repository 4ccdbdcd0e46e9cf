"""One row per item of an event log, with the columns that modalities read; from the training period only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.media.atomic_files import load_graph
from recsys.data.media.movielens import load_tags
from recsys.data.tables import Dataset
from recsys.encoders.item_text import item_texts
from recsys.multimodal.tasks.subjects import drawn_pictures

LATER = ("award", "sequel", "prequel")  # in a relation's name: known after the film was out


def item_table(dataset: Dataset, train: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """M rows: item, text, and where the set has them picture, tags, graph, and its own numbers.

    Tags are those that were given before the end of the training events, of films in training or not: what a
    recommender of that moment could know. (For a split by each user's own order that moment is the last
    training event of all users, so some tags are younger than some test events; the row without tags is
    free of that.) The graph's facts about prizes and sequels are left out: they are younger than the film.

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
    elif sources.get(dataset.name).role("kg"):
        table["graph"] = _facts(dataset)
    return table


def _facts(dataset: Dataset) -> np.ndarray:
    """Each item's facts "relation tail", joined by line breaks; None where the graph does not know it."""
    triples = load_graph(dataset.name, dataset)
    early = (triples["item"] >= 0) & ~triples["relation"].str.contains("|".join(LATER))
    facts = (triples["relation"] + " " + triples["tail"])[early]
    joined = facts.groupby(triples["item"][early]).agg("\n".join).reindex(dataset.items["item"])
    return joined.where(joined.notna(), None).to_numpy(object)
