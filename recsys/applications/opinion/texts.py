"""Dated texts on firms, divided by time: a model learns from the past and is judged by what comes later.

The parts are periods: the first half of the texts is training, the next fifth validation, the rest test; the
texts of one day stay together. A text that returns in a later part is left out of the earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.service.tasks import evenly_chosen
from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.load import load_dataset
from recsys.data.splits import PARTS, normal_query
from recsys.models.labelled.task import DEFAULT_TOKENS, MAX_TOKENS, LabelledTask, Part
from recsys.search.feedback.review_feedback import BAD, GOOD, review_table

DEMO, ALL = "demo_store", "all texts"
STARS = ["positive", "neutral", "negative"]
SENTIMENT = "negative"  # the label that an alarm looks for
SHARES = (0.5, 0.7)  # of the texts: where validation and test begin


@dataclass(frozen=True)
class Watched:
    """table: texts by time: text, label, time, firm, part; without times, where the source has none.

    labels: of the classes. bad: code of bad news, −1 where no label says so and every text counts.
    task: what is learnt, None where nothing is.
    """

    name: str
    table: pd.DataFrame
    labels: list[str]
    bad: int
    task: LabelledTask | None

    @property
    def dated(self) -> bool:
        return "time" in self.table


def load_watched(dataset: str, asks: str = "sentiment", judged: int = 0, tested: int = 0) -> Watched:
    """Texts to learn from and to watch.

    Args:
        dataset: "demo_store" (reviews), "company_news", "chinese_reviews" (no times), "stock_tweets" (no
            sentiment), or an entry of RECSYS_SOURCES of family dated_texts.
        asks: "sentiment" or "topic": of a review the kind of goods; what is watched stays the sentiment.
        judged, tested: texts of validation and of test that the model is judged by; 0: all.

    Raises:
        ValueError: no such question, or one that the set has no labels for.
        RegistryError, DataUnavailable: of the loaders.
    """
    if asks not in ("sentiment", "topic"):
        raise ValueError(f"asks must be sentiment or topic, not {asks!r}")
    table, labels = _demo() if dataset == DEMO else _read(dataset)
    table = _in_parts(table, dataset)
    bad = labels.index(SENTIMENT) if SENTIMENT in labels else -1
    if asks == "topic":
        if "topic" not in table:
            raise ValueError(f"{dataset} has no topics: ask for its sentiment")
        codes, topics = pd.factorize(table["topic"], sort=True)
        task = _task(dataset, table.assign(label=codes.astype(np.int64)), list(topics), judged, tested)
    else:
        task = None if bad < 0 else _task(dataset, table, labels, judged, tested)
    return Watched(dataset, table, labels, bad, task)


def _demo() -> tuple[pd.DataFrame, list[str]]:
    """The shop's reviews: stars as three classes; the kind of goods is the topic, and the firm."""
    shop = load_dataset(DEMO)
    reviews = review_table(shop.events)
    kind = shop.items["category"].str.split(" > ").str[0]
    stars = np.select([reviews["rating"] >= GOOD, reviews["rating"] <= BAD], [0, 2], 1)
    topic = kind.to_numpy()[reviews["item"].to_numpy()]
    table = reviews[["text", "time"]].assign(label=stars.astype(np.int64), firm=topic, topic=topic)
    return table, list(STARS)


def _read(dataset: str) -> tuple[pd.DataFrame, list[str]]:
    data = load_labelled(dataset)
    table = data.table.rename(columns={"category": "topic"})
    if "time" not in table:
        parts = labelled_split(data)
        table["part"] = ""
        for part, rows in parts.items():
            table.loc[rows, "part"] = part
        return table[table["part"] != ""], data.labels
    return table, data.labels


def _in_parts(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    if "time" not in table:
        return table
    table = table.sort_values("time", kind="stable", ignore_index=True)
    day = table["time"].dt.floor("D")
    starts = [day.iloc[int(share * (len(day) - 1))] for share in SHARES]
    if not day.iloc[0] < starts[0] < starts[1] < day.iloc[-1]:
        raise ValueError(f"{dataset} has too few days to be divided into train, validation and test")
    number = (day >= starts[0]).astype(int) + (day >= starts[1]).astype(int)
    return table.assign(part=np.array(PARTS)[number])


def _task(dataset: str, table: pd.DataFrame, labels: list[str], judged: int, tested: int) -> LabelledTask:
    key, rank = normal_query(table["text"]), table["part"].map(PARTS.index)
    last = table[rank == rank.groupby(key).transform("max")]
    made = {}
    for part, most in zip(PARTS, (0, judged, tested), strict=True):
        rows = last[last["part"] == part]
        made[part] = evenly_chosen(Part(rows["text"].tolist(), rows["label"].to_numpy(), None, None), most)
    return LabelledTask(dataset, labels, MAX_TOKENS.get(dataset, DEFAULT_TOKENS), **made)
