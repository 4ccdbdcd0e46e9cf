"""A fallback for new users: whatever the model, users without a history get the popularity list.

Models of histories have no information about a user without one. Some then score every item 0, so that the
order of the catalogue decides; others fall back to popularity. With this wrapper all of them do the same, and
no model wins or loses by its treatment of new users.

B: users in a batch. M: items.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd


class NewUsersGetPopular:
    """Any scorer, with training popularity for users who have no event in their history.

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
        """A copy that scores users with these histories; the fitted model does not change."""
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
