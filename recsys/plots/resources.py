"""Figures of resources: memory of a training step, largest batch that fits, staleness of a cache.

Every function returns the figure and a notebook shows it as well: end the line with a semicolon.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from recsys.plots.style import COLOURS, panels

KINDS = ("weights", "optimizer", "gradients", "activations")
HATCHES = ("", "//", "..", "xx")  # so that kinds can be distinguished without colour


def plot_step_memory(frame: pd.DataFrame) -> Figure:
    """Memory of a training step by kind, and its peak (which is less, as not all is allocated at once).

    Args:
        frame: index of settings; weights, gradients, optimizer, activations, peak (megabytes).
    """
    (axes,) = panels(1, width=8.4, height=1.6 + 0.42 * len(frame))
    places, left = np.arange(len(frame)), np.zeros(len(frame))
    for kind, colour, hatch in zip(KINDS, COLOURS, HATCHES, strict=False):
        axes.barh(
            places, frame[kind], left=left, color=colour, hatch=hatch, edgecolor="w", height=0.66, label=kind
        )
        left += frame[kind].to_numpy()
    axes.scatter(frame["peak"], places, color="black", marker="D", s=42, zorder=3, label="peak")
    for place, end, peak in zip(places, left, frame["peak"], strict=True):
        axes.annotate(
            f"peak {peak:,.0f}",
            (max(end, peak), place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(places, frame.index)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlim=(0, 1.18 * max(left.max(), frame["peak"].max())), xlabel="megabytes")
    axes.figure.legend(loc="outside lower center", ncols=5, fontsize=9, handletextpad=0.4, columnspacing=1.2)
    axes.set_title("One training step")
    return axes.figure


def plot_batches(frame: pd.DataFrame, slope: float, free: float, first_too_large: int) -> Figure:
    """Peak memory by batch size: points are measured, the line extrapolates to the available memory.

    Args:
        frame: texts (of a batch), peak (megabytes).
        slope: megabytes per additional text, beyond the largest batch.
        free: available megabytes.
        first_too_large: size of the first batch that needs more.
    """
    (axes,) = panels(1, width=7.0, height=4.2)
    last = frame.loc[frame["texts"].idxmax()]
    texts = np.geomspace(frame["texts"].min(), 2 * first_too_large, 200)
    axes.plot(
        texts,
        last["peak"] + slope * (texts - last["texts"]),
        color=COLOURS[0],
        linestyle="--",
        linewidth=1.6,
        label="slope of the last two",
    )
    axes.scatter(frame["texts"], frame["peak"], color=COLOURS[0], s=38, zorder=3, label="counted")
    axes.axhline(free, color=COLOURS[3], linewidth=1.6, label="free here, now")
    axes.plot(first_too_large, free, marker="X", color="black", markersize=9, linestyle="none", zorder=4)
    axes.annotate(
        f"{first_too_large:,} texts",
        (first_too_large, free),
        xytext=(-10, 8),
        textcoords="offset points",
        ha="right",
        fontsize=10,
    )
    axes.set(xscale="log", yscale="log", xlabel="texts of a batch", ylabel="megabytes at the peak")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_ylim(top=3 * free)
    axes.legend(loc="upper left", fontsize=9)
    axes.set_title("The first batch that does not fit (computed)")
    return axes.figure


def plot_staleness(frame: pd.DataFrame, chosen: float) -> Figure:
    """Hit rate and share of stale answers by time to live.

    Args:
        frame: time_to_live (requests), hit_rate, staleness ([0, 1], nan without a hit).
        chosen: time to live that is marked.
    """
    (axes,) = panels(1, width=7.0, height=4.2)
    shown = frame.sort_values("time_to_live")
    lines = {
        "hit_rate": ("requests that the cache answers", "o"),
        "staleness": ("of these answers, stale", "s"),
    }
    for (column, (label, marker)), colour in zip(lines.items(), COLOURS, strict=False):
        axes.plot(shown["time_to_live"], shown[column], color=colour, marker=marker, label=label)
    axes.axvline(chosen, color="0.4", linewidth=1.2, linestyle="--", label="chosen")
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="time to live, requests")
    axes.set_xticks(shown["time_to_live"], [f"{value:,.0f}" for value in shown["time_to_live"]])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    axes.set_title("Longer kept: more hits, more of them stale")
    return axes.figure
