"""What a modality gives: one vector for each of n items or users, and a mask where it is missing.

n: items or users. D: width of the modality.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse


class FeatureError(ValueError):
    """Vectors, mask and items of a modality do not fit together."""


@dataclass(frozen=True)
class Features:
    """Vectors of one modality.

    modality: its name, for instance "picture".
    vectors: [n, D] float32, dense or sparse (CSR); rows where `present` is False are zeros.
    present: [n] bool.
    faults: columns row, file, reason; files that could not be decoded (their rows are not present).
    costs: what making them took: files (to encode), decoded, encoded (0 with a warm cache), seconds,
        megabytes (of these vectors), parameters (of the encoder).
    """

    modality: str
    vectors: np.ndarray | sparse.csr_matrix
    present: np.ndarray
    faults: pd.DataFrame = field(default_factory=lambda: no_faults())
    costs: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.present.shape != (self.vectors.shape[0],):
            shapes = f"{self.vectors.shape} and {self.present.shape}"
            raise FeatureError(
                f"modality {self.modality}: vectors [n, D] and a mask [n] are needed, got {shapes}"
            )
        values = self.vectors.data if sparse.issparse(self.vectors) else self.vectors
        if not np.isfinite(values).all():
            raise FeatureError(f"modality {self.modality}: a vector holds NaN or an infinite number")

    def __len__(self) -> int:
        return self.vectors.shape[0]

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    def dense(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """[rows, D] float32."""
        taken = self.vectors[rows]
        return taken.toarray() if sparse.issparse(taken) else np.asarray(taken, dtype=np.float32)

    def replaced(self, vectors, present: np.ndarray) -> Features:
        """The same modality with other vectors; zeros are put where it is not present."""
        gone = np.flatnonzero(~present)
        if sparse.issparse(vectors):
            vectors = (sparse.diags_array(present.astype(np.float32)) @ vectors).tocsr()
        elif len(gone):
            vectors = np.array(vectors, dtype=np.float32)
            vectors[gone] = 0
        return Features(self.modality, vectors, present.copy(), self.faults, self.costs)


def no_faults() -> pd.DataFrame:
    """An empty list of faults."""
    return pd.DataFrame(
        {"row": np.empty(0, np.int64), "file": np.empty(0, object), "reason": np.empty(0, object)}
    )


def standardised(features: Features, known: np.ndarray) -> Features:
    """Dense vectors moved and scaled by the mean and the spread of the known rows; a sparse one as it is.

    Args:
        known: [k] row numbers that may be learned from; those of the test part must not be among them.
    """
    if sparse.issparse(features.vectors):
        return features
    seen = np.asarray(features.vectors)[known[features.present[known]]]
    if not len(seen):
        return features
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    scaled = (np.asarray(features.vectors) - mean) / np.where(spread > 1e-6, spread, 1.0)
    return features.replaced(scaled.astype(np.float32), features.present)
