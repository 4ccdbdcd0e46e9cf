"""Power of a comparison over users and seeds: the smallest difference it can tell from a line, and the
seeds or users that a given difference would need."""

import math

from scipy import stats

from recsys.metrics.variance_components import Effect

MOST_SEEDS = 50  # a side; beyond that the users are what a comparison lacks


def detectable(effect: Effect, level: float = 0.05, power: float = 0.8) -> float:
    """Distance from the line at which a two-sided t test of this standard error has the power asked for."""
    if effect.se == 0:
        return 0.0
    df = min(effect.df, 1e9)
    return effect.se * float(stats.t.ppf(1 - level / 2, df) + stats.t.ppf(power, df))


def seeds_needed(effect: Effect, distance: float, level: float = 0.05, power: float = 0.8) -> int | None:
    """Fewest seeds a side with which `distance` is detectable, the users as they are; None beyond 50."""
    if not effect.seed_parts or distance <= 0:
        return None
    for seeds in range(3, MOST_SEEDS + 1):
        if detectable(effect.with_numbers(seeds=seeds), level, power) <= distance:
            return seeds
    return None


def units_needed(
    effect: Effect, distance: float, seeds: int | None = None, level: float = 0.05, power: float = 0.8
) -> int | None:
    """Fewest users (lists) with which `distance` is detectable, with so many seeds a side.

    None where the seeds' part alone is too much, or where there are no users to speak of.
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
