"""Sectors in which one thing that a person has is hidden: insurance products, topics of a learner.

Both are lists of few candidates, in which a person's own things are never candidates; most of what is to be
found are the few that nearly everybody has, so the popularity row is high, and only the distance from it
counts. Nothing about a person but the things (and, for insurance, branch and occupation class) is read.

n: persons. L: things.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.applications.shops_and_sectors.sector_task import (
    SectorError,
    SectorTask,
    even_rows,
    folds_of,
    lots,
)
from recsys.data.sectors.tables import load_tables
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts

LOT = 100  # persons whose difference is recorded as one number
RARE = 200  # clients below which a branch or an occupation class is "other"
DESCRIPTION_TOKENS = 128


def insurance(dataset: str, most: int, seed: int, backbone: str) -> SectorTask:
    """One of a client's products is hidden, the others are shown, with branch and occupation class."""
    data = load_tables(dataset, "insurance")
    rows = even_rows(len(data["holdings"]), most)
    held = data["holdings"].to_numpy(bool)[rows]
    hidden, shown = hide_one(held, seed)
    context = data["context"].iloc[rows].apply(_common)
    inputs = np.concatenate([shown, pd.get_dummies(context).to_numpy(float)], axis=1).astype(np.float32)
    return _task("insurance", data["holdings"].columns.tolist(), hidden, shown, inputs)


def learners(dataset: str, most: int, seed: int, backbone: str) -> SectorTask:
    """One topic of a learner's profile is hidden; the others are shown, with or without course descriptions.

    The published profiles sum topics over courses and don't say which courses were taken, so this asks for a
    topic, not for a course. Through the descriptions: a topic's vector is the mean of the vectors of the
    courses about it, a learner's the mean of the shown topics' by weight; what a model gets is the cosine of
    the two for every topic.
    """
    data = load_tables(dataset, "courses")
    weights = data["learners"]
    weights = weights[(weights > 0).sum(axis=1).between(2, weights.shape[1] - 1)]
    weights = weights.iloc[even_rows(len(weights), most)]
    held = weights.to_numpy(float) > 0
    hidden, shown = hide_one(held, seed)
    levels = np.log1p(weights.to_numpy(float)) * shown
    courses = data["courses"]
    texts = (courses["title"] + ". " + courses["description"]).tolist()
    vectors = embed_texts(load_backbone(backbone), texts, max_tokens=DESCRIPTION_TOKENS)
    about = courses[weights.columns].to_numpy(float)
    topics = _unit((about / about.sum(axis=0).clip(1)).T @ vectors)
    described = _unit(levels @ topics) @ topics.T
    inputs = levels.astype(np.float32)
    return _task("learners", weights.columns.tolist(), hidden, shown, inputs, described.astype(np.float32))


def hide_one(held: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """[n] the thing of each person that is hidden, drawn evenly among the own ones, and [n, L] the others.

    Raises:
        SectorError: someone has fewer than two things.
    """
    if (held.sum(axis=1) < 2).any():
        raise SectorError("a person with fewer than two things has nothing left when one is hidden")
    draw = np.random.default_rng(seed).random(held.shape)
    hidden = np.where(held, draw, -1.0).argmax(axis=1)
    shown = held.copy()
    shown[np.arange(len(held)), hidden] = False
    return hidden, shown


def _task(name, candidates, hidden, shown, inputs, described=None) -> SectorTask:
    gains = np.zeros(shown.shape)
    gains[np.arange(len(shown)), hidden] = 1.0
    return SectorTask(
        name,
        candidates,
        gains,
        ~shown,
        folds_of(np.arange(len(shown))),
        lots(len(shown), LOT),
        inputs=inputs,
        described=described,
    )


def _common(column: pd.Series) -> pd.Series:
    return column.where(column.map(column.value_counts()) >= RARE, "other")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
