"""The report's comparison plots: one figure, drawn for light and dark, wide and narrow pages.

Every picture is an SVG with transparent background and text as outlines, so it needs no fonts.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd

from recsys.plots.style import literal
from recsys.runs.grid.experiment import Plot
from recsys.runs.report.numbers import number, setting
from recsys.runs.report.tables import Cell

# Text colour, colour of faint lines, and a palette that colour-blind readers can distinguish.
THEMES = {
    "light": ("#23282d", "#c9ced3", ("#0b6e99", "#c2500a", "#2b8a3e", "#8f3f97", "#8a6d00", "#b3263e")),
    "dark": ("#dfe3e6", "#4b5257", ("#5cc0ec", "#ff9d57", "#6fd08c", "#da8fe0", "#e6c84f", "#ff8595")),
}
WIDTHS = {"wide": 7.6, "narrow": 3.9}  # inches; the page scales them little
PANEL = 1.3  # least width in inches of one of several panels
CHARACTER = 0.075  # width in inches of a letter of the y labels
LINE = 0.17  # height in inches of a line of a y label
DOT = 0.14  # distance in inches between the dots of one row
TICK = 0.7  # distance in inches between numbers on the x axis
WORDS = 0.45  # largest share of the width for the y labels
MARKERS = ("o", "s", "D", "^", "v", "P")
MOST_ROWS_IN_ALT = 30
USUAL = "nothing changed"


@dataclass(frozen=True)
class Picture:
    """Files by (theme, width), relative to the site's root, and the alternative text."""

    files: dict[tuple[str, str], str]
    alt: str


@dataclass(frozen=True)
class _Layout:
    """Data and layout: dots with text labels on the y axis, or lines over a numeric x axis."""

    frame: pd.DataFrame  # x, group, panel, label, mean, low, high
    x: str
    group_title: str | None
    metric: str
    numeric: bool


def draw(cells: list[Cell], plot: Plot, folder: Path, root: Path, name: str) -> Picture | None:
    """Draw one comparison in all variants.

    Settings that vary beyond the plot's x, hue and panel are distinguished in the labels, never averaged
    over; the labels leave out settings with one value for each hue or panel.

    Args:
        cells: of one origin.
        plot: of the experiment.
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
            path.write_text(recolour(drawn, theme), encoding="utf-8")
            files[theme, width] = path.relative_to(root).as_posix()
    return Picture(files, _alt(layout))


def _layout(cells: list[Cell], plot: Plot) -> _Layout | None:
    if not cells:
        return None
    values = [_value(cell, plot.x) for cell in cells] if plot.x else _changes(cells)
    numeric = len(set(map(repr, values))) > 2 and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    others = (plot.x,) if plot.x else tuple(cells[0].settings)
    others += (plot.hue,) if plot.hue and not numeric else ()
    others += (plot.panel,) if plot.panel else ()
    for said in (plot.hue, plot.panel):
        others += _following(cells, said) if said else ()
    rows = []
    for cell, value in zip(cells, values, strict=True):
        rest, interval = literal(cell.label(leave_out=others)), cell.metrics[plot.metric]
        hue, panel = (literal(setting(_value(cell, said))) if said else "" for said in (plot.hue, plot.panel))
        text = literal(setting(value)) + (f"\n{rest}" if rest else "")
        rows.append(
            {"x": value if numeric else text, "group": rest if numeric else hue, "panel": panel}
            | {"label": cell.label(), "mean": interval.mean, "low": interval.low, "high": interval.high}
        )
    frame = pd.DataFrame(rows)
    grouped = frame["group"].nunique() > 1
    title = (None if numeric else plot.hue) if grouped else None
    return _Layout(frame if grouped else frame.assign(group=""), plot.x or "", title, plot.metric, numeric)


def _changes(cells: list[Cell]) -> list[str]:
    """Labels: the differences of each cell from the most common settings."""
    usual = {
        name: Counter(repr(_value(c, name)) for c in cells).most_common(1)[0][0] for name in cells[0].settings
    }
    same = [tuple(n for n in usual if repr(_value(cell, n)) == usual[n]) for cell in cells]
    return [cell.label(leave_out=names) or USUAL for cell, names in zip(cells, same, strict=True)]


def _following(cells: list[Cell], said: str) -> tuple[str, ...]:
    """Settings that are determined by the setting `said`, such as sizes that depend on the data set."""

    def values(*names: str) -> int:
        return len({tuple(repr(_value(cell, name)) for name in names) for cell in cells})

    return tuple(n for n in cells[0].settings if n != said and values(said, n) == values(said))


def _value(cell: Cell, name: str) -> Any:
    if name in cell.settings:
        return cell.settings[name]
    return cell.records[0].parameters.get(name, "all")


def recolour(drawn: str, theme: str) -> str:
    """The light drawing in another theme's colours, which costs nothing against drawing it again."""
    (ink, faint, colours), (new_ink, new_faint, new_colours) = THEMES["light"], THEMES[theme]
    replacement = dict(zip((ink, faint, *colours), (new_ink, new_faint, *new_colours), strict=True))
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: replacement.get(found[0], found[0]), drawn)


def _svg(layout: _Layout, width: float) -> str:
    return as_svg(_figure(layout, width))


