"""Figures of other shops and other sectors: differences with intervals, quality by history."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.metrics.significance import mean_with_interval
from recsys.plots.style import COLOURS, panels


def plot_differences(lists: pd.DataFrame) -> Axes:
    """Mean of every column of differences with its 95 % interval over units.

    Args:
        lists: a row a unit, columns named "...:difference".
    """
    names = [name for name in lists if name.endswith(":difference")]
    (axes,) = panels(1, width=7, height=1.2 + 0.45 * len(names))
    for place, name in enumerate(names):
        found = mean_with_interval(lists[name])
        error = [[found.mean - found.low], [found.high - found.mean]]
        axes.errorbar(found.mean, place, xerr=error, fmt="o", capsize=3, color=COLOURS[place % len(COLOURS)])
    axes.set_yticks(
        range(len(names)), [name.removesuffix(":difference").replace("_", " − ", 1) for name in names]
    )
    axes.axvline(0, color="0.4", linestyle="--")
    axes.invert_yaxis()
    axes.set(xlabel="difference of NDCG@10, 95 % interval over units", ylabel="")
    return axes


def plot_by_history(by_history: pd.DataFrame) -> Axes:
    """NDCG@10 of every method by how many items the source shop knows of a user.

    Args:
        by_history: columns "source items", users, and one a method.
    """
    (axes,) = panels(1, width=6.5, height=3.6)
    long = by_history.drop(columns="users").melt("source items", var_name="method", value_name="NDCG@10")
    sns.barplot(long, x="source items", y="NDCG@10", hue="method", ax=axes)
    axes.set(xlabel="items of the user in the source shop")
    axes.legend(title=None)
    return axes
