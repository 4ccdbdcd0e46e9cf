"""Evaluation of a next-item model: over the whole catalogue, and by the target's training frequency."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from recsys.data.splits import Split, evenly
from recsys.metrics.lists import coverage_and_novelty, recommend
from recsys.metrics.ranking import earlier_events, evaluate, ranking_metrics
from recsys.models.next_item.data import NextItemData

# bounds on the target's number of training events: cold items, rare, middle, frequent ones
BANDS = {"cold": (0, 0), "rare": (1, 3), "middle": (4, 10), "frequent": (11, np.inf)}
VALIDATION_USERS = 5000  # of ndcg@10_validation; as many as early stopping uses
LIST_USERS = 2000  # whose lists give coverage and novelty
CUTOFF = 10


def judge(model: Any, data: NextItemData, users: int = 0) -> tuple[dict[str, float], pd.DataFrame]:
    """Test metrics of a fitted model, whose histories are first extended by the validation events.

    Args:
        model: has `score` and, where it reads histories, `with_history`.
        users: evaluate only this many users, the same ones in every run; 0: all.

    Returns:
        Metrics: hr, recall and ndcg at 5, 10 and 20, mrr, map; ndcg@10_validation; ndcg@10_cold, _rare,
        _middle, _frequent (targets by their number of training events: 0, 1 to 3, 4 to 10, more; absent
        where there is no such target); ndcg@10_new_users (no event before the test part; absent where all
        have one); coverage@10, novelty@10. Positions of the test part with a column train_count.
    """
    parts = fewer_users(data.split, users) if users else data.split
    asked = with_known_history(model, data)
    positions = evaluate(asked, parts, "test")
    counts = np.bincount(data.train["item"], minlength=data.split.n_items)
    positions["train_count"] = counts[positions["item"]].astype(np.int32)
    metrics, _ = ranking_metrics(positions)
    for band, (low, high) in BANDS.items():
        of_band = positions[positions["train_count"].between(low, high)]
        if len(of_band):
            metrics[f"ndcg@10_{band}"] = ranking_metrics(of_band, (CUTOFF,))[0]["ndcg@10"]
    of_new_users = positions[~positions["user"].isin(data.known["user"])]
    if len(of_new_users):
        metrics["ndcg@10_new_users"] = ranking_metrics(of_new_users, (CUTOFF,))[0]["ndcg@10"]
    looked_at = fewer_users(data.split, users or VALIDATION_USERS)
    validation, _ = ranking_metrics(
        evaluate(with_training_history(model, data), looked_at, "validation"), (CUTOFF,)
    )
    metrics["ndcg@10_validation"] = validation["ndcg@10"]
    listed = evenly(positions["user"], LIST_USERS)
    _, lists = recommend(asked, listed, CUTOFF, earlier_events(data.split, "test"))
    return metrics | coverage_and_novelty(lists, counts), positions


def with_known_history(model: Any, data: NextItemData) -> Any:
    """The model at test time: parameters from training, histories up to the test part."""
    return model.with_history(data.known) if hasattr(model, "with_history") else model


def with_training_history(model: Any, data: NextItemData) -> Any:
    """The model at validation time: histories from training, also of users who were not trained on."""
    return model.with_history(data.split.train) if hasattr(model, "with_history") else model


def fewer_users(parts: Split, users: int) -> Split:
    """The split with at most `users` users in validation and in test."""
    kept = {name: getattr(parts, name) for name in ("validation", "test")}
    return replace(
        parts,
        **{name: table[table["user"].isin(evenly(table["user"], users))] for name, table in kept.items()},
    )
