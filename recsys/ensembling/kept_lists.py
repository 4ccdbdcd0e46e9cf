"""What a next-item run keeps for later fusion: each user's best candidates, for validation and for test.

The identity beside them says of which split and which catalogue they are, so that lists of another are not
fused by accident.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from recsys.ensembling.candidate_lists import PARTS, TOP, Identity, Kept, candidate_lists
from recsys.metrics.ranking import earlier_events, new_targets
from recsys.models.contest_evaluation import as_trained, informed
from recsys.models.next_item_data import NextItemData


def keep(name: str, model: Any, data: NextItemData, top: int = TOP, users: np.ndarray | None = None) -> Kept:
    """A fitted model's best candidates for every user with a new item in the part.

    In validation the model knows the training events of users, in test validation's too; what a user had
    before is never a candidate. Memory is one batch of users by the catalogue, however many users there are.

    Args:
        name: of the model, told in tables of fusions; with a seed where it has one ("title_sequence/0").
        top: candidates kept for each user.
        users: only these, of those who would be kept; None: all.

    Example:
        >>> record(metrics, positions, scores=keep("ease", fitted.model, data))
    """
    asked = {"validation": as_trained(model, data), "test": informed(model, data)}
    lists = {}
    for part in PARTS:
        rows = new_targets(data.split, part)["user"].unique()
        rows = rows if users is None else rows[np.isin(rows, users)]
        lists[part] = candidate_lists(name, asked[part], rows, earlier_events(data.split, part), top)
    return Kept(identity(data), lists)


def identity(data: NextItemData) -> Identity:
    """What the lists of a data set made ready belong to."""
    catalogue = hashlib.sha256("\0".join(data.dataset.items["source_id"].astype(str)).encode())
    split = hashlib.sha256(f"{data.split.kind} {data.split.n_users}".encode())
    for part in ("train", *PARTS):
        table: pd.DataFrame = getattr(data.split, part)
        split.update(np.ascontiguousarray(table[["user", "item"]].to_numpy(dtype=np.int64)).tobytes() + b"|")
    return Identity(data.dataset.name, catalogue.hexdigest(), split.hexdigest())
