"""The common style of all figures: colour-blind-safe, readable in print and on a phone."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

PALETTE = "colorblind"
COLOURS = sns.color_palette(PALETTE)
# The three parts of a split keep their colour and marker in every figure.
PART_COLOURS = {"train": COLOURS[7], "validation": COLOURS[1], "test": COLOURS[0]}
PART_MARKERS = {"train": "o", "validation": "s", "test": "D"}


def use_style() -> None:
    """Set the look of all figures drawn from now on (matplotlib's global settings)."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=PALETTE,
        rc={
            "figure.dpi": 110,
            "savefig.dpi": 200,
            "figure.constrained_layout.use": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.titleweight": "bold",
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "legend.frameon": False,
            "lines.linewidth": 2.0,
        },
    )


def panels(count: int, width: float = 5.2, height: float = 3.8, **options) -> list[Axes]:
    """`count` axes side by side, `width` × `height` inches each; options go to plt.subplots."""
    _, axes = plt.subplots(1, count, figsize=(width * count, height), squeeze=False, **options)
    return list(axes[0])


def interval_sides(table: pd.DataFrame, name: str) -> np.ndarray:
    """[2, N]: how far columns low and high lie below and above column `name`, as matplotlib's errorbar asks.

    One array: a pair of columns of one row each would be read as two numbers, with a warning.
    """
    return np.stack([(table[name] - table["low"]).clip(lower=0), (table["high"] - table[name]).clip(lower=0)])


def literal(text: str) -> str:
    """A text for a drawing, as it is.

    matplotlib would read what stands between two dollar signs as a formula; SVG has no control characters.
    """
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
    return shown.replace("$", r"\$")
