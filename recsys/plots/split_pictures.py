"""Splits as a table of their parts, and as a figure of some users' histories coloured by part."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from recsys.data.splits import PARTS, Split
from recsys.plots.style import PART_COLOURS, PART_MARKERS, panels


def split_table(split: Split) -> pd.DataFrame:
    """One row per part: events, users, items, and shares of repeats and cold-start events.

    repeats: share of the part's events whose user had the item in an earlier part. new items: share whose
    item has no training event (冷启动, cold start); new users likewise. All in [0, 1].
    """
    train = split.train
    met = pd.MultiIndex.from_frame(train[["user", "item"]])
    rows = []
    for part in PARTS:
        events = getattr(split, part)
        row = {"part": part, "events": len(events), "users": events["user"].nunique()}
        row["items"] = events["item"].nunique()
        if "time" in events:
            row |= {"from": events["time"].min().date(), "to": events["time"].max().date()}
        if part != "train":
            pairs = pd.MultiIndex.from_frame(events[["user", "item"]])
            row["repeats"] = float(pairs.isin(met).mean())
            row["new items"] = float((~events["item"].isin(train["item"])).mean())
            row["new users"] = float((~events["user"].isin(train["user"])).mean())
            met = met.append(pairs)
        rows.append(row)
    return pd.DataFrame(rows).set_index("part")


def plot_splits(splits: Mapping[str, Split], users: int = 30, seed: int = 0) -> list[Axes]:
    """One panel per split: a row of dots for each of the same few users, coloured by part.

    The horizontal axis is time where there is one, else the position in the user's history.

    Args:
        splits: by title, of one data set.
        users: how many users to draw, among those with 4 to 25 distinct times (or places).
        seed: of the choice.
    """
    first = next(iter(splits.values()))
    events = pd.concat([first.train, first.validation, first.test])
    size = events.groupby("user")[_axis(first)].nunique()
    fit = size.index[size.between(4, 25)]
    chosen = np.random.default_rng(seed).choice(fit, min(users, len(fit)), replace=False)
    axes = panels(len(splits), width=6.4, height=4.6, sharey=True)
    for ax, (title, split) in zip(axes, splits.items(), strict=True):
        _plot_histories(split, chosen, ax)
        ax.set_title(title.replace("_", " "))
    axes[0].set_ylabel("users (one row each)")
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return axes


def _axis(split: Split) -> str:
    return "time" if "time" in split.train else "order"


def _plot_histories(split: Split, chosen: np.ndarray, ax: Axes) -> None:
    axis = _axis(split)
    events = pd.concat([getattr(split, part).assign(part=part) for part in PARTS])
    events = events[events["user"].isin(chosen)]
    row_of_user = events.groupby("user")[axis].max().rank(method="first")  # latest last event on top
    for part in PARTS:
        dots = events[events["part"] == part]
        ax.scatter(
            dots[axis],
            dots["user"].map(row_of_user),
            s=22,
            color=PART_COLOURS[part],
            marker=PART_MARKERS[part],
            label=part,
            edgecolor="white",
            linewidth=0.4,
        )
    for boundary in ("validation_from", "test_from"):
        if boundary in split.boundaries:
            ax.axvline(split.boundaries[boundary], color="0.3", linewidth=1, linestyle="--")
    if axis == "time":
        ax.xaxis.set_major_locator(AutoDateLocator())
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="time of purchase" if axis == "time" else "place in the user's history", yticks=[])
    ax.grid(axis="y", visible=False)
