"""Figures of notebook 08: the pipeline, freshness, drift, the engine's batches."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, interval_sides, panels

STATES = ("cut", "month", "day", "hour", "session", "event", "session_only")
BOXES = {  # name: (x, y, text)
    "log": (0.0, 1.0, "log\n(files, Redis Stream)"),
    "check": (2.2, 1.0, "schema check"),
    "letters": (2.2, 0.0, "dead letters\nwith reasons"),
    "shards": (4.4, 1.0, "by shard:\nlate? repeated?"),
    "state": (6.6, 1.0, "waiting → due,\nfolded in event time"),
    "store": (8.8, 1.0, "feature store\nstate, windows, lists"),
    "overlay": (6.6, 2.0, "overlay: events since\nthe checkpoint"),
    "lists": (8.8, 2.0, "re-rank in\nmilliseconds"),
}
ARROWS = [
    ("log", "check"),
    ("check", "shards"),
    ("check", "letters"),
    ("shards", "letters"),
    ("shards", "state"),
    ("state", "store"),
    ("log", "overlay"),
    ("store", "overlay"),
    ("overlay", "lists"),
]


def plot_pipeline() -> Axes:
    """The two paths of an event: through the engine into the store, and directly into the list."""
    (axes,) = panels(1, width=11, height=3.2)
    for source, target in ARROWS:
        (x0, y0, _), (x1, y1, _) = BOXES[source], BOXES[target]
        style = {"arrowstyle": "-|>", "color": "0.4", "shrinkA": 38, "shrinkB": 42, "lw": 1.5}
        axes.annotate("", (x1, y1), (x0, y0), arrowprops=style)
    for name, (x, y, text) in BOXES.items():
        colour = (
            COLOURS[1] if name in ("overlay", "lists") else COLOURS[7] if name == "letters" else COLOURS[0]
        )
        box = {"boxstyle": "round,pad=0.4", "facecolor": (*colour, 0.18), "edgecolor": colour}
        axes.text(x, y, text, ha="center", va="center", fontsize=9, bbox=box)
    axes.set(xlim=(-0.9, 9.8), ylim=(-0.5, 2.5))
    axes.set_axis_off()
    axes.set_title("Engine (blue): exactly once, seconds. Overlay (orange): the same functions, milliseconds")
    return axes


def plot_freshness(gains: pd.DataFrame) -> Axes | None:
    """NDCG@10 against the freshness of the state, one line per scorer, with the interval of its gain.

    None for an empty table.

    Args:
        gains: from `recsys.streaming.studies.freshness_tables.gains`, arms named "scorer, freshness".
    """
    if gains.empty:
        return None
    parts = gains.index.to_series().str.split(", ", expand=True)
    plain = parts[parts.get(2, pd.Series(index=parts.index, dtype=object)).isna() & parts[1].notna()]
    steps = [step for step in ("cut", "month", "day", "hour", "session", "event") if (plain[1] == step).any()]
    (axes,) = panels(1, width=7.5)
    for place, scorer in enumerate(dict.fromkeys(plain[0])):
        rows = gains.loc[[f"{scorer}, {step}" for step in steps]]
        x = np.arange(len(steps)) + 0.06 * place
        spread = interval_sides(rows, "gain")
        axes.errorbar(
            x, rows["ndcg@10"], yerr=spread, marker="o", capsize=3, label=scorer, color=COLOURS[place]
        )
    if "random" in gains.index:
        axes.axhline(gains.loc["random", "ndcg@10"], color="0.5", ls=":", label="random")
    axes.set_xticks(range(len(steps)), steps)
    axes.set(xlabel="state brought up to date every …", ylabel="NDCG@10")
    axes.legend()
    axes.set_title("Value of fresh state (bars: interval of the difference to the control)")
    return axes


def by_freshness(frame: pd.DataFrame) -> pd.DataFrame:
    """Records in the order of their parameter `state`, oldest knowledge first; an empty frame as it is."""
    if frame.empty:
        return frame
    return frame.sort_values("state", key=lambda states: states.map(STATES.index), kind="stable")


def plot_learners(weekly: pd.DataFrame) -> Axes | None:
    """Log loss by week, one line per learner, with the change point and detected drifts. None if empty.

    Args:
        weekly: from `recsys.streaming.studies.sections.learners`; change point and drifts are in its attrs.
    """
    if weekly.empty:
        return None
    (axes,) = panels(1, width=8)
    for place, kind in enumerate(weekly):
        axes.plot(weekly.index, weekly[kind], marker="o", ms=4, label=kind, color=COLOURS[place])
    break_at = pd.to_datetime(weekly.attrs["break_at"], unit="ms")
    axes.axvline(break_at, color="0.4", ls="--")
    axes.annotate("break", (break_at, axes.get_ylim()[1]), fontsize=9, va="top")
    for when in weekly.attrs["drifts"]:
        axes.axvline(pd.to_datetime(when, unit="ms"), color=COLOURS[3], lw=1)
    axes.set(ylabel="log loss")
    axes.tick_params(axis="x", rotation=30)
    axes.legend()
    axes.set_title("Prequential loss; thin lines: drift seen by ADWIN")
    return axes


def plot_batches(batches: pd.DataFrame) -> list[Axes]:
    """Events and milliseconds of every batch of the engine; [] for an empty table.

    Args:
        batches: from `recsys.streaming.studies.load.engine_run`.
    """
    if batches.empty:
        return []
    axes = panels(2, height=3.2)
    axes[0].bar(batches.index, batches["lines_per_second"], color=COLOURS[0])
    axes[0].set(xlabel="batch", ylabel="lines a second", title="Throughput")
    axes[1].bar(batches.index, batches["milliseconds"], color=COLOURS[1])
    axes[1].set(xlabel="batch", ylabel="ms", title="Time of a batch: the lag of its last event")
    return axes


def plot_ticker(told: pd.DataFrame) -> list[Axes]:
    """Throughput of the low-latency path, and number of new items in one user's list at each step."""
    axes = panels(2, height=3.0)
    axes[0].plot(told.index, told["events_per_second"], color=COLOURS[0])
    axes[0].set(xlabel="events", ylabel="events a second", title="Fold and re-rank")
    axes[1].step(told.index, told["changed"], color=COLOURS[1], where="mid")
    axes[1].set(xlabel="events", ylabel="new of 10 places", title="One user's list")
    return axes
