"""Drift over the year: sales, seasonal categories, and which items are in demand."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.ticker import MaxNLocator, PercentFormatter

from recsys.data.tables import Dataset
from recsys.plots.style import panels

SHOWN_CATEGORIES = 4


def demand(dataset: Dataset) -> pd.DataFrame:
    """The events that show demand: clicks where they are logged (there are more of them), else purchases."""
    kind = "click" if (dataset.events["kind"] == "click").any() else "purchase"
    return dataset.events[dataset.events["kind"] == kind]


def monthly_similarity(events: pd.DataFrame, n_items: int, seed: int = 0) -> pd.DataFrame:
    """Similarity of demand between months: cosine of their item counts, [months, months].

    Each month is divided at random into halves; rows use one half, columns the other. So the diagonal shows
    the similarity of two samples of the *same* month, and only values below it show change.

    Args:
        events: columns item and time; months with fewer than 200 events are left out, as too noisy.
        n_items: M.
        seed: of the division.
    """
    month = events["time"].dt.to_period("M")
    full = month.value_counts().loc[lambda count: count >= 200].index.sort_values()
    half = np.random.default_rng(seed).integers(0, 2, len(events))
    row = pd.Index(full).get_indexer(month)
    counts = np.zeros((2, len(full), n_items))
    kept = row >= 0
    np.add.at(counts, (half[kept], row[kept], events["item"].to_numpy()[kept]), 1)
    unit = counts / np.linalg.norm(counts, axis=2, keepdims=True)
    names = full.strftime("%b %y")
    return pd.DataFrame(unit[0] @ unit[1].T, index=names, columns=names)


def seasonal_categories(dataset: Dataset, shown: int = SHOWN_CATEGORIES) -> pd.DataFrame:
    """Monthly share of demand of the categories whose share varies most over the year.

    Returns:
        month (Timestamp), category (second level of the path), share in [0, 1]. Empty without categories.
    """
    if "category" not in dataset.items:
        return pd.DataFrame(columns=["month", "category", "share"])
    events = demand(dataset)
    path = dataset.items["category"].str.split(" > ").str[:2].str[-1]
    counts = pd.crosstab(
        events["time"].dt.to_period("M").dt.to_timestamp().rename("month"),
        path.reindex(events["item"]).to_numpy(),
        normalize="index",
    )
    varied = (counts.std() / np.sqrt(counts.mean())).nlargest(shown).index
    return counts[varied].melt(var_name="category", value_name="share", ignore_index=False).reset_index()


def plot_drift(shops: Mapping[str, Dataset]) -> list[Axes]:
    """A row of panels for the last shop that has times: weekly sales, categories, month against month."""
    timed = [(name, data) for name, data in shops.items() if data.has_times]
    if not timed:
        print("This data set gives only the order of events: drift and season can't be seen in it.")
        return []
    name, data = timed[-1]
    categories = seasonal_categories(data)
    axes = panels(2 + (not categories.empty), width=4.4)
    _plot_weekly_sales(data, axes[0])
    axes[0].set_title(f"{name}: sales by week")
    if not categories.empty:
        _plot_categories(categories, axes[1])
    similarity = monthly_similarity(demand(data), data.n_items)
    sns.heatmap(
        similarity, cmap="mako", square=True, ax=axes[-1], cbar_kws={"label": "cosine of item counts"}
    )
    axes[-1].set_title("Is the same in demand?")
    axes[-1].set(xlabel="month (one half)", ylabel="month (other half)")
    axes[-1].grid(visible=False)
    return axes


def _plot_weekly_sales(data: Dataset, ax: Axes) -> None:
    bought = data.events[data.events["kind"] == "purchase"]
    weekly = bought.set_index("time").resample("W")["item"].size().iloc[1:-1]  # without partial weeks
    ax.plot(weekly.index, weekly, color="0.7", linewidth=1.2, label="week")
    smooth = weekly.rolling(5, center=True, min_periods=3).mean()
    ax.plot(smooth.index, smooth, label="mean of five weeks")
    ax.set(ylabel="purchases a week", ylim=(0, None))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend()


def _plot_categories(categories: pd.DataFrame, ax: Axes) -> None:
    sns.lineplot(categories, x="month", y="share", hue="category", style="category", markers=True, ax=ax)
    ax.set(xlabel=None, ylabel="share of the month's demand", ylim=(0, categories["share"].max() * 1.45))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.legend(title=None, ncols=2, loc="upper center", fontsize=9)
    ax.set_title("Categories have seasons")
