"""Ranking curves: share of targets within the first k places, and full against sampled ranking."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import panels

MARKERS = ("o", "s", "D", "^", "v")


def plot_found_within(positions: Mapping[str, pd.DataFrame], n_items: int) -> Axes:
    """Share of targets in the first k places, for every k; both axes logarithmic.

    The curve's height at k = 10 is recall@10 when each user has one target. A random order follows the dotted
    line k / M.

    Args:
        positions: by label, tables with better and equal (a tied target is put in the middle of its tie).
        n_items: M.
    """
    (ax,) = panels(1, width=7.5, height=4.2)
    k = np.unique(np.geomspace(1, n_items, 300).astype(int))
    curves = []
    for label, table in positions.items():
        places = np.sort(table["better"] + table["equal"] / 2 + 1)
        found = np.searchsorted(places, k, side="right") / len(places)
        curves.append(pd.DataFrame({"k": k, "found": found, "scorer": label}))
    curves = pd.concat(curves)
    sns.lineplot(
        curves[curves["found"] > 0], x="k", y="found", hue="scorer", style="scorer", estimator=None, ax=ax
    )
    ax.plot(k, k / n_items, color="0.5", linewidth=1.2, linestyle=":", label="k / M: random order")
    ax.axvline(10, color="0.6", linewidth=1)
    ax.annotate("k = 10", (10, 1), (4, -10), textcoords="offset points", color="0.35", fontsize=9)
    ax.set(xscale="log", yscale="log", xlabel="length k of the list", ylabel="share of targets found")
    ax.legend(title=None)
    return ax


def plot_protocols(table: pd.DataFrame) -> Axes:
    """One line per scorer across the protocols of `recsys.metrics.sampled.compare_protocols`.

    Where lines cross, the protocol changes the order of scorers. Bars: 95 % interval over cases.
    """
    metric = next(name for name in table.columns if name.startswith("hr@"))
    protocols = list(dict.fromkeys(table["protocol"]))
    (ax,) = panels(1, width=7.5, height=4.2)
    for marker, (scorer, rows) in zip(MARKERS, table.groupby("scorer", sort=False), strict=False):
        shift = 0.03 * (list(MARKERS).index(marker) - 1)  # so that equal values stay visible
        place = [protocols.index(protocol) + shift for protocol in rows["protocol"]]
        ax.errorbar(
            place, rows[metric], 1.96 * rows["error"], marker=marker, markersize=7, capsize=4, label=scorer
        )
    ax.set_yscale("log")
    ax.set_xticks(range(len(protocols)), [_against(protocol) for protocol in protocols])
    ax.set(ylabel=f"{metric} (log scale)", xlabel="the target is ranked against")
    ax.margins(x=0.12)
    ax.legend(title=None)
    return ax


def _against(protocol: str) -> str:
    if protocol == "full catalogue":
        return "the full\ncatalogue"
    number, _, kind = protocol.partition(" ")
    return f"{number} drawn\n{'uniformly' if kind == 'uniform' else kind}"
