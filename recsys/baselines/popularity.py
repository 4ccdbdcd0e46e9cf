"""The two trivial scorers that every table of results needs: random and popularity.

B: users in a batch. M: items in the catalogue.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd


class RandomScorer:
    """Independent uniform scores: the lowest level that a method can be compared with.

    The scores of a user depend on (seed, user) alone, not on the batch that the user is scored in, so
    that results do not change with the batch size or the order of users.
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> RandomScorer:
        """Learn nothing but the size of the catalogue. Returns itself."""
        self.n_items = n_items
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32 in [0, 1)."""
        scores = np.empty((len(users), self.n_items), dtype=np.float32)
        for row, user in enumerate(np.asarray(users).tolist()):
            # Philox is keyed, so every user has a stream of its own at no cost
            stream = np.random.Generator(np.random.Philox(key=[self.seed, user]))
            stream.random(out=scores[row], dtype=np.float32)
        return scores


class Popularity:
    """Score an item by its number of events: the same list for everybody.

    Args:
        window: count only the last `window` days of the events given to `fit`, so that the list follows
            fashion and season; None counts them all and needs no times.

    Example:
        >>> log = pd.DataFrame({"user": [0, 0, 1], "item": [2, 1, 2]})
        >>> Popularity().fit(log, n_users=2, n_items=3).score(np.array([0])).tolist()
        [[0.0, 1.0, 2.0]]
    """

    def __init__(self, window: float | None = None):
        if window is not None and window <= 0:
            raise ValueError(f"window is a number of days above 0, or None for all events; got {window}")
        self.window = window

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> Popularity:
        """Count events (columns item, and time when there is a window). Returns itself.

        Raises:
            ValueError: a window is asked for, but the events have no times.
        """
        self.counts = np.bincount(self._recent(train)["item"], minlength=n_items)
        return self

    def _recent(self, train: pd.DataFrame) -> pd.DataFrame:
        if self.window is None:
            return train
        if "time" not in train:
            raise ValueError(
                "a popularity window needs event times, and this data set gives only their order: "
                "use Popularity(window=None) or a data set with times (demo_store, online_retail)"
            )
        return train[train["time"] > train["time"].max() - pd.Timedelta(days=self.window)]

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32 event counts, every row the same (read-only)."""
        # float32 holds whole numbers exactly up to 2**24, more events than any item here has
        return np.broadcast_to(self.counts.astype(np.float32), (len(users), len(self.counts)))


def counted_events(split, count: Literal["train", "all"]) -> pd.DataFrame:
    """The events whose popularity is counted.

    Args:
        split: has train, validation and test tables.
        count: "train" counts training events only, as it should be. "all" counts the validation and test
            events too: the leak behind the PopRec row of the S3-Rec table (`leak_example`).

    Raises:
        ValueError: any other value.
    """
    if count not in ("train", "all"):
        raise ValueError(f"count must be 'train' or 'all', not {count!r}")
    if count == "train":
        return split.train
    return pd.concat([split.train, split.validation, split.test], ignore_index=True)


def trivial_scorer(name: Literal["random", "popularity", "popularity_window"], seed: int, window_days: float):
    """The unfitted scorer of that name.

    Raises:
        ValueError: no such name.
    """
    if name == "random":
        return RandomScorer(seed)
    if name == "popularity":
        return Popularity()
    if name == "popularity_window":
        return Popularity(window=window_days)
    raise ValueError(f"scorer must be random, popularity or popularity_window, not {name!r}")


def fitted_scorers(split, seed: int, window_days: float) -> dict[str, RandomScorer | Popularity]:
    """All trivial scorers that a split allows, fitted on its training events, by name.

    Args:
        split: a `recsys.data.splits.Split`.
        seed: of the random scorer.
        window_days: of "popularity_window", which is there only where events have times.
    """
    names = ["random", "popularity"] + (["popularity_window"] if "time" in split.train else [])
    return {
        name: trivial_scorer(name, seed, window_days).fit(split.train, split.n_users, split.n_items)
        for name in names
    }
