"""Compressed vectors for search: fewer dimensions, fewer bits, optional rescoring in float32.

A format is a projection (which dimensions), a storage (bits per dimension) and a number of candidates whose
inner products are recomputed in float32. The search is exhaustive ("flat"), with torch's and numpy's kernels;
for approximate search with faiss see `recsys.search.vector_index`.

Sources: truncation, Kusupati et al. 2022 (arXiv:2205.13147), for models trained for it, which MiniLM was not;
binary codes with rescoring, Yamada et al. 2021 (arXiv:2106.00882); 004 §8.4, Q2, Q4.

n: vectors of the catalogue. m: queries. D: their width. d: dimensions kept. k: rows asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys.search.vector_storage import Floats, Int8, Signs, Storage
from recsys.speed.encoder import unit
from recsys.speed.quality import nearest

BLOCK = 64  # queries scored at once, whose scores over a catalogue of 100,000 take 26 MB
TIE = 1e-6  # float32's rounding of a product of unit vectors


@dataclass(frozen=True)
class VectorFormat:
    """A format of vectors, described as data.

    name: in tables. idea: one line.
    storage: called with the projected catalogue [n, d], returns a `Storage`.
    projection: "all" dimensions; the "leading" ones; "pca": coordinates along the catalogue's principal
        directions, not centred, because the mean contributes to inner products. Normalised to length 1.
    dimensions: d; None keeps D.
    rescored: number of candidates, × k, that are scored again in float32; 0: none.
    """

    name: str
    idea: str
    storage: Callable[[np.ndarray], Storage]
    projection: Literal["all", "leading", "pca"] = "all"
    dimensions: int | None = None
    rescored: int = 0

    def fit(self, catalogue: np.ndarray) -> VectorIndex:
        """Build an index over a catalogue.

        Args:
            catalogue: [n, D] float32, unit length, finite; referenced, not copied, where candidates are
                rescored.

        Raises:
            ValueError: another shape, a number that is not finite, `dimensions` above D.
        """
        return VectorIndex(self, _checked(catalogue))


class VectorIndex:
    """A catalogue in one format; create it by `VectorFormat.fit`.

    bytes_per_vector: of the compressed form, which a search reads completely. bytes_kept: including the
    float32 vectors for rescoring, of which a search reads only rescored × k (they may be on disk).
    """

    def __init__(self, form: VectorFormat, catalogue: np.ndarray):
        width = catalogue.shape[1]
        if form.dimensions is not None and not 1 <= form.dimensions <= width:
            raise ValueError(f"{form.name} keeps {form.dimensions} dimensions, the vectors have {width}")
        self.form, self.width, self.size = form, width, len(catalogue)
        self.directions = _directions(catalogue, form.dimensions) if form.projection == "pca" else None
        self.storage = form.storage(self._projected(catalogue))
        self.full = torch.from_numpy(catalogue) if form.rescored else None
        self.bytes_per_vector = self.storage.bytes_per_vector
        self.bytes_kept = self.bytes_per_vector + (4 * width if form.rescored else 0)

    def encode(self, vectors: np.ndarray) -> Tensor | np.ndarray:
        """[n, D] float32 -> codes, as this format's storage keeps them."""
        return self.storage.encode(self._projected(self._of_width(vectors)))

    def search(self, queries: np.ndarray, k: int = 10) -> np.ndarray:
        """[m, D] float32 -> [m, k] int64 rows of the catalogue, best first, none twice.

        Raises:
            ValueError: k not from 1 to n; queries of another width or not finite.
        """
        if not 1 <= k <= self.size:
            raise ValueError(f"k must be from 1 to {self.size}, got {k}")
        queries = self._of_width(queries)
        blocks = [queries[start : start + BLOCK] for start in range(0, len(queries), BLOCK)]
        return np.concatenate([self._block(block, k) for block in blocks] or [np.empty((0, k), np.int64)])

    def _block(self, queries: np.ndarray, k: int) -> np.ndarray:
        scores = self.storage.scores(self._projected(queries))
        candidates = scores.topk(min(max(1, self.form.rescored) * k, self.size), dim=1).indices
        if self.full is not None:
            exact = torch.bmm(self.full[candidates], torch.from_numpy(queries)[:, :, None])[:, :, 0]
            candidates = candidates.gather(1, exact.topk(k, dim=1).indices)
        return candidates.numpy()

    def _projected(self, vectors: np.ndarray) -> np.ndarray:
        if self.form.projection == "all":
            return vectors
        cut = vectors[:, : self.form.dimensions] if self.directions is None else vectors @ self.directions
        return unit(np.ascontiguousarray(cut))

    def _of_width(self, vectors: np.ndarray) -> np.ndarray:
        vectors = _checked(vectors, least=0)
        if vectors.shape[1] != self.width:
            raise ValueError(f"vectors must be {self.width} wide, got {vectors.shape[1]}")
        return vectors


