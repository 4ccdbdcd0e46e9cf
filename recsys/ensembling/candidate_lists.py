"""Candidate lists: every user's best items with their scores, from one scorer or several (a pool).

Scores of the whole catalogue for every user would be gigabytes; a fused top ten consists of items among each
scorer's best two hundred. Mean and standard deviation of the complete row are stored too, so that z-scores of
a list equal those of the whole catalogue.

S: scorers. B: rows (users or queries). K: kept candidates. C: candidates that any scorer kept. M: catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import Normalisation, normalise
from recsys.metrics.lists import NO_ITEM, top_lists
from recsys.metrics.ranking import Scorer, rank_checked, score_batches

TOP = 200
PARTS = ("validation", "test")


@dataclass(frozen=True)
class CandidateLists:
    """One scorer's candidate lists.

    name: of the scorer. rows: [B] user or query codes, ascending. ids: [B, K] int32, best first, NO_ITEM
    where a row has fewer. scores: [B, K] float32, −∞ there. mean, spread: [B] mean and standard deviation of
    the complete row's finite scores. n_items: M.
    """

    name: str
    rows: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    n_items: int

    def of(self, rows: np.ndarray) -> CandidateLists:
        """The lists of some of the rows.

        Raises:
            EnsembleError: a row is missing.
        """
        places = pd.Index(self.rows).get_indexer(rows)
        if (places < 0).any():
            raise EnsembleError(f"{self.name} has no list of row {np.asarray(rows)[places < 0][0]}")
        parts = {name: getattr(self, name)[places] for name in ("rows", "ids", "scores", "mean", "spread")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Identity:
    """What candidate lists belong to, so that only matching lists are fused.

    dataset: its name. catalogue: SHA-256 of the items' source ids in order of their codes. split: SHA-256 of
    its kind and of every (user, item) of train, validation and test.
    """

    dataset: str
    catalogue: str
    split: str


@dataclass(frozen=True)
class Kept:
    """One run's candidate lists by part, with their identity."""

    identity: Identity
    lists: dict[str, CandidateLists]


@dataclass(frozen=True)
class Pool:
    """The union of several scorers' candidate lists.

    rows: [B]. ids: [B, C] ascending, padded with NO_ITEM. scores: [S, B, C], −∞ where a scorer did not keep
    the candidate. mean, spread: [S, B]. names: of the scorers.
    """

    rows: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    names: tuple[str, ...]
    n_items: int

    def normalised(self, method: Normalisation = "z_score") -> np.ndarray:
        """[S, B, C] normalised scores; z-scores by mean and standard deviation over the whole catalogue."""
        if method == "z_score":
            return normalise(self.scores, method, self.mean, self.spread)
        return normalise(self.scores, method)

    def take(self, rows: np.ndarray) -> Pool:
        """The pool of some rows (indices into `rows`, or a mask)."""
        parts = {"rows": self.rows[rows], "ids": self.ids[rows], "scores": self.scores[:, rows]}
        return replace(self, **parts, mean=self.mean[:, rows], spread=self.spread[:, rows])


def candidate_lists(
    name: str,
    model: Scorer,
    rows: np.ndarray,
    seen: pd.DataFrame | None = None,
    top: int = TOP,
    batch: int = 512,
) -> CandidateLists:
    """Score the whole catalogue for every row and keep the best candidates.

    Args:
        name: of the scorer.
        model: see `Scorer`.
        rows: distinct codes.
        seen: columns user, item: never candidates.
        top: K, most candidates of a row.

    Raises:
        EnsembleError: no rows. ValueError: scores are NaN or of a wrong shape.
    """
    parts = []
    for users, scores in score_batches(model, rows, seen, batch):
        ids = top_lists(scores, min(top, scores.shape[1]))
        kept = np.take_along_axis(scores, np.maximum(ids, 0), axis=1).astype(np.float32)
        there = np.isfinite(scores)
        count = np.maximum(there.sum(axis=1), 1)
        mean = np.sum(scores, axis=1, where=there, dtype=np.float64) / count
        square = np.square(np.where(there, scores - mean[:, None], 0)).sum(axis=1) / count
        lists = ids.astype(np.int32), np.where(ids == NO_ITEM, -np.inf, kept).astype(np.float32)
        parts.append((users, *lists, mean.astype(np.float32), np.sqrt(square).astype(np.float32)))
        n_items = scores.shape[1]
    if not parts:
        raise EnsembleError(f"{name}: no users or queries to list candidates for")
    return CandidateLists(name, *(np.concatenate(column) for column in zip(*parts, strict=True)), n_items)


