"""The common style of all figures: colour-blind-safe, readable in print and on a phone."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes

PALETTE = "colorblind"
CHINESE_FONTS = ("Noto Sans CJK SC", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC", "SimHei")
COLOURS = sns.color_palette(PALETTE)
# The three parts of a split keep their colour and marker in every figure.
PART_COLOURS = {"train": COLOURS[7], "validation": COLOURS[1], "test": COLOURS[0]}
PART_MARKERS = {"train": "o", "validation": "s", "test": "D"}


def use_style() -> None:
    """Set the look of all figures drawn from now on (matplotlib's global settings).

    Chinese words take one of `CHINESE_FONTS` (Debian: fonts-noto-cjk); without any they are boxes, and the
    two warnings that matplotlib has for each of their letters are left out.
    """
    warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from font")
    fonts = [name for name in CHINESE_FONTS if name in font_manager.get_font_names()]
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=PALETTE,
        rc={
            "font.sans-serif": ["Arial", "DejaVu Sans", *fonts],
            "figure.dpi": 110,
            "savefig.dpi": 200,
            "figure.constrained_layout.use": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.grid": True,
            "axes.formatter.min_exponent": 4,  # 20 and 300, not powers of ten: their labels overlap
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