def fit_formats(catalogue: np.ndarray, names: Iterable[str] | None = None) -> dict[str, VectorIndex]:
    """Indexes by name of format, for all formats or those named.

    Raises:
        KeyError: no such format. ValueError: as `VectorFormat.fit`.
    """
    return {name: VectorFormats[name].fit(catalogue) for name in (VectorFormats if names is None else names)}


def that_fit(width: int) -> list[str]:
    """Names of the formats that are possible for vectors of this width."""
    return [name for name, form in VectorFormats.items() if (form.dimensions or 1) <= width]


def format_table(
    indexes: Mapping[str, VectorIndex], catalogue: np.ndarray, queries: np.ndarray, k: int = 10
) -> pd.DataFrame:
    """Size and accuracy of each format; for timing pass `searches` to `benchmarks.timing.interleave`.

    Args:
        indexes: over this catalogue. catalogue: [n, D], queries: [m, D], both float32, m ≥ 1.

    Returns:
        One row per format: bytes_per_vector, bytes_kept, overlap (mean share of the k rows found that are
        among the exact best k, in [0, 1]; ties with the k-th best count, because catalogues have
        duplicates), overlap_se (standard error over queries; nan for one query).
    """
    queries = _checked(queries)
    worst = nearest(queries, catalogue, k)[:, -1]
    least = np.einsum("md,md->m", queries, catalogue[worst]) - TIE
    rows = {}
    for name, index in indexes.items():
        exact = np.einsum("md,mkd->mk", queries, catalogue[index.search(queries, k)])
        shares = pd.Series((exact >= least[:, None]).mean(axis=1))
        rows[name] = (index.bytes_per_vector, index.bytes_kept, shares.mean(), shares.sem())
    columns = ["bytes_per_vector", "bytes_kept", "overlap", "overlap_se"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def searches(
    indexes: Mapping[str, VectorIndex], queries: np.ndarray, k: int = 10
) -> dict[str, Callable[[], np.ndarray]]:
    """Callables without arguments that search all queries: one query for latency, many for throughput."""
    return {name: partial(index.search, queries, k) for name, index in indexes.items()}


def _directions(catalogue: np.ndarray, dimensions: int | None) -> np.ndarray:
    """[D, d]: leading eigenvectors of the second moments; as an SVD of [n, D], but cheaper."""
    _, vectors = np.linalg.eigh(catalogue.T.astype(np.float64) @ catalogue)
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimensions].astype(np.float32))


def _checked(vectors: np.ndarray, least: int = 1) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) < least or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be [n ≥ {least}, D] and finite, got shape {vectors.shape}")
    return vectors


def _rescored(name: str, factor: int) -> VectorFormat:
    base = _PLAIN[name]
    idea = f"{base.idea}; the best {factor} × k again in float32"
    return VectorFormat(
        f"{name}+{factor}", idea, base.storage, base.projection, base.dimensions, rescored=factor
    )


_BY_DIMENSION, _BY_VECTOR = partial(Int8, scale="dimension"), partial(Int8, scale="vector")
_PLAIN = {
    form.name: form
    for form in (
        VectorFormat("float32", "all dimensions, exact", Floats),
        VectorFormat("bfloat16", "all dimensions, half the bytes", partial(Floats, dtype=torch.bfloat16)),
        *(VectorFormat(f"leading-{d}", f"the first {d}", Floats, "leading", d) for d in (256, 128, 64)),
        *(VectorFormat(f"pca-{d}", f"{d} principal directions", Floats, "pca", d) for d in (256, 128, 64)),
        VectorFormat("int8-dimension", "int8, a scale a dimension", _BY_DIMENSION),
        VectorFormat("int8-vector", "int8, a scale a vector", _BY_VECTOR),
        VectorFormat("pca-128-int8", "128 principal directions in int8", _BY_VECTOR, "pca", 128),
        VectorFormat("binary", "signs, Hamming distance", Signs),
    )
}
_RESCORED = [("leading-128", 4), ("pca-64", 4), ("int8-vector", 2), ("pca-128-int8", 4)]
_RESCORED += [("binary", 4), ("binary", 20)]
VectorFormats = _PLAIN | {form.name: form for form in (_rescored(*pair) for pair in _RESCORED)}
