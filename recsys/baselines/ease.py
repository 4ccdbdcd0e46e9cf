"""EASE: a linear item-to-item model with a closed-form solution.

Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data" (arXiv:1905.03375).

B: users in a batch. N: users. M: items in the catalogue.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from recsys.baselines.candidates import TunedBaseline
from recsys.baselines.interactions import interaction_matrix, user_rows
from recsys.training.hyperparameter_search.spaces import Real

ROWS_AT_ONCE = 512
# The inverse's relative error is about condition number × 6e-8 (float32) at most: 0.6 % at this one.
WORST_CONDITION = 1e5


class EASE:
    """Scores X·B, where B minimises ‖X − X·B‖² + l2·‖B‖² with a zero diagonal.

    X is the binary matrix of users and items. With P = (XᵀX + l2·I)⁻¹, B_ij = −P_ij / P_jj for i ≠ j
    (equation 8). Memory is one dense matrix of 4·M² bytes (M = 12,101: 586 MB), inverted in place, plus the
    sparse XᵀX while fitting; time grows with M³.

    Args:
        l2: penalty, > 0; the paper's best were 500 (ML-20M), 1,000 (Netflix) and 200 (MSD).
        max_items: refuse larger catalogues rather than run out of memory; 30,000 take 3.6 GB.
        num_threads: of the linear algebra, ≥ 1; other numbers of threads round differently.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> log = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 0]})
        >>> scores = EASE(l2=1.0).fit(log, n_users=2, n_items=3).score(np.array([1]))
        >>> int(scores[0, 1:].argmax()) + 1  # user 1 has item 0, which user 0 bought together with item 1
        1
    """

    def __init__(self, l2: float = 500.0, max_items: int = 30_000, num_threads: int = 1):
        if not l2 > 0:
            raise ValueError(f"l2 must be above 0, got {l2}")
        if num_threads < 1:
            raise ValueError(f"num_threads must be at least 1, got {num_threads}")
        self.l2, self.max_items, self.num_threads = l2, max_items, num_threads

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> EASE:
        """Solve for the weights (columns user, item; repeated events count once). Returns itself.

        Raises:
            ValueError: more than `max_items` items, l2 too small to invert in float32, or events that
                `recsys.baselines.interactions.interaction_matrix` refuses.
        """
        if n_items > self.max_items:
            raise ValueError(
                f"EASE on {n_items} items needs a dense matrix of {4e-9 * n_items**2:.1f} GB and is limited "
                f"to max_items={self.max_items}: raise max_items, drop rare items, or use ItemKNN"
            )
        history = interaction_matrix(train, n_users, n_items)
        gram = (history.T @ history).tocsr()
        self._check_condition(gram)
        with threadpool_limits(self.num_threads, "blas"):
            self.weights = _zero_diagonal_weights(gram, self.l2)
        self.history = history
        return self

    def with_history(self, events: pd.DataFrame) -> EASE:
        """A copy that scores users from these events (user, item); the weights stay as fitted.

        Raises:
            ValueError: see `recsys.baselines.interactions.interaction_matrix`.
        """
        other = copy.copy(self)
        other.history = interaction_matrix(events, *self.history.shape)
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32, of either sign; all zeros for a user without history.

        Raises:
            ValueError: an unknown user.
        """
        return self.history[user_rows(users, self.history.shape[0])] @ self.weights

    def _check_condition(self, gram: sparse.csr_matrix) -> None:
        # the largest row sum of a matrix of counts is a bound on its largest eigenvalue; the smallest is ≥ 0
        largest = float(gram.sum(axis=1).max())
        if largest / self.l2 + 1 > WORST_CONDITION:
            raise ValueError(
                f"l2={self.l2} is too small to invert in float32: the condition number may reach "
                f"{largest / self.l2:.0e}. Take l2 ≥ {largest / WORST_CONDITION:.3g}"
            )


def _zero_diagonal_weights(gram: sparse.csr_matrix, l2: float) -> np.ndarray:
    """[M, M] sparse XᵀX -> [M, M] float32 B, row-major, so that sparse rows multiply it without a copy."""
    dense = gram.toarray().astype(np.float32, copy=False)
    dense.flat[:: len(dense) + 1] += np.float32(l2)
    # LAPACK works on columns: the transpose of a symmetric matrix is the same matrix, and no copy
    factor, info = lapack.spotrf(dense.T, lower=1, clean=0, overwrite_a=1)
    if info == 0:
        factor, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise ValueError(f"XᵀX + {l2}·I is not positive definite in float32 (LAPACK info {info}): raise l2")
    inverse = factor.T  # row-major again; its upper triangle is filled
    for start in range(0, len(inverse), ROWS_AT_ONCE):
        stop = start + ROWS_AT_ONCE
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
        corner = inverse[start:stop, start:stop]
        corner[...] = np.triu(corner) + np.triu(corner, 1).T
    inverse /= -inverse.diagonal().copy()
    np.fill_diagonal(inverse, 0)
    return inverse


TUNED = TunedBaseline(EASE, {"l2": 500.0}, {"l2": Real(1, 10_000, log=True)})
