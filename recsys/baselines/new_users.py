"""New users get what everybody buys, whatever the model: so that no model wins or loses by its zeros.

A model of histories has nothing to say of a user without one. Left to themselves some models score such a
user zero everywhere, and the order of the catalogue decides; others fall back to popularity.

B: users in a batch. M: items.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd


class NewUsersGetPopular:
    """Any scorer, with the popularity of training for users who have no event in their history.

    Args:
        model: has fit and score, and with_history where it reads histories.
    """

    def __init__(self, model: Any):
        self.model = model

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> NewUsersGetPopular:
        """Fit the model and count events. Returns itself."""
        self.model = self.model.fit(train, n_users, n_items)
        self.counts = np.bincount(train["item"], minlength=n_items).astype(np.float32)
        self.has_history = np.bincount(train["user"], minlength=n_users) > 0
        return self

    def with_history(self, events: pd.DataFrame) -> NewUsersGetPopular:
        """The same fitted model, asked about users with these histories."""
        other = copy.copy(self)
        if hasattr(self.model, "with_history"):
            other.model = self.model.with_history(events)
        other.has_history = np.bincount(events["user"], minlength=len(self.has_history)) > 0
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] scores."""
        users = np.asarray(users)
        scores = self.model.score(users)
        new = ~self.has_history[users]
        if new.any():
            scores = np.array(scores, dtype=np.float32)
            scores[new] = self.counts
        return scores
