"""Rank positions over the whole catalogue, and the metrics that follow from them.

A ranking is stored as two integers per target item: `better`, the number of other candidates ranked above it,
and `equal`, the number tied with it. Every metric is computed from these two, so a committed file of
positions is enough to recompute a committed number.

Ties. `ties="id"` orders equal scores by ascending item code, so that the list is definite and `equal` is 0.
`ties="expected"` leaves them in a uniformly random order and reports the exact expectation over that order,
also for users with several targets (`recsys.metrics.expectation`; McSherry & Najork 2008): a scorer gains
nothing from the order in which the catalogue happens to be stored.

B: users in a batch. M: items in the catalogue. T: (user, target) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from recsys.metrics import expectation

Ties = Literal["id", "expected"]


class Scorer(Protocol):
    """Anything that scores every item of the catalogue for some users."""

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of the whole catalogue, higher is better: user codes [B] -> [B, M]."""


def rank_positions(
    scores: np.ndarray,
    users: np.ndarray,
    targets: pd.DataFrame,
    seen: pd.DataFrame | None = None,
    ties: Ties = "id",
) -> pd.DataFrame:
    """Rank of every target among all items that its user could be offered.

    Args:
        scores: [B, M], row b belongs to `users[b]`. Not changed. −∞ marks an item that is not offered.
        users: [B], distinct user codes.
        targets: columns user, item; the relevant items. Repeated pairs count once. Pairs of users that
            are not in `users` are left out.
        seen: columns user, item; taken out of the list (as if scored −∞), or None.
        ties: see the module's docstring.

    Returns:
        One row per (user, target): user, item (int64), better, equal (int32). The place in the list is
        `better + 1`. A target scored −∞ is placed behind the whole catalogue (`better` = M).

    Raises:
        ValueError: scores hold NaN or have the wrong shape, a user stands twice in `users`, or a target
            is also in `seen` (it could never be found).

    Example:
        >>> scores = np.array([[0.3, 0.9, 0.5, 0.1]])
        >>> targets = pd.DataFrame({"user": [7, 7], "item": [2, 3]})
        >>> seen = pd.DataFrame({"user": [7], "item": [1]})
        >>> rank_positions(scores, np.array([7]), targets, seen)["better"].tolist()
        [0, 2]
    """
    users = np.asarray(users)
    _reject_masked_targets(targets, seen)
    return rank_checked(mask_seen(scores, users, seen), users, targets, ties)


def rank_checked(scores: np.ndarray, users: np.ndarray, targets: pd.DataFrame, ties: Ties) -> pd.DataFrame:
    """`rank_positions` for scores that `mask_seen` or `score_batches` has checked and masked already."""
    if ties not in ("id", "expected"):
        raise ValueError(f"ties must be 'id' or 'expected', not {ties!r}")
    pairs = targets.loc[targets["user"].isin(users), ["user", "item"]].drop_duplicates()
    pairs = pairs.sort_values(["user", "item"], ignore_index=True)
    _check_codes(pairs["item"], scores.shape[1], "targets")
    rows = pd.Index(users).get_indexer(pairs["user"])
    better, equal = _count_better_and_equal(scores, rows, pairs["item"].to_numpy(), by_id=ties == "id")
    return pairs.astype("int64").assign(better=better, equal=equal)


def mask_seen(scores: np.ndarray, users: np.ndarray, seen: pd.DataFrame | None) -> np.ndarray:
    """Check [B, M] scores and return them with each user's `seen` items at −∞ (a copy if any are)."""
    scores, users = np.asarray(scores), np.asarray(users)
    if scores.ndim != 2 or len(scores) != len(users):
        raise ValueError(f"scores must be [{len(users)} users, items], got shape {scores.shape}")
    if np.isnan(scores).any():
        row = int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])
        raise ValueError(
            f"scores of user {users[row]} hold NaN; a ranking of NaN means nothing: mend the model"
        )
    index = pd.Index(users)
    if not index.is_unique:
        raise ValueError(f"user {index[index.duplicated()][0]} stands twice in users; give each user once")
    if seen is None or seen.empty:
        return scores
    rows = index.get_indexer(seen["user"])
    _check_codes(seen["item"], scores.shape[1], "seen")
    scores = scores.copy() if scores.dtype.kind == "f" else scores.astype(np.float64)
    scores[rows[rows >= 0], seen["item"].to_numpy()[rows >= 0]] = -np.inf
    return scores


