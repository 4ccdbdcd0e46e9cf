"""Item-based nearest neighbours (item kNN): items with many users in common are similar.

Sarwar et al. 2001; in the form of Ferrari Dacrema, Cremonesi & Jannach 2019 (arXiv:1907.06902, section 2.2),
who found it ahead of most neural recommenders of their time once its neighbours and shrink were tuned.

B: users in a batch. N: users. M: items in the catalogue. k: neighbours.
"""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.baselines.candidates import TunedBaseline
from recsys.baselines.interactions import interaction_matrix, newest_items, user_rows
from recsys.training.hyperparameter_search.spaces import Choice, Real, Whole

COLUMNS_AT_ONCE = 4096  # bounds the memory of the full similarities before the nearest are picked


class ItemKNN:
    """Score an item by its summed similarity to the user's items, over its k nearest items only.

    With x_i ∈ {0, 1}^N the users of item i and n_i their number, the similarity of i and j is
    x_i·x_j / (√n_i √n_j + shrink) for "cosine" and x_i·x_j / (n_i + n_j − x_i·x_j + shrink) for "jaccard".
    Shrink lowers the similarity of pairs that rest on few users. For every scored item its k most similar
    items are kept (ties by ascending code), all others count 0.

    Args:
        neighbours: k ≥ 1.
        shrink: ≥ 0, in users.
        similarity: "cosine" or "jaccard".
        last_items: how many of the newest distinct items of a user's history are scored from (≥ 1); None
            takes all. Similarities are learned from all events either way.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> log = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 0]})
        >>> model = ItemKNN(neighbours=2, shrink=0.0).fit(log, n_users=2, n_items=3)
        >>> model.score(np.array([1])).round(3)  # user 1 has item 0: cosine 1 / (√1 √2) with item 1
        array([[0.   , 0.707, 0.   ]], dtype=float32)
    """

    def __init__(
        self,
        neighbours: int = 100,
        shrink: float = 10.0,
        similarity: Literal["cosine", "jaccard"] = "cosine",
        last_items: int | None = None,
    ):
        if neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {neighbours}")
        if not shrink >= 0:
            raise ValueError(f"shrink must be 0 or more, got {shrink}")
        if similarity not in ("cosine", "jaccard"):
            raise ValueError(f"similarity must be 'cosine' or 'jaccard', not {similarity!r}")
        if last_items is not None and last_items < 1:
            raise ValueError(f"last_items must be at least 1, or None for all, got {last_items}")
        self.neighbours, self.shrink = neighbours, shrink
        self.similarity, self.last_items = similarity, last_items

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> ItemKNN:
        """Compare all pairs of items that share a user; repeated events count once. Returns itself.

        Args:
            train: columns user, item, and order or time where `last_items` is given.

        Raises:
            ValueError: see `recsys.baselines.interactions.interaction_matrix` and `newest_items`.
        """
        matrix = interaction_matrix(train, n_users, n_items)
        counts = np.bincount(matrix.indices, minlength=n_items).astype(np.float32)
        blocks = [
            self._nearest(matrix, counts, start, min(start + COLUMNS_AT_ONCE, n_items))
            for start in range(0, n_items, COLUMNS_AT_ONCE)
        ]
        self.similarities = sparse.hstack(blocks, format="csr")
        self.history = self._history(train, n_users, n_items)
        return self

    def with_history(self, events: pd.DataFrame) -> ItemKNN:
        """A copy that scores users from these events; the similarities stay as fitted.

        Args:
            events: everything that is known of the users (train and validation, say), columns as for `fit`.

        Raises:
            ValueError: as `fit`.
        """
        other = copy.copy(self)
        other.history = self._history(events, *self.history.shape)
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32 ≥ 0; all zeros for a user without history.

        Raises:
            ValueError: an unknown user.
        """
        return (self.history[user_rows(users, self.history.shape[0])] @ self.similarities).toarray()

    def _history(self, events: pd.DataFrame, n_users: int, n_items: int) -> sparse.csr_matrix:
        return interaction_matrix(newest_items(events, self.last_items), n_users, n_items)

    def _nearest(
        self, matrix: sparse.csr_matrix, counts: np.ndarray, start: int, stop: int
    ) -> sparse.csr_matrix:
        """[M, stop − start]: column j holds the similarities of the k items nearest to item start + j."""
        both = (matrix.T @ matrix[:, start:stop]).tocoo()
        other = both.row != both.col + start  # an item is not its own neighbour
        row, column, shared = both.row[other], both.col[other], both.data[other]
        if self.similarity == "cosine":
            below = np.sqrt(counts[row] * counts[start + column])
        else:
            below = counts[row] + counts[start + column] - shared
        values = shared / (below + np.float32(self.shrink))
        order = np.lexsort((row, -values, column))
        first = np.searchsorted(column[order], np.arange(stop - start))
        place = np.arange(len(order)) - first[column[order]]
        kept = order[place < self.neighbours]
        return sparse.csr_matrix((values[kept], (row[kept], column[kept])), shape=(len(counts), stop - start))


TUNED = TunedBaseline(
    ItemKNN,
    {"neighbours": 100, "shrink": 10.0, "similarity": "cosine", "last_items": None},
    {
        "neighbours": Whole(5, 1000, log=True),
        "shrink": Real(0.1, 1000, log=True),
        "similarity": Choice(("cosine", "jaccard")),
        "last_items": Choice((None, 1, 2, 5)),
    },
)
