"""The interface of all demand forecasters, and their registry.

A forecaster is fitted on the weeks before `until` and then asked, at an origin not before it, for the sum of
the next `horizon` weeks of every product: a point, and quantiles for the stock. WAPE and absolute errors are
least at the median, so the point of a model that gives quantiles is its median.

P: products. K: quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recsys.applications.demand.features import TitleVectors, known_at
from recsys.applications.demand.weekly import DemandError, WeeklyDemand
from recsys.code.registry import Registry

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of quantiles; the first is the median
TRAIN_ORIGINS = 26  # at most so many weeks, the newest, give training samples
FORECASTERS = Registry(
    "forecaster of demand",
    {
        "nothing": "recsys.applications.demand.simple:NOTHING",
        "seasonal_naive": "recsys.applications.demand.simple:SEASONAL_NAIVE",
        "moving_average": "recsys.applications.demand.simple:MOVING_AVERAGE",
        "croston": "recsys.applications.demand.simple:CROSTON",
        "boosting": "recsys.applications.demand.boosting:BOOSTING",
        "boosting_text": "recsys.applications.demand.boosting:BOOSTING_TEXT",
        "network": "recsys.applications.demand.network:NETWORK",
        "network_text": "recsys.applications.demand.network:NETWORK_TEXT",
    },
)


@dataclass(frozen=True)
class Forecast:
    """active: [P]. point: [P] ≥ 0. quantiles: [P, K] ≥ 0, not falling along K. Products that are not active
    (no sale for twelve weeks, or none yet) are forecast at 0 by every method alike."""

    active: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray


class Forecaster(Protocol):
    """fit: learns from weeks before `until` alone. forecast: reads weeks before `origin` alone."""

    def fit(self, demand: WeeklyDemand, until: int, horizon: int) -> Forecaster: ...

    def forecast(self, demand: WeeklyDemand, origin: int) -> Forecast: ...


@dataclass(frozen=True)
class Common:
    """What all forecasters of a run share. text: of the products' titles, None where there are none."""

    seed: int = 0
    text: TitleVectors | None = None
    max_steps: int = 0
    levels: tuple[float, ...] = LEVELS


@dataclass(frozen=True)
class Entry:
    """make: from what is common and one setting to a forecaster. settings: as many tries as every other
    method has; validation chooses. needs_text: titles are needed. levels_apart: each quantile has a model of
    its own, so that settings can be chosen by the median's alone."""

    make: Callable[[Common, Mapping[str, Any]], Forecaster]
    settings: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: ({},))
    needs_text: bool = False
    levels_apart: bool = True


@dataclass(frozen=True)
class Samples:
    """features: [n, F]. target: [n], in units of the product's level. weight: [n], the level, so that a sum
    of weighted errors is one of pieces."""

    features: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def training_samples(
    demand: WeeklyDemand, until: int, horizon: int, text: TitleVectors | None = None
) -> Samples:
    """All active products at the newest `TRAIN_ORIGINS` origins whose outcome is known at `until`.

    Weights are cut at their 99th percentile: a handful of bulk orders would else be what is learnt.

    Raises:
        DemandError: too few weeks.
    """
    last = until - horizon
    first = max(4, last - TRAIN_ORIGINS + 1)
    if last < first:
        raise DemandError(
            f"{until} weeks are too few to learn a horizon of {horizon}: at least {4 + horizon}"
        )
    features, target, weight = [], [], []
    for origin in range(first, last + 1):
        known = known_at(demand, origin, horizon, text)
        total = demand.sales[:, origin : origin + horizon].sum(axis=1)
        features.append(known.features[known.active])
        target.append((total / known.scale)[known.active])
        weight.append(known.scale[known.active])
    weights = np.concatenate(weight)
    weights = np.minimum(weights, np.quantile(weights, 0.99))
    return Samples(np.concatenate(features), np.concatenate(target), weights / weights.mean())


def as_forecast(active: np.ndarray, scale: np.ndarray, quantiles: np.ndarray) -> Forecast:
    """A model's scaled quantiles [P, K] as pieces, put in order; the median is the point."""
    pieces = np.maximum.accumulate(np.clip(quantiles, 0, None), axis=1) * scale[:, None]
    pieces = np.where(active[:, None], pieces, 0.0)
    return Forecast(active, pieces[:, 0], pieces)
