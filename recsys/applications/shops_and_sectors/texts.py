"""Sectors in which a text is read: what a course is about, what a drug is taken for, what a customer wants.

n: texts. L: candidates.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.applications.shops_and_sectors.sector_task import LEARN_ONLY, SectorTask, even_rows, folds_of
from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.load import load_dataset
from recsys.data.sectors.courses import TOPICS
from recsys.data.sectors.tables import load_tables

FEWEST_REVIEWS, FEWEST_DRUGS = 15, 3  # of a condition, else there is nothing to learn it from
# one condition under several words, as patients wrote it; nothing is merged on medical grounds
SAME_CONDITION = {
    "migraines": "migraine",
    "migraine headaches": "migraine",
    "hypertension": "high blood pressure",
    "hypothyroid": "hypothyroidism",
    "add": "adhd",
    "cholesterol": "high cholesterol",
    "gerd": "acid reflux",
    "sinusitis": "sinus infection",
    "contraception": "birth control",
    "birth prevention": "birth control",
    "smoking": "smoking cessation",
    "depression and anxiety": "depression/anxiety",
}


def courses(dataset: str, most: int, seed: int, backbone: str) -> SectorTask:
    """A course's topics from title and description; courses without a topic are left out."""
    table = load_tables(dataset, "courses")["courses"]
    table = table[table[list(TOPICS)].sum(axis=1) > 0].reset_index(drop=True)
    table = table.iloc[even_rows(len(table), most)]
    texts = (table["title"] + ". " + table["description"]).tolist()
    gains = table[list(TOPICS)].to_numpy(float)
    return _task("courses", list(TOPICS), gains, texts, np.arange(len(texts)), texts)


def drugs(dataset: str, most: int, seed: int, backbone: str) -> SectorTask:
    """The condition that a drug was taken for, from a review's three texts; by drug, never by review.

    The text may name the condition, as patients do; it may name the drug too, but a drug's reviews are all in
    one fold, its other forms' too (effexor-xr is effexor), so its name teaches nothing about itself.
    Conditions that few report are left out.
    """
    reviews = load_tables(dataset, "drug_reviews")["reviews"]
    text = reviews[["benefits_text", "side_effects_text", "comments_text"]].agg(" ".join, axis=1)
    condition = reviews["condition"].replace(SAME_CONDITION)
    counts = pd.DataFrame({"condition": condition, "drug": reviews["drug"]}).groupby("condition")["drug"]
    known = counts.agg(["size", "nunique"])
    kept = known.index[(known["size"] >= FEWEST_REVIEWS) & (known["nunique"] >= FEWEST_DRUGS)]
    rows = np.flatnonzero(condition.isin(kept))
    rows = rows[even_rows(len(rows), most)]
    drug = pd.factorize(substances(reviews["drug"]).iloc[rows])[0]
    gains = _one_hot(condition.iloc[rows], list(kept))
    return _task("drugs", list(kept), gains, text.iloc[rows].tolist(), drug, text.tolist())


def substances(names: pd.Series) -> pd.Series:
    """Each name, or the shortest other name that it begins with, up to a hyphen: effexor-xr is effexor."""
    known = set(names)

    def shortest(name: str) -> str:
        parts = name.split("-")
        beginnings = ("-".join(parts[:length]) for length in range(1, len(parts)))
        return next((beginning for beginning in beginnings if beginning in known), name)

    return names.map({name: shortest(name) for name in known})


def banking(dataset: str, most: int, seed: int, backbone: str) -> SectorTask:
    """A bank customer's intent; the source's own test part is judged, by what its training part teaches."""
    data = load_labelled(dataset)
    parts = labelled_split(data)
    test = parts["test"][even_rows(len(parts["test"]), most)]
    learnt = np.sort(np.concatenate([parts["train"], parts["validation"]]))
    rows = np.concatenate([learnt, test])
    table = data.table.iloc[rows]
    gains = np.eye(len(data.labels))[table["label"].to_numpy()]
    fold = np.r_[np.full(len(learnt), LEARN_ONLY), np.zeros(len(test), dtype=int)]
    texts = table["text"].tolist()
    corpus = tuple(texts[: len(learnt)])
    return SectorTask(
        "banking",
        data.labels,
        gains,
        np.ones(gains.shape, dtype=bool),
        fold,
        np.arange(len(rows)),
        texts=texts,
        corpus=corpus,
    )


def products(dataset: str, most: int, seed: int, backbone: str) -> SectorTask:
    """A product's group, two levels of its category path, from its title: any shop can ask that."""
    items = load_dataset(dataset).items
    items = items.iloc[even_rows(len(items), most)]
    group = items["category"].str.split(" > ").str[:2].str.join(" > ")
    names = sorted(group.unique())
    texts = items["title"].tolist()
    return _task("products", names, _one_hot(group, names), texts, np.arange(len(texts)), texts)


def _task(name, candidates, gains, texts, groups, corpus) -> SectorTask:
    everything = np.ones(gains.shape, dtype=bool)
    return SectorTask(
        name,
        candidates,
        gains,
        everything,
        folds_of(groups),
        groups.astype("int64"),
        texts=texts,
        corpus=tuple(dict.fromkeys(corpus)),
    )


def _one_hot(values: pd.Series, names: list[str]) -> np.ndarray:
    return (values.to_numpy()[:, None] == np.array(names, dtype=object)[None, :]).astype(float)
