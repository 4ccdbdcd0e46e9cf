"""What notebook 14_demand_and_stock computes: forecasters' errors, and the stock that follows from them.

Differences are per product, in such units that their mean over products is the difference of the whole: of
WAPE, of pinball loss over demand, of the relative cost of stock. Positive means that the model with titles
(`treatment`) errs or costs less. Its rival is, of seasonal naive and boosting, the one with the lower WAPE on
validation.

P: products. K: quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.demand.features import title_vectors
from recsys.applications.demand.forecaster import Common
from recsys.applications.demand.rolling import Chosen, Rolled, choose, periods, roll, wape
from recsys.applications.demand.stock import Stock, lead_times, simulate
from recsys.applications.demand.weekly import DemandError, WeeklyDemand, weekly_demand

RIVALS = ("seasonal_naive", "boosting")
BESIDE = {
    "average": "moving_average",
    "croston": "croston",
    "boosting_words": "boosting_text",
}  # if asked for
YOUNG = 8  # weeks since the first sale


@dataclass(frozen=True)
class DemandSettings:
    """dataset, products: see `weekly_demand`. methods: names of FORECASTERS. treatment: the one judged.

    test_weeks: of test, and of validation before it. refit_every: weeks. lead: weeks from order to arrival.
    late_share: of orders a week late. ratio: b / (b + h), one of the forecasters' levels. max_steps: of each
    training, 0 is all. seed: of training and of late orders.
    """

    dataset: str = "demo_store"
    methods: str = "nothing seasonal_naive moving_average croston boosting network network_text"
    treatment: str = "network_text"
    backbone: str = "minilm"
    products: int = 0
    test_weeks: int = 8
    refit_every: int = 4
    lead: int = 2
    late_share: float = 0.2
    ratio: float = 0.9
    max_steps: int = 0
    seed: int = 0


@dataclass(frozen=True)
class DemandFound:
    """demand: what was forecast. metrics: of the whole. lists: index "list" (product), columns of
    differences. errors: a row a method. curve: a row a method and level, fill rate and stock. weekly: what
    was asked for and forecast, by week. young: WAPE of products by age."""

    demand: WeeklyDemand
    metrics: dict[str, float]
    lists: pd.DataFrame
    errors: pd.DataFrame
    curve: pd.DataFrame
    weekly: pd.DataFrame
    young: pd.DataFrame


def study(settings: DemandSettings) -> DemandFound:
    """Choose each method's setting on validation, forecast the test weeks, simulate the stock.

    Raises:
        DemandError: a data set too short, methods without both rivals or the treatment, a ratio that is no
            level. RegistryError: no such data set or method.

    Example:
        >>> study(DemandSettings(products=200)).errors
    """
    names = settings.methods.split()
    lacking = [name for name in (*RIVALS, settings.treatment) if name not in names]
    if lacking:
        raise DemandError(f"methods lack {', '.join(lacking)}, which the comparison needs")
    demand = weekly_demand(settings.dataset, settings.products)
    reads = demand.titles is not None and any(name.endswith("_text") for name in names)
    text = title_vectors(demand.titles, settings.backbone) if reads else None
    common = Common(settings.seed, text, settings.max_steps)
    if settings.ratio not in common.levels:
        raise DemandError(f"ratio must be one of the forecast levels {common.levels}, not {settings.ratio}")
    when = periods(demand, settings.test_weeks, settings.refit_every)
    weekly, interval, chosen = {}, {}, {}
    for name in names:
        entry, chosen[name] = choose(name, demand, when, common)
        setting = entry.settings[chosen[name].setting]
        for horizon, kept in ((1, weekly), (settings.lead + 1, interval)):
            kept[name] = roll(
                lambda entry=entry, setting=setting: entry.make(common, setting),
                demand,
                when.test,
                horizon,
                when.refit_every,
            )
    stocks = _stocks(demand, interval, common.levels, settings)
    return _found(demand, settings, common.levels, weekly, interval, chosen, stocks)


def _stocks(
    demand: WeeklyDemand, interval: dict[str, Rolled], levels: tuple[float, ...], settings: DemandSettings
) -> dict[tuple[str, float], Stock]:
    """Of every method and level; all methods meet the same demand and the same late orders."""
    origins = next(iter(interval.values())).origins
    asked = demand.sales[:, origins].T
    lead = lead_times(*asked.shape, settings.lead, settings.late_share, settings.seed)
    return {
        (name, level): simulate(asked, rolled.quantiles[:, :, number], lead)
        for name, rolled in interval.items()
        for number, level in enumerate(levels)
    }


def _found(
    demand: WeeklyDemand,
    settings: DemandSettings,
    levels: tuple[float, ...],
    weekly: dict[str, Rolled],
    interval: dict[str, Rolled],
    chosen: dict[str, Chosen],
    stocks: dict[tuple[str, float], Stock],
) -> DemandFound:
    tried = {name: min(chosen[name].validation_wape) for name in RIVALS}
    rival = min(tried, key=tried.get)
    errors = _errors(weekly, interval, levels, chosen)
    curve = pd.DataFrame(
        [(name, level, one.fill_rate, one.weeks_held) for (name, level), one in stocks.items()],
        columns=["method", "level", "fill_rate", "weeks_held"],
    )
    lists = _lists(weekly, interval, levels, stocks, rival, settings)
    row = errors.set_index("method").loc[settings.treatment]
    own, other = (stocks[name, settings.ratio] for name in (settings.treatment, rival))
    metrics = {name: float(value) for name, value in lists.mean().items()}
    metrics |= {name: float(row[name]) for name in ("wape", "bias", "pinball")}
    metrics |= {
        "wape_rival": float(errors.set_index("method").loc[rival, "wape"]),
        "rival_is_boosting": float(rival == "boosting"),
        "fill_rate": own.fill_rate,
        "fill_rate_rival": other.fill_rate,
        "weeks_held": own.weeks_held,
        "weeks_held_rival": other.weeks_held,
        "products": float(len(lists)),
    }
    return DemandFound(
        demand, metrics, lists, errors, curve, _by_week(demand, weekly), _by_age(demand, weekly)
    )


def _errors(
    weekly: dict[str, Rolled],
    interval: dict[str, Rolled],
    levels: tuple[float, ...],
    chosen: dict[str, Chosen],
) -> pd.DataFrame:
    rows = []
    for name, rolled in weekly.items():
        known = rolled.active & ~np.isnan(rolled.actual)
        total = max(rolled.actual[known].sum(), 1e-9)
        validation = chosen[name].validation_wape
        rows.append(
            {
                "method": name,
                "validation_wape": min(validation) if validation else np.nan,
                "wape": wape(rolled),
                "bias": float((rolled.point - rolled.actual)[known].sum() / total),
                "pinball": float(pinball_by_product(rolled, levels).sum()),
                "wape_interval": wape(interval[name]),
            }
        )
    return pd.DataFrame(rows)


def pinball_by_product(rolled: Rolled, levels: tuple[float, ...]) -> np.ndarray:
    """[P] mean over levels of twice the pinball loss, over the demand of all: sums to the whole's, and at the
    median alone to WAPE."""
    known = rolled.active & ~np.isnan(rolled.actual)
    miss = np.where(known[:, :, None], rolled.actual[:, :, None] - rolled.quantiles, 0.0)
    level = np.asarray(levels)
    loss = 2 * np.maximum(level * miss, (level - 1) * miss).mean(axis=2)
    return loss.sum(axis=0) / max(rolled.actual[known].sum(), 1e-9)


def _absolute_by_product(rolled: Rolled) -> np.ndarray:
    """[P] absolute error over the demand of all products: sums to WAPE."""
    known = rolled.active & ~np.isnan(rolled.actual)
    missed = np.where(known, np.abs(rolled.actual - rolled.point), 0.0).sum(axis=0)
    return missed / max(rolled.actual[known].sum(), 1e-9)


def _lists(
    weekly: dict[str, Rolled],
    interval: dict[str, Rolled],
    levels: tuple[float, ...],
    stocks: dict[tuple[str, float], Stock],
    rival: str,
    settings: DemandSettings,
) -> pd.DataFrame:
    """Index product; each column's mean is the difference of the whole."""
    own = settings.treatment
    rows = np.flatnonzero(weekly[own].active.any(axis=0))
    against = {"rival": rival, "naive": "seasonal_naive", "boosting": "boosting"}
    against |= {label: name for label, name in BESIDE.items() if name in weekly and name != own}
    if own.endswith("_text") and own.removesuffix("_text") in weekly:
        against["words"] = own.removesuffix("_text")
    columns = {}
    cost = {name: stocks[name, settings.ratio].cost(settings.ratio) for name in {own, *against.values()}}
    for label, other in against.items():
        errors = _absolute_by_product(weekly[other]) - _absolute_by_product(weekly[own])
        columns[f"error_{label}:difference"] = errors[rows] * len(rows)
        missed = pinball_by_product(interval[other], levels) - pinball_by_product(interval[own], levels)
        columns[f"pinball_{label}:difference"] = missed[rows] * len(rows)
        saved = (cost[other] - cost[own]) / max(cost[other][rows].sum(), 1e-9)
        columns[f"cost_{label}:difference"] = saved[rows] * len(rows)
    return pd.DataFrame(columns, index=pd.Index(rows, name="list"))


def _by_week(demand: WeeklyDemand, weekly: dict[str, Rolled]) -> pd.DataFrame:
    """Pieces of all active products by week: asked for, and each method's points."""
    first = next(iter(weekly.values()))
    table = pd.DataFrame(
        {"week": demand.weeks[first.origins], "actual": (first.actual * first.active).sum(axis=1)}
    )
    for name, rolled in weekly.items():
        table[name] = rolled.point.sum(axis=1)
    return table


def _by_age(demand: WeeklyDemand, weekly: dict[str, Rolled]) -> pd.DataFrame:
    """WAPE of products first sold within `YOUNG` weeks, when words might replace a past, and of the rest."""
    rows = []
    for name, rolled in weekly.items():
        young = rolled.origins[:, None] - demand.first[None, :] <= YOUNG
        row = {"method": name}
        for label, which in (("young", young), ("old", ~young)):
            known = rolled.active & which & ~np.isnan(rolled.actual)
            missed = np.abs(rolled.actual - rolled.point)[known].sum()
            row[label] = float(missed / rolled.actual[known].sum()) if rolled.actual[known].sum() else np.nan
        rows.append(row)
    return pd.DataFrame(rows)
