"""Off-policy evaluation: a policy's value from the log of another policy with known propensities.

With action a, reward r and propensity p = π₀(a | x) logged, and the new policy's probability q = π(a | x):

    IPW    1/n Σ q/p · r                              unbiased; high variance where p is small
    SNIPW  Σ q/p · r / Σ q/p                          bounded by the rewards, biased by O(1/n)
    DM     1/n Σ Σ_a π(a | x) r̂(x, a)                 as good as r̂
    DR     DM + 1/n Σ q/p · (r − r̂(x, a))             unbiased if p or r̂ is right

Horvitz & Thompson 1952; Swaminathan & Joachims 2015; Dudík, Langford & Li 2011 (arXiv:1103.4601). Intervals
are percentile bootstraps over impressions, or over given groups (the impressions of one list, say).

n: impressions. A: actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.search.errors import SearchError

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """An estimate: the policy's value per impression, with its 95 % interval (low, high).

    effective: effective sample size (Σ w)² / Σ w² in impressions, w the importance weights.
    """

    method: str
    value: float
    low: float
    high: float
    effective: float


def estimate_policy(
    reward: np.ndarray,
    propensity: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray | None = None,
    predicted_policy: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    clip: float = np.inf,
    seed: int = 0,
) -> pd.DataFrame:
    """All estimators that the arguments allow, one row each: method, value, low, high, effective.

    Also "naive", the log's own mean, which ignores that another policy chose the actions.

    Args:
        reward: [n] r. propensity: [n] p in (0, 1]. probability: [n] q in [0, 1].
        predicted: [n] r̂ of the logged action; predicted_policy: [n] Σ_a π(a | x) r̂(x, a). Both: DM and DR.
        groups: [n] group of each impression, resampled together; None: each impression alone.
        clip: largest weight q/p; ∞ does not clip.

    Raises:
        SearchError: lengths differ, a propensity is not in (0, 1], one prediction without the other.

    Example:
        >>> reward, half = np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5)
        >>> table = estimate_policy(reward, half, probability=np.array([1.0, 0.0, 1.0, 0.0]))
        >>> table.set_index("method")["value"].loc[["naive", "ipw"]].tolist()
        [0.5, 1.0]
    """
    reward, propensity, probability = (np.asarray(x, float) for x in (reward, propensity, probability))
    if not len(reward) == len(propensity) == len(probability) > 0:
        raise SearchError("rewards, propensities and probabilities must be of one length, at least 1")
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise SearchError(
            "a propensity is not in (0, 1]: what the log could never have shown tells nothing about itself"
        )
    if (predicted is None) != (predicted_policy is None):
        raise SearchError("give predicted and predicted_policy together, or neither")
    weight = np.minimum(probability / propensity, clip)
    parts = {"naive": (reward, None), "ipw": (weight * reward, None), "snipw": (weight * reward, weight)}
    if predicted is not None:
        predicted, predicted_policy = np.asarray(predicted, float), np.asarray(predicted_policy, float)
        parts["dm"] = (predicted_policy, None)
        parts["dr"] = (predicted_policy + weight * (reward - predicted), None)
    codes = np.arange(len(reward)) if groups is None else pd.factorize(np.asarray(groups))[0]
    effective = float(weight.sum() ** 2 / max(np.square(weight).sum(), 1e-300))
    rows = []
    for method, (top, bottom) in parts.items():
        low, high = _interval(top, bottom, codes, seed)
        value = float(top.mean() if bottom is None else top.sum() / max(bottom.sum(), 1e-300))
        own = float(len(reward)) if method in ("naive", "dm") else effective
        rows.append(Estimate(method, value, low, high, own))
    return pd.DataFrame(rows)


def _interval(
    top: np.ndarray, bottom: np.ndarray | None, codes: np.ndarray, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap of Σ top / Σ bottom over groups; bottom None: over the number of rows."""
    size = codes.max() + 1
    sums = np.bincount(codes, top, size)
    base = np.bincount(codes, np.ones(len(top)) if bottom is None else bottom, size)
    rng, values = np.random.default_rng(seed), []
    step = max(1, 4_000_000 // size)
    for start in range(0, RESAMPLES, step):
        drawn = rng.integers(0, size, (min(step, RESAMPLES - start), size))
        values.append(sums[drawn].sum(axis=1) / np.maximum(base[drawn].sum(axis=1), 1e-300))
    low, high = np.quantile(np.concatenate(values), [0.025, 0.975])
    return float(low), float(high)
