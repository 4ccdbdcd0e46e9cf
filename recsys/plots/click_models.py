"""Figures of notebook 01: click probabilities by loss, effect of penalties, scaling of the exact losses."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, panels


def plot_probabilities(table: pd.DataFrame) -> Axes:
    """Mean click probability f of clicked and of other pairs, one row per objective.

    Args:
        table: index objective; columns clicked_probability and other_probability, each in [0, 1].
    """
    (axes,) = panels(1, width=7.5, height=0.9 + 0.45 * len(table))
    places = range(len(table))
    axes.hlines(places, table["other_probability"], table["clicked_probability"], color="0.6", zorder=1)
    axes.scatter(table["clicked_probability"], places, color=COLOURS[0], s=60, label="clicked pairs")
    axes.scatter(
        table["other_probability"], places, color=COLOURS[1], s=60, marker="s", label="all other pairs"
    )
    axes.set_yticks(places, table.index)
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), xlabel="mean predicted click probability f")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.3), ncol=2)
    return axes


def plot_penalties(trials: pd.DataFrame) -> list[Axes]:
    """Log-loss on training and held-out clicks (nats), and NDCG@10, against the strength of each penalty.

    Args:
        trials: columns penalty, strength, train_nats, held_out_nats, ndcg@10 (validation).
    """
    kinds = list(trials["penalty"].unique())
    drawn = panels(len(kinds), width=5.0, height=3.6)
    for axes, kind in zip(drawn, kinds, strict=True):
        part = trials[trials["penalty"] == kind].sort_values("strength")
        axes.plot(part["strength"], part["train_nats"], "o-", color=COLOURS[0], label="training clicks")
        axes.plot(part["strength"], part["held_out_nats"], "s--", color=COLOURS[1], label="held-out clicks")
        axes.set(title=kind, xlabel="strength", ylabel="surprise (nats a click)")
        if part["strength"].max() > 1:
            axes.set_xscale("log")
        axes.legend()
    return drawn


def plot_scaling(frame: pd.DataFrame) -> list[Axes]:
    """Seconds and memory of one forward and backward pass against the size of the catalogue.

    Args:
        frame: from `recsys.losses.scaling.curve`.
    """
    drawn = panels(2, width=5.2, height=3.8)
    for axes, column, label in zip(
        drawn,
        ("seconds", "peak_memory_mb_above_inputs"),
        ("seconds, forward and backward", "peak memory above the inputs (MB)"),
        strict=True,
    ):
        sns.lineplot(
            frame, x="n_items", y=column, hue="loss", style="loss", markers=True, dashes=False, ax=axes
        )
        axes.set(xscale="log", yscale="log", xlabel="items M", ylabel=label)
    return drawn


def scaling_metrics(frame: pd.DataFrame) -> dict[str, float]:
    """Seconds, memory, share of the matrix-product rate and gradient error at the largest catalogue."""
    largest = frame[frame["n_items"] == frame["n_items"].max()].set_index("loss")
    columns = ("seconds", "peak_memory_mb_above_inputs", "share_of_gemm", "gradient_error")
    return {
        f"{loss}_{column}": float(largest.loc[loss, column])
        for loss in largest.index
        for column in columns
        if pd.notna(largest.loc[loss, column])
    }
