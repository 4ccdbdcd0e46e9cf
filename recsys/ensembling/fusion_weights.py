"""Searches for fusion weights on validation: simplex grid, random points, or coordinate search.

All three call one `measure` (higher is better) and log each call with its seconds, so that comparisons can
give every method the same budget.

S: scorers.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import checked_weights

Measure = Callable[[np.ndarray], float]  # [S] weights on the simplex -> quality on validation
COORDINATE_STEPS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # a weight relative to the others' sum


@dataclass(frozen=True)
class ChosenWeights:
    """Result of a search. weights: [S], sum 1. value: of `measure`. trials: w0 …, value, seconds per call."""

    weights: np.ndarray
    value: float
    trials: pd.DataFrame


def simplex_grid(scorers: int, steps: int) -> Iterator[np.ndarray]:
    """Every [S] vector of multiples of 1/steps that sums to one; C(steps + S − 1, S − 1) of them.

    Raises:
        EnsembleError: fewer than one scorer or step.

    Example:
        >>> [weights.tolist() for weights in simplex_grid(scorers=2, steps=2)]
        [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    if scorers < 1 or steps < 1:
        raise EnsembleError(f"a grid needs at least one scorer and one step, got {scorers} and {steps}")
    for bars in itertools.combinations(range(steps + scorers - 1), scorers - 1):
        edges = (-1, *bars, steps + scorers - 1)
        yield (np.diff(edges) - 1) / steps


def grid_search(measure: Measure, scorers: int, steps: int = 10, limit: int = 5_000) -> ChosenWeights:
    """The best point of `simplex_grid`; of ties the one with the fewest scorers, then the first.

    Raises:
        EnsembleError: the grid has more than `limit` points.
    """
    size = math.comb(steps + scorers - 1, scorers - 1) if min(scorers, steps) > 0 else 0
    if size > limit:
        raise EnsembleError(
            f"a grid of {steps} steps over {scorers} scorers has {size} points, more than {limit}: "
            "take fewer steps, coordinate_search or random_search"
        )
    log = _Log(measure)
    for weights in sorted(simplex_grid(scorers, steps), key=np.count_nonzero):
        log.try_(weights)
    return log.chosen()


def random_search(measure: Measure, scorers: int, trials: int, seed: int = 0) -> ChosenWeights:
    """The best of: each scorer alone, equal weights, and uniform random points of the simplex.

    `trials` points in all.

    Raises:
        EnsembleError: fewer trials than the S + 1 fixed points.
    """
    fixed = [*np.eye(scorers), np.full(scorers, 1 / scorers)]
    if trials < len(fixed):
        raise EnsembleError(f"random search over {scorers} scorers needs at least {len(fixed)} trials")
    drawn = np.random.default_rng(seed).dirichlet(np.ones(scorers), trials - len(fixed))
    log = _Log(measure)
    for weights in [*fixed, *drawn]:
        log.try_(weights)
    return log.chosen()


def coordinate_search(
    measure: Measure,
    scorers: int,
    start: Sequence[float] | None = None,
    steps: Sequence[float] = COORDINATE_STEPS,
    rounds: int = 3,
    least_gain: float = 0.0,
    limit: int = 1_000,
) -> ChosenWeights:
    """Coordinate search: one weight at a time is set to 0 or to each of `steps` times the sum of the others.

    Args:
        measure: [S] weights -> quality, higher is better.
        scorers: S.
        start: [S]; None: the best single scorer, which costs S calls.
        steps: values relative to the others' sum, each > 0.
        rounds: most passes over the weights; ends after a pass without a change.
        least_gain: smallest improvement that is accepted.
        limit: most calls of `measure`.

    Raises:
        EnsembleError: an invalid start, steps that are not above 0, or a limit below S.
    """
    if min(steps, default=0) <= 0:
        raise EnsembleError(f"steps must be above 0, got {list(steps)}")
    if limit < max(scorers, 1):
        raise EnsembleError(f"coordinate search over {scorers} scorers needs a limit of at least {scorers}")
    log = _Log(measure)
    if start is None:
        for weights in np.eye(scorers):
            log.try_(weights)
    else:
        log.try_(checked_weights(start, scorers))
    best = log.chosen()
    for _ in range(rounds):
        before = best.value
        for one in range(scorers):
            for step in (0.0, *steps):
                weights = best.weights.copy()
                weights[one] = 0
                if not weights.sum() > 0 or log.calls >= limit:
                    continue
                weights[one] = step * weights.sum()
                log.try_(weights / weights.sum())
            found = log.chosen()
            if found.value > best.value + least_gain:
                best = found
        if not best.value > before:
            break
    return ChosenWeights(best.weights, best.value, log.table())


class _Log:
    """Calls a measure and caches the results, so that no point is measured twice."""

    def __init__(self, measure: Measure):
        self.measure, self.rows = measure, {}

    @property
    def calls(self) -> int:
        return len(self.rows)

    def try_(self, weights: np.ndarray) -> None:
        key = tuple(np.round(weights, 12).tolist())
        if key in self.rows:
            return
        start = time.perf_counter()
        value = float(self.measure(np.asarray(weights, dtype=float)))
        if math.isnan(value):
            raise EnsembleError(f"the measure of weights {list(key)} is NaN: nothing can be chosen by it")
        self.rows[key] = (value, time.perf_counter() - start)

    def chosen(self) -> ChosenWeights:
        weights = max(self.rows, key=lambda key: self.rows[key][0])  # of ties the first
        return ChosenWeights(np.array(weights), self.rows[weights][0], self.table())

    def table(self) -> pd.DataFrame:
        rows = [
            {**{f"w{i}": w for i, w in enumerate(key)}, "value": value, "seconds": seconds}
            for key, (value, seconds) in self.rows.items()
        ]
        return pd.DataFrame(rows)
