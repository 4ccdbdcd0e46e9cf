"""Matrix factorisation by Bayesian personalised ranking.

Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback" (arXiv:1205.2618), in the
library implicit.

B: users in a batch. M: items in the catalogue.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from implicit.cpu.bpr import BayesianPersonalizedRanking

from recsys.baselines.candidates import TunedBaseline
from recsys.baselines.interactions import interaction_matrix, user_rows
from recsys.training.hyperparameter_search.spaces import Real, Whole


class BPR:
    """Scores x_u·y_i + b_i, learned by stochastic gradient ascent on log σ(score of an item with an event −
    score of one without), with an L2 penalty.

    The negative item is drawn in proportion to its number of users, not uniformly as in the paper; a negative
    that the user has is skipped. Defaults are the library's.

    Args:
        factors: ≥ 1, without the item's bias b_i.
        learning_rate: > 0.
        regularization: ≥ 0.
        iterations: passes, each of as many steps as there are (user, item) pairs, ≥ 1.
        seed: of the initial factors and the draws. The same seed gives the same scores on one thread.
        num_threads: ≥ 1; with more than one, updates are not synchronised and results differ between runs.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        factors: int = 100,
        learning_rate: float = 0.01,
        regularization: float = 0.01,
        iterations: int = 100,
        seed: int = 0,
        num_threads: int = 1,
    ):
        if factors < 1 or iterations < 1 or num_threads < 1:
            raise ValueError(
                f"factors, iterations, num_threads must be ≥ 1: {factors}, {iterations}, {num_threads}"
            )
        if not (learning_rate > 0 and regularization >= 0):
            raise ValueError(
                f"need learning_rate > 0 and regularization ≥ 0, got {learning_rate}, {regularization}"
            )
        self.factors, self.learning_rate, self.regularization = factors, learning_rate, regularization
        self.iterations, self.seed, self.num_threads = iterations, seed, num_threads

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> BPR:
        """Learn from the distinct pairs of `train` (columns user, item). Returns itself.

        Raises:
            ValueError: no events, or events that `recsys.baselines.interactions.interaction_matrix` refuses.
        """
        if train.empty:
            raise ValueError("no events to learn from")
        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.iterations,
            num_threads=self.num_threads,
            random_state=self.seed,
        )
        self._pairs = interaction_matrix(train, n_users, n_items)
        model.fit(self._pairs, show_progress=False)
        # the last column is the item's bias, and 1 for every user
        self.user_factors, self.item_factors = model.user_factors, model.item_factors
        return self

    def with_history(self, events: pd.DataFrame) -> BPR:
        """A model with the same settings, trained on these events.

        A user's factors have no closed form from a history, so all factors are trained again from these
        events, which costs another fit. Where the events hold the same pairs as those that the model was
        fitted on, it is not trained again.

        Raises:
            ValueError: see `recsys.baselines.interactions.interaction_matrix`.
        """
        size = (len(self.user_factors), len(self.item_factors))
        matrix = interaction_matrix(events, *size)
        if matrix.shape == self._pairs.shape and (matrix != self._pairs).nnz == 0:
            return copy.copy(self)
        return copy.copy(self).fit(events, *size)

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32; users without training events get the item biases, a form of
        popularity.

        Raises:
            ValueError: an unknown user.
        """
        return self.user_factors[user_rows(users, len(self.user_factors))] @ self.item_factors.T


TUNED = TunedBaseline(
    BPR,
    {"factors": 100, "learning_rate": 0.01, "regularization": 0.01, "iterations": 100},
    {
        "factors": Whole(16, 256, log=True),
        "learning_rate": Real(3e-3, 0.1, log=True),
        "regularization": Real(1e-4, 0.1, log=True),
        "iterations": Whole(30, 300, log=True),
    },
    seeded=True,
)
