"""Score fusion: convex combination and reciprocal rank fusion of several scorers' scores.

All functions take arrays, whatever the scores come from (recommenders, search engines, modalities). A row is
one user's or one query's list of candidates, the same candidates for every scorer.

Missing candidates. −∞ means "this scorer did not return the candidate": it was below the scorer's top list,
was masked, or is unknown to the scorer. In a convex combination a missing candidate gets the lowest value
of that scorer in that row, an upper bound on its true value; in reciprocal rank fusion it gets nothing from
that scorer (Cormack et al. 2009). A scorer without any candidate in a row does not count there. A candidate
that no scorer (of positive weight) returned stays at −∞. NaN is refused.

Bruch, Gai & Ingber 2023 (arXiv:2210.11934) find the convex combination better than reciprocal rank fusion,
and the choice between z-score and min-max unimportant once the weight is tuned.

S: scorers. B: rows (users or queries). C: candidates of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from recsys.ensembling.errors import EnsembleError

Normalisation = Literal["z_score", "min_max", "rank", "none"]
RRF_CONSTANT = 60.0  # of Cormack, Clarke & Büttcher 2009, section 2


def normalise(
    scores: np.ndarray,
    method: Normalisation = "z_score",
    mean: np.ndarray | None = None,
    spread: np.ndarray | None = None,
) -> np.ndarray:
    """Normalise each row of scores to a common scale; −∞ stays −∞ and is ignored.

    "z_score": (score − the row's mean) / its standard deviation. "min_max": the row's lowest becomes 0, its
    highest 1. "rank": the share of the row's other candidates with lower scores, ties counting half, in
    [0, 1]. A row with equal scores only, or a single candidate, becomes 0 (z), 0 (min-max), .5 (rank).
    "none": unchanged.

    Args:
        scores: [..., C], finite or −∞.
        method: see above.
        mean, spread: [...] mean and standard deviation of the complete rows, for "z_score" where `scores`
            contains only the best of them; None: of the given scores.

    Returns:
        [..., C] float32, or float64 if `scores` are float64. A new array.

    Raises:
        EnsembleError: NaN or +∞ in the scores, no such method, or mean without spread.

    Example:
        >>> normalise(np.array([[3.0, 1.0, 2.0, -np.inf]]), "min_max").tolist()
        [[1.0, 0.0, 0.5, -inf]]
    """
    scores = checked_scores(scores)
    if method not in get_args(Normalisation):
        raise EnsembleError(f"no normalisation {method!r}; there are {', '.join(get_args(Normalisation))}")
    if (mean is None) != (spread is None):
        raise EnsembleError("give mean and spread together, or neither")
    there = np.isfinite(scores)
    if method == "none":
        return scores.copy()
    if method == "rank":
        return np.where(there, _share_below(scores), -np.inf).astype(scores.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "z_score":
            low, width = _moments(scores, there) if mean is None else (mean, spread)
        else:
            low = np.min(scores, axis=-1, where=there, initial=np.inf)
            width = np.max(scores, axis=-1, where=there, initial=-np.inf) - low
        low, width = (np.asarray(x, scores.dtype)[..., None] for x in (low, width))
        # a standard deviation that is only rounding error would turn noise into large z-scores
        alike = ~(width > 8 * np.finfo(scores.dtype).eps * np.abs(low))
        scaled = np.where(alike, 0, (scores - low) / np.where(alike, 1, width))
    return np.where(there, scaled, -np.inf).astype(scores.dtype)


def convex(
    scores: np.ndarray | Sequence[np.ndarray],
    weights: Sequence[float] | np.ndarray,
    normalisation: Normalisation = "z_score",
) -> np.ndarray:
    """Σ_s w_s · normalise(scores_s), weights scaled to sum to one.

    Args:
        scores: [S, B, C] (or a list of S arrays [B, C]), finite or −∞; not changed.
        weights: [S], each ≥ 0, not all 0. A scorer of weight 0 is ignored.
        normalisation: see `normalise`; "none" for scores that are on a common scale already.

    Returns:
        [B, C]; −∞ where no scorer of positive weight returned the candidate.

    Raises:
        EnsembleError: see `normalise`; shapes or weights that do not fit.

    Example:
        >>> titles, clicks = np.array([[3.0, 1.0, 2.0]]), np.array([[0.0, 9.0, 1.0]])
        >>> [int(convex([titles, clicks], weights=[w, 1 - w]).argmax()) for w in (0.9, 0.1)]
        [0, 1]
    """
    return PreparedConvex(scores, normalisation).at(weights)


class PreparedConvex:
    """`convex` for many weights on the same scores: normalised once, one matrix product per weighting.

    Args:
        scores, normalisation: see `convex`.

    Raises:
        EnsembleError: see `convex`.
    """

    def __init__(self, scores: np.ndarray | Sequence[np.ndarray], normalisation: Normalisation = "z_score"):
        values = [normalise(one, normalisation) for one in _stack(scores)]
        self.offered = np.stack([np.isfinite(one) for one in values])
        self.values = np.stack([lowest_where_missing(one) for one in values])

    def at(self, weights: Sequence[float] | np.ndarray) -> np.ndarray:
        """[B, C] for these [S] weights, as `convex` says."""
        weights = checked_weights(weights, len(self.values))
        flat = self.values.reshape(len(weights), -1)
        fused = (weights.astype(flat.dtype) @ flat).reshape(self.values.shape[1:])
        fused[~self.offered[weights > 0].any(axis=0)] = -np.inf
        return fused


def reciprocal_rank(
    scores: np.ndarray | Sequence[np.ndarray],
    k: float = RRF_CONSTANT,
    weights: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """Reciprocal rank fusion: Σ_s w_s / (k + rank_s), Cormack, Clarke & Büttcher 2009 (SIGIR), weights 1.

    The best candidate has rank 1; ties share their mean rank, so the order of storage does not matter.

    Args:
        scores: [S, B, C] (or a list of S arrays [B, C]), finite or −∞ (which adds nothing); not changed.
        k: ≥ 0; a larger k reduces the advantage of the first ranks.
        weights: [S], each ≥ 0, not all 0; None: equal.

    Returns:
        [B, C], above 0, at most Σ w_s / (k + 1); −∞ where no scorer of positive weight returned the
        candidate.

    Raises:
        EnsembleError: NaN or +∞ in the scores, k < 0, shapes or weights that do not fit.

    Example:
        >>> scores = [np.array([[9.0, 8.0, 1.0]]), np.array([[0.1, 0.3, 0.2]])]
        >>> reciprocal_rank(scores, k=60).round(4).tolist()  # 1/61 + 1/63, 1/62 + 1/61, 1/63 + 1/62
        [[0.0323, 0.0325, 0.032]]
    """
    if not k >= 0:
        raise EnsembleError(f"the constant of reciprocal rank fusion must be 0 or more, got {k}")
    stacked = _stack(scores)
    weights = (
        np.ones(len(stacked)) if weights is None else checked_weights(weights, len(stacked), scale=False)
    )
    total, offered = np.zeros(stacked[0].shape, stacked[0].dtype), np.zeros(stacked[0].shape, bool)
    for one, weight in zip(stacked, weights, strict=True):
        if weight > 0:
            there = np.isfinite(one)
            ranks = 1 + _places(one)
            total += np.where(there, weight / (k + ranks), 0).astype(total.dtype)
            offered |= there
    total[~offered] = -np.inf
    return total


def lowest_where_missing(values: np.ndarray) -> np.ndarray:
    """[..., C] with each −∞ replaced by the row's lowest finite value (0 in a row without any)."""
    there = np.isfinite(values)
    lowest = np.min(values, axis=-1, where=there, initial=np.inf, keepdims=True)
    return np.where(there, values, np.where(np.isfinite(lowest), lowest, 0)).astype(values.dtype)


def checked_scores(scores: np.ndarray) -> np.ndarray:
    """Scores as float32 or float64, free of NaN and +∞.

    Raises:
        EnsembleError: there is a NaN or +∞.
    """
    scores = np.asarray(scores)
    if scores.dtype != np.float64:
        scores = scores.astype(np.float32)
    wrong = np.isnan(scores) | np.isposinf(scores)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise EnsembleError(
            f"scores hold {scores[place]} at {place}; −inf alone (not offered) may be infinite"
        )
    return scores


def checked_weights(weights: Sequence[float] | np.ndarray, scorers: int, scale: bool = True) -> np.ndarray:
    """[S] weights as float64, summing to one where `scale`.

    Raises:
        EnsembleError: not one finite weight ≥ 0 for each scorer, or all are 0.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (scorers,):
        raise EnsembleError(f"{scorers} scorers need {scorers} weights, got an array of shape {array.shape}")
    if not (np.isfinite(array).all() and (array >= 0).all() and array.sum() > 0):
        raise EnsembleError(f"weights must be finite, 0 or more, and not all 0; got {array.tolist()}")
    return array / array.sum() if scale else array


def _stack(scores: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    stacked = [checked_scores(one) for one in scores]
    if not stacked:
        raise EnsembleError("nothing to fuse: give the scores of at least one scorer")
    shapes = {one.shape for one in stacked}
    if len(shapes) > 1 or stacked[0].ndim != 2:
        raise EnsembleError(
            f"each scorer's scores must be [rows, candidates] of one shape, got {sorted(shapes)}: "
            "bring lists of different candidates together with recsys.ensembling.candidate_lists.union"
        )
    kind = np.result_type(*stacked)
    return [one.astype(kind, copy=False) for one in stacked]


def _moments(scores: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = np.maximum(there.sum(axis=-1), 1)
    # float64, because float32 sums over 12,000 candidates lose digits
    mean = np.sum(scores, axis=-1, where=there, dtype=np.float64) / count
    centred = np.where(there, scores - mean[..., None], 0)
    return mean, np.sqrt(np.square(centred).sum(axis=-1) / count)


def _places(scores: np.ndarray) -> np.ndarray:
    """[..., C] -> number of candidates of the row with higher scores, ties counting half."""
    order = np.argsort(-scores, axis=-1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=-1)
    size = scores.shape[-1]
    place = np.broadcast_to(np.arange(size), ordered.shape)
    new = np.ones(ordered.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    ends = np.ones(ordered.shape, bool)
    ends[..., :-1] = new[..., 1:]
    last = np.minimum.accumulate(np.where(ends, place, size)[..., ::-1], axis=-1)[..., ::-1]
    places = np.empty(ordered.shape)
    np.put_along_axis(places, order, (first + last) / 2, axis=-1)
    return places


def _share_below(scores: np.ndarray) -> np.ndarray:
    others = np.isfinite(scores).sum(axis=-1, keepdims=True) - 1
    return np.where(others > 0, (others - _places(scores)) / np.maximum(others, 1), 0.5)
