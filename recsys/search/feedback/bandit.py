"""Off-policy evaluation on Open Bandit: a policy's value from the random policy's log, and from its own log.

The probabilities of the evaluated policy (Thompson sampling) are estimated by its frequencies of each product
at each position; the random policy's propensity is 1/34 everywhere.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.search.feedback.off_policy import estimate_policy


def learned_policy_value(
    logged: pd.DataFrame, learned: pd.DataFrame, seed: int = 0, folds: int = 2
) -> pd.DataFrame:
    """Estimates of the learned policy's click rate from the other policy's log, and from its own log.

    Args:
        logged: impressions of the policy with known propensities (`recsys.data.logs.open_bandit`).
        learned: impressions of the policy that is evaluated.
        folds: number of folds; the reward model r̂ (shrunken click rates by product and position) of an
            impression is fitted on the other folds.

    Returns:
        Rows as from `estimate_policy`, and "on-policy": the learned policy's own log.
    """
    n_items = int(max(logged["item"].max(), learned["item"].max())) + 1
    policy = _frequencies(learned, n_items)
    place, item = logged["position"].to_numpy(), logged["item"].to_numpy()
    fold = np.random.default_rng(seed).integers(0, folds, len(logged))
    predicted, value = np.empty(len(logged)), np.empty(len(logged))
    for one in range(folds):
        model = _rates(logged[fold != one], n_items)
        own = fold == one
        predicted[own] = model[place[own], item[own]]
        value[own] = (policy * model).sum(axis=1)[place[own]]
    table = estimate_policy(
        logged["click"].to_numpy(),
        logged["propensity"].to_numpy(),
        policy[place, item],
        predicted,
        value,
        seed=seed,
    )
    ones = np.ones(len(learned))
    own = estimate_policy(learned["click"].to_numpy(), ones, ones, seed=seed)
    return pd.concat([table, own[own["method"] == "naive"].assign(method="on-policy")], ignore_index=True)


def _frequencies(impressions: pd.DataFrame, n_items: int) -> np.ndarray:
    """[positions, n_items] frequencies; rows sum to one."""
    places = int(impressions["position"].max()) + 1
    counts = np.zeros((places, n_items))
    np.add.at(counts, (impressions["position"], impressions["item"]), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def _rates(impressions: pd.DataFrame, n_items: int, prior: float = 100.0) -> np.ndarray:
    """[positions, n_items] clicks per view, shrunk towards the mean."""
    places = int(impressions["position"].max()) + 1
    views, clicks = np.zeros((places, n_items)), np.zeros((places, n_items))
    np.add.at(views, (impressions["position"], impressions["item"]), 1)
    np.add.at(clicks, (impressions["position"], impressions["item"]), impressions["click"])
    return (clicks + prior * impressions["click"].mean()) / (views + prior)
