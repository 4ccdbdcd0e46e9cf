"""Zero-shot recommendation by titles: items are ranked by the cosine with the user's newest title.

On Beauty's validation part the newest title alone is better than the mean of several. 000 §7.3 claims that
large models do well without task training; this scorer tests that claim.

B: users in a batch. M: items. D: width of the text vectors.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd

from recsys.baselines.new_users import NewUsersGetPopular
from recsys.data.histories import histories
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelEntry, ModelSettings


class ZeroShot:
    """Score = cosine of an item's text with the text of the user's newest item.

    Args:
        text: [M, D] unit-length text vectors.
    """

    def __init__(self, text: np.ndarray):
        self.text = text

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> ZeroShot:
        """Store the histories; nothing is trained. Returns itself."""
        self.known = histories(train, n_users)
        return self

    def with_history(self, events: pd.DataFrame) -> ZeroShot:
        """The same scorer for users with these histories."""
        return copy.copy(self).fit(events, self.known.n_users, len(self.text))

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32 cosines; zeros for a user without a history."""
        items, lengths = self.known.newest(users, 1)
        return (lengths > 0)[:, None] * (self.text[items[:, 0]] @ self.text.T)


def _make(data: NextItemData, settings: ModelSettings) -> NewUsersGetPopular:
    return NewUsersGetPopular(ZeroShot(data.text_vectors(settings.backbone)))


ENTRY = ModelEntry(_make, takes=("backbone",))