def as_svg(figure: Any, transparent: bool = True) -> str:
    """A figure as text: letters as outlines, no date, the same for the same figure."""
    import io

    from matplotlib import rc_context

    buffer = io.StringIO()
    if layout := figure.get_layout_engine():  # else savefig draws everything once more, to lay it out
        layout.execute(figure)
        figure.set_layout_engine("none")
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "recsys"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", transparent=transparent, metadata=metadata)
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]  # without the DTD's address


def _figure(layout: _Layout, width: float) -> Any:
    import seaborn as sns
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    layout = replace(layout, frame=_wrapped(layout, int(WORDS * width / CHARACTER)))
    ink, faint, colours = THEMES["light"]
    groups = list(dict.fromkeys(layout.frame["group"]))
    settings = {"font.size": 10, "axes.labelsize": 10}
    settings |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), ink)
    settings |= {"axes.edgecolor": faint, "grid.color": faint, "axes.facecolor": "none"}
    with rc_context(settings), sns.axes_style(None):
        panels = [part for _, part in layout.frame.groupby("panel", sort=False)]
        free = width - CHARACTER * _longest_line(layout)
        columns = min(len(panels), max(1, int(free / PANEL)))
        lines = math.ceil(len(panels) / columns)
        height = lines * (_height(layout) + (0.25 if len(panels) > 1 else 0))
        height += 0.26 * math.ceil(len(groups) / _legend_columns(groups, width)) if len(groups) > 1 else 0
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        grid = figure.subplots(lines, columns, sharey=not layout.numeric, squeeze=False).ravel()
        looks = {group: _look(i, colours) for i, group in enumerate(groups)}
        for axes, part in zip(grid, panels, strict=False):
            if layout.numeric:
                _lines(axes, layout, part, looks)
            else:
                _dots(axes, layout, part, looks)
                axes.locator_params(axis="x", nbins=max(2, int(free / columns / TICK)))
            axes.set_title(part["panel"].iloc[0], fontsize=10, loc="left")  # in any style of the caller
            sns.despine(ax=axes, left=not layout.numeric)
        for axes in grid[len(panels) :]:
            axes.remove()
        _legend(figure, grid[0], layout, groups, width)
    return figure


def _look(index: int, colours: tuple[str, ...]) -> dict[str, str]:
    """Colour and marker of a group: the seventh has the first's colour, so it has the second's marker."""
    again = index // len(colours)
    return {"color": colours[index % len(colours)], "marker": MARKERS[(index + again) % len(MARKERS)]}


def _wrapped(layout: _Layout, letters: int) -> pd.DataFrame:
    """The frame with y labels wrapped to lines of at most `letters` letters."""
    if layout.numeric:
        return layout.frame
    texts = layout.frame["x"].str.split("\n")
    wrapped = ["\n".join(part for line in text for part in wrap(line, letters)) for text in texts]
    return layout.frame.assign(x=wrapped)


def _longest_line(layout: _Layout) -> int:
    """Letters of the longest line of a y label."""
    return 6 if layout.numeric else max(len(line) for text in layout.frame["x"] for line in text.split("\n"))


def _rows(layout: _Layout) -> dict[str, tuple[float, list[str]]]:
    """Height in inches of each row of dots, and the groups in it: no room for groups that it lacks."""
    found = {}
    for text, part in layout.frame.groupby("x", sort=False):
        groups = [group for group in dict.fromkeys(layout.frame["group"]) if group in set(part["group"])]
        found[text] = 0.2 + max(LINE * (text.count("\n") + 1), DOT * len(groups)), groups
    return found


def _height(layout: _Layout) -> float:
    """Height in inches of one panel."""
    return 3.4 if layout.numeric else 0.75 + sum(height for height, _ in _rows(layout).values())


def _dots(axes: Any, layout: _Layout, part: pd.DataFrame, looks: dict[str, dict[str, str]]) -> None:
    rows = _rows(layout)
    heights = [height for height, _ in rows.values()]
    centres = {text: sum(heights[:i]) + heights[i] / 2 for i, text in enumerate(rows)}
    for group, look in looks.items():
        own = part[part["group"] == group]
        among = [(rows[text][1].index(group), len(rows[text][1])) for text in own["x"]]
        places = [centres[x] + DOT * (i - (n - 1) / 2) for x, (i, n) in zip(own["x"], among, strict=True)]
        axes.hlines(places, own["low"], own["high"], color=look["color"], linewidth=2)
        axes.plot(own["mean"], places, linestyle="none", markersize=5, label=group, **look)
    axes.set_yticks(list(centres.values()), list(centres))
    axes.set_ylim(sum(heights), 0)
    axes.set(xlabel=literal(layout.metric), ylabel="")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.6, linewidth=0.6)


def _lines(axes: Any, layout: _Layout, part: pd.DataFrame, looks: dict[str, dict[str, str]]) -> None:
    for group, look in looks.items():
        own = part[part["group"] == group].sort_values("x")
        axes.plot(own["x"], own["mean"], markersize=5, label=group, **look)
        axes.fill_between(own["x"], own["low"], own["high"], color=look["color"], alpha=0.18, linewidth=0)
    if _spans_decades(layout.frame["x"]):
        axes.set_xscale("log")
    if _spans_decades(part["mean"]):
        axes.set_yscale("log")
    axes.set(xlabel=layout.x.replace("_", " "), ylabel=literal(layout.metric))
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
    for panel in figure.axes:
        if panel.get_legend():
            panel.get_legend().remove()
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
