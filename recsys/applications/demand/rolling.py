"""Forecasts by rolling origin: each week is forecast on its Monday from the weeks before it, and then told.

O: origins. P: products. K: quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.applications.demand.forecaster import FORECASTERS, Common, Entry, Forecaster
from recsys.applications.demand.weekly import DemandError, WeeklyDemand


@dataclass(frozen=True)
class Periods:
    """validation, test: week numbers at which forecasts begin. refit_every: weeks between two fits."""

    validation: tuple[int, ...]
    test: tuple[int, ...]
    refit_every: int


@dataclass(frozen=True)
class Rolled:
    """origins: [O]. active: [O, P]. actual: [O, P] sum of the horizon's weeks; NaN where it runs beyond the
    data. point: [O, P]. quantiles: [O, P, K]."""

    origins: np.ndarray
    active: np.ndarray
    actual: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray


@dataclass(frozen=True)
class Chosen:
    """setting: number of the method's setting that validation chose. validation_wape: of every setting."""

    setting: int
    validation_wape: tuple[float, ...]


def periods(demand: WeeklyDemand, weeks: int, refit_every: int) -> Periods:
    """The last `weeks` weeks are the test, the `weeks` before them validation.

    Raises:
        DemandError: less than twelve weeks would be left to learn from.
    """
    test_from = demand.n_weeks - weeks
    if weeks < 2 or test_from - weeks < 12:
        raise DemandError(
            f"{demand.name} has {demand.n_weeks} whole weeks: twice {weeks} of them for validation and test "
            "leave less than 12 to learn from"
        )
    validation = tuple(range(test_from - weeks, test_from))
    return Periods(validation, tuple(range(test_from, demand.n_weeks)), refit_every)


def roll(
    make: Callable[[], Forecaster],
    demand: WeeklyDemand,
    origins: Sequence[int],
    horizon: int,
    refit_every: int,
) -> Rolled:
    """Forecasts of `horizon` weeks at every origin, the method fitted anew every few weeks."""
    forecasts, fitted = [], None
    for number, origin in enumerate(origins):
        if number % refit_every == 0:
            fitted = make().fit(demand, origin, horizon)
        forecasts.append(fitted.forecast(demand, origin))
    actual = [
        demand.sales[:, origin : origin + horizon].sum(axis=1)
        if origin + horizon <= demand.n_weeks
        else np.full(len(demand.sales), np.nan)
        for origin in origins
    ]
    return Rolled(
        np.asarray(origins),
        np.array([one.active for one in forecasts]),
        np.array(actual),
        np.array([one.point for one in forecasts]),
        np.array([one.quantiles for one in forecasts]),
    )


def wape(rolled: Rolled) -> float:
    """Σ |actual − point| / Σ actual over active products and origins whose outcome is known."""
    known = rolled.active & ~np.isnan(rolled.actual)
    total = rolled.actual[known].sum()
    return float(np.abs(rolled.actual - rolled.point)[known].sum() / max(total, 1e-9))


def choose(name: str, demand: WeeklyDemand, when: Periods, common: Common) -> tuple[Entry, Chosen]:
    """The setting of a method whose forecasts of the next week have the least WAPE on validation.

    Every method has at most the same number of settings; one fit of each, on the weeks before validation.

    Raises:
        RegistryError: no such method. DemandError: it reads titles, and there are none.
    """
    entry: Entry = FORECASTERS.load(name)
    if entry.needs_text and common.text is None:
        raise DemandError(f"{name} reads titles, and {demand.name} has none: take it out of `methods`")
    if len(entry.settings) == 1:
        return entry, Chosen(0, ())
    tried = replace(common, levels=common.levels[:1]) if entry.levels_apart else common
    found = []
    for setting in entry.settings:
        rolled = roll(
            lambda setting=setting: entry.make(tried, setting),
            demand,
            when.validation,
            1,
            len(when.validation),
        )
        found.append(wape(rolled))
    return entry, Chosen(int(np.argmin(found)), tuple(found))
