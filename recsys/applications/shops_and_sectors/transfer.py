"""Scoring the target shop's items: from it alone, from both shops as one, from user vectors carried over.

*Single* and *merged* are one model, EASE (Steck 2019, arXiv:1905.03375), solved over users instead of items:
with few users and many items the [N, N] matrix is the small one. X has the columns of both shops, the source
shop's scaled by √w; K = X Xᵀ; A = (K + λI)⁻¹. Then EASE's scores of a target item j are, exactly,

    x_j − λ · A x_j / (1 − x_jᵀ A x_j)

(Woodbury: (XᵀX + λI)⁻¹ = (I − XᵀAX) / λ.) w = 0 leaves the target shop alone.

*Mapped* is EMCDR (Man et al. 2017, IJCAI): vectors of users and items in each shop by alternating least
squares, and a linear map, learnt on users of both, from a user's vector in the source shop to that in the
target shop. A user who is new to the target shop gets the mapped vector, any other one the own vector plus β
times the mapped one.

N: users. M: items of the target shop. B: users in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.linalg import lapack
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from recsys.applications.shops_and_sectors.pairs import PairError, ShopPair
from recsys.baselines.als import ALS
from recsys.baselines.popularity import RandomScorer

MOST_USERS = 12_000  # of the dense matrix of users by users: 1.2 GB
COLUMNS_AT_ONCE = 4096


class Popular:
    """The same list for everybody: how many users bought an item in the target shop."""

    def __init__(self, pair: ShopPair):
        self.counts = np.asarray(pair.target.sum(axis=0)).ravel().astype(np.float32)

    def score(self, users: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.counts, (len(users), len(self.counts)))


class UserEASE:
    """EASE over users; see the module.

    Args:
        pair: whose target and source it learns from.
        l2: λ > 0. source_weight: w ≥ 0; 0 is the target shop alone.

    Raises:
        PairError: too many users for a matrix of users by users.
    """

    def __init__(self, pair: ShopPair, l2: float, source_weight: float = 0.0):
        if pair.target.shape[0] > MOST_USERS:
            raise PairError(
                f"{pair.target.shape[0]} users need a dense matrix of users by users; "
                f"at most {MOST_USERS}: take a sample of users, or method = 'mapped'"
            )
        gram = (pair.target @ pair.target.T).toarray().astype(np.float64)
        if source_weight > 0:
            gram += source_weight * (pair.source @ pair.source.T).toarray()
        gram.flat[:: len(gram) + 1] += l2
        with threadpool_limits(1, "blas"):
            self.inverse = _inverse(gram)
        self.target, self.columns, self.l2 = pair.target, pair.target.tocsc(), l2
        self.slack = np.concatenate(
            [self._slack(start) for start in range(0, pair.target.shape[1], COLUMNS_AT_ONCE)]
        )

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M]."""
        spread = (self.columns.T @ self.inverse[users].T).T
        return self.target[users].toarray() - self.l2 * spread / self.slack

    def _slack(self, start: int) -> np.ndarray:
        """1 − x_jᵀ A x_j of some columns; above 0 because A's eigenvalues keep it so."""
        part = self.columns[:, start : start + COLUMNS_AT_ONCE]
        product = part.T @ self.inverse
        return np.clip(1 - np.asarray(part.T.multiply(product).sum(axis=1)).ravel(), 1e-9, None)


class Mapped:
    """User vectors carried over from the source shop; see the module.

    Args:
        pair: of two shops. factors: of each shop's vectors. penalty: of the map. share: β. seed: of ALS.
    """

    def __init__(self, pair: ShopPair, factors: int, penalty: float, share: float, seed: int = 0):
        fitted = [
            ALS(factors=factors, regularization=0.1, alpha=10.0, seed=seed).fit(
                _events(matrix), *matrix.shape
            )
            for matrix in (pair.source, pair.target)
        ]
        origin, own = (one.user_factors for one in fitted)
        has_source, has_target = (np.diff(m.indptr) > 0 for m in (pair.source, pair.target))
        both = has_source & has_target
        if both.sum() < 2:
            raise PairError(f"{pair.name}: no two users have bought in both shops, nothing can be mapped")
        mapped = Ridge(alpha=penalty).fit(origin[both], own[both]).predict(origin)
        mapped[~has_source] = 0
        self.users = np.where(has_target[:, None], own + share * mapped, mapped).astype(np.float32)
        self.items = fitted[1].item_factors

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M]."""
        return self.users[users] @ self.items.T


class OrPopular:
    """A scorer, and popularity for users about whom it says nothing: all their scores are equal."""

    def __init__(self, model: Any, pair: ShopPair):
        self.model, self.popular = model, Popular(pair)

    def score(self, users: np.ndarray) -> np.ndarray:
        scores = np.array(self.model.score(users), dtype=np.float32)
        silent = np.ptp(scores, axis=1) == 0
        scores[silent] = self.popular.counts
        return scores


def _make_random(pair: ShopPair, setting: Mapping[str, Any], seed: int) -> RandomScorer:
    return RandomScorer(seed).fit(pd.DataFrame(), *pair.target.shape)


def _make_popular(pair: ShopPair, setting: Mapping[str, Any], seed: int) -> Popular:
    return Popular(pair)


def _make_ease(pair: ShopPair, setting: Mapping[str, Any], seed: int) -> OrPopular:
    return OrPopular(UserEASE(pair, **setting), pair)


def _make_mapped(pair: ShopPair, setting: Mapping[str, Any], seed: int) -> OrPopular:
    return OrPopular(Mapped(pair, **setting, seed=seed), pair)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Of a symmetric positive definite matrix, which is overwritten."""
    factor, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
    if info == 0:
        factor, info = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise PairError(f"the matrix of users is not positive definite (LAPACK info {info}): raise l2")
    return np.tril(factor) + np.tril(factor, -1).T


def _events(matrix: sparse.csr_matrix) -> pd.DataFrame:
    rows, columns = matrix.nonzero()
    return pd.DataFrame({"user": rows.astype("int64"), "item": columns.astype("int64")})


# name -> how it is made, and the settings that validation chooses from: six each where there is a choice
# the first settings of each are spread: "both_shops" tries half of each way's
SINGLE = (_make_ease, tuple({"l2": l2} for l2 in (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)))
MERGED = (
    _make_ease,
    tuple(
        {"l2": l2, "source_weight": weight}
        for l2, weight in ((30.0, 1.0), (100.0, 0.3), (10.0, 1.0), (30.0, 0.3), (100.0, 1.0), (10.0, 0.3))
    ),
)
MAPPED = (
    _make_mapped,
    tuple(
        {"factors": factors, "penalty": penalty, "share": 0.3}
        for factors, penalty in ((64, 0.1), (128, 1.0), (32, 0.1), (64, 1.0), (128, 0.1), (32, 1.0))
    ),
)
RANDOM = (_make_random, ({},))
POPULARITY = (_make_popular, ({},))
