"""Figures of search: examination by position, quality by α, off-policy estimates, words that decide."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from recsys.plots.style import interval_sides, literal, panels


def plot_examination(curves: pd.DataFrame) -> Axes:
    """How often users examine each position, relative to the first.

    Args:
        curves: index position (from 0); columns "corrected", "naive", and "truth" where it is known.
    """
    (ax,) = panels(1, width=6, height=3.4)
    long = (
        curves.rename_axis("position")
        .reset_index()
        .melt("position", var_name="curve", value_name="looked at")
    )
    long["position"] += 1
    sns.lineplot(long, x="position", y="looked at", hue="curve", style="curve", markers=True, ax=ax)
    ax.set(xlabel="position on the result list", ylabel="looked at, first = 1", ylim=(0, None))
    ax.legend(title=None)
    return ax


def plot_surface(surface: pd.DataFrame) -> Axes:
    """NDCG on validation lists against α, the weight of the match, one line per normalisation.

    Args:
        surface: from `recsys.search.ranking.alpha_surface`.
    """
    (ax,) = panels(1, width=6, height=3.4)
    sns.lineplot(
        surface, x="alpha", y="ndcg", hue="normalisation", style="normalisation", markers=True, ax=ax
    )
    ax.axhline(surface["random"].iloc[0], color="0.5", linestyle=":", label="random order")
    ax.set(xlabel="α: share of the match s; 1 − α: of the feedback f", ylabel="NDCG@10, validation")
    ax.legend(title=None)
    return ax


def plot_policy_values(table: pd.DataFrame, known: float) -> Axes:
    """Estimates of a policy's value with their 95 % intervals, and the known value.

    Args:
        table: columns method, value, low, high.
        known: the true value, or the mean of the policy's own log.
    """
    (ax,) = panels(1, width=6, height=1.2 + 0.4 * len(table))
    ax.errorbar(table["value"], table["method"], xerr=interval_sides(table, "value"), fmt="o", capsize=3)
    ax.axvline(known, color="0.4", linestyle="--", label="known")
    ax.set(xlabel="clicks per impression", ylabel="")
    ax.invert_yaxis()
    ax.legend()
    return ax


def plot_waits(waits: dict[str, pd.DataFrame]) -> list[Axes]:
    """Share of answers that take at most so long: one panel for each state of the caches.

    Args:
        waits: name of a panel -> seconds, a row a query and a column a search.
    """
    axes = panels(len(waits), width=5.0, height=3.4)
    for ax, (name, table) in zip(axes, waits.items(), strict=True):
        long = (1e3 * table).melt(var_name="search", value_name="ms")
        sns.ecdfplot(long, x="ms", hue="search", ax=ax)
        ax.axhline(0.99, color="0.5", linestyle=":")
        ax.set(
            xscale="log",
            xlabel="milliseconds from query to ten products",
            ylabel="share of queries",
            title=name,
        )
        ax.xaxis.set_major_formatter(ScalarFormatter())
    return axes


def plot_word_shares(shares: dict[str, pd.DataFrame]) -> Axes:
    """What each word adds to the cosine of query and title: a bar a method.

    Args:
        shares: method -> columns word and share, the same words in the same order.
    """
    words = next(iter(shares.values()))["word"]
    (ax,) = panels(1, width=6, height=1.2 + 0.4 * len(words))
    table = pd.DataFrame({method: own["share"].to_numpy() for method, own in shares.items()})
    # by place: a word may stand in a title twice
    long = table.rename_axis("place").reset_index().melt("place", var_name="method", value_name="share")
    sns.barplot(long, x="share", y="place", hue="method", orient="h", ax=ax)
    ax.set_yticks(range(len(words)), [literal(word) for word in words])
    ax.axvline(0, color="0.4")
    ax.set(xlabel="share of the cosine; right of 0: raises it", ylabel="")
    ax.legend(title=None)
    return ax
