"""Matrix factorisation by alternating least squares on implicit feedback.

Hu, Koren & Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets"; solved by conjugate
gradients (Takács, Pilászy & Tikk 2011) in the library implicit.

B: users in a batch. N: users. M: items in the catalogue. d: factors.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from recsys.baselines.candidates import TunedBaseline
from recsys.baselines.interactions import Weights, interaction_matrix, user_rows
from recsys.training.hyperparameter_search.spaces import Choice, Real, Whole


class ALS:
    """Scores x_u·y_i, where x, y minimise Σ_ui c_ui (p_ui − x_u·y_i)² + regularization·(Σ‖x_u‖² + Σ‖y_i‖²).

    p_ui is 1 where there is an event, else 0. The confidence c_ui is alpha · r_ui where there is an event and
    1 elsewhere: the library's form; the paper has 1 + alpha · r_ui. With alpha = 1 and r = 1, observed and
    unobserved pairs weigh the same. Defaults of factors, regularization, alpha and iterations are the
    library's.

    Args:
        factors: d ≥ 1.
        regularization: ≥ 0.
        alpha: > 0.
        iterations: sweeps over users and items, ≥ 1.
        weights: r_ui, "count" for the number of events as in the paper, "binary" for 1.
        seed: of the initial factors. The same seed gives the same scores.
        num_threads: ≥ 1; each row is solved by one thread, so their number changes the time only.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        factors: int = 100,
        regularization: float = 0.01,
        alpha: float = 1.0,
        iterations: int = 15,
        weights: Weights = "count",
        seed: int = 0,
        num_threads: int = 1,
    ):
        if factors < 1 or iterations < 1 or num_threads < 1:
            raise ValueError(
                f"factors, iterations, num_threads must be ≥ 1: {factors}, {iterations}, {num_threads}"
            )
        if not (regularization >= 0 and alpha > 0):
            raise ValueError(f"need regularization ≥ 0 and alpha > 0, got {regularization}, {alpha}")
        self.factors, self.regularization, self.alpha = factors, regularization, alpha
        self.iterations, self.weights = iterations, weights
        self.seed, self.num_threads = seed, num_threads

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> ALS:
        """Factorise (columns user, item), then solve every user exactly once more. Returns itself.

        The library's last half-sweep updates the items only. The additional solve fits the users to the final
        items, and makes `with_history(train)` the same model as `fit(train)`.

        Raises:
            ValueError: no events, or events that `recsys.baselines.interactions.interaction_matrix` refuses.
        """
        if train.empty:
            raise ValueError("no events to learn from")
        matrix = interaction_matrix(train, n_users, n_items, self.weights)
        with threadpool_limits(1, "blas"):  # implicit advises it: BLAS threads would compete with its own
            self.model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                num_threads=self.num_threads,
                random_state=self.seed,
            )
            self.model.fit(matrix, show_progress=False)
        self.item_factors = self.model.item_factors
        self.user_factors = self._folded_in(matrix)
        return self

    def with_history(self, events: pd.DataFrame) -> ALS:
        """A copy whose user factors are solved from these events (user, item); item factors do not change.

        Raises:
            ValueError: see `recsys.baselines.interactions.interaction_matrix`.
        """
        other = copy.copy(self)
        size = len(self.user_factors), len(self.item_factors)
        other.user_factors = self._folded_in(interaction_matrix(events, *size, self.weights))
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32, around 0 to 1; all zeros for a user without history.

        Raises:
            ValueError: an unknown user.
        """
        return self.user_factors[user_rows(users, len(self.user_factors))] @ self.item_factors.T

    def _folded_in(self, matrix: sparse.csr_matrix) -> np.ndarray:
        """[N, M] histories -> [N, d] user factors, zeros without history."""
        with threadpool_limits(1, "blas"):
            factors = self.model.recalculate_user(np.arange(matrix.shape[0]), matrix)
        factors[np.diff(matrix.indptr) == 0] = 0
        return factors


TUNED = TunedBaseline(
    ALS,
    {"factors": 100, "regularization": 0.01, "alpha": 1.0, "iterations": 15},
    {
        "factors": Whole(16, 256, log=True),
        "regularization": Real(1e-3, 100, log=True),
        "alpha": Real(1, 100, log=True),
        "iterations": Choice((15, 30)),
    },
    seeded=True,
)
