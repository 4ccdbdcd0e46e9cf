"""Statistical power of a comparison over users and seeds.

The smallest distance from the line (the margin that decides a claim) that it can detect, and the seeds or
users that a given distance would need.
"""

import math

from scipy import stats

from recsys.metrics.variance_components import Effect

MOST_SEEDS = 50  # a side; where 50 are not enough, more users are needed, not more seeds


def detectable(effect: Effect, level: float = 0.05, power: float = 0.8) -> float:
    """Smallest distance between effect and line that a two-sided t test detects with this power.

    Args:
        effect: from `recsys.metrics.variance_components.contrast`.
        level: significance level, in (0, 1).
        power: probability of detection, in (0, 1).

    Returns:
        A distance in the metric's unit; 0 where neither users nor seeds vary.
    """
    if effect.se == 0:
        return 0.0
    df = min(effect.df, 1e9)
    return effect.se * float(stats.t.ppf(1 - level / 2, df) + stats.t.ppf(power, df))


def seeds_needed(effect: Effect, distance: float, level: float = 0.05, power: float = 0.8) -> int | None:
    """Fewest seeds a side, from 3 on, with which `distance` is detectable for the users at hand.

    None where 50 are not enough, where no side has seeds, or where the distance is not above 0.
    """
    if not effect.seed_parts or distance <= 0:
        return None
    for seeds in range(3, MOST_SEEDS + 1):
        if detectable(effect.with_numbers(seeds=seeds), level, power) <= distance:
            return seeds
    return None


def units_needed(
    effect: Effect, distance: float, seeds: int | None = None, level: float = 0.05, power: float = 0.8
) -> int | None:
    """Fewest users (or lists) with which `distance` is detectable, with `seeds` seeds a side.

    None where the variance between seeds alone is too large, or where there are fewer than two users.
    """
    if effect.units < 2 or distance <= 0:
        return None

    def enough(units: float) -> bool:
        return detectable(effect.with_numbers(seeds=seeds, units=units), level, power) <= distance

    low, high = 2.0, 1e9
    if not enough(high):
        return None
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return math.ceil(high)
