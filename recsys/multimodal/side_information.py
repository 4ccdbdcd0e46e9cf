"""EASE with side information: item features as additional rows of the interaction matrix.

Jeunen, Van Balen & Goethals 2020, "Closed-form models for collaborative filtering with side-information"
(RecSys), the collective form: each column of a feature matrix is one more user, who interacted with items
with the feature's weight. Closed form, no seed. An item without a single event still has its features, so it
can be recommended.

N: users. M: items. D: width of a modality.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from recsys.baselines.ease import _zero_diagonal_weights
from recsys.baselines.interactions import interaction_matrix, user_rows
from recsys.multimodal.features import FeatureError, Features


class _Gram:
    """A dense Gram matrix with the interface of a sparse one, which EASE's solver converts to dense once.

    The solver itself stays unchanged because committed records of EASE depend on its code.
    """

    def __init__(self, dense: np.ndarray):
        self.toarray = lambda: dense


class SideInformationEASE:
    """Scores X·B, where B is solved from XᵀX + Σ_m a_m F_m F_mᵀ; F_m: [M, D_m] with unit-length rows.

    Args:
        weights: modality → a_m, ≥ 0. Without any this is EASE.
        l2: penalty, > 0.
        max_items: refuse larger catalogues rather than run out of memory.
        num_threads: of the linear algebra.
        behaviour: False leaves XᵀX out: item similarity from content alone.
        profile: weight of the users' profile: each of its columns is one more item, never recommended, with
            which the users who have it interacted with that weight.

    Raises:
        FeatureError: a negative weight, or behaviour=False without any modality.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        l2: float = 500.0,
        max_items: int = 30_000,
        num_threads: int = 1,
        behaviour: bool = True,
        profile: float = 0.0,
    ):
        if any(not weight >= 0 for weight in (*weights.values(), profile)):
            raise FeatureError(f"weights of modalities must be 0 or more, got {dict(weights)}")
        if not behaviour and not any(weights.values()):
            raise FeatureError("without behaviour at least one modality needs a weight above 0")
        self.weights, self.l2, self.max_items = dict(weights), l2, max_items
        self.num_threads, self.behaviour, self.profile = num_threads, behaviour, profile

    def fit(
        self,
        train: pd.DataFrame,
        n_users: int,
        features: Mapping[str, Features],
        n_items: int,
        of_users: Features | None = None,
    ) -> SideInformationEASE:
        """Solve for the item-to-item weights. Returns itself.

        Args:
            train: columns user, item. n_users: N. n_items: M.
            features: modality → M rows; rows of missing items are zero and add nothing.
            of_users: the profile, N rows; None only if its weight is 0.

        Raises:
            FeatureError: features of another number of items. ValueError: as `recsys.baselines.ease.EASE`.
        """
        if n_items > self.max_items:
            raise ValueError(
                f"{n_items} items need {4e-9 * n_items**2:.1f} GB; raise max_items if that is there"
            )
        self.n_items, self.columns = n_items, None
        if self.profile > 0:
            if of_users is None or len(of_users) != n_users:
                raise FeatureError(f"the profile needs one row for each of {n_users} users")
            self.columns = sparse.csr_matrix(np.float32(self.profile) * of_users.dense())
        self.history = self._with_profile(interaction_matrix(train, n_users, n_items))
        width = self.history.shape[1]
        gram = np.zeros((width, width), dtype=np.float32)
        if self.behaviour:
            gram += (self.history.T @ self.history).toarray()
        with threadpool_limits(self.num_threads, "blas"):
            for name, weight in self.weights.items():
                if weight > 0:
                    gram[:n_items, :n_items] += np.float32(weight) * similarity(features[name], n_items)
            solved = _zero_diagonal_weights(_Gram(gram), self.l2)
        self.item_weights = solved[:, :n_items]
        return self

    def _with_profile(self, history: sparse.csr_matrix) -> sparse.csr_matrix:
        return history if self.columns is None else sparse.hstack([history, self.columns]).tocsr()

    def with_history(self, events: pd.DataFrame) -> SideInformationEASE:
        """A copy that scores users from these events; the fitted weights stay."""
        other = copy.copy(self)
        other.history = self._with_profile(interaction_matrix(events, self.history.shape[0], self.n_items))
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32."""
        return self.history[user_rows(users, self.history.shape[0])] @ self.item_weights


class ContentNeighbours:
    """Scores by content alone: the mean cosine similarity between an item and the items of the user's
    history.

    Args:
        weights: modality → weight of its cosine.
        num_threads: of the linear algebra.
    """

    def __init__(self, weights: Mapping[str, float], num_threads: int = 1):
        self.weights, self.num_threads = dict(weights), num_threads

    def fit(self, train: pd.DataFrame, n_users: int, features: Mapping[str, Features], n_items: int):
        """Store histories and unit-length vectors; nothing is trained. Returns itself."""
        self.history = interaction_matrix(train, n_users, n_items)
        self.vectors = {
            name: unit_rows(features[name]) for name, weight in self.weights.items() if weight > 0
        }
        return self

    def with_history(self, events: pd.DataFrame) -> ContentNeighbours:
        """A copy that scores users from these events."""
        other = copy.copy(self)
        other.history = interaction_matrix(events, *self.history.shape)
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32; a missing vector has cosine 0 with all."""
        seen = self.history[user_rows(users, self.history.shape[0])]
        length = np.maximum(np.asarray(seen.sum(axis=1)), 1)
        total = np.zeros((len(users), self.history.shape[1]), dtype=np.float32)
        with threadpool_limits(self.num_threads, "blas"):
            for name, vectors in self.vectors.items():
                mean = (seen @ vectors) / length
                found = mean @ vectors.T
                total += self.weights[name] * np.asarray(found.todense() if sparse.issparse(found) else found)
        return total


def unit_rows(features: Features):
    """[M, D] unit-length rows, centred first if dense; zero where missing."""
    if sparse.issparse(features.vectors):
        return features.vectors
    vectors = np.array(features.vectors, dtype=np.float32)
    there = features.present
    if there.any():
        vectors[there] -= vectors[there].mean(axis=0)
    vectors[~there] = 0
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def similarity(features: Features, n_items: int) -> np.ndarray:
    """[M, M] float32 cosine similarities of the items' vectors; zero rows and columns where they are
    missing."""
    if len(features) != n_items:
        raise FeatureError(f"modality {features.modality} has {len(features)} rows for {n_items} items")
    rows = unit_rows(features)
    found = rows @ rows.T
    return found.toarray() if sparse.issparse(found) else found
