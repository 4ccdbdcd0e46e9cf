"""Figures of demand and stock: what was forecast by week, and service against stock."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, panels


def plot_weeks(weekly: pd.DataFrame) -> Axes:
    """Pieces of all products by week: asked for, and each method's forecast of the Monday before.

    Args:
        weekly: columns week, actual, and one a method.
    """
    (axes,) = panels(1, width=9, height=3.6)
    methods = [name for name in weekly if name not in ("week", "actual", "nothing")]
    long = weekly.melt("week", methods, var_name="method", value_name="pieces")
    sns.lineplot(long, x="week", y="pieces", hue="method", style="method", ax=axes)
    axes.plot(weekly["week"], weekly["actual"], color="0.2", linewidth=3, label="asked for")
    axes.set(xlabel="", ylabel="pieces a week, all products", ylim=(0, None))
    axes.legend(title=None, ncols=2)
    return axes


def plot_service(curve: pd.DataFrame) -> Axes:
    """Share of demand served at once against the stock held, a line a method, a point a target level.

    A line further up and to the left serves more with less.

    Args:
        curve: columns method, level, fill_rate (0 to 1), weeks_held (weeks of mean demand).
    """
    (axes,) = panels(1, width=7, height=4.2)
    markers = dict.fromkeys(curve["method"].unique())
    sns.lineplot(
        curve,
        x="weeks_held",
        y="fill_rate",
        hue="method",
        style="method",
        style_order=list(markers),
        markers=True,
        dashes=False,
        sort=False,
        ax=axes,
    )
    axes.set(xlabel="stock held, in weeks of demand", ylabel="share of demand served at once")
    axes.legend(title=None)
    return axes


def plot_errors(errors: pd.DataFrame, metric: str = "wape") -> Axes:
    """One error of every method, the smallest first.

    Args:
        errors: columns method and the metric.
    """
    (axes,) = panels(1, width=6, height=1.2 + 0.35 * len(errors))
    sns.barplot(errors.sort_values(metric), x=metric, y="method", color=COLOURS[0], ax=axes)
    axes.set(ylabel="", xlabel=f"{metric} of one week ahead (lower is better)")
    return axes
