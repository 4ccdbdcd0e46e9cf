"""Figures of fused models: members, their likeness, and what each step of the whole stack adds (ladder)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recsys.plots.style import COLOURS, interval_sides, panels

WAYS = ("alone", "added", "other order", "together", "instead")
WHOLE = ("together", "instead")  # of the whole stack, one point a row
MARKERS = ("o", "s", "D", "P", "X")
ROW, HEAD = 0.42, 1.25  # inches: of a step, and of titles, axis and legend together


def plot_methods(table: pd.DataFrame, members: pd.DataFrame, metric: str = "ndcg@10") -> Axes:
    """Test quality of members and of fusion methods on one scale, members first.

    Args:
        table: columns method, <metric>_test. members: columns member, <metric>_test.
    """
    own = members.rename(columns={"member": "scorer"}).assign(kind="one model")
    fused = table.rename(columns={"method": "scorer"}).assign(kind="fused")
    both = pd.concat([own, fused[fused["scorer"] != "single"]], ignore_index=True)
    (ax,) = panels(1, width=7, height=1.2 + 0.3 * len(both))
    sns.barplot(both, x=f"{metric}_test", y="scorer", hue="kind", dodge=False, ax=ax)
    ax.set(xlabel=f"{metric}, test", ylabel="")
    ax.legend(title=None)
    return ax


def plot_diversity(table: pd.DataFrame) -> list[Axes]:
    """Gain of fusing a pair of models, against the similarity of their lists and of their errors.

    Args:
        table: from `recsys.ensembling.diversity.what_diversity_predicts`.
    """
    axes = panels(2, width=4.6, height=3.6, sharey=True)
    table = table.assign(strength_ratio=table["strength_ratio"].round(2))  # the legend prints all digits
    for ax, column in zip(axes, ("rank_correlation", "error_correlation"), strict=True):
        sns.scatterplot(table, x=column, y="gain", size="strength_ratio", ax=ax, legend=ax is axes[-1])
        ax.axhline(0, color="0.5", linewidth=1)
        ax.set(xlabel=column.replace("_", " ") + " of the pair", ylabel="gain in NDCG@10 over the better one")
    sns.move_legend(axes[-1], "upper left", bbox_to_anchor=(1, 1), title="weaker / better", fontsize=8)
    return axes


def plot_step_gains(
    gains: pd.DataFrame, width: float = 9.0, colours: Sequence | None = None, columns: int = 0
) -> Figure | None:
    """One panel a data set, one row a step: gain in per cent of what the stack without it has.

    Where two ways compare the same two stacks (the first step added is that step alone), there is one point.

    Args:
        gains: from `recsys.runs.report.step_gains.step_gains`.
        width: of the figure, inches.
        colours: of the ways of `WAYS`; None: the kit's.
        columns: panels beside each other; 0: all.

    Returns:
        The figure, None where there is nothing to draw.
    """
    if gains.empty:
        return None
    gains = gains.drop_duplicates(["dataset", "step", "below", "above"])
    colours = list(COLOURS) if colours is None else list(colours)
    datasets = list(dict.fromkeys(gains["dataset"]))
    # a data set without pictures lacks a step: the order is that of the one with all of them
    fullest = max(datasets, key=lambda name: gains.loc[gains["dataset"] == name, "step"].nunique())
    steps = list(dict.fromkeys([*gains.loc[gains["dataset"] == fullest, "step"], *gains["step"]]))
    columns = columns or len(datasets)
    lines = -(-len(datasets) // columns)
    figure = Figure(figsize=(width, lines * (HEAD + ROW * len(steps))), layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axes, dataset in zip(panels, datasets, strict=False):
        _panel(axes, gains[gains["dataset"] == dataset], steps, colours)
        axes.set_title(dataset.replace("_", " "), fontsize=10, loc="left")
    for axes in panels[len(datasets) :]:
        axes.remove()
    legends = [axes.get_legend_handles_labels() for axes in panels[: len(datasets)]]
    handles = {way: handle for own in legends for handle, way in zip(*own, strict=True)}
    figure.supxlabel("gain in NDCG@10, % of the stack without the step", fontsize=10)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper left",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
    )
    return figure


def _panel(axes: Axes, own: pd.DataFrame, steps: list[str], colours: Sequence) -> None:
    control = own["gain"] / own["share"].where(own["share"] != 0)
    scale = 100 / control.fillna(control.mean())
    ways = [way for way in WAYS if (own["way"] == way).any()]
    spread = [way for way in ways if way not in WHOLE]
    for way in ways:
        rows = own["way"] == way
        part, factor = own[rows], scale[rows]
        aside = 0 if way in WHOLE else (spread.index(way) - (len(spread) - 1) / 2) * 0.2
        place = part["step"].map(steps.index) + aside
        axes.errorbar(
            part["gain"] * factor,
            place,
            xerr=interval_sides(part, "gain") * factor.to_numpy(),
            fmt=MARKERS[WAYS.index(way)],
            color=colours[WAYS.index(way)],
            markersize=5,
            linewidth=2,
            label=way,
        )
    axes.axvline(0, linewidth=1, color="0.5")
    axes.set_yticks(range(len(steps)), [step.replace("_", " ") for step in steps])
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.6, linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
