"""Figures of customer service: what a threshold refuses, and how many facts answers state."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import panels


def plot_refusal(table: pd.DataFrame) -> Axes | None:
    """What each score refuses at the threshold of its own: questions out of scope, and questions with an
    intent.

    Args:
        table: columns score, "refused of outside", "refused of inside". Without rows nothing is drawn.
    """
    if table.empty:
        return None
    (ax,) = panels(1, width=6.5, height=1.2 + 0.45 * len(table))
    shown = table.melt("score", ["refused of outside", "refused of inside"], "questions", "share")
    sns.barplot(shown, y="score", x="share", hue="questions", ax=ax)
    ax.set(xlabel="share refused", ylabel="", xlim=(0, 1))
    ax.legend(title=None)
    return ax


def plot_facts(table: pd.DataFrame) -> Axes:
    """Share of the needed facts that an answer states and its source supports, by how much was asked.

    Args:
        table: column wishes (how many things a question asks), one column for each kind of answer.
    """
    (ax,) = panels(1, width=6.5, height=3.2)
    shown = table.melt("wishes", var_name="answer", value_name="facts")
    sns.barplot(shown, x="wishes", y="facts", hue="answer", ax=ax)
    ax.set(xlabel="wishes in a question", ylabel="needed facts stated", ylim=(0, 1))
    ax.legend(title=None)
    return ax
