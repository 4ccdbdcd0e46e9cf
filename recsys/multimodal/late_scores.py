"""Late fusion of recommenders: one from behaviour and one per modality, score weights chosen on validation.

The combination is `recsys.ensembling.score_fusion.convex`.

B: users. M: items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys.ensembling.fusion_weights import coordinate_search
from recsys.ensembling.score_fusion import convex
from recsys.metrics.ranking import (
    earlier_events,
    mask_seen,
    new_targets,
    rank_checked,
    ranking_metrics,
)

STEPS = (0.05, 0.1, 0.2, 0.5, 1.0)  # values tried for one weight, as a share of the sum of the others
ROUNDS = 2


class LateRecommender:
    """Fitted recommenders and their weights.

    Args:
        members: each with score(users) -> [B, M]; scores are standardised (z-scores) per user before summing.
        weights: one per member, ≥ 0.
    """

    def __init__(self, members: Sequence[Any], weights: np.ndarray):
        self.members, self.weights = list(members), np.asarray(weights)

    def with_history(self, events: pd.DataFrame) -> LateRecommender:
        """A copy whose members score from these events (columns user, item)."""
        return LateRecommender([member.with_history(events) for member in self.members], self.weights)

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32."""
        return convex([np.asarray(member.score(users)) for member in self.members], self.weights)


def fit_late(members: Sequence[Any], names: Sequence[str], split) -> tuple[LateRecommender, pd.DataFrame]:
    """Choose weights by coordinate search on validation NDCG@10; returns the recommender and the settings
    tried.

    Args:
        members: fitted on the training part. names: of the members, for the table of settings tried.
        split: its validation part is read.
    """
    targets = new_targets(split, "validation")
    users = np.unique(targets["user"])
    known = earlier_events(split, "validation")
    known = known[known["user"].isin(users)]
    scores = [np.asarray(member.score(users), dtype=np.float32) for member in members]

    def value(weights: np.ndarray) -> float:
        masked = mask_seen(convex(scores, weights), users, known)
        metrics, _ = ranking_metrics(rank_checked(masked, users, targets, "id"), (10,))
        return metrics["ndcg@10"]

    chosen = coordinate_search(value, len(members), steps=STEPS, rounds=ROUNDS)
    trials = chosen.trials.rename(columns={f"w{k}": name for k, name in enumerate(names)})
    return LateRecommender(members, chosen.weights), trials.rename(columns={"value": "ndcg@10"})
