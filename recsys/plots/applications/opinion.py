"""Figures of opinion monitoring: firms over time with their alarms, and how planted surges are noticed."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, panels


def plot_firms(firms: pd.DataFrame, most: int = 6) -> list[Axes]:
    """What was taken for bad news each day, a panel a firm, with alarms as marks; shaded: the test period.

    Args:
        firms: columns day, firm, count, alarm, part ("before" or "test").
        most: firms that are drawn. Without rows nothing is.
    """
    if firms.empty:
        return []
    names = firms["firm"].unique()[:most]
    axes = panels(len(names), width=4.6 if len(names) > 1 else 9, height=2.8, sharey=False)
    for ax, name in zip(axes, names, strict=True):
        rows = firms[firms["firm"] == name]
        ax.plot(rows["day"], rows["count"], color=COLOURS[7], linewidth=0.8)
        week = rows.rolling("7D", on="day")["count"].mean()
        ax.plot(rows["day"], week, color=COLOURS[0], label="mean of 7 days")
        raised = rows[rows["alarm"]]
        ax.plot(raised["day"], raised["count"], "v", color=COLOURS[3], label="alarm")
        test = rows[rows["part"] == "test"]["day"]
        ax.axvspan(test.min(), test.max(), color="0.92", zorder=0)
        ax.set(title=name, xlabel="", ylabel="bad news a day")
        ax.tick_params(axis="x", rotation=45)
    axes[0].legend()
    return axes


def plot_surges(table: pd.DataFrame) -> list[Axes]:
    """Surges noticed, and how late, by their size; size 1 is no surge.

    Args:
        table: columns by, size, caught, "median delay, days". Without rows nothing is drawn.
    """
    if table.empty:
        return []
    axes = panels(2, width=4.6, height=3.2)
    for ax, column, label in zip(
        axes, ("caught", "median delay, days"), ("noticed, share", "days to the alarm, median"), strict=True
    ):
        sns.lineplot(table, x="size", y=column, hue="by", style="by", markers=True, dashes=False, ax=ax)
        ax.set(xlabel="bad news times", ylabel=label, ylim=(0, None))
        ax.legend(title=None)
    return axes
