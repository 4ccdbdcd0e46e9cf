"""Forecasts without training: nothing, the same season, a moving average, Croston's for intermittent demand.

Their quantiles come from what they missed: residuals of the last `CALIBRATION` origins before `until`, in
units of each product's level, pooled over products and weighted by level. Croston's method is Syntetos &
Boylan's unbiased form (2005, International Journal of Forecasting 21): size and interval of the sales, each
smoothed by α at weeks with a sale, forecast (1 − α/2) · size / interval. It is written here because the
packages that have it are heavier than the whole room and loop over products; this is one pass over weeks.

P: products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from recsys.applications.demand.features import RECENT, known_at
from recsys.applications.demand.forecaster import Common, Entry, Forecast
from recsys.applications.demand.weekly import WeeklyDemand

CALIBRATION = 8
Rule = Callable[[np.ndarray, int], np.ndarray]  # [P, known weeks], horizon -> [P] sum of the next weeks


def nothing(past: np.ndarray, horizon: int) -> np.ndarray:
    """Zero, the trivial row: of products that rarely sell a median is zero, and WAPE is 1."""
    return np.zeros(len(past))


def seasonal_naive(past: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The weeks one season ago again; where the history is shorter, the last week for each."""
    weeks = past.shape[1]
    season = season if season <= weeks else 1
    columns = [weeks - season + step % season for step in range(horizon)]
    return past[:, columns].sum(axis=1)


def moving_average(past: np.ndarray, horizon: int, window: int) -> np.ndarray:
    """horizon · mean of the last weeks since the product's first sale."""
    sold = past > 0
    age = np.where(sold.any(axis=1), past.shape[1] - sold.argmax(axis=1), 1)
    return horizon * past[:, -window:].sum(axis=1) / np.minimum(age, window)


def croston(past: np.ndarray, horizon: int, alpha: float) -> np.ndarray:
    """Syntetos & Boylan's form; 0 for a product without a sale.

    The first size and the first interval are those observed; of a product that sold in one week only the
    interval is the time since.
    """
    size, interval = np.zeros(len(past)), np.zeros(len(past))
    since, sales = np.zeros(len(past)), np.zeros(len(past), dtype=int)
    for week in past.T:
        sold = week > 0
        since += sales > 0
        size = np.where(sold, np.where(sales == 0, week, size + alpha * (week - size)), size)
        smoothed = np.where(sales == 1, since, interval + alpha * (since - interval))
        interval = np.where(sold & (sales > 0), smoothed, interval)
        since = np.where(sold, 0.0, since)
        sales += sold
    interval = np.where(sales > 1, interval, np.maximum(since, 1.0))
    return horizon * (1 - alpha / 2) * size / interval


class Simple:
    """A rule, with quantiles from its own residuals."""

    def __init__(self, rule: Rule, levels: tuple[float, ...]):
        self.rule, self.levels = rule, levels

    def fit(self, demand: WeeklyDemand, until: int, horizon: int) -> Simple:
        self.horizon = horizon
        residuals, weights = [np.zeros(1)], [np.ones(1)]
        for origin in range(max(2, until - horizon - CALIBRATION + 1), until - horizon + 1):
            known = known_at(demand, origin, horizon)
            total = demand.sales[:, origin : origin + horizon].sum(axis=1)
            miss = (total - self.rule(demand.sales[:, :origin], horizon)) / known.scale
            residuals.append(miss[known.active])
            weights.append(known.scale[known.active])
        self.shift = _weighted_quantiles(np.concatenate(residuals), np.concatenate(weights), self.levels)
        return self

    def forecast(self, demand: WeeklyDemand, origin: int) -> Forecast:
        past = demand.sales[:, :origin]
        known = known_at(demand, origin, self.horizon)
        point = np.where(known.active, self.rule(past, self.horizon), 0.0)
        quantiles = np.clip(point[:, None] + known.scale[:, None] * self.shift, 0, None)
        return Forecast(known.active, point, np.where(known.active[:, None], quantiles, 0.0))


def _weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """The smallest values below which so much of the weight lies; not falling along the levels."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.minimum(np.searchsorted(share, levels), len(values) - 1)]


def _entry(rule: Callable[..., np.ndarray], *settings: dict) -> Entry:
    def make(common: Common, setting) -> Simple:
        return Simple(partial(rule, **setting), common.levels)

    return Entry(make, settings or ({},))


NOTHING = _entry(nothing)
SEASONAL_NAIVE = _entry(seasonal_naive, {"season": 1}, {"season": 4}, {"season": 52})
MOVING_AVERAGE = _entry(moving_average, {"window": 4}, {"window": 8}, {"window": RECENT})
CROSTON = _entry(croston, {"alpha": 0.05}, {"alpha": 0.1}, {"alpha": 0.2})
