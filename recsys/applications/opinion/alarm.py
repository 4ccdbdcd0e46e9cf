"""An alarm for surges: a cumulative sum over counts, day by day, as a pure fold.

For a day's count n with the mean m and variance v of the days before, the sum is

    S ← max(0, S + (n − m) / √v − slack),        alarm when S > limit

(Page 1954). m and v are of the last `memory` days, v at least m (a Poisson count's); a day counts there with
at most m + 3 √v, so that a surge does not soon look usual. After an alarm S starts anew and the next `rest`
days are silent. The state is a value: the same counts give the same alarms however the stream is cut.

T: days. F: firms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import stats

LIMITS = np.round(np.concatenate([np.arange(0.25, 6, 0.25), np.arange(6, 20, 0.5), np.arange(20, 101, 5)]), 2)
FEWEST = 7  # days before which nothing is usual yet
WEEK = 7.0  # days


@dataclass(frozen=True)
class AlarmSpec:
    """memory: days that tell what is usual. slack, limit: in standard deviations of a day. rest: days."""

    memory: int = 28
    slack: float = 0.5
    limit: float = 4.0
    rest: int = 3

    def __post_init__(self):
        if self.memory < FEWEST or self.slack < 0 or self.limit <= 0 or self.rest < 0:
            raise ValueError(
                f"memory must be at least {FEWEST} days, slack and rest at least 0, limit above 0: got {self}"
            )


class AlarmState(NamedTuple):
    """past: counts of the last days, capped. total: S. silent: days of rest that are left."""

    past: tuple[float, ...] = ()
    total: float = 0.0
    silent: int = 0


NEW = AlarmState()


def step(state: AlarmState, count: float, spec: AlarmSpec) -> tuple[AlarmState, bool]:
    """The state after one day, and whether the alarm is raised.

    Args:
        count: of the day, at least 0.
    """
    past = state.past
    if len(past) < FEWEST:
        return AlarmState((*past, float(count)), 0.0, 0), False
    mean = sum(past) / len(past)
    variance = sum((value - mean) ** 2 for value in past) / (len(past) - 1)
    spread = max(variance, mean, 0.25) ** 0.5  # a firm that nobody wrote of for a month has no variance
    kept = (*past, min(float(count), mean + 3 * spread))[-spec.memory :]
    total = max(0.0, state.total + (count - mean) / spread - spec.slack)
    if state.silent:
        return AlarmState(kept, 0.0, state.silent - 1), False
    if total > spec.limit:
        return AlarmState(kept, 0.0, spec.rest), True
    return AlarmState(kept, total, 0), False


def alarms(counts: Sequence[float], spec: AlarmSpec, state: AlarmState = NEW) -> np.ndarray:
    """[T] bool: the days on which the alarm is raised.

    Example:
        >>> alarms([1, 2, 1, 2, 1, 2, 1, 2, 9, 9], AlarmSpec(limit=3)).nonzero()[0]
        array([8])
    """
    raised = np.zeros(len(counts), dtype=bool)
    for day, count in enumerate(counts):
        state, raised[day] = step(state, count, spec)
    return raised


def states(counts: Sequence[float], spec: AlarmSpec) -> list[AlarmState]:
    """T states: before each day."""
    found = [NEW]
    for count in counts[:-1]:
        found.append(step(found[-1], count, spec)[0])
    return found


def calibrated(counts: np.ndarray, first: int, last: int, a_week: float, spec: AlarmSpec) -> AlarmSpec:
    """The lowest limit that raises at most so many alarms a week, over all firms, from day `first` to `last`.

    Args:
        counts: [T, F]; days before `first` only tell what is usual.
        a_week: alarms of all firms together, above 0. What is raised in that time counts as false.

    Raises:
        ValueError: no day to calibrate on, a_week not above 0.
    """
    if not 0 <= first < last <= len(counts) or a_week <= 0:
        raise ValueError(f"no days from {first} to {last} of {len(counts)}, or {a_week} alarms a week")
    for limit in LIMITS:
        tried = replace(spec, limit=float(limit))
        raised = sum(alarms(column[:last], tried)[first:].sum() for column in counts.T)
        if raised * WEEK / (last - first) <= a_week:
            return tried
    return tried


def per_week(raised: int, days: int) -> tuple[float, float, float]:
    """Alarms a week with the exact 95 % interval of a Poisson count: rate, low, high.

    Raises:
        ValueError: no day.
    """
    if days < 1:
        raise ValueError("a rate needs at least one day")
    low = stats.chi2.ppf(0.025, 2 * raised) / 2 if raised else 0.0
    high = stats.chi2.ppf(0.975, 2 * raised + 2) / 2
    weeks = days / WEEK
    return raised / weeks, float(low / weeks), float(high / weeks)
