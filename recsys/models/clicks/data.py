"""Data of a click model: the clicks of a split, and users' features where they are given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recsys.data.splits import Split
from recsys.losses.clicks import Clicks, click_pairs
from recsys.training.hyperparameter_search.validation_only import without_test


@dataclass(frozen=True)
class ClickData:
    """Clicks for training, validation and test.

    Attributes:
        name: of the data set.
        split: tables train, validation, test with columns user, item.
        features: [N, d] x_u with a first column of ones, or None where user vectors must be learned.
        true_scores: [N, M] of the model that the clicks were drawn from; None where it is unknown.
    """

    name: str
    split: Split
    features: np.ndarray | None = None
    true_scores: np.ndarray | None = None

    @property
    def n_users(self) -> int:
        return self.split.n_users

    @property
    def n_items(self) -> int:
        return self.split.n_items

    @cached_property
    def clicks(self) -> Clicks:
        """The training clicks."""
        train = self.split.train
        return click_pairs(train["user"].to_numpy(), train["item"].to_numpy(), self.n_users, self.n_items)

    def without_test(self) -> ClickData:
        """The same without the test clicks and the true scores, for a search of settings."""
        return replace(self, split=without_test(self.split), true_scores=None)
