"""Stability (稳定性): how much recommendations change with another seed, week, or a small perturbation.

Quality is one number per run; stability is how much users' lists and quality vary when nothing relevant
changed. Worst-case users: most users have NDCG 0 with every model, so the worst tenth of users is not
informative; the worst of ten *groups* of users is, grouped beforehand by the popularity of their histories.

B: users. R: repeats (seeds, weeks). k: length of lists.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.ensembling.diversity import overlap
from recsys.ensembling.errors import EnsembleError
from recsys.metrics.ranking import ranking_metrics

METRIC, CUTOFF, GROUPS = "ndcg@10", 10, 10


def seed_steadiness(
    positions: Sequence[pd.DataFrame], lists: Sequence[np.ndarray], groups: pd.Series
) -> dict[str, float]:
    """Differences between repeats of one method.

    Args:
        positions: R tables as from `recsys.metrics.ranking.rank_positions`, of the same users.
        lists: R arrays [B, k] of ids, rows in the same order.
        groups: user code -> group, see `history_groups`.

    Returns:
        mean and sd of the metric over repeats; user_sd: mean over users of the standard deviation of their
        own metric; overlap@k: mean over pairs of repeats; worst_group: mean over repeats of the lowest
        group's metric, and worst_group_sd.

    Raises:
        EnsembleError: fewer than two repeats, or repeats of different users.
    """
    if len(positions) < 2 or len(positions) != len(lists):
        raise EnsembleError("steadiness needs two repeats or more, each with places and lists")
    per_user = [ranking_metrics(table, (CUTOFF,))[1][METRIC] for table in positions]
    if any(not one.index.equals(per_user[0].index) for one in per_user):
        raise EnsembleError("the repeats judge different users: give places of the same ones")
    table = np.stack([one.to_numpy() for one in per_user])
    worst = [worst_group(one, groups) for one in per_user]
    pairs = itertools.combinations(lists, 2)
    shared = [float(overlap(a[:, :CUTOFF], b[:, :CUTOFF]).mean()) for a, b in pairs]
    means = table.mean(axis=1)
    return {
        METRIC: float(means.mean()),
        "sd": float(means.std(ddof=1)),
        "user_sd": float(table.std(axis=0, ddof=1).mean()),
        f"overlap@{CUTOFF}": float(np.mean(shared)),
        "worst_group": float(np.mean(worst)),
        "worst_group_sd": float(np.std(worst, ddof=1)),
    }


def history_groups(train: pd.DataFrame, users: np.ndarray, groups: int = GROUPS) -> pd.Series:
    """Users in equally large groups by the mean log popularity of their training items (none: first group).

    Args:
        train: columns user, item.
        users: distinct codes.

    Returns:
        User code -> group, 0 (least popular items) … groups − 1.
    """
    count = train["item"].map(train["item"].value_counts())
    popularity = np.log(count).groupby(train["user"]).mean().reindex(users).fillna(-1.0)
    place = popularity.rank(method="first").to_numpy() - 1
    return pd.Series((place * groups // max(len(users), 1)).astype(int), index=pd.Index(users, name="user"))


def worst_group(per_user: pd.Series, groups: pd.Series) -> float:
    """The lowest mean metric over the groups.

    Raises:
        EnsembleError: a user without a group.
    """
    group = groups.reindex(per_user.index)
    if group.isna().any():
        raise EnsembleError(f"user {per_user.index[group.isna()][0]} has no group")
    return float(per_user.groupby(group).mean().min())


def by_week(positions: pd.DataFrame, test: pd.DataFrame) -> pd.Series:
    """Mean metric of each week of the test part, by the time of the target's first event.

    Args:
        positions: user, item, better, equal.
        test: columns user, item, time.

    Raises:
        EnsembleError: the events have no times.
    """
    if "time" not in test:
        raise EnsembleError("the test events have no times: only their order is known, so there are no weeks")
    first = test.groupby(["user", "item"])["time"].min().rename("time").reset_index()
    timed = positions.merge(first, on=["user", "item"])
    week = timed["time"].dt.to_period("W").dt.start_time
    values = {start: ranking_metrics(part, (CUTOFF,))[0][METRIC] for start, part in timed.groupby(week)}
    return pd.Series(values, name=METRIC)


def perturbed(events: pd.DataFrame, how: str, seed: int = 0) -> pd.DataFrame:
    """Histories with one small change for each user with at least three events; others do not change.

    Args:
        events: columns user, item, and order or time.
        how: "drop" removes a random event other than the newest, "swap" exchanges the newest two items,
            "newest" removes the newest.
        seed: of "drop".

    Raises:
        EnsembleError: no such change.
    """
    clock = "order" if "order" in events else "time"
    ordered = events.sort_values(["user", clock, "item"], ignore_index=True)
    from_end = ordered.groupby("user").cumcount(ascending=False)
    long = ordered.groupby("user")["item"].transform("size") >= 3
    if how == "newest":
        return ordered[~(long & (from_end == 0))]
    if how == "swap":
        last, before = np.flatnonzero(long & (from_end == 0)), np.flatnonzero(long & (from_end == 1))
        items = ordered["item"].to_numpy().copy()
        items[last], items[before] = items[before], items[last]
        return ordered.assign(item=items)
    if how == "drop":
        draw = pd.Series(np.random.default_rng(seed).random(len(ordered))).where(long & (from_end > 0), -1.0)
        gone = draw.groupby(ordered["user"]).transform("max") == draw
        return ordered[~(gone & (draw >= 0))]
    raise EnsembleError(f"no change {how!r} of histories; there are drop, swap, newest")
