"""Figures of encoder speed: share of the hardware limit, quality against cost, batches, caches, sizes.

A precision has the same colour in all of them. Every function returns the figure and a notebook shows it as
well: end the line with a semicolon.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from recsys.plots.labels import place_labels
from recsys.plots.style import COLOURS, panels

PRECISION_COLOURS = {"fp32": COLOURS[7], "bf16": COLOURS[0], "int8": COLOURS[1]}
PRECISION_MARKERS = {"fp32": "o", "bf16": "s", "int8": "D"}


def plot_shares(frame: pd.DataFrame) -> Figure:
    """Share of the hardware limit that each variant reaches: 1 is the limit of its precision.

    Args:
        frame: variant, precision ("fp32", "bf16", "int8"), tokens_per_second, limit_tokens_per_second.
    """
    table = frame.assign(share=frame["tokens_per_second"] / frame["limit_tokens_per_second"])
    table = table.sort_values("share", ascending=False)
    (axes,) = panels(1, width=8.0, height=1.4 + 0.32 * len(table))
    said = [f"{row.share:.0%}, {_short(row.tokens_per_second)}/s" for row in table.itertuples()]
    _bars(axes, table, "share", said)
    axes.axvline(1, color="0.4", linewidth=1.2, linestyle="--")
    axes.set(xlim=(0, max(1.02, 1.28 * table["share"].max())), xlabel="share of the limit at that precision")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_title("How near to the limit; tokens a second")
    _precision_legend(axes, table)
    return axes.figure


def plot_pareto(frame: pd.DataFrame, floor: float | None = None, least: float = 0.85) -> Figure:
    """Quality against cost: for one query, and for a catalogue.

    The stepped line is the Pareto front: the lowest cost with at least that overlap.

    Args:
        frame: variant, precision, overlap_query and overlap_titles (with the reference's ten nearest, in
            [0, 1], where only the queries or only the titles are encoded by the variant), latency (seconds
            of a query), throughput (texts a second).
        floor: required overlap, drawn as a dashed line.
        least: variants with a smaller overlap of either kind are named below the panels, not drawn.
    """
    worse = frame[["overlap_query", "overlap_titles"]].min(axis=1)
    shown, far = frame[worse >= least], frame.assign(overlap=worse)[worse < least]
    left, right = panels(2, width=6.6, height=5.2)
    tables = [
        shown.assign(overlap=shown["overlap_query"], value=1e3 * shown["latency"]),
        shown.assign(overlap=shown["overlap_titles"], value=shown["throughput"]),
    ]
    lines = [_points(left, tables[0], lower=True), _points(right, tables[1], lower=False)]
    left.set(ylabel="milliseconds a query")
    left.set_title("One query: lower is better")
    right.set(ylabel="texts a second")
    right.set_title("Catalogue: higher is better")
    for axes in (left, right):
        if floor is not None:
            axes.axvline(floor, color="0.4", linewidth=1.2, linestyle="--")
        side = "queries" if axes is left else "titles"
        axes.set(yscale="log", xlabel=f"top-10 overlap with fp32, {side} encoded so")
        _plain_log(axes.yaxis)
        axes.margins(x=0.16, y=0.1)
    _precision_legend(right, shown, markers=True)
    if len(far):
        said = ", ".join(f"{row.variant} {row.overlap:.2f}" for row in far.itertuples())
        left.figure.supxlabel(f"overlap below {least:g}, not drawn: {said}", fontsize=9, x=0.01, ha="left")
    for axes, table, line in zip((left, right), tables, lines, strict=True):
        avoided = [line] if len(line) > 1 else []
        if floor is not None:
            avoided.append(np.array([(floor, end) for end in axes.get_ylim()]))
        place_labels(axes, table[["overlap", "value"]].to_numpy(), list(table["variant"]), avoided)
    return left.figure


def pareto_front(frame: pd.DataFrame, cost: str, lower: bool) -> pd.DataFrame:
    """The Pareto-optimal rows: no other row is as good in both overlap and cost and better in one of them.

    Args:
        frame: column overlap, and a column `cost`; `lower`: whether less of it is better.
    """
    quality, value = frame["overlap"].to_numpy(), frame[cost].to_numpy() * (-1 if lower else 1)
    as_good = (quality[None] >= quality[:, None]) & (value[None] >= value[:, None])
    better = (quality[None] > quality[:, None]) | (value[None] > value[:, None])
    return frame[~(as_good & better).any(axis=1)]


def plot_grid(frame: pd.DataFrame) -> Figure:
    """Tokens a second by length and batch: heat maps, one row per variant, one column per thread count.

    Args:
        frame: tokens (of each text), batch (texts), threads, tokens_per_second; variant where there are
            several.
    """
    frame = frame if "variant" in frame else frame.assign(variant="")
    variants, threads = list(dict.fromkeys(frame["variant"])), sorted(frame["threads"].unique())
    wide, high = frame["batch"].nunique(), frame["tokens"].nunique()
    size = 1.6 + len(threads) * (0.9 + 0.62 * wide), len(variants) * (1.1 + 0.36 * high)
    shape = {"figsize": size, "squeeze": False, "sharex": True, "sharey": True}
    figure, grid = plt.subplots(len(variants), len(threads), **shape)
    rates = frame["tokens_per_second"]
    # the same colour scale in all maps; a single value needs some range around it
    norm = LogNorm(rates.min(), max(rates.max(), 1.01 * rates.min()))
    for row, variant in zip(grid, variants, strict=True):
        for axes, count in zip(row, threads, strict=True):
            part = frame[(frame["variant"] == variant) & (frame["threads"] == count)]
            table = part.pivot_table(index="tokens", columns="batch", values="tokens_per_second")
            look = {"cmap": "viridis", "norm": norm, "cbar": False, "linewidths": 0.5}
            sns.heatmap(table, annot=table.map(_short), fmt="", annot_kws={"size": 9}, ax=axes, **look)
            name = f"{variant}, " if variant else ""
            axes.set_title(f"{name}{count} thread{'s' if count > 1 else ''}")
            axes.grid(visible=False)
            axes.set(xlabel="texts of a batch" if axes in grid[-1] else "", ylabel="")
            axes.tick_params(length=0)
            axes.tick_params(axis="y", rotation=0)
        row[0].set_ylabel("tokens of a text")
    bar = figure.colorbar(grid[0, 0].collections[0], ax=grid, label="tokens a second", aspect=30)
    _plain_log(bar.ax.yaxis)
    return figure


def plot_cache(frame: pd.DataFrame) -> Figure:
    """Hit rate by cache size: points are measured, dashed lines are theory.

    Args:
        frame: size (entries), hit_rate ([0, 1]); theory (the same, may be NaN), optional; policy, or another
            column that distinguishes lines, where there are several.
    """
    frame = frame if "policy" in frame else frame.assign(policy="measured")
    frame = frame if "theory" in frame else frame.assign(theory=np.nan)
    (axes,) = panels(1, width=7.0, height=4.4)
    names = list(dict.fromkeys(frame["policy"]))
    for colour, name in zip(sns.color_palette(COLOURS, len(names)), names, strict=True):
        part = frame[frame["policy"] == name].sort_values("size")
        axes.scatter(part["size"], part["hit_rate"], color=colour, s=34, label=name, zorder=3)
        axes.plot(part["size"], part["theory"], color=colour, linestyle="--", linewidth=1.6)
    if frame["theory"].notna().any():
        axes.plot([], [], color="0.4", linestyle="--", linewidth=1.6, label="theory")
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="entries of the cache", ylabel="share of requests answered")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(loc="best")
    axes.set_title("Requests that the cache answers")
    return axes.figure


def plot_sizes(frame: pd.DataFrame, limits: Mapping[str, float] | None = None) -> Figure:
    """Megabytes on disk and in memory, one bar per variant.

    Args:
        frame: variant, precision, disk, memory (megabytes; NaN where not measured).
        limits: "disk", "memory" -> megabytes allowed, drawn as dashed lines.
    """
    table = frame.sort_values("disk", ascending=True)
    axes = panels(2, width=5.6, height=1.4 + 0.32 * len(table))
    for ax, column, title in zip(axes, ("disk", "memory"), ("On disk", "In memory"), strict=True):
        said = [f"{value:.0f}" if value == value else "not measured" for value in table[column]]
        _bars(ax, table, column, said)
        allowed = (limits or {}).get(column)
        if allowed is not None:
            ax.axvline(allowed, color="0.4", linewidth=1.2, linestyle="--")
        most = np.nanmax([*table[column], allowed or 0])
        ax.set(xlim=(0, 1.15 * most), xlabel="megabytes")
        ax.set_title(title)
    axes[1].set_yticklabels([])
    _precision_legend(axes[1], table)
    return axes[0].figure


def plot_cost_sensitivity(frame: pd.DataFrame, price: float, rate: float) -> Figure:
    """Cost of a million queries by load, and by the price of a core at one load; one line per variant.

    Cost is proportional to the price, so lines of the right panel are straight and never cross. It is not
    proportional to the load: few requests still need a whole core, and at high load queueing adds less.

    Args:
        frame: from `recsys.benchmarks.cost_per_query.cost_by_load`, at `price`; `rate` is among its loads.
        price: of a core for an hour, marked. rate: requests a second, marked.
    """
    left, right = panels(2, width=5.6, height=3.8)
    names = list(dict.fromkeys(frame["variant"]))
    thick = np.linspace(5, 1.5, len(names))  # lines of variants that need equally many cores coincide
    for colour, name, wide in zip(sns.color_palette("husl", len(names)), names, thick, strict=True):
        part = frame[frame["variant"] == name].sort_values("requests_per_second")
        left.plot(
            part["requests_per_second"],
            part["cost_per_million"],
            "o-",
            color=colour,
            linewidth=wide,
            label=name,
        )
        here = part.loc[part["requests_per_second"] == rate, "cost_per_million"]
        prices = price * np.array([0.25, 0.5, 1.0, 2.0, 4.0])
        for cost in here:
            right.plot(prices, cost * prices / price, color=colour, linewidth=wide, label=name)
    left.axvline(rate, color="0.4", linewidth=1.2, linestyle="--")
    right.axvline(price, color="0.4", linewidth=1.2, linestyle="--")
    left.set(xscale="log", yscale="log", xlabel="requests a second", ylabel="cost of a million queries")
    left.set_title(f"By load, a core-hour at {price:g}")
    right.set(xscale="log", yscale="log", xlabel="price of a core for an hour")
    right.set_title(f"By price, at {rate:g} requests a second")
    for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
        _plain_log(axis, (1, 3))
    if names:
        left.legend(fontsize=9)
        right.legend(fontsize=9)
    return left.figure


def _points(axes: Axes, table: pd.DataFrame, lower: bool) -> np.ndarray:
    """Draw the points and their front; [m, 2] corners of the latter."""
    front = pareto_front(table, "value", lower).sort_values("overlap").drop_duplicates("overlap")
    steps = np.repeat(front[["overlap", "value"]].to_numpy(), 2, axis=0)
    corners = np.c_[steps[:-1, 0], steps[1:, 1]]
    axes.plot(*corners.T, color="0.65", linewidth=1.3, zorder=1)
    for precision, part in table.groupby("precision", sort=False):
        colour, marker = PRECISION_COLOURS.get(precision, "0.5"), PRECISION_MARKERS.get(precision, "o")
        axes.scatter(part["overlap"], part["value"], color=colour, marker=marker, s=34, zorder=3)
    return corners


def _bars(axes: Axes, table: pd.DataFrame, column: str, labels: list[str]) -> None:
    colours = [PRECISION_COLOURS.get(precision, "0.5") for precision in table["precision"]]
    bars = axes.barh(table["variant"], table[column].fillna(0), color=colours, height=0.7)
    axes.bar_label(bars, labels, fontsize=9, padding=4, bbox={"color": "white", "pad": 0.5})
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def _precision_legend(axes: Axes, table: pd.DataFrame, markers: bool = False) -> None:
    """Draw the legend above the panel, at its right end, where no bar or point can be."""
    there = [name for name in PRECISION_COLOURS if name in set(table["precision"])]
    marks = [
        axes.scatter([], [], color=PRECISION_COLOURS[name], marker=PRECISION_MARKERS[name], s=34)
        if markers
        else Patch(color=PRECISION_COLOURS[name])
        for name in there
    ]
    place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    axes.legend(marks, there, ncols=3, fontsize=9, handletextpad=0.4, columnspacing=1.2, **place)


def _plain_log(axis: Axis, digits: tuple[float, ...] = (1, 1.5, 2, 3, 5, 7)) -> None:
    """1, 1.5, 2, 3, 5, 7 on a log axis instead of powers."""
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """950, 9.5k, 12k, 1.2M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.2g}{name}" if value < 10 * unit else f"{value / unit:.0f}{name}"
    return f"{value:.3g}"
