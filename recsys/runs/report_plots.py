"""The report's comparison plots: one figure, drawn for light and dark pages and for wide and narrow ones.

Every picture is an SVG with transparent ground and text as outlines, so it needs no font of the reader's.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.runs.experiment import Plot
from recsys.runs.report_numbers import number, setting
from recsys.runs.report_tables import Cell

# Ink, faint lines, and a palette that is told apart by colour-blind readers on that ground.
THEMES = {
    "light": ("#23282d", "#c9ced3", ("#0b6e99", "#c2500a", "#2b8a3e", "#8f3f97", "#8a6d00", "#b3263e")),
    "dark": ("#dfe3e6", "#4b5257", ("#5cc0ec", "#ff9d57", "#6fd08c", "#da8fe0", "#e6c84f", "#ff8595")),
}
WIDTHS = {"wide": 7.6, "narrow": 3.9}  # inches; the page scales them by little
MARKERS = ("o", "s", "D", "^", "v", "P")
MOST_ROWS_IN_ALT = 30


@dataclass(frozen=True)
class Picture:
    """Files by (theme, width), relative to the site's root, and the text for who can't see them."""

    files: dict[tuple[str, str], str]
    alt: str


@dataclass(frozen=True)
class _Layout:
    """What goes where: dots with words on the y axis, or lines over a numeric x axis."""

    frame: pd.DataFrame  # x, group, label, mean, low, high
    x: str
    group_title: str | None
    metric: str
    numeric: bool


def draw(cells: list[Cell], plot: Plot, folder: Path, root: Path, name: str) -> Picture | None:
    """Draw one comparison in all variants.

    Settings that vary beyond the plot's x and hue are kept apart (in the labels), never averaged over.

    Args:
        cells: of one origin.
        plot: metric, x and hue of the experiment.
        folder: where the SVG files go. root: the site's root, which the returned paths are relative to.
        name: start of the files' names.

    Returns:
        None when no cell has the metric.
    """
    layout = _layout([cell for cell in cells if plot.metric in cell.metrics], plot)
    if layout is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for width, inches in WIDTHS.items():
        drawn = _svg(layout, inches)
        for theme in THEMES:
            path = folder / f"{name}-{theme}-{width}.svg"
            path.write_text(_recolour(drawn, theme), encoding="utf-8")
            files[theme, width] = path.relative_to(root).as_posix()
    return Picture(files, _alt(layout))


def _layout(cells: list[Cell], plot: Plot) -> _Layout | None:
    if not cells:
        return None
    values = [_value(cell, plot.x) for cell in cells]
    numeric = len(set(map(repr, values))) > 2 and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    others = (plot.x, plot.hue) if plot.hue and not numeric else (plot.x,)
    rows = []
    for cell, value in zip(cells, values, strict=True):
        rest, interval = cell.label(leave_out=others), cell.metrics[plot.metric]
        hue = setting(_value(cell, plot.hue)) if plot.hue else ""
        text = setting(value) + (f"\n{rest}" if rest else "")
        rows.append(
            {"x": value if numeric else text, "group": rest if numeric else hue, "label": cell.label()}
            | {"mean": interval.mean, "low": interval.low, "high": interval.high}
        )
    frame = pd.DataFrame(rows)
    grouped = frame["group"].nunique() > 1
    title = (None if numeric else plot.hue) if grouped else None
    return _Layout(frame if grouped else frame.assign(group=""), plot.x, title, plot.metric, numeric)


def _value(cell: Cell, name: str) -> Any:
    if name in cell.settings:
        return cell.settings[name]
    return cell.records[0].parameters.get(name, "all")


def _recolour(drawn: str, theme: str) -> str:
    """The light drawing in another theme's colours, which costs nothing against drawing it again."""
    (ink, faint, colours), (new_ink, new_faint, new_colours) = THEMES["light"], THEMES[theme]
    replacement = dict(zip((ink, faint, *colours), (new_ink, new_faint, *new_colours), strict=True))
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: replacement.get(found[0], found[0]), drawn)