def union(lists: Sequence[CandidateLists]) -> Pool:
    """The pool of several scorers' lists of the same rows.

    Raises:
        EnsembleError: no lists, or lists with different rows or catalogues.
    """
    if not lists:
        raise EnsembleError("nothing to bring together: give the lists of at least one scorer")
    first = lists[0]
    for other in lists[1:]:
        if other.n_items != first.n_items:
            raise EnsembleError(
                f"{first.name} ranks {first.n_items} items, {other.name} {other.n_items}: other catalogues"
            )
        if not np.array_equal(other.rows, first.rows):
            raise EnsembleError(
                f"{first.name} and {other.name} list candidates of different users or queries"
            )
    every = np.concatenate([one.ids for one in lists], axis=1)
    ids = _distinct(every)
    places = _places(ids, first.n_items)
    scores = np.full((len(lists), *ids.shape), -np.inf, dtype=np.float32)
    for scorer, one in enumerate(lists):
        row, column = np.nonzero(one.ids != NO_ITEM)
        scores[scorer, row, places(row, one.ids[row, column])] = one.scores[row, column]
    mean, spread = (np.stack([getattr(one, name) for one in lists]) for name in ("mean", "spread"))
    return Pool(first.rows, ids, scores, mean, spread, tuple(one.name for one in lists), first.n_items)


def without_fillers(pool: Pool) -> np.ndarray:
    """[S, B, C] scores without the lowest of a full list where several candidates share that score.

    Which of them fill a list up to `TOP` is the order of their codes (a kNN's zeros, a constant row), and
    codes follow popularity: ranks would count that. A convex combination gives missing ones the same score.
    """
    there = np.isfinite(pool.scores)
    lowest = np.min(pool.scores, axis=-1, where=there, initial=np.inf, keepdims=True)
    tied = pool.scores == lowest
    cut = (there.sum(axis=-1, keepdims=True) >= TOP) & (tied.sum(axis=-1, keepdims=True) > 1)
    return np.where(tied & cut & (pool.n_items > TOP), -np.inf, pool.scores).astype(pool.scores.dtype)


def fused_positions(pool: Pool, fused: np.ndarray, targets: pd.DataFrame) -> pd.DataFrame:
    """Rank positions of targets in fused lists, ties by ascending item code.

    Args:
        pool: whose candidates the fused scores belong to.
        fused: [B, C].
        targets: columns user, item.

    Returns:
        user, item, better, equal as from `recsys.metrics.ranking.rank_positions`; a target that no scorer
        kept is ranked behind the whole catalogue (M): exact for every cutoff up to the lists' length.

    Raises:
        EnsembleError: no target belongs to a row, or fused scores of another shape.
    """
    if fused.shape != pool.ids.shape:
        raise EnsembleError(f"fused scores are {fused.shape}, the candidates {pool.ids.shape}")
    pairs = targets.loc[targets["user"].isin(pool.rows), ["user", "item"]].drop_duplicates()
    if pairs.empty:
        raise EnsembleError("none of the targets belongs to a user or query that has candidates")
    row = pd.Index(pool.rows).get_indexer(pairs["user"])
    hit = pool.ids[row] == pairs["item"].to_numpy()[:, None]
    # columns are in order of the items' codes, so ties are ordered by item;
    # an additional last column without scores represents targets that no scorer kept
    padded = np.concatenate([fused, np.full((len(fused), 1), -np.inf, fused.dtype)], axis=1)
    column = np.where(hit.any(axis=1), hit.argmax(axis=1), pool.ids.shape[1])
    at = pd.DataFrame({"user": pairs["user"].to_numpy(), "item": column})
    ranked = rank_checked(padded, pool.rows, at, "id")
    absent = ranked["better"] == padded.shape[1]
    ranked.loc[absent, "better"] = pool.n_items
    return _with_items(ranked, pairs, at)


def _with_items(ranked: pd.DataFrame, pairs: pd.DataFrame, at: pd.DataFrame) -> pd.DataFrame:
    """Ranks of columns -> ranks of items; several missing targets of a user share the last column."""
    wanted = pairs.reset_index(drop=True).assign(column=at["item"])
    found = wanted.merge(
        ranked.rename(columns={"item": "column"}), on=["user", "column"], validate="many_to_one"
    )
    found = found.sort_values(["user", "item"], ignore_index=True)[["user", "item", "better", "equal"]]
    return found.astype({"user": "int64", "item": "int64", "better": "int32", "equal": "int32"})


def _distinct(every: np.ndarray) -> np.ndarray:
    """[B, S·K] codes -> [B, C] the distinct ones of each row, ascending, NO_ITEM behind."""
    ordered = np.sort(every, axis=1)
    new = np.ones(ordered.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    new &= ordered != NO_ITEM
    width = max(int(new.sum(axis=1).max(initial=0)), 1)
    ids = np.full((len(every), width), NO_ITEM, dtype=np.int32)
    row, column = np.nonzero(new)
    place = np.cumsum(new, axis=1)[row, column] - 1
    ids[row, place] = ordered[row, column]
    return ids


def _places(ids: np.ndarray, n_items: int):
    """A function (rows, codes) -> columns of `ids`, by one search in a sorted array of row·M + code."""
    row, column = np.nonzero(ids != NO_ITEM)
    keys = row * np.int64(n_items) + ids[row, column]  # ascending, as the codes of a row are

    def find(rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return column[np.searchsorted(keys, rows * np.int64(n_items) + codes)]

    return find
