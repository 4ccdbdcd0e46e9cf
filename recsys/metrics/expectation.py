"""Exact expected ranking metrics when some scores are equal.

Candidates with the same score form a tie group: they share n places behind b better candidates, in uniformly
random order, and t of them are targets. Recall and DCG are sums over places, so their expectation follows
by linearity. The chance that no target of a group is among its first m places is hypergeometric, which
gives the hit rate and the reciprocal rank; average precision has a closed form in harmonic numbers.
Without ties n = t = 1 and every formula is the ordinary metric. Source: F. McSherry & M. Najork,
"Computing information retrieval performance measures efficiently in the presence of tied scores", ECIR
2008.

Everything is vectorised over users. G: tie groups. U: users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaln


@dataclass(frozen=True)
class TieGroups:
    """Tie groups sorted by user, then by place. Arrays [G] unless said otherwise."""

    users: np.ndarray  # [U] user codes, ascending
    row: np.ndarray  # index into `users`
    better: np.ndarray  # b: candidates above the group
    places: np.ndarray  # n: places that the group covers
    targets: np.ndarray  # t: targets among them, 1 <= t <= n
    before: np.ndarray  # targets of the same user in earlier groups
    relevant: np.ndarray  # [U] targets of the user, all groups

    def sum_by_user(self, values: np.ndarray) -> np.ndarray:
        """Sums over each user's tie groups: [G] -> [U]."""
        return np.bincount(self.row, weights=values, minlength=len(self.users))

    def first_groups(self) -> np.ndarray:
        """[U] index of each user's best-placed group."""
        return np.flatnonzero(np.r_[True, self.row[1:] != self.row[:-1]])


def tie_groups(positions: pd.DataFrame) -> TieGroups:
    """Collect positions (user, better, equal) into tie groups.

    Raises:
        ValueError: a negative position, or targets of one user with the same place of which fewer are
            tied than there are (such a table cannot come from a ranking).
    """
    better, equal = positions["better"].to_numpy(np.int64), positions["equal"].to_numpy(np.int64)
    if (better < 0).any() or (equal < 0).any():
        raise ValueError("positions hold negative counts in better or equal; the table is damaged")
    users, row = np.unique(positions["user"].to_numpy(), return_inverse=True)
    # Targets that were never offered share one place without being tied, so only real ties are merged.
    single = np.where(equal == 0, np.arange(len(better)), -1)
    keys, first, targets = _unique_rows(row, better, equal, single)
    count = np.bincount(row, minlength=len(users))
    start = np.r_[True, keys[1:, 0] != keys[:-1, 0]]
    running = np.cumsum(targets) - targets
    before = running - np.maximum.accumulate(np.where(start, running, 0))
    groups = TieGroups(users, keys[:, 0], better[first], equal[first] + 1, targets, before, count)
    if (groups.targets > groups.places).any():
        raise ValueError("more targets share a place than the table says are tied; positions are damaged")
    return groups


