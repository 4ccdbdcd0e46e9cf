"""Figures of multimodal models: nearest neighbours, contributions of modalities, missing pictures, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from PIL import Image

from recsys.plots.style import COLOURS

SHOWN = 6  # neighbours per row


def plot_neighbours(
    table: pd.DataFrame, vectors: Mapping[str, np.ndarray], row: int, caption: str = "text"
) -> Sequence[Axes]:
    """One row of pictures for each modality: the item, then its nearest neighbours by cosine.

    Args:
        table: n items with a column `picture` (paths or None) and, if they have words, `caption`.
        vectors: modality → [n, D], rows of any length. row: the item.
    """
    columns = min(SHOWN + 1, len(table))
    figure, axes = plt.subplots(
        len(vectors), columns, figsize=(1.5 * columns, 1.9 * len(vectors)), squeeze=False
    )
    for line, (name, x) in zip(axes, vectors.items(), strict=True):
        unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
        order = np.argsort(-(unit @ unit[row]), kind="stable")
        nearest = [row, *[item for item in order if item != row][:SHOWN]]
        for place, item in zip(line, nearest, strict=True):
            show_picture(place, table["picture"].iloc[item], _words(table, item, caption))
        line[0].set_ylabel(name, rotation=90)
    figure.suptitle("Nearest by each modality; the item itself stands first")
    return list(axes.flat)


def plot_changed(table: pd.DataFrame, changed: pd.DataFrame, caption: str = "text") -> Sequence[Axes]:
    """Items whose predicted class changed by fusion, with the predictions before and after.

    Args:
        changed: columns row, true, before, after; at most SHOWN rows are shown.
    """
    shown = changed.head(SHOWN)
    figure, axes = plt.subplots(1, max(1, len(shown)), figsize=(1.9 * max(1, len(shown)), 2.6), squeeze=False)
    for place, (_, line) in zip(axes[0], shown.iterrows(), strict=False):
        show_picture(place, table["picture"].iloc[line["row"]], _words(table, line["row"], caption))
        right = line["after"] == line["true"]
        place.set_xlabel(f"{line['before']} → {line['after']}", color=COLOURS[2 if right else 3], fontsize=8)
    figure.suptitle("What fusion changed (green: now right)")
    return list(axes[0])


def plot_missing(metrics: Mapping[str, float], alone: float | None = None) -> Axes:
    """Accuracy against the share of test items without a picture.

    Args:
        metrics: missing_0 … missing_100. alone: accuracy of the model without pictures, a dashed line.
    """
    places = sorted(int(name.removeprefix("missing_")) for name in metrics if name.startswith("missing_"))
    _, axes = plt.subplots(figsize=(5.2, 3.4))
    axes.plot(places, [metrics[f"missing_{place}"] for place in places], "o-")
    if alone is not None:
        axes.axhline(alone, linestyle="--", color=COLOURS[7], label="trained without")
        axes.legend()
    axes.set(xlabel="items without the modality at test [%]", ylabel="accuracy", title="Gaps at test")
    return axes


def plot_deciding(shares: pd.DataFrame, most: int = 12) -> Axes:
    """Mean Shapley share of each modality, per class, the largest classes first.

    Args:
        shares: columns row, label, one a modality (`recsys.multimodal.tasks.classification.who_decided`).
    """
    names = [column for column in shares if column not in ("row", "label")]
    largest = shares["label"].value_counts().index[:most]
    mean = shares[shares["label"].isin(largest)].groupby("label")[names].mean().loc[largest]
    _, axes = plt.subplots(figsize=(6.4, 0.32 * len(mean) + 1.4))
    left = np.zeros(len(mean))
    for number, name in enumerate(names):
        axes.barh(mean.index, mean[name], left=left, color=COLOURS[number], label=name)
        left += mean[name].clip(lower=0).to_numpy()
    axes.invert_yaxis()
    axes.set(xlabel="share in the true class's probability", title="Which modality decided")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def plot_cost(costs: pd.DataFrame) -> Axes:
    """Cost of each modality against its gain, one point each.

    Args:
        costs: columns modality, parameters, megabytes, gain (in points of accuracy).
    """
    _, axes = plt.subplots(figsize=(5.2, 3.4))
    sns.scatterplot(costs, x="megabytes", y="gain", size="parameters", hue="modality", ax=axes)
    axes.set(xlabel="MB of vectors", ylabel="gain [points]", title="Price and yield")
    return axes


def _words(table: pd.DataFrame, item: int, caption: str) -> str:
    """An item's caption; empty where the data set has photos alone, as Grocery Store's shelves."""
    return str(table[caption].iloc[item]) if caption in table else ""


def show_picture(axes: Axes, path: str | None, caption: str) -> None:
    """A picture file in a frame without ticks, its caption above; an empty frame where there is none."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    if path is not None and Path(path).is_file():
        with Image.open(path) as picture:
            axes.imshow(picture.convert("RGB"))
    axes.set_title(caption if len(caption) <= 22 else caption[:21] + "…", fontsize=7, loc="center")
