"""The gain from tuning, estimated by resampling measured configurations instead of searching again.

Of K configurations n are drawn without replacement and the best on validation is chosen. The mean over many
draws is the expected result of a random search of n trials; the interval is over users, since all draws
share the same configurations. Row 0 of a pool is the default configuration.

K: configurations. U: users of the test part. V: users of validation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.metrics.significance import mean_with_interval

SIZES = (1, 4, 8, 16)


def best_of_draws(
    validation: np.ndarray, test: np.ndarray, sizes: Sequence[int] = SIZES, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Test gain over the defaults, and optimism, as functions of the number of configurations tried.

    Args:
        validation: [K] mean metrics, the selection criterion; NaN for a failed configuration, never chosen.
        test: [K, U] per user; rows of failed configurations are ignored. Row 0 is the default configuration.
        sizes: numbers n of configurations; those above K are left out.

    Returns:
        A row per n: tried; test (mean of the chosen); gain, low, high (chosen minus defaults on test, with
        its 95 % interval over users); validation; optimism (validation minus test of the chosen
        configuration,
        minus the same for a configuration drawn at random: the part that selection adds).

    Raises:
        ValueError: the default configuration failed, or shapes do not agree.
    """
    if len(validation) != len(test):
        raise ValueError(f"{len(validation)} validation means for {len(test)} configurations")
    if np.isnan(validation[0]):
        raise ValueError("the defaults failed: there is nothing to compare with")
    usable = np.flatnonzero(~np.isnan(validation))
    generator = np.random.default_rng(seed)
    gap = float(np.mean(validation[usable] - test[usable].mean(axis=1)))
    rows = []
    for size in [n for n in sizes if n <= len(usable)]:
        chosen = np.array([_best(validation, generator, usable, size) for _ in range(draws)])
        per_user = test[chosen].mean(axis=0) - test[0]
        gain = mean_with_interval(per_user)
        on_test, on_validation = float(test[chosen].mean()), float(validation[chosen].mean())
        rows.append(
            {
                "tried": size,
                "test": on_test,
                "gain": gain.mean,
                "low": gain.low,
                "high": gain.high,
                "validation": on_validation,
                "optimism": on_validation - on_test - gap,
            }
        )
    return pd.DataFrame(rows)


def optimism_of_halves(
    validation: np.ndarray, sizes: Sequence[int] = SIZES, repeats: int = 200, seed: int = 0
) -> pd.DataFrame:
    """The optimism of reporting the best score on the users that chose it, estimated without the test part.

    The validation users are halved at random. The best of n configurations is chosen on one half and
    evaluated on the same half (as if tuning on the test part) and on the other (as on a separate test part).
    Both halves are of the same days, so only the selection makes them differ.

    Args:
        validation: [K, V] per user.
        sizes: as of `best_of_draws`.

    Returns:
        A row per n: tried, judged_where_chosen, judged_elsewhere, optimism (their difference), low, high (95
        % interval over the halvings).
    """
    generator = np.random.default_rng(seed)
    rows = []
    for size in [n for n in sizes if n <= len(validation)]:
        pairs = np.array([_halves(validation, generator, size) for _ in range(repeats)])
        hidden = pairs[:, 0] - pairs[:, 1]
        low, high = np.percentile(hidden, [2.5, 97.5])
        row = {
            "tried": size,
            "judged_where_chosen": pairs[:, 0].mean(),
            "judged_elsewhere": pairs[:, 1].mean(),
        }
        rows.append(row | {"optimism": hidden.mean(), "low": low, "high": high})
    return pd.DataFrame(rows)


def first_lead(new: pd.DataFrame, old: pd.DataFrame, points: int = 60) -> pd.DataFrame:
    """Two models tuned in parallel: the test score of each after the same number of core seconds.

    Args:
        new, old: one row per trial in order: spent (core seconds), validation, test (means of that trial's
            model).

    Returns:
        Columns core_seconds, new, old, lead (new minus old), from when both have a model to where the shorter
        search ended: beyond it only one of them would still be tuned. Where lead changes sign, the order of
        the models changes. Empty if one search ended before the other's first trial.
    """
    start = max(new["spent"].iloc[0], old["spent"].iloc[0])
    end = min(new["spent"].iloc[-1], old["spent"].iloc[-1])
    if end < start:
        return pd.DataFrame(columns=["core_seconds", "new", "old", "lead"])
    grid = np.geomspace(start, max(end, start * 1.001), points)
    table = pd.DataFrame({"core_seconds": grid, "new": _chosen_at(new, grid), "old": _chosen_at(old, grid)})
    return table.assign(lead=table["new"] - table["old"])


def leads(frame: pd.DataFrame, new: str, old: str) -> pd.DataFrame:
    """`first_lead` for each seed of recorded pools.

    Args:
        frame: rows of recorded trials of one data set: model, seed, number, spent, validation, test.

    Returns:
        With columns seed and pair ("new − old"); empty if no seed has both models, tuned for
        the same seconds.
    """
    parts = []
    for seed, part in frame.sort_values("number").groupby("seed"):
        sides = [part[part["model"] == name] for name in (new, old)]
        if all(len(side) for side in sides):
            parts.append(first_lead(*sides).assign(seed=seed, pair=f"{new} − {old}"))
    parts = [one for one in parts if len(one)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _chosen_at(trials: pd.DataFrame, grid: np.ndarray) -> np.ndarray:
    """At each budget of `grid`, the test score of the best configuration on validation among the trials
    finished."""
    validation = trials["validation"].fillna(-np.inf).to_numpy()
    best = np.maximum.accumulate(validation)
    first = np.array([int(np.flatnonzero(validation == value)[0]) for value in best])
    number = np.searchsorted(trials["spent"].to_numpy(), grid * (1 + 1e-12), side="right") - 1
    return trials["test"].to_numpy()[first[np.clip(number, 0, None)]]


def _best(validation: np.ndarray, generator: np.random.Generator, usable: np.ndarray, size: int) -> int:
    drawn = generator.choice(usable, size, replace=False)
    return int(drawn[np.argmax(validation[drawn])])


def _halves(validation: np.ndarray, generator: np.random.Generator, size: int) -> tuple[float, float]:
    configurations, users = validation.shape
    drawn = generator.choice(configurations, size, replace=False)
    order = generator.permutation(users)
    half = validation[np.ix_(drawn, order[: users // 2])].mean(axis=1)
    other = validation[np.ix_(drawn, order[users // 2 :])].mean(axis=1)
    best = int(np.argmax(half))
    return float(half[best]), float(other[best])
