"""Item vectors by a truncated SVD of the user–item matrix, for the interest and intent of user states."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse.linalg import svds

from recsys.baselines.interactions import interaction_matrix


def item_factors(rows: np.ndarray, n_items: int, width: int, seed: int = 0) -> np.ndarray:
    """[M, width] float64, unit-length rows: truncated SVD of the user–item matrix, columns / √count.

    Items without an event get zeros; so do all items where there are too few users.

    Args:
        rows: of `EVENT`, from before the time at which the vectors are used.
    """
    users, codes = np.unique(rows["user"], return_inverse=True)
    vectors = np.zeros((n_items, width))
    rank = min(width, len(users) - 1, n_items - 1)
    if rank < 1:
        return vectors
    table = pd.DataFrame({"user": codes, "item": rows["item"]})
    matrix = interaction_matrix(table, len(users), n_items).astype(np.float64)
    count = np.asarray(matrix.sum(axis=0)).ravel()
    scaled = matrix.multiply(1 / np.sqrt(np.maximum(count, 1))).tocsr()
    start = np.random.default_rng(seed).normal(size=min(matrix.shape))  # otherwise svds draws without a seed
    _, _, found = svds(scaled, k=rank, v0=start)
    vectors[:, :rank] = found.T
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)
