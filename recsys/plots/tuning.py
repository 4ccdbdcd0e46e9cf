"""Figures of parameter-efficient tuning: low-rank matrices, ranks, singular values, quality against cost."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from recsys.plots.style import COLOURS, panels

MATRICES_SHOWN = 6


def plot_low_rank(width: int, rank: int) -> Axes:
    """W + B A drawn to scale, with the number of parameters of each matrix.

    Args:
        width: of the square matrix W. rank: r, the columns of B and rows of A.
    """
    (axes,) = panels(1, width=8.5, height=3.4)
    thin, gap = max(rank / width, 0.012), 0.22  # thinner than a hundredth would be invisible
    parts = [
        ("W, frozen", 0.0, 0.0, 1.0, 1.0, "0.8", width * width),
        ("B", 1 + gap, 0.0, thin, 1.0, COLOURS[0], width * rank),
        ("A", 1 + gap + thin + gap / 2, 1 - thin, 1.0, thin, COLOURS[1], width * rank),
    ]
    for name, left, bottom, wide, high, colour, numbers in parts:
        axes.add_patch(Rectangle((left, bottom), wide, high, color=colour))
        axes.text(left + wide / 2, -0.06, f"{name}\n{numbers:,} numbers", ha="center", va="top")
    axes.text(1 + gap / 2, 0.5, "+", ha="center", va="center", fontsize=22)
    share = 2 * rank / width
    axes.set_title(f"r = {rank} of {width}: the update learns {share:.1%} of the numbers of W")
    axes.set(xlim=(-0.05, 2.2 + gap * 1.5), ylim=(-0.35, 1.05), aspect="equal")
    axes.axis("off")
    return axes


def plot_ranks(ranks: pd.DataFrame) -> Axes:
    """The final rank of each matrix.

    Args:
        ranks: from `recsys.encoders.peft.adaptive_rank.ranks_by_matrix`: layer, matrix, rank.
    """
    table = ranks.pivot_table(index="layer", columns="matrix", values="rank")
    (axes,) = panels(1, width=1.6 + 1.3 * table.shape[1], height=1.2 + 0.45 * len(table))
    sns.heatmap(table, annot=True, fmt=".0f", cmap="viridis", vmin=0, cbar_kws={"label": "rank"}, ax=axes)
    axes.set(xlabel="matrix", ylabel="layer", title=f"{ranks['rank'].sum():.0f} ranks in all")
    return axes


def plot_singular_values(change: pd.DataFrame, by_matrix: pd.DataFrame) -> list[Axes]:
    """Share of ‖ΔW‖² in its largest singular values, and relative change of each matrix.

    Args:
        change, by_matrix: of `recsys.encoders.peft.weight_change`.
    """
    left, right = panels(2, height=3.6)
    if change.empty:
        return [left, right]
    change = change.assign(energy=change["value"] ** 2).sort_values(["layer", "matrix", "index"])
    sums = change.groupby(["layer", "matrix"])["energy"]
    change["share"] = sums.cumsum() / sums.transform("sum")
    kinds = change["matrix"].value_counts().index[:MATRICES_SHOWN]
    shown = change[change["matrix"].isin(kinds)]
    sns.lineplot(shown, x="index", y="share", hue="matrix", errorbar=("pi", 100), ax=left)
    left.set(xscale="log", ylim=(0, 1.02), xlabel="singular values, largest first", ylabel="share of ‖ΔW‖²")
    sns.lineplot(
        by_matrix[by_matrix["matrix"].isin(kinds)], x="layer", y="moved", hue="matrix", marker="o", ax=right
    )
    right.set(ylabel="‖ΔW‖ / ‖W‖", ylim=(0, None))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    return [left, right]


def plot_spread(frame: pd.DataFrame) -> list[Axes]:
    """Effective rank of ΔW and its relative size, layer by layer: means over runs, bands over their range.

    Args:
        frame: rows of `recsys.encoders.peft.weight_change.change_by_matrix` of several runs, and their
            method.
    """
    drawn = panels(2, height=3.6)
    if frame.empty:
        return list(drawn)
    labels = {"effective_rank": "effective rank of ΔW", "moved": "‖ΔW‖ / ‖W‖"}
    for axes, (column, label) in zip(drawn, labels.items(), strict=True):
        sns.lineplot(
            frame,
            x="layer",
            y=column,
            hue="method",
            style="matrix",
            markers=True,
            errorbar=("pi", 100),
            legend=column == "moved",
            ax=axes,
        )
        axes.set(ylabel=label, yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return list(drawn)


def relative_quality(frame: pd.DataFrame, metric: str, control: str = "full") -> pd.DataFrame:
    """Quality of each method as a share of full tuning's, with the same data set and seed.

    Args:
        frame: from `recsys.runs.evidence.results.results`: dataset, method, seed and the metric.

    Returns:
        The rows that have a control, with a column relative (1: as good as full tuning).
    """
    keys = ["dataset", "seed"]
    base = frame[frame["method"] == control].set_index(keys)[metric]
    joined = frame.join(base.rename("control"), on=keys)
    return joined.assign(relative=joined[metric] / joined["control"]).dropna(subset=["relative"])


def pareto_points(frame: pd.DataFrame, cost: str) -> pd.DataFrame:
    """One row per method, cheapest first: its cost, and its quality relative to full tuning.

    Both are means over the data sets with the largest number of methods; a method that lacks one of these
    data sets is left out, because its mean would not be comparable. Over a data set's seeds, cost is the
    minimum (other load on the machine only adds seconds) and quality the mean.

    Args:
        frame: of `relative_quality`. cost: a column.
    """
    run_on = frame.groupby("dataset")["method"].nunique()
    common = run_on.index[run_on == run_on.max()]
    by_set = frame[frame["dataset"].isin(common)].groupby(["method", "dataset"])
    by_set = by_set.agg({cost: "min", "relative": "mean"})
    everywhere = by_set.groupby("method").size() == len(common)
    points = (
        by_set.groupby("method")
        .mean()[everywhere]
        .dropna()
        .sort_values([cost, "relative"], ascending=[True, False])
    )
    points.attrs["datasets"] = sorted(common)
    return points


def plot_pareto(frame: pd.DataFrame, cost: str, label: str) -> Axes:
    """Quality relative to full tuning against a cost on a log axis, of `pareto_points`.

    Pareto-optimal methods are joined by a line. A cost of 0 is drawn at 1.

    Args:
        frame: of `relative_quality`.
        cost: column of the cost. label: of the axis.
    """
    (axes,) = panels(1, width=8.5, height=5.0)
    points = pareto_points(frame, cost)
    axes.set_title("mean over " + ", ".join(points.attrs["datasets"]), fontsize=9)
    points[cost] = points[cost].replace(0, 1)
    axes.scatter(points[cost], points["relative"], color=COLOURS[0], s=28, zorder=3)
    for method, point in points.iterrows():
        axes.annotate(
            method, (point[cost], point["relative"]), xytext=(4, 3), textcoords="offset points", fontsize=8
        )
    front = points[points["relative"] == points["relative"].cummax()].drop_duplicates("relative")
    axes.plot(front[cost], front["relative"], color=COLOURS[1], linewidth=1.2, label="none better in both")
    axes.axhline(1, color="0.6", linewidth=1, linestyle="--", label="full tuning")
    axes.legend(fontsize=8, loc="lower right")
    axes.set(xscale="log", xlabel=label, ylabel="quality, full tuning = 1")
    return axes


def mark_lines(axes: Axes, lines: Mapping[str, float]) -> Axes:
    """Draw a dashed line for each data set, in the data set's colour of the picture, named in the legend.

    Args:
        axes: of a comparison with the data set as hue, in the same order.
        lines: data set -> position on the x axis.
    """
    for (name, place), colour in zip(lines.items(), COLOURS, strict=False):
        axes.axvline(place, color=colour, linestyle="--", linewidth=1.4, label=f"line of {name}")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
