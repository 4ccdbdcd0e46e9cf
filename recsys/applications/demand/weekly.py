"""Weekly demand: pieces of each product (or sales of each store) in whole weeks, from any log or table.

What a shop records is sales: where the shelf was empty, demand is censored, and nothing here can tell.
Returns are not subtracted (at its time the sale was demand); lines without a customer are not in the logs.

P: products. W: weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.families import SECTORS
from recsys.data.load import load_dataset
from recsys.data.sectors.tables import load_tables


class DemandError(ValueError):
    """A data set, a method or a number of weeks that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class WeeklyDemand:
    """name: of the data set. sales: [P, W] float64, ≥ 0. weeks: [W] Mondays, without gaps.

    titles: P strings, or None where series have no words. holiday: [W] whether the week holds a holiday that
    was known in advance.
    """

    name: str
    sales: np.ndarray
    weeks: pd.DatetimeIndex
    titles: list[str] | None
    holiday: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """[P] the first week with a sale; W where there is none."""
        sold = self.sales > 0
        return np.where(sold.any(axis=1), sold.argmax(axis=1), self.sales.shape[1])

    @property
    def n_weeks(self) -> int:
        return self.sales.shape[1]


def weekly_demand(name: str, products: int = 0, seed: int = 0) -> WeeklyDemand:
    """Weekly demand of a data set by name.

    Args:
        name: a log of purchases with times ("online_retail", "demo_store"), or a table of weekly sales
            ("walmart_weekly").
        products: at most so many, spread evenly over the catalogue whatever they sell; 0 takes all.
        seed: of the demo store.

    Raises:
        RegistryError, DataUnavailable: as the loaders. DemandError: a log without times or purchases.

    Example:
        >>> weekly_demand("demo_store").sales.shape
    """
    if name != sources.DEMO_STORE and sources.get(name).family in SECTORS:
        whole = _from_table(name)
    else:
        whole = _from_log(name, seed)
    if not products or products >= len(whole.sales):
        return whole
    kept = np.linspace(0, len(whole.sales) - 1, products).astype(int)
    titles = None if whole.titles is None else [whole.titles[row] for row in kept]
    return WeeklyDemand(name, whole.sales[kept], whole.weeks, titles, whole.holiday)


def _from_table(name: str) -> WeeklyDemand:
    table = load_tables(name, "weekly_sales")["sales"]
    weeks = pd.date_range(table["week"].min(), table["week"].max(), freq="7D")
    wide = table.pivot(index="series", columns="week", values="sales").reindex(columns=weeks)
    holiday = table.groupby("week")["holiday"].any().reindex(weeks, fill_value=False)
    return WeeklyDemand(name, wide.fillna(0.0).to_numpy(float), weeks, None, holiday.to_numpy(bool))


def _from_log(name: str, seed: int) -> WeeklyDemand:
    dataset = load_dataset(name, seed=seed)
    if not dataset.has_times:
        raise DemandError(
            f"{name} has no times, and weekly demand needs them: take online_retail or demo_store"
        )
    bought = dataset.events[dataset.events["kind"] == "purchase"]
    if bought.empty:
        raise DemandError(f"{name} has no purchase to count")
    day = bought["time"].dt.normalize()
    monday = day - pd.to_timedelta(day.dt.dayofweek, "D")
    weeks = _whole_weeks(day, monday)
    # a purchase whose number is not known is one piece: a blank would make the product's whole sum a blank
    pieces = bought["quantity"].fillna(1).to_numpy(float) if "quantity" in bought else np.ones(len(bought))
    place = ((monday - weeks[0]).dt.days // 7).to_numpy()
    inside = (place >= 0) & (place < len(weeks))
    sales = np.zeros((dataset.n_items, len(weeks)))
    np.add.at(sales, (bought["item"].to_numpy()[inside], place[inside]), pieces[inside])
    words = dataset.items["title"].fillna("").astype(str).tolist() if "title" in dataset.items else None
    sold = np.flatnonzero(sales.sum(axis=1) > 0)
    titles = None if words is None else [words[row] for row in sold]
    return WeeklyDemand(name, sales[sold], weeks, titles, np.zeros(len(weeks), dtype=bool))


def _whole_weeks(day: pd.Series, monday: pd.Series) -> pd.DatetimeIndex:
    """Mondays of the weeks that the log covers from Monday to Sunday."""
    first, last = monday.min(), monday.max()
    weeks = pd.date_range(first, last, freq="7D")
    weeks = weeks[1:] if day.min() > first else weeks
    weeks = weeks[:-1] if day.max() < last + pd.Timedelta(days=6) else weeks
    if not len(weeks):
        raise DemandError("the log covers no whole week from Monday to Sunday")
    return weeks
