"""Ranks against a few sampled negatives: what many papers report, and how it misleads.

A target is compared with m items drawn at random instead of the whole catalogue. With draws from the
candidates (with replacement, weights w), each draw lands above the target with the probability
p = Σ w over better items / Σ w over all candidates, so the numbers above, beside and below it are
multinomial(m; p_better, p_equal, p_worse). Drawing those counts has exactly the same distribution as
drawing items and comparing scores, and needs no list of negatives.

Sources: Krichene & Rendle, "On sampled metrics for item recommendation", KDD 2020. The S3-Rec logs rank
against 99 negatives; Petrov & Macdonald show how such metrics reorder methods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from recsys.metrics.ranking import (
    Scorer,
    earlier_events,
    new_targets,
    rank_checked,
    ranking_metrics,
    score_batches,
)


def sampled_positions(
    model: Scorer,
    split,
    part: Literal["validation", "test"] = "test",
    negatives: int = 99,
    weights: np.ndarray | None = None,
    seed: int = 0,
    batch: int = 512,
) -> pd.DataFrame:
    """Positions of the new targets of `part` among themselves and `negatives` drawn items.

    Candidates are the items that the user has not met before and that are no target of the user.

    Args:
        model: scores users (`recsys.metrics.ranking.Scorer`).
        split: has train, validation and test tables with columns user, item.
        part: which part holds the targets.
        negatives: m >= 1 draws for each target.
        weights: [M] >= 0, chance of an item to be drawn (up to a factor); None draws uniformly.
        seed: of the draws.
        batch: users scored at once.

    Returns:
        user, item, better, equal, one row per (user, target). Every pair is ranked against negatives of
        its own, so measure it as a case of its own (`sampled_metrics`).

    Raises:
        ValueError: fewer than one negative, or weights that leave a user without candidates.
    """
    if negatives < 1:
        raise ValueError(f"negatives must be at least 1, got {negatives}")
    random = np.random.default_rng(seed)
    tables = []
    for users, scores, pairs in _scored_targets(model, split, part, batch):
        (chances,) = _chances(scores, users, pairs, [weights])
        tables.append(_draw(pairs, chances, negatives, random))
    return pd.concat(tables, ignore_index=True)


def compare_protocols(
    models: Mapping[str, Scorer],
    split,
    weights: np.ndarray,
    part: Literal["validation", "test"] = "test",
    negatives: int = 99,
    cutoff: int = 10,
    seed: int = 0,
    batch: int = 512,
) -> pd.DataFrame:
    """The same scorers measured three ways: over the full catalogue, against uniform and weighted draws.

    Every (user, target) pair is a case of its own in all three, ties are in random order (expectation), so
    that nothing but the opponents differs.

    Args:
        models: fitted scorers by name.
        weights: [M] chance of an item to be drawn in the weighted protocol, usually training counts.
        part, negatives, seed, batch: as in `sampled_positions`.
        cutoff: k of the metrics.

    Returns:
        One row per scorer and protocol ("full catalogue", "99 uniform", "99 by popularity"): scorer,
        protocol, hr@k, ndcg@k, and error, the standard error of hr@k over the cases.
    """
    rows = []
    for name, model in models.items():
        random = np.random.default_rng(seed)
        tables: dict[str, list[pd.DataFrame]] = {}
        for users, scores, pairs in _scored_targets(model, split, part, batch):
            full = rank_checked(scores, users, pairs, ties="expected")
            uniform, weighted = _chances(scores, users, pairs, [None, weights])
            tables.setdefault("full catalogue", []).append(full)
            tables.setdefault(f"{negatives} uniform", []).append(_draw(pairs, uniform, negatives, random))
            tables.setdefault(f"{negatives} by popularity", []).append(
                _draw(pairs, weighted, negatives, random)
            )
        for protocol, parts in tables.items():
            cases = pd.concat(parts, ignore_index=True)
            means, each = ranking_metrics(cases.assign(user=np.arange(len(cases))), [cutoff])
            row = {metric: means[metric] for metric in (f"hr@{cutoff}", f"ndcg@{cutoff}")}
            error = each[f"hr@{cutoff}"].sem() if len(each) > 1 else float("nan")
            rows.append({"scorer": name, "protocol": protocol, **row, "error": float(error)})
    return pd.DataFrame(rows)


def _scored_targets(
    model: Scorer, split, part: Literal["validation", "test"], batch: int
) -> Iterator[tuple[np.ndarray, np.ndarray, pd.DataFrame]]:
    """(users [B], scores [B, M] with met items at −∞, the users' new targets) batch by batch."""
    targets, known = new_targets(split, part), earlier_events(split, part)
    for users, scores in score_batches(model, targets["user"].unique(), known, batch):
        yield users, scores, targets[targets["user"].between(users[0], users[-1])]


def _draw(
    pairs: pd.DataFrame, chances: np.ndarray, negatives: int, random: np.random.Generator
) -> pd.DataFrame:
    """Positions of `pairs` among `negatives` draws each."""
    drawn = random.multinomial(negatives, chances).astype(np.int32)
    return pairs.assign(better=drawn[:, 0], equal=drawn[:, 1])


def _chances(
    scores: np.ndarray, users: np.ndarray, pairs: pd.DataFrame, weightings: Sequence[np.ndarray | None]
) -> list[np.ndarray]:
    """For each weighting: [T, 3] chances that one draw is better than, equal to or worse than the target.

    The user's targets themselves are no candidates: they are taken out like seen items.
    """
    rows, items = np.searchsorted(users, pairs["user"]), pairs["item"].to_numpy()
    own = scores[rows, items][:, None]
    pool = scores.copy()
    pool[rows, items] = -np.inf
    candidates = pool > -np.inf
    pool = pool[rows] if len(rows) > len(users) else pool
    better, equal, offered = pool > own, pool == own, np.isfinite(own[:, 0])
    results = []
    for weights in weightings:
        total = _mass(candidates, weights)[rows]
        if (total <= 0).any():
            raise ValueError(
                "a user has no candidate with a positive weight to draw; give every item a weight"
            )
        above, beside = _mass(better, weights) / total, _mass(equal, weights) / total * offered
        chances = np.stack([above, beside, 1.0 - above - beside], axis=1).clip(0.0, 1.0)
        results.append(chances / chances.sum(axis=1, keepdims=True))
    return results


def _mass(chosen: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """[T, M] bool -> [T] summed weight of the chosen items."""
    if weights is None:
        return np.count_nonzero(chosen, axis=1).astype(float)
    # A float32 product is three times as fast; counts are whole numbers, so it is exact up to 2**24 events.
    return (chosen.astype(np.float32) @ np.asarray(weights, dtype=np.float32)).astype(float)


def sampled_metrics(positions: pd.DataFrame, cutoffs: Sequence[int] = (5, 10)) -> dict[str, float]:
    """Means over (user, target) pairs of a table from `sampled_positions`.

    Returns:
        As `ranking_metrics`, each name with "sampled_" before it. Meaningless beside a full-catalogue
        metric of the same name: hr@10 against 99 draws is about 0.1 for a random scorer.
    """
    means, _ = ranking_metrics(positions.assign(user=np.arange(len(positions))), cutoffs)
    return {f"sampled_{name}": value for name, value in means.items()}
