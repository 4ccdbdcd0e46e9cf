"""NDCG of fused lists, quickly enough to be asked some hundred times: what weights are chosen by.

B: rows (users or queries). C: candidates. T: (row, target) pairs that some scorer kept.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.errors import EnsembleError

CUTOFF = 10


class ListMeasure:
    """Mean NDCG@k of fused scores, one binary target or several per row; equal scores go by item code.

    Rows none of whose targets any scorer kept have 0 whatever the weights: they are counted, not ranked.

    Args:
        pool: the candidates.
        targets: columns user, item; rows of the pool without a target are not judged.
        cutoff: k.

    Raises:
        EnsembleError: no row of the pool has a target.

    Attributes:
        pool: the rows that can have more than 0; fused scores are asked of it.
    """

    def __init__(self, pool: Pool, targets: pd.DataFrame, cutoff: int = CUTOFF):
        pairs = targets.loc[targets["user"].isin(pool.rows), ["user", "item"]].drop_duplicates()
        if pairs.empty:
            raise EnsembleError("nothing to choose by: no user or query of the pool has a target")
        row = pd.Index(pool.rows).get_indexer(pairs["user"])
        hit = pool.ids[row] == pairs["item"].to_numpy()[:, None]
        kept = hit.any(axis=1)
        self.rows = len(np.unique(row))
        judged, self._row = np.unique(row[kept], return_inverse=True)
        self._column = hit[kept].argmax(axis=1)
        self.cutoff, self.pool = cutoff, pool.take(judged)
        # the ideal list has every target of the row, also those that nobody kept
        wanted = np.minimum(np.bincount(row, minlength=len(pool.rows))[judged], cutoff)
        self._ideal = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(cutoff) + 2))])[wanted]

    def per_row(self, fused: np.ndarray) -> np.ndarray:
        """[B', C] fused scores of `self.pool` -> [B'] NDCG@k of its rows."""
        candidates = fused[self._row]
        own = np.take_along_axis(candidates, self._column[:, None], axis=1)
        before = np.arange(candidates.shape[1]) < self._column[:, None]
        place = np.count_nonzero((candidates > own) | ((candidates == own) & before), axis=1) + 1
        place = np.where(np.isneginf(own[:, 0]), np.iinfo(np.int64).max, place)
        gain = np.where(place <= self.cutoff, 1 / np.log2(place + 1.0), 0)
        return np.bincount(self._row, gain, minlength=len(self._ideal)) / self._ideal

    def __call__(self, fused: np.ndarray) -> float:
        """[B', C] fused scores of `self.pool` -> mean NDCG@k over all judged rows, in [0, 1]."""
        return float(self.per_row(fused).sum() / self.rows)
