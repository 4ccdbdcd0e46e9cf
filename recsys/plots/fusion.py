"""Figures of model fusion: quality of members and methods, and gain against diversity."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import panels


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
    for ax, column in zip(axes, ("rank_correlation", "error_correlation"), strict=True):
        sns.scatterplot(table, x=column, y="gain", size="strength_ratio", ax=ax)
        ax.axhline(0, color="0.5", linewidth=1)
        ax.set(xlabel=column.replace("_", " ") + " of the pair", ylabel="gain in NDCG@10 over the better one")
        ax.legend(title="weaker / better", fontsize=8)
    return axes
