"""A hand-written rule: best sellers of the category of the user's newest item, then best sellers overall.

The rule that a shop writes before it has learned anything (000 §1.1 claims that such rules no longer
suffice).

B: users in a batch. M: items.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.data.histories import histories


class CategoryPopularity:
    """Score = training events of the item, every item of the newest item's category before all others.

    Args:
        categories: M category paths, one for each item; None or "" is a category of its own.
    """

    def __init__(self, categories: Sequence[str | None]):
        self.codes = pd.factorize(pd.Series(list(categories), dtype=object).fillna(""))[0]

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> CategoryPopularity:
        """Count events (columns user, item and order or time). Returns itself.

        Raises:
            ValueError: another number of items than categories.
        """
        if n_items != len(self.codes):
            raise ValueError(f"{len(self.codes)} categories were given for {n_items} items")
        self.counts = np.bincount(train["item"], minlength=n_items).astype(np.float32)
        self.known = histories(train, n_users)
        return self

    def with_history(self, events: pd.DataFrame) -> CategoryPopularity:
        """A copy that reads the users' newest items from these events; the counts do not change."""
        other = copy.copy(self)
        other.known = histories(events, self.known.n_users)
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32; plain popularity for a user without a history."""
        items, lengths = self.known.newest(users, 1)
        same = (self.codes[items] == self.codes) & (lengths > 0)[:, None]
        return self.counts + same * (self.counts.max(initial=0) + 1)
