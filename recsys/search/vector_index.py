"""Nearest products to a query's vector: exact (flat), by signs first, graph (HNSW) or cells (IVF).

Signs: a bit a dimension picks the candidates (Hamming distance; large entries of the query count more),
float32 orders them (Yamada et al. 2021, arXiv:2106.00882). A query reads a twentieth of the vectors' bytes,
nothing has to be trained, and what is found depends on what is there alone, not on the order in which it
came, as a graph's answers do. The others are faiss's.

Scores are inner products of unit vectors, that is, cosines. A saved index stores the model of its vectors,
their width and checksums of its files; loading refuses an index that does not match, with the reason.

Deleting. Flat, signs and IVF take vectors out. HNSW cannot: a deleted product is masked in answers, and once
a quarter of the graph is masked the graph is built anew from what is left, so memory stays bounded.

N: products. Q: queries. D: width.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from recsys.data.files.verification import sha256_of
from recsys.search.errors import SearchError
from recsys.search.vector_rows import VectorRows

KINDS = ("flat", "signs", "hnsw", "ivf")
FORMAT = 1
VECTORS, MANIFEST = "vectors.npz", "index.json"
HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH = 32, 80, 64
CANDIDATES, PER_RESULT = 800, 8  # that signs pick for float32: so many, or so many times the list's length
MASKED_SHARE = 0.25
NO_PRODUCT = -1


class VectorIndex:
    """An index of unit vectors under the caller's ids.

    Args:
        width: D.
        model: name and version of the encoder; `load` refuses vectors of another one.
        kind: of KINDS. "ivf" learns its clusters from the first vectors added.

    Raises:
        SearchError: no such kind, or a width below 1.

    Example:
        >>> index = VectorIndex(width=2, model="example")
        >>> index.add([7, 8], np.array([[1.0, 0.0], [0.0, 1.0]]))
        >>> index.search(np.array([[0.9, 0.1]]), k=1)[0].tolist()
        [[7]]
    """

    def __init__(self, width: int, model: str, kind: str = "flat"):
        if kind not in KINDS or width < 1:
            raise SearchError(f"an index is one of {', '.join(KINDS)} with width ≥ 1, not {kind!r}, {width}")
        self.width, self.model, self.kind = width, model, kind
        self._rows = VectorRows(width, signs=kind == "signs")
        self._faiss, self._masked, self._built = None, set(), 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, product: int) -> bool:
        return product in self._rows

    def add(self, ids: Sequence[int], vectors: np.ndarray) -> None:
        """Add products; existing ids are replaced.

        Args:
            ids: N distinct numbers ≥ 0.
            vectors: [N, D], scaled to unit length here; a zero vector is never found.

        Raises:
            SearchError: shapes that do not fit, values that are not finite, ids that repeat or are below 0.
        """
        ids, vectors = self._checked(ids, vectors)
        known = [int(i) for i in ids if i in self._rows]
        if known:
            self.delete(known)
        self._rows.put(ids, vectors)
        if self.kind == "signs":
            return
        # cells that were learnt from few products become too large: learn them again
        outgrown = self.kind == "ivf" and len(self._rows) > 4 * self._built
        if self._faiss is None or outgrown or self._masked & set(ids.tolist()):
            self._build()
        else:
            self._faiss.add_with_ids(vectors, ids)

    def delete(self, ids: Sequence[int]) -> None:
        """Remove products.

        Raises:
            SearchError: an unknown id; then none is removed.
        """
        ids = list(dict.fromkeys(int(i) for i in ids))
        missing = [i for i in ids if i not in self._rows]
        if missing:
            raise SearchError(
                f"product {missing[0]} is not in the index ({len(missing)} of {len(ids)} are not)"
            )
        self._rows.remove(ids)
        if self.kind == "signs":
            return
        if self.kind == "hnsw":
            self._masked.update(ids)
            if len(self._masked) > MASKED_SHARE * max(len(self._rows) + len(self._masked), 1):
                self._build()
        elif len(self._rows):
            self._faiss.remove_ids(np.asarray(ids, dtype=np.int64))
        else:
            self._faiss = None

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest products of each query.

        Args:
            queries: [Q, D], scaled to unit length here.
            k: ≥ 1.

        Returns:
            ids [Q, k] (NO_PRODUCT where there are fewer) and cosines [Q, k] (−∞ there), best first.

        Raises:
            SearchError: k below 1, another width, values that are not finite.
        """
        if k < 1:
            raise SearchError(f"k is a list length of at least 1, got {k}")
        queries = _unit(queries, self.width)
        ids = np.full((len(queries), k), NO_PRODUCT, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        if not len(self._rows) or not len(queries):
            return ids, scores
        if self.kind == "signs":
            for row, query in enumerate(queries):
                found = self._rows.nearest_by_signs(query, k, max(CANDIDATES, PER_RESULT * k))
                ids[row, : len(found[0])], scores[row, : len(found[0])] = found
            return ids, scores
        most = min(k + len(self._masked), self._faiss.ntotal)
        if self.kind == "hnsw":
            faiss.downcast_index(self._faiss.index).hnsw.efSearch = max(HNSW_SEARCH, most)
        near, found = self._faiss.search(queries, most)
        for row in range(len(queries)):
            kept = [p for p in range(most) if found[row, p] >= 0 and int(found[row, p]) not in self._masked][
                :k
            ]
            ids[row, : len(kept)], scores[row, : len(kept)] = found[row, kept], near[row, kept]
        return ids, scores

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """(ids [N], ascending; vectors [N, D])."""
        return self._rows.ordered()

    def numbered_anew(self) -> VectorIndex:
        """The same vectors, to the last bit, under 0 … N − 1 in the order of their ids."""
        index, vectors = VectorIndex(self.width, self.model, self.kind), self.vectors()[1]
        index._rows.put(np.arange(len(vectors)), vectors)
        index._build()
        return index

    def cosines(self, query: np.ndarray, ids: Sequence[int]) -> np.ndarray:
        """[n] float32 cosines of one query ([D]) and products that are there."""
        return self._rows.of(ids) @ _unit(np.asarray(query)[None], self.width)[0]

    def save(self, folder: str | Path) -> None:
        """Write vectors and manifest; loading rebuilds the same index, bit-equal."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        ids, vectors = self.vectors()
        with (folder / VECTORS).open("wb") as file:
            np.savez(file, ids=ids, vectors=vectors)
        manifest = {"format": FORMAT, "model": self.model, "width": self.width, "kind": self.kind}
        manifest |= {"products": len(ids), "sha256": sha256_of(folder / VECTORS)}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, model: str | None = None, width: int | None = None) -> VectorIndex:
        """Read a saved index.

        Args:
            model, width: that it must have; None: not checked.

        Raises:
            SearchError: no index in the folder, a damaged file, or another format, model or width.
        """
        folder = Path(folder)
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            own = {key: manifest[key] for key in ("format", "model", "width", "kind", "sha256", "products")}
        except FileNotFoundError:
            raise SearchError(f"{folder} holds no index ({MANIFEST} is not there): build one first") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SearchError(f"{folder / MANIFEST} is damaged ({error}): build the index again") from None
        if own["format"] != FORMAT:
            raise SearchError(f"{folder} was written in format {own['format']}, this code reads {FORMAT}")
        for what, wanted in (("model", model), ("width", width)):
            if wanted is not None and own[what] != wanted:
                raise SearchError(
                    f"{folder} is of {what} {own[what]!r}, asked for with {wanted!r}: build it again"
                )
        if not (folder / VECTORS).is_file() or sha256_of(folder / VECTORS) != own["sha256"]:
            raise SearchError(f"{folder / VECTORS} is missing or damaged (checksum): build the index again")
        index = cls(own["width"], own["model"], own["kind"])
        with np.load(folder / VECTORS, allow_pickle=False) as file:
            ids, vectors = file["ids"], file["vectors"]
        if vectors.shape != (own["products"], own["width"]) or len(np.unique(ids)) != own["products"]:
            raise SearchError(
                f"{folder} holds {len(ids)} ids and vectors {vectors.shape}, its manifest says "
                f"{own['products']} products of width {own['width']}: build the index again"
            )
        index._rows.put(ids, vectors)
        index._build()
        return index

    def _build(self) -> None:
        self._masked, self._built = set(), len(self._rows)
        if not len(self._rows) or self.kind == "signs":
            self._faiss = None
            return
        ids, vectors = self.vectors()
        metric = faiss.METRIC_INNER_PRODUCT
        if self.kind == "hnsw":
            inner = faiss.IndexHNSWFlat(self.width, HNSW_LINKS, metric)
            inner.hnsw.efConstruction = HNSW_BUILD
        elif self.kind == "ivf":
            cells = max(1, int(np.sqrt(len(ids))))
            inner = faiss.IndexIVFFlat(faiss.IndexFlatIP(self.width), self.width, cells, metric)
            inner.nprobe = max(1, cells // 4)
            inner.train(vectors)
        else:
            inner = faiss.IndexFlatIP(self.width)
        if self.kind == "ivf":
            self._faiss = inner
        else:
            self._faiss = faiss.IndexIDMap2(inner)
        self._inner = inner  # keep a Python reference, because faiss does not
        self._faiss.add_with_ids(vectors, ids)

    def _checked(self, ids: Sequence[int], vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids = np.asarray(ids, dtype=np.int64)
        vectors = _unit(vectors, self.width)
        if ids.ndim != 1 or len(ids) != len(vectors):
            raise SearchError(f"{len(vectors)} vectors need as many ids, got shape {ids.shape}")
        if len(np.unique(ids)) < len(ids) or (len(ids) and ids.min() < 0):
            raise SearchError("ids must be 0 or more, and each product stands once in a call")
        return ids, vectors


def _unit(vectors: np.ndarray, width: int) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise SearchError(
            f"vectors must be [n, {width}], got shape {vectors.shape}: other model or dimension"
        )
    if not np.isfinite(vectors).all():
        raise SearchError("a vector holds NaN or infinity: mend the encoder")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(length > 0, length, 1), dtype=np.float32)