def _unique_rows(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct rows in lexicographic order, the index of one example of each, and how often it occurs."""
    table = np.stack(columns, axis=1)
    order = np.lexsort(table.T[::-1])
    table = table[order]
    start = np.flatnonzero(np.r_[True, (table[1:] != table[:-1]).any(axis=1)])
    return table[start], order[start], np.diff(np.r_[start, len(table)])


def recall(groups: TieGroups, k: int) -> np.ndarray:
    """[U] expected share of a user's targets in the first k places."""
    inside = np.clip(k - groups.better, 0, groups.places)
    return groups.sum_by_user(groups.targets * inside / groups.places) / groups.relevant


def hit_rate(groups: TieGroups, k: int) -> np.ndarray:
    """[U] probability that at least one target stands in the first k places."""
    inside = np.clip(k - groups.better, 0, groups.places)
    # Groups are disjoint stretches of one list, so at most one straddles the cut: the product is exact.
    miss = _log_probability_of_none(groups.places, groups.targets, inside)
    return 0.0 - np.expm1(groups.sum_by_user(miss))  # a plain minus would show -0.0


def _log_probability_of_none(places: np.ndarray, targets: np.ndarray, first: np.ndarray) -> np.ndarray:
    """log P(none of t targets among the first m of n places) = log C(n - m, t) - log C(n, t).

    Finite stand-in for log 0, because 0 * −∞ would spoil sums: exp(−1e4) is 0 in float64.
    """
    rest = places - first
    possible = rest >= targets
    rest = np.where(possible, rest, targets)
    log = _log_choose(rest, targets) - _log_choose(places, targets)
    # One target is by far the commonest case; the plain ratio loses no digits there.
    log = np.where(targets == 1, np.log(np.maximum(rest, 1) / places), log)
    return np.where(possible, np.minimum(log, 0.0), -1e4)


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    return -np.log1p(n) - betaln(n - k + 1.0, k + 1.0)


def ndcg(groups: TieGroups, k: int) -> np.ndarray:
    """[U] expected DCG of the first k places over the best DCG possible, gain 1 for every target."""
    summed = np.r_[0.0, np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))]
    end = np.minimum(groups.better + groups.places, k)
    mean = (summed[end] - summed[np.minimum(groups.better, k)]) / groups.places
    return groups.sum_by_user(groups.targets * mean) / summed[np.minimum(groups.relevant, k)]


def average_precision(groups: TieGroups) -> np.ndarray:
    """[U] expected mean, over a user's targets, of the precision at the target's place.

    At place b + i of a group the expected number of targets so far, given a target there, is
    before + 1 + (i - 1)(t - 1)/(n - 1); divided by b + i and summed over i this is a harmonic sum.
    """
    n, t, b = groups.places, groups.targets, groups.better
    slope = (t - 1) / np.maximum(n - 1, 1)
    harmonic = _harmonic(b + n) - _harmonic(b)
    total = t / n * ((groups.before + 1 - slope * (b + 1)) * harmonic + slope * n)
    return groups.sum_by_user(total) / groups.relevant


def _harmonic(n: np.ndarray) -> np.ndarray:
    """[G] 1 + 1/2 + ... + 1/n, by a table: places are bounded by the size of the catalogue."""
    return np.r_[0.0, np.cumsum(1.0 / np.arange(1, int(n.max(initial=0)) + 1))][n]


def reciprocal_rank(groups: TieGroups) -> np.ndarray:
    """[U] expected 1 / place of the user's first target."""
    first = groups.first_groups()
    b, n, t = groups.better[first], groups.places[first], groups.targets[first]
    result = (_harmonic(b + n) - _harmonic(b)) / n
    several = np.flatnonzero(t > 1)
    # With several tied targets the sum has no closed form; equal (b, n, t) are summed once.
    distinct, inverse = np.unique(np.stack([b, n, t], axis=1)[several], axis=0, return_inverse=True)
    result[several] = _first_of_several(*distinct.T)[inverse.reshape(-1)]
    return result


def _first_of_several(b: np.ndarray, n: np.ndarray, t: np.ndarray, budget: int = 4_000_000) -> np.ndarray:
    """E[1 / (b + place of the first of t targets in n places)], P(first = j) = C(n - j, t - 1) / C(n, t)."""
    length = n - t + 1
    result = np.zeros(len(b))
    for part in np.split(np.arange(len(b)), np.flatnonzero(np.diff(np.cumsum(length) // budget)) + 1):
        row = np.repeat(part, length[part])
        place = np.arange(len(row)) - np.repeat(np.cumsum(length[part]) - length[part], length[part]) + 1
        log = _log_choose(n[row] - place, t[row] - 1) - _log_choose(n[row], t[row])
        result += np.bincount(row, weights=np.exp(log) / (b[row] + place), minlength=len(b))
    return result
