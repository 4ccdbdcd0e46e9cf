"""Figure and metrics of the comparison of training loops: tokens a second, share of the hardware limit."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, panels

KIT, PLAIN = "kit", "plain fp32"
TRAINERS = {"trainer": "sentence-transformers", "trainer_bf16": "sentence-transformers bf16"}


def plot_throughput(frame: pd.DataFrame) -> Axes:
    """Real tokens a second of every loop: a bar for the median, a point for each round.

    At the bar: the median ratio to the plain loop, and the median share of the matrix products' limit in the
    loop's own precision.

    Args:
        frame: from `recsys.benchmarks.training.throughput.compare_loops`.
    """
    loops = list(dict.fromkeys(frame["loop"]))
    (axes,) = panels(1, width=7.5, height=1.2 + 0.6 * len(loops))
    for place, loop in enumerate(loops):
        part = frame[frame["loop"] == loop]
        axes.barh(place, part["tokens_per_second"].median(), height=0.6, color=COLOURS[place], alpha=0.45)
        axes.scatter(
            part["tokens_per_second"], np.full(len(part), place), color=COLOURS[place], s=28, zorder=3
        )
        said = f"{part['share_of_limit'].median():.0%} of its limit"
        axes.annotate(
            said if part["ratio"].isna().any() else f"{part['ratio'].median():.2f}×, {said}",
            (part["tokens_per_second"].max(), place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(loops)), loops)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.35 * frame["tokens_per_second"].max()), xlabel="real tokens a second")
    axes.grid(axis="y", visible=False)
    axes.set_title("Training throughput, same texts")
    return axes


def throughput_metrics(frame: pd.DataFrame) -> dict[str, float]:
    """Metrics that a run records from `compare_loops`; ratios are medians over rounds of ratios in a round.

    Returns:
        `kit_ratio_to_plain`, `kit_ratio_to_trainer` (its default precision) and `kit_ratio_to_trainer_bf16`,
            where those loops ran, and the smallest of their rounds as `…_least`;
        `kit_cpu_ratio_to_…`: the same in processor time, which does not count waiting for other programs;
        `kit_share_of_limit`, `kit_tokens_per_second`;
        with held-out pairs: `kit_metric`, `plain_metric`, `trainer_metric`, `trainer_bf16_metric`, means over
            the rounds;
        `metric_band`, twice the largest standard deviation over the rounds of a loop other than the kit's
            (from two rounds on); and `kit_metric_loss`, by which the kit's mean is below the best of
            the others (negative: above).
    """
    by_round = frame.pivot(
        index="round", columns="loop", values=["tokens_per_second", "cpu_seconds", "metric"]
    )
    speed, cpu, metric = by_round["tokens_per_second"], by_round["cpu_seconds"], by_round["metric"]
    names = {"plain": PLAIN, **TRAINERS}
    others = {name: loop for name, loop in names.items() if loop in speed}
    found = {}
    for name, loop in others.items():
        ratios = speed[KIT] / speed[loop]
        found[f"kit_ratio_to_{name}"] = float(ratios.median())
        found[f"kit_ratio_to_{name}_least"] = float(ratios.min())
        found[f"kit_cpu_ratio_to_{name}"] = float((cpu[loop] / cpu[KIT]).median())
    kit = frame[frame["loop"] == KIT]
    found["kit_share_of_limit"] = float(kit["share_of_limit"].median())
    found["kit_tokens_per_second"] = float(kit["tokens_per_second"].median())
    if metric.notna().all(axis=None):
        means = metric.mean()
        found["kit_metric"] = float(means[KIT])
        found |= {f"{name}_metric": float(means[loop]) for name, loop in others.items()}
        if others:
            found["kit_metric_loss"] = float(means[list(others.values())].max() - means[KIT])
        rest = metric.drop(columns=KIT)
        if len(metric) > 1 and not rest.empty:
            found["metric_band"] = float(2 * rest.std().max())
    return found
