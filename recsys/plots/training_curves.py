"""Training curves, and quality by the training frequency of items."""

import pandas as pd
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, panels

SMOOTHED_OVER = 20  # steps


def plot_training(history: pd.DataFrame, metric: str = "NDCG@10 on validation") -> list[Axes]:
    """Loss by step (grey: each step; line: running mean), and the metric where it was measured.

    Args:
        history: from `recsys.training.result.TrainingResult`.
        metric: label of its column `metric`.
    """
    judged = history[history["metric"].notna()]
    axes = panels(2 if len(judged) else 1, height=3.2)
    axes[0].plot(history["step"], history["loss"], color="0.8", linewidth=0.8)
    smooth = history["loss"].rolling(SMOOTHED_OVER, min_periods=1).mean()
    axes[0].plot(history["step"], smooth, color=COLOURS[0])
    axes[0].set(xlabel="optimiser step", ylabel="loss, nats a sample")
    if len(judged):
        axes[1].plot(judged["step"], judged["metric"], marker="o", color=COLOURS[1])
        axes[1].set(xlabel="optimiser step", ylabel=metric)
        axes[1].set_ylim(bottom=0)
    return axes


def plot_bands(frame: pd.DataFrame, by: str = "model", prefix: str = "ndcg@10_") -> Axes:
    """NDCG@10 by the target's number of training events: one line per model.

    Args:
        frame: from `recsys.runs.evidence.results.results`: a row a run, columns ndcg@10_cold, ndcg@10_rare,
            ...
        by: the column that names the lines; runs with equal names are averaged.
    """
    bands = [band for band in ("cold", "rare", "middle", "frequent") if f"{prefix}{band}" in frame]
    means = frame.groupby(by, sort=False)[[f"{prefix}{band}" for band in bands]].mean()
    (ax,) = panels(1, width=7.5, height=4.0)
    for number, (name, row) in enumerate(means.iterrows()):
        style = "-" if number < len(COLOURS) else "--"
        ax.plot(bands, row, style, marker="o", color=COLOURS[number % len(COLOURS)], label=name)
    ax.set(xlabel="training events of the item bought: 0, 1 to 3, 4 to 10, more", ylabel="NDCG@10")
    ax.legend(title=None, fontsize=8, ncols=2)
    return ax