def _check_codes(items: pd.Series, size: int, table: str) -> None:
    # numpy would silently count a negative code from the end of the catalogue
    wrong = items[(items < 0) | (items >= size)]
    if len(wrong):
        raise ValueError(
            f"{table} hold item {wrong.iloc[0]}, but scores cover the codes 0 to {size - 1}: "
            "fit the model on the same data set (n_items)"
        )


def _reject_masked_targets(targets: pd.DataFrame, seen: pd.DataFrame | None) -> None:
    if seen is None or seen.empty:
        return
    both = targets[["user", "item"]].merge(seen[["user", "item"]], on=["user", "item"]).drop_duplicates()
    if len(both):
        user, item = both.iloc[0][["user", "item"]]
        raise ValueError(
            f"{len(both)} targets are also in seen, for example user {user}, item {item}: they can never be "
            "ranked. Pass seen=None to rank repeats, or drop these targets (evaluate() does it for you)"
        )


def _count_better_and_equal(
    scores: np.ndarray, rows: np.ndarray, items: np.ndarray, by_id: bool, chunk: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Compare each target's score with its user's M scores: O(T·M), no sorting."""
    catalogue = np.arange(scores.shape[1])
    better, equal = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.int32)
    for start in range(0, len(rows), chunk):
        part = slice(start, start + chunk)
        row, item = rows[part], items[part, None]
        # mostly one target a user in order: then no copy is needed
        whole = len(row) == len(scores) and (row == np.arange(len(row))).all()
        candidates = scores if whole else scores[row]
        own = np.take_along_axis(candidates, item, axis=1)
        tied = candidates == own
        better[part] = np.count_nonzero(candidates > own, axis=1)
        if by_id:
            better[part] += np.count_nonzero(tied & (catalogue < item), axis=1).astype(np.int32)
        else:
            equal[part] = np.count_nonzero(tied, axis=1) - 1
        absent = np.isneginf(own[:, 0])
        better[part][absent], equal[part][absent] = scores.shape[1], 0
    return better, equal


def ranking_metrics(
    positions: pd.DataFrame, cutoffs: Sequence[int] = (5, 10, 20)
) -> tuple[dict[str, float], pd.DataFrame]:
    """Metrics of a table of positions, per user and averaged over users (each user weighs the same).

    With R targets of a user, of which h stand in the first k places: hr@k = [h > 0],
    recall@k = h / R, ndcg@k = DCG / ideal DCG with gain 1 and discount 1 / log2(place + 1),
    mrr = 1 / place of the first target, map = mean over targets of the precision at their place, both
    over the whole list. All lie in [0, 1]. Where targets are tied these are exact expectations.

    Args:
        positions: user, item, better, equal, as from `rank_positions`.
        cutoffs: list lengths k, each >= 1.

    Returns:
        Means by name ("hr@5", "recall@5", "ndcg@5", ..., "mrr", "map"), and the table per user (index
        user, one column per name).

    Raises:
        ValueError: no positions, negative ones, or a cutoff below 1.

    Example:
        >>> positions = pd.DataFrame({"user": [0, 1], "item": [5, 6], "better": [0, 2], "equal": [0, 0]})
        >>> means, by_user = ranking_metrics(positions, cutoffs=(1, 10))
        >>> means["hr@1"], round(means["ndcg@10"], 3), by_user["mrr"].round(3).tolist()
        (0.5, 0.75, [1.0, 0.333])
    """
    if positions.empty:
        raise ValueError("no positions to measure: no user of this part has a target that can be ranked")
    if min(cutoffs, default=1) < 1:
        raise ValueError(f"cutoffs are list lengths of at least 1, got {list(cutoffs)}")
    groups = expectation.tie_groups(positions)
    columns: dict[str, np.ndarray] = {}
    for k in sorted(set(cutoffs)):
        columns[f"hr@{k}"] = expectation.hit_rate(groups, k)
        columns[f"recall@{k}"] = expectation.recall(groups, k)
        columns[f"ndcg@{k}"] = expectation.ndcg(groups, k)
    columns["mrr"] = expectation.reciprocal_rank(groups)
    columns["map"] = expectation.average_precision(groups)
    per_user = pd.DataFrame(columns, index=pd.Index(groups.users, name="user"))
    return {name: float(value) for name, value in per_user.mean().items()}, per_user


def earlier_events(split, part: Literal["validation", "test"]) -> pd.DataFrame:
    """Pairs (user, item) known before `part` begins: train, and for the test part validation too."""
    if part not in ("validation", "test"):
        raise ValueError(f"part must be 'validation' or 'test', not {part!r}")
    known = [split.train] if part == "validation" else [split.train, split.validation]
    return pd.concat([table[["user", "item"]] for table in known], ignore_index=True).drop_duplicates()


def new_targets(split, part: Literal["validation", "test"] = "test") -> pd.DataFrame:
    """Pairs (user, item) of `part` whose user had not met the item before, sorted, each once."""
    wanted = getattr(split, part)[["user", "item"]].drop_duplicates()
    marked = wanted.merge(earlier_events(split, part), on=["user", "item"], how="left", indicator=True)
    fresh = marked.loc[marked["_merge"] == "left_only", ["user", "item"]]
    return fresh.sort_values(["user", "item"], ignore_index=True)


def score_batches(
    model: Scorer, users: np.ndarray, seen: pd.DataFrame | None = None, batch: int = 512
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (users [B], scores [B, M], seen items at −∞) by ascending user; N×M never exists at once."""
    users = np.sort(np.asarray(users))
    if seen is not None:
        seen = seen.sort_values("user")
        bounds = np.searchsorted(seen["user"].to_numpy(), users)
    for start in range(0, len(users), batch):
        part = users[start : start + batch]
        rows = None
        if seen is not None:
            stop = len(seen) if start + batch >= len(users) else bounds[start + batch]
            rows = seen.iloc[bounds[start] : stop]
        yield part, mask_seen(model.score(part), part, rows)


def evaluate(
    model: Scorer,
    split,
    part: Literal["validation", "test"] = "test",
    seen: Literal["mask", "keep"] = "mask",
    ties: Ties = "id",
    batch: int = 512,
) -> pd.DataFrame:
    """Positions of every target of `part`, ranked against the whole catalogue.

    Args:
        model: see `Scorer`.
        split: has train, validation and test tables with columns user, item (`recsys.data.splits.Split`).
        part: which part holds the targets.
        seen: "mask" takes the items that the user met before `part` out of the list, and targets that are
            among them; users whose targets are all repeats drop out. "keep" ranks everything.
        ties: see the module's docstring.
        batch: users scored at once.

    Returns:
        user, item, better, equal as from `rank_positions`.

    Raises:
        ValueError: an argument is not one of those above, or scores are not usable.

    Example:
        >>> from recsys.baselines.popularity import Popularity
        >>> from recsys.data.load import load_dataset
        >>> from recsys.data.splits import split
        >>> parts = split(load_dataset("demo_store", size="small"))
        >>> model = Popularity().fit(parts.train, parts.n_users, parts.n_items)
        >>> metrics, _ = ranking_metrics(evaluate(model, parts))
    """
    if seen not in ("mask", "keep"):
        raise ValueError(f"seen must be 'mask' or 'keep', not {seen!r}")
    known = earlier_events(split, part) if seen == "mask" else None
    targets = new_targets(split, part) if seen == "mask" else getattr(split, part)[["user", "item"]]
    parts = [
        rank_checked(scores, users, targets[targets["user"].between(users[0], users[-1])], ties)
        for users, scores in score_batches(model, targets["user"].unique(), known, batch)
    ]
    empty = pd.DataFrame({"user": [], "item": [], "better": [], "equal": []}, dtype="int64")
    return pd.concat(parts, ignore_index=True) if parts else empty
