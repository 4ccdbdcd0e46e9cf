"""Fast NDCG of fused lists, for choosing weights by hundreds of evaluations.

B: rows (users or queries). C: candidates. T: (row, target) pairs that some scorer kept.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.errors import EnsembleError

CUTOFF = 10


class ListMeasure:
    """Mean NDCG@k of fused scores, with one or several binary targets per row; ties by item code.

    Rows whose targets no scorer kept have NDCG 0 for all weights: they are counted, but not ranked.

    Args:
        pool: the candidates.
        targets: columns user, item; rows of the pool without a target are left out.
        cutoff: k.

    Raises:
        EnsembleError: no row of the pool has a target.

    Attributes:
        pool: the rows whose NDCG can be above 0; fused scores must be of this pool.
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
        # the ideal list has all targets of the row, including those that no scorer kept
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
        """[B', C] fused scores of `self.pool` -> mean NDCG@k over all rows with targets, in [0, 1]."""
        return float(self.per_row(fused).sum() / self.rows)
