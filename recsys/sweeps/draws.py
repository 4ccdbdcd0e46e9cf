"""What tuning brings, from a pool of configurations that were all measured: draws instead of new searches.

Of K configurations n are drawn without replacement and the best on validation is chosen. Over many draws the
mean says what a search of n trials would have given, without running it again; the interval is over users,
since the draws share them. Settings 0 of a pool are the defaults.

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
    """Gain over the defaults and optimism against the number of configurations tried.

    Args:
        validation: [K] means, by which is chosen; NaN for a failed configuration, which is never chosen.
        test: [K, U] per user; a failed configuration's row is not looked at. Row 0 are the defaults.
        sizes: numbers n of configurations; those above K are left out.

    Returns:
        A row per n: tried; test (mean of the chosen); gain, low, high (chosen minus defaults on test, 95 %
        over users); validation; optimism (validation minus test of the chosen, minus the same of one
        configuration drawn at random: what choosing adds).

    Raises:
        ValueError: failed defaults, or shapes that do not agree.
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
    """What tuning on the part that one is judged by hides, without touching the test part.

    The users of validation are halved at random. The best of n configurations is chosen on one half, once
    scored there (as who tunes on the test part does) and once on the other half (as a test set would). Both
    halves are of the same days, so that nothing but the choice can tell them apart.

    Args:
        validation: [K, V] per user.
        sizes: as of `best_of_draws`.

    Returns:
        A row per n: tried, judged_where_chosen, judged_elsewhere, optimism (their difference), low, high (the
        middle 95 % of the halvings).
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
    """Two models tuned side by side: what each scores on test when both have had the same core seconds.

    Args:
        new, old: a row a trial in order: spent, validation, test (means; test of that trial's model).

    Returns:
        Columns core_seconds, new, old, lead (new minus old); from where both have a model on. Where the sign
        of lead changes, the order of the models turns.
    """
    start = max(new["spent"].iloc[0], old["spent"].iloc[0])
    end = max(new["spent"].iloc[-1], old["spent"].iloc[-1])
    grid = np.geomspace(start, max(end, start * 1.001), points)
    table = pd.DataFrame({"core_seconds": grid, "new": _chosen_at(new, grid), "old": _chosen_at(old, grid)})
    return table.assign(lead=table["new"] - table["old"])


def leads(frame: pd.DataFrame, new: str, old: str) -> pd.DataFrame:
    """`first_lead` seed by seed, of recorded pools.

    Args:
        frame: rows of recorded trials: model, seed, number, spent, validation, test, of one data set.

    Returns:
        With columns seed and pair ("new − old"); empty where no seed has both models.
    """
    parts = []
    for seed, part in frame.sort_values("number").groupby("seed"):
        sides = [part[part["model"] == name] for name in (new, old)]
        if all(len(side) for side in sides):
            parts.append(first_lead(*sides).assign(seed=seed, pair=f"{new} − {old}"))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _chosen_at(trials: pd.DataFrame, grid: np.ndarray) -> np.ndarray:
    """Test score of the best on validation among the trials that had ended by then."""
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
