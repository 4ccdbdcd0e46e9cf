"""Candidate lists that a next-item run keeps for later fusion, for validation and test.

Their identity names the split and the catalogue, so that lists of another one cannot be fused by accident.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from recsys.ensembling.candidate_lists import PARTS, TOP, Identity, Kept, candidate_lists
from recsys.metrics.ranking import earlier_events, new_targets
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.evaluation import with_known_history, with_training_history


def keep(name: str, model: Any, data: NextItemData, top: int = TOP, users: np.ndarray | None = None) -> Kept:
    """A fitted model's best candidates for every user with a new item in the part.

    For validation the model's histories are the training events, for test also the validation events; items
    that a user had before are never candidates. Memory is one batch of users by the catalogue.

    Args:
        name: of the model in tables of fusions; with its seed if it has one ("title_sequence/0").
        model: fitted. data: that it was fitted on.
        top: candidates per user.
        users: only these users; None: all.

    In a notebook: `record(metrics, positions, scores=keep("ease", fitted.model, data))`.
    """
    asked = {"validation": with_training_history(model, data), "test": with_known_history(model, data)}
    lists = {}
    for part in PARTS:
        rows = new_targets(data.split, part)["user"].unique()
        rows = rows if users is None else rows[np.isin(rows, users)]
        lists[part] = candidate_lists(name, asked[part], rows, earlier_events(data.split, part), top)
    return Kept(identity(data), lists)


def identity(data: NextItemData) -> Identity:
    """Identity (data set, catalogue, split) of candidate lists from this data."""
    catalogue = hashlib.sha256("\0".join(data.dataset.items["source_id"].astype(str)).encode())
    split = hashlib.sha256(f"{data.split.kind} {data.split.n_users}".encode())
    for part in ("train", *PARTS):
        table: pd.DataFrame = getattr(data.split, part)
        split.update(np.ascontiguousarray(table[["user", "item"]].to_numpy(dtype=np.int64)).tobytes() + b"|")
    return Identity(data.dataset.name, catalogue.hexdigest(), split.hexdigest())
