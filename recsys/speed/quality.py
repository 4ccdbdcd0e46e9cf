"""Quality of a variant: agreement of its vectors and neighbours with the reference's, and NDCG on a task.

n: catalogue texts. m: queries. D: width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.labelled.home_depot import judged_lists
from recsys.data.load import load_dataset
from recsys.metrics.judged_lists import JudgedNdcg, judged_ndcg

SALT = "speed"  # of the split of Home Depot's queries
BLOCK = 256  # queries scored at once
TIED = 1e-6  # inner products of unit vectors closer than this are ties (float32 rounding)

Encode = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Closeness:
    """Agreement with the reference.

    Attributes:
        cosine: mean over all texts. least: the smallest.
        overlap: [m] share of a query's first k neighbours that are the reference's, in [0, 1]; items tied
            (to 1e-6) with the reference's k-th are interchangeable.
        same_order: [m] whether the k neighbours are in the reference's order, up to ties.
    """

    cosine: float
    least: float
    overlap: np.ndarray
    same_order: np.ndarray

    @property
    def mean_overlap(self) -> float:
        """Mean overlap over the queries, in [0, 1]."""
        return float(self.overlap.mean())

    @property
    def overlap_low(self) -> float:
        """Lower end of the one-sided 95 % interval of the mean overlap (normal approximation)."""
        return float(self.overlap.mean() - 1.645 * self.overlap.std(ddof=1) / np.sqrt(len(self.overlap)))


def closeness(
    catalogue: np.ndarray,
    queries: np.ndarray,
    reference_catalogue: np.ndarray,
    reference_queries: np.ndarray,
    k: int = 10,
) -> Closeness:
    """Cosine and top-k overlap of a variant's vectors with the reference's.

    To test a variant for queries only, pass the reference's catalogue twice.

    Args:
        catalogue, reference_catalogue: [n, D] unit-length. queries, reference_queries: [m, D] unit-length.
        k: number of neighbours, 1 to n.

    Raises:
        ValueError: shapes that do not fit, `k` out of range, a number that is not finite.

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)
        >>> closeness(vectors, vectors[:1], vectors, vectors[:1], k=1).mean_overlap
        1.0
    """
    if catalogue.shape != reference_catalogue.shape or queries.shape != reference_queries.shape:
        raise ValueError(
            f"shapes differ: {catalogue.shape}, {reference_catalogue.shape}; "
            f"{queries.shape}, {reference_queries.shape}"
        )
    if not 1 <= k <= len(catalogue):
        raise ValueError(f"k must be from 1 to {len(catalogue)}, got {k}")
    if not (np.isfinite(catalogue).all() and np.isfinite(queries).all()):
        raise ValueError("a vector is not finite")
    cosines = np.concatenate(
        [(catalogue * reference_catalogue).sum(axis=1), (queries * reference_queries).sum(axis=1)]
    )
    kept, same = [], []
    for rows in _blocks(len(queries)):
        found = nearest(queries[rows], catalogue, k)
        expected = nearest(reference_queries[rows], reference_catalogue, k)
        scores = [
            np.einsum("md,mkd->mk", reference_queries[rows], reference_catalogue[items])
            for items in (found, expected)
        ]
        same_items = (found[:, :, None] == expected[:, None, :]).any(axis=2)
        kept.append((same_items | (scores[0] >= scores[1][:, -1:] - TIED)).mean(axis=1))
        same.append((np.abs(scores[0] - scores[1]) <= TIED).all(axis=1))
    return Closeness(float(cosines.mean()), float(cosines.min()), np.concatenate(kept), np.concatenate(same))


def nearest(queries: np.ndarray, catalogue: np.ndarray, k: int) -> np.ndarray:
    """[m, k] rows of the catalogue with the largest inner products, best first; ties by row number.

    Example:
        >>> nearest(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0], [0.6, 0.8], [1.0, 0.0]]), k=2).tolist()
        [[2, 1]]
    """
    scores = queries @ catalogue.T
    if k == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    taken = np.take_along_axis(scores, some, axis=1)
    order = np.argsort(-taken, axis=1, kind="stable")
    best = np.take_along_axis(some, order, axis=1)
    # a partition may take any of the items tied at its border: rows with such ties, which are few, are sorted
    tied = np.flatnonzero((scores >= taken.min(axis=1, keepdims=True)).sum(axis=1) > k)
    best[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    return best


def real_titles(data: str, most: int | None = None, seed: int = 0) -> list[str]:
    """Distinct product titles of "home_depot", or of a log of events with titles ("beauty", "demo_store").

    Args:
        most: draw this many of them without replacement; None keeps all, in the order of the source.

    Raises:
        DataUnavailable: the files cannot be obtained.
    """
    if data == "home_depot":
        titles = load_labelled(data).table["text_pair"]
    else:
        titles = load_dataset(data).items["title"]
    found = titles.dropna().drop_duplicates().to_numpy(dtype=object)
    return drawn(found, most, seed)


def real_queries(most: int | None = None, seed: int = 0, part: str = "test") -> list[str]:
    """Distinct search queries of one part of Home Depot, split by a salted hash of the query."""
    data = load_labelled("home_depot")
    rows = labelled_split(data, salt=SALT)[part]
    return drawn(data.table["text"].iloc[rows].drop_duplicates().to_numpy(dtype=object), most, seed)


def home_depot_ndcg(
    encode_query: Encode, encode_title: Encode, part: str = "test", most: int | None = None, k: int = 10
) -> JudgedNdcg:
    """NDCG@k of Home Depot's judged lists, ordered by the cosine of query and title.

    Args:
        encode_query, encode_title: texts -> [n, D] unit-length; the same function twice, or a fast encoder
            for queries and the reference for titles.
        part: "train", "validation" or "test", split by a salted hash of the query.
        most: only the first lists, this many; None takes all.

    Returns:
        NDCG per list (for paired comparisons of encoders), with the expectation of a random order. Index: the
        list's number within the part, the same for every encoder.
    """
    data = load_labelled("home_depot")
    judged = judged_lists(data, labelled_split(data, salt=SALT)[part])
    kept = slice(None) if most is None else judged.lists < most
    table, lists = data.table.iloc[judged.rows[kept]], judged.lists[kept]
    queries, query_of = np.unique(table["text"].to_numpy(dtype=str), return_inverse=True)
    titles, title_of = np.unique(table["text_pair"].to_numpy(dtype=str), return_inverse=True)
    query_vectors, title_vectors = encode_query(queries.tolist()), encode_title(titles.tolist())
    scores = np.einsum("nd,nd->n", query_vectors[query_of], title_vectors[title_of])
    return judged_ndcg(lists, table["label"].to_numpy(), scores, k=k)


def drawn(texts: Sequence[str], most: int | None, seed: int) -> list[str]:
    """At most `most` of the texts, drawn without replacement; None: all, in their order."""
    if most is None or most >= len(texts):
        return list(texts)
    return np.random.default_rng(seed).choice(np.asarray(texts, dtype=object), most, replace=False).tolist()


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, rows, BLOCK)]
