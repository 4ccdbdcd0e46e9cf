"""Figures of hyperparameter searches: progress, trials, importance of parameters, cost of the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize

from recsys.plots.style import COLOURS, interval_sides, panels

BAND = ("pi", 80)  # the middle 80 % of repeats
COLOUR_MAP = "viridis"


def best_so_far(
    frame: pd.DataFrame, metric: str, direction: str = "max", x: str = "spent", points: int = 80
) -> pd.DataFrame:
    """Best value so far of each search, at common points of its budget.

    Args:
        frame: one row per trial: metric, x, state; method and repeat where there are several.
        x: budget spent: core seconds ("spent") or trials ("number").

    Returns:
        Columns method, repeat, x, best; starts where every repeat of the method has a finished trial.
    """
    sign = 1.0 if direction == "max" else -1.0
    frame = frame.assign(**{name: 0 for name in ("method", "repeat") if name not in frame})
    finished = frame[frame["state"] == "done"].dropna(subset=[metric]).sort_values(x)
    if finished.empty:
        return pd.DataFrame(columns=["method", "repeat", x, "best"])
    grid = np.geomspace(max(finished[x].min(), 1e-3), finished[x].max(), points)
    grid[-1] = finished[x].max()  # not a rounding error less
    parts = []
    # a median over those repeats that have a trial would fall when further ones join
    start = finished.groupby(["method", "repeat"])[x].min().groupby("method").max()
    for (method, repeat), part in finished.groupby(["method", "repeat"]):
        best = sign * np.maximum.accumulate(sign * part[metric].to_numpy())
        place = np.searchsorted(part[x].to_numpy(), grid, side="right") - 1
        there = (place >= 0) & (grid >= start[method] * (1 - 1e-9))
        parts.append(
            pd.DataFrame({"method": method, "repeat": repeat, x: grid[there], "best": best[place[there]]})
        )
    return pd.concat(parts, ignore_index=True)


def plot_best_so_far(
    frame: pd.DataFrame,
    metric: str,
    direction: str = "max",
    x: str = "spent",
    label: str = "core seconds of search",
    ceiling: float | None = None,
) -> Axes:
    """Median of the best so far over repeats, with the middle 80 % as a band.

    Args:
        frame: as for `best_so_far`. ceiling: the best possible value, where it is known.
    """
    (axes,) = panels(1, width=7.5, height=4.2)
    lines = best_so_far(frame, metric, direction, x)
    several = lines["repeat"].nunique() > 1
    sns.lineplot(
        lines,
        x=x,
        y="best",
        hue="method" if lines["method"].nunique() > 1 else None,
        estimator="median",
        errorbar=BAND if several else None,
        drawstyle="steps-post",
        ax=axes,
    )
    if ceiling is not None:
        axes.axhline(ceiling, color="0.5", linewidth=1, linestyle="--", label="best of the table")
        if lines["method"].nunique() > 1:
            axes.legend()  # with the ceiling in it
    note = f"median and middle 80 % of {lines['repeat'].nunique()} repeats" if several else "one repeat"
    axes.set(xscale="log", xlabel=label, ylabel=f"best {metric} so far")
    axes.set_title(note, fontsize=9, fontweight="normal")
    if axes.get_legend():
        sns.move_legend(axes, "upper left", bbox_to_anchor=(1.0, 1.0), title=None)  # beside all bands
    return axes


def plot_parallel_coordinates(
    frame: pd.DataFrame, names: Sequence[str], metric: str, direction: str = "max", logs: Sequence[str] = ()
) -> Axes:
    """Parallel coordinates: one line per trial through one axis per parameter, coloured by the metric.

    Args:
        names: the parameters; one that no trial names has no axis. logs: those on a logarithmic axis.
    """
    finished = frame[frame["state"] == "done"].dropna(subset=[metric])
    finished = finished.sort_values(metric, ascending=direction == "max")
    if not (names := [name for name in names if name in finished]):
        (axes,) = panels(1, width=6.0, height=1.2)
        axes.set_axis_off()
        axes.text(0.0, 0.5, "one setting was tried, the library's defaults: nothing to compare")
        return axes
    (axes,) = panels(1, width=max(6.0, 1.7 * len(names) + 2), height=4.2)
    heights, ticks = zip(*(_heights(finished[name], name in logs) for name in names), strict=True)
    lines = np.stack([np.column_stack([np.arange(len(names)), row]) for row in np.column_stack(heights)])
    shades = Normalize(finished[metric].quantile(0.1), finished[metric].quantile(0.9) or None)
    collection = LineCollection(lines, cmap=COLOUR_MAP, norm=shades, alpha=0.75, linewidths=1.3)
    collection.set_array(finished[metric].to_numpy())
    axes.add_collection(collection)
    axes.plot(np.arange(len(names)), lines[-1][:, 1], color=COLOURS[3], linewidth=2.6, label="best")
    for place, marks in enumerate(ticks):
        axes.axvline(place, color="0.3", linewidth=0.8)
        for height, text in marks:
            axes.annotate(
                text,
                (place, height),
                xytext=(3, 1),
                textcoords="offset points",
                fontsize=7.5,
                bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.5, "linewidth": 0},
            )
    axes.set(xlim=(-0.1, len(names) - 0.6), ylim=(-0.05, 1.05), yticks=[], xticks=range(len(names)))
    axes.set_xticklabels(names)
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12))
    axes.figure.colorbar(collection, ax=axes, label=metric, pad=0.02)
    return axes


def plot_contour(
    frame: pd.DataFrame, x: str, y: str, metric: str, logs: Sequence[str] = (), direction: str = "max"
) -> Axes:
    """The metric over two numeric parameters, interpolated between the trials, which are drawn as points.

    With fewer than four trials, or all on one line, only the points.
    """
    finished = frame[frame["state"] == "done"].dropna(subset=[metric, x, y])
    (axes,) = panels(1, width=6.0, height=4.4)
    places = [np.log10(finished[name]) if name in logs else finished[name] for name in (x, y)]
    shades = Normalize(finished[metric].quantile(0.1), finished[metric].quantile(0.9))
    spread = np.linalg.matrix_rank(np.column_stack([one - one.mean() for one in places]).astype(float))
    if len(finished) >= 4 and spread == 2:
        axes.tricontourf(*places, finished[metric], levels=12, cmap=COLOUR_MAP, norm=shades, extend="both")
    axes.scatter(*places, c=finished[metric], cmap=COLOUR_MAP, norm=shades, edgecolor="white", s=36)
    best = finished[metric].idxmax() if direction == "max" else finished[metric].idxmin()
    axes.scatter(places[0][best], places[1][best], marker="*", s=190, color=COLOURS[3], edgecolor="white")
    axes.set(**{f"{axis}label": f"log10 {n}" if n in logs else n for axis, n in (("x", x), ("y", y))})
    axes.figure.colorbar(ScalarMappable(shades, COLOUR_MAP), ax=axes, label=metric)
    axes.set_title("star: best", fontsize=9, fontweight="normal")
    return axes


def plot_importance(table: pd.DataFrame) -> Axes:
    """Shares of the variance with their intervals, one row per parameter, one colour per measure; below them
    fANOVA's interactions, which PED-ANOVA does not have.

    Args:
        table: from `recsys.sweeps.importance.importance`, possibly several concatenated.
    """
    order = table.groupby("parameter")["importance"].mean().sort_values(ascending=False)
    order = sorted(order.index, key=lambda name: name == "interactions")  # no parameter, so it stands last
    measures = list(table["evaluator"].unique())
    (axes,) = panels(1, width=7.0, height=1.3 + 0.45 * len(order))
    for number, measure in enumerate(measures):
        part = table[table["evaluator"] == measure].set_index("parameter").reindex(order)
        shift = 0.2 * (number - (len(measures) - 1) / 2)
        places = np.arange(len(order)) + shift
        # a percentile interval may exclude the mean, but a bar cannot have a negative length
        sides = [
            (part["importance"] - part["low"]).clip(lower=0),
            (part["high"] - part["importance"]).clip(lower=0),
        ]
        axes.errorbar(
            part["importance"],
            places,
            xerr=np.stack(sides),
            fmt="o",
            color=COLOURS[number],
            capsize=3,
            label=measure,
        )
    axes.set(yticks=range(len(order)), xlabel=f"share of the variance (95 % over {table['over'].iloc[0]})")
    axes.set_yticklabels(order)
    axes.invert_yaxis()
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    return axes


def front(frame: pd.DataFrame, directions: Mapping[str, str]) -> pd.Series:
    """Which rows are Pareto-optimal, as booleans.

    Args:
        directions: objective → "max" or "min".
    """
    signs = np.array([1.0 if way == "max" else -1.0 for way in directions.values()])
    values = frame[list(directions)].to_numpy(dtype=float) * signs
    beaten = [bool(((values >= row).all(axis=1) & (values > row).any(axis=1)).any()) for row in values]
    return pd.Series(~np.array(beaten, dtype=bool), index=frame.index)


def plot_pareto_front(frame: pd.DataFrame, cost: str, metric: str, label: str = "") -> Axes:
    """Trials by cost (log axis, less is better) and metric (more is better), the front joined by a line."""
    finished = frame[frame["state"] == "done"].dropna(subset=[metric, cost])
    on_front = finished[front(finished, {metric: "max", cost: "min"})].sort_values(cost)
    (axes,) = panels(1, width=6.5, height=4.2)
    axes.scatter(finished[cost], finished[metric], color="0.65", s=26, label="trials")
    axes.plot(
        on_front[cost],
        on_front[metric],
        color=COLOURS[0],
        marker="o",
        drawstyle="steps-post",
        label="not beaten in both",
    )
    axes.set(xscale="log", xlabel=label or cost, ylabel=metric)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    return axes


def plot_draws(draws: pd.DataFrame, halves: pd.DataFrame, metric: str = "NDCG@10") -> list[Axes]:
    """Gain over the defaults, and optimism, against the number of configurations tried.

    Args:
        draws: from `recsys.sweeps.draws.best_of_draws`. halves: from `optimism_of_halves`.
    """
    left, right = panels(2, width=5.6, height=3.9)
    left.errorbar(draws["tried"], draws["gain"], yerr=interval_sides(draws, "gain"), marker="o", capsize=3)
    left.axhline(0, color="0.5", linewidth=1, linestyle="--")
    left.set(ylabel=f"test {metric}, chosen minus defaults", title="What tuning brings (95 % over users)")
    right.plot(draws["tried"], draws["optimism"], marker="o", label="validation minus test")
    right.errorbar(
        halves["tried"],
        halves["optimism"],
        yerr=interval_sides(halves, "optimism"),
        marker="s",
        capsize=3,
        label="judged where it was chosen,\nminus on other users",
    )
    right.axhline(0, color="0.5", linewidth=1, linestyle="--")
    right.set(ylabel=f"optimism in {metric}", title="What choosing hides")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=8)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="configurations tried", xticks=draws["tried"])
        axes.set_xticklabels(draws["tried"])
        axes.minorticks_off()
    return [left, right]


def plot_leads(frame: pd.DataFrame, metric: str = "NDCG@10") -> Axes:
    """Test score of a new model minus a baseline's, both tuned for the same core seconds, one line a seed; a
    line ends where the shorter search ended.

    Args:
        frame: of `recsys.sweeps.draws.leads`.
    """
    (axes,) = panels(1, width=7.0, height=4.0)
    sns.lineplot(
        frame,
        x="core_seconds",
        y="lead",
        hue="pair",
        units="seed",
        estimator=None,
        drawstyle="steps-post",
        linewidth=1.4,
        ax=axes,
    )
    axes.axhline(0, color="0.4", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlabel="core seconds of tuning, each", ylabel=f"lead in test {metric}")
    sns.move_legend(axes, "best", title=None)
    return axes


def _heights(values: pd.Series, log: bool) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Heights in [0, 1] of a parameter's values, and axis marks: ends of a range, all values of a choice."""
    if pd.api.types.is_numeric_dtype(values) and values.notna().all() and values.nunique() > 1:
        numbers = np.log(values.astype(float)) if log else values.astype(float)
        low, high = numbers.min(), numbers.max()
        marks = [(0.0, _number(values.min())), (1.0, _number(values.max()))]
        return ((numbers - low) / (high - low)).to_numpy(), marks
    words = values.map(lambda value: _word(value))
    kinds = sorted(words.unique())
    place = {kind: k / max(1, len(kinds) - 1) if len(kinds) > 1 else 0.5 for k, kind in enumerate(kinds)}
    return words.map(place).to_numpy(dtype=float), [(place[kind], kind) for kind in kinds]


def _number(value: float) -> str:
    """Whole numbers as they are: 1024 is no 1.02e+03."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e6 else f"{value:.3g}"


def _word(value: object) -> str:
    if value is None or value != value:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