def _svg(layout: _Layout, width: float) -> str:
    import io

    import seaborn as sns
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    ink, faint, colours = THEMES["light"]
    groups = list(dict.fromkeys(layout.frame["group"]))
    settings = {"svg.fonttype": "path", "svg.hashsalt": "recsys", "font.size": 10, "axes.labelsize": 10}
    settings |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), ink)
    settings |= {"axes.edgecolor": faint, "grid.color": faint, "axes.facecolor": "none"}
    with rc_context(settings), sns.axes_style(None):
        rows = layout.frame["x"].nunique()
        per_row = (
            0.2 + 0.14 * max(1, len(groups)) + 0.14 * layout.frame["x"].astype(str).str.count("\n").max()
        )
        height = 3.4 if layout.numeric else 0.75 + per_row * rows
        height += 0.26 * math.ceil(len(groups) / _legend_columns(groups, width)) if len(groups) > 1 else 0
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        palette = {group: colours[i % len(colours)] for i, group in enumerate(groups)}
        (_lines if layout.numeric else _dots)(axes, layout, groups, palette)
        sns.despine(ax=axes, left=not layout.numeric)
        _legend(figure, axes, layout, groups, width)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]  # without the DTD's address


def _dots(axes: Any, layout: _Layout, groups: list[str], palette: dict[str, str]) -> None:
    import seaborn as sns

    # Both ends of the interval and the mean go in as three points; the error bar reads them off again.
    long = layout.frame.melt(["x", "group"], ["low", "mean", "high"], value_name="metric").dropna()
    sns.pointplot(
        long,
        x="metric",
        y="x",
        hue="group",
        hue_order=groups,
        palette=palette,
        estimator="median",
        errorbar=lambda values: (values.min(), values.max()),
        linestyle="none",
        markers=list(MARKERS[: len(groups)]) if len(groups) <= len(MARKERS) else "o",
        markersize=5,
        err_kws={"linewidth": 2},
        dodge=min(0.55, 0.16 * len(groups)) if len(groups) > 1 else False,
        legend=len(groups) > 1,
        ax=axes,
    )
    axes.set(xlabel=layout.metric, ylabel="")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.6, linewidth=0.6)
    axes.xaxis.set_major_locator(_few_ticks())


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=5)


def _lines(axes: Any, layout: _Layout, groups: list[str], palette: dict[str, str]) -> None:
    for index, group in enumerate(groups):
        part = layout.frame[layout.frame["group"] == group].sort_values("x")
        colour, marker = palette[group], MARKERS[index % len(MARKERS)]
        axes.plot(part["x"], part["mean"], color=colour, marker=marker, markersize=5, label=group)
        axes.fill_between(part["x"], part["low"], part["high"], color=colour, alpha=0.18, linewidth=0)
    if _spans_decades(layout.frame["x"]):
        axes.set_xscale("log")
    if _spans_decades(layout.frame["mean"]):
        axes.set_yscale("log")
    axes.set(xlabel=layout.x.replace("_", " "), ylabel=layout.metric)
    axes.grid(alpha=0.6, linewidth=0.6)


def _spans_decades(values: pd.Series) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() >= 50)


def _legend_columns(groups: list[str], width: float) -> int:
    longest = max(map(len, groups), default=1)
    return max(1, min(len(groups), int(width / (0.085 * longest + 0.6))))


def _legend(figure: Any, axes: Any, layout: _Layout, groups: list[str], width: float) -> None:
    if len(groups) < 2:
        return
    handles, labels = axes.get_legend_handles_labels()
    if axes.get_legend():
        axes.get_legend().remove()
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=_legend_columns(groups, width),
        frameon=False,
        title=layout.group_title.replace("_", " ") if layout.group_title else None,
        alignment="left",
        fontsize=9,
    )


def _alt(layout: _Layout) -> str:
    rows = []
    for _, row in layout.frame.head(MOST_ROWS_IN_ALT).iterrows():
        between = f" ({number(row['low'])} to {number(row['high'])})" if math.isfinite(row["low"]) else ""
        rows.append(f"{row['label'] or setting(row['x'])}: {number(row['mean'])}{between}")
    hidden = len(layout.frame) - len(rows)
    more = f"; and {hidden} more, all in the table below" if hidden > 0 else ""
    return f"{layout.metric}, mean and 95 % interval over seeds. {'; '.join(rows)}{more}."
