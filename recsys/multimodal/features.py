"""`Features`: one modality as a vector for each of n items or users, with a mask of those that lack it.

n: items or users. D: width of the modality.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse


class FeatureError(ValueError):
    """The vectors, mask or items of modalities do not match each other."""


@dataclass(frozen=True)
class Features:
    """Vectors of one modality.

    modality: its name, for instance "picture".
    vectors: [n, D] float32, dense or sparse (CSR); all zero in rows where `present` is False.
    present: [n] bool.
    faults: columns row, file, reason: files that could not be decoded (their rows are not present).
    costs: what computing them took: files (to encode), decoded, encoded (0 with a warm cache), seconds,
        megabytes (of these vectors), parameters (of the encoder).

    Example:
        >>> import numpy as np
        >>> picture = Features("picture", np.eye(3, dtype=np.float32), np.array([True, False, True]))
        >>> len(picture), picture.width
        (3, 3)
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
        """The same modality with other vectors; rows where it is not present are set to zero."""
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
    """Subtract the mean of the known rows and divide by their standard deviation; sparse vectors stay
    unchanged.

    Args:
        known: [k] row numbers whose statistics may be used; no row of the test part may be among them.
    """
    if sparse.issparse(features.vectors):
        return features
    seen = np.asarray(features.vectors)[known[features.present[known]]]
    if not len(seen):
        return features
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    scaled = (np.asarray(features.vectors) - mean) / np.where(spread > 1e-6, spread, 1.0)
    return features.replaced(scaled.astype(np.float32), features.present)
