"""The long tail (长尾): how unevenly purchases are distributed over items."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.data.tables import Dataset
from recsys.plots.style import panels


def purchase_counts(dataset: Dataset) -> np.ndarray:
    """[M] purchases of each item."""
    bought = dataset.events.loc[dataset.events["kind"] == "purchase", "item"]
    return np.bincount(bought, minlength=dataset.n_items)


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of [M] counts: 0 when all items sell equally, near 1 when one item sells everything.

    Example:
        >>> gini(np.array([5, 5, 5])), round(gini(np.array([0, 0, 9])), 2)
        (0.0, 0.67)
    """
    ordered = np.sort(np.asarray(counts, dtype=float))
    places = np.arange(1, len(ordered) + 1)
    return float((2 * places - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def top_share(counts: np.ndarray, share: float) -> float:
    """Share of all events that belong to the best-selling `share` of the items; both in [0, 1].

    Example:
        >>> top_share(np.array([8, 1, 1, 0]), share=0.25)
        0.8
    """
    ordered = np.sort(counts)[::-1]
    return float(ordered[: max(1, round(share * len(ordered)))].sum() / ordered.sum())


def plot_long_tail(shops: Mapping[str, Dataset]) -> list[Axes]:
    """Sales by rank (both axes logarithmic), and the share of all sales that the best sellers take."""
    curves = pd.concat([_curve(purchase_counts(data)).assign(shop=name) for name, data in shops.items()])
    by_rank, by_share = panels(2)
    sold = curves[curves["purchases"] > 0]
    sns.lineplot(sold, x="rank", y="purchases", hue="shop", style="shop", estimator=None, ax=by_rank)
    by_rank.set(xscale="log", yscale="log", xlabel="item, by sales rank", ylabel="purchases")
    by_rank.set_title("A few items sell, most hardly do")
    by_rank.legend(title=None)
    taken = {name: f"{name}: {top_share(purchase_counts(data), 0.1):.0%}" for name, data in shops.items()}
    labelled = curves.assign(shop=curves["shop"].map(taken))
    sns.lineplot(labelled, x="items", y="sales", hue="shop", style="shop", estimator=None, ax=by_share)
    by_share.plot([0, 1], [0, 1], color="0.5", linewidth=1.2, linestyle=":", label="all items equal: 10%")
    by_share.axvline(0.1, color="0.6", linewidth=1)
    by_share.legend(title="the top 10 % take", loc="lower right")
    by_share.set(xlabel="share of items, best sellers first", ylabel="share of all purchases")
    by_share.set_title("Sales are concentrated")
    return [by_rank, by_share]


def _curve(counts: np.ndarray, points: int = 400) -> pd.DataFrame:
    """Rank, purchases and cumulated shares at up to `points` log-spaced ranks."""
    ordered = np.sort(counts)[::-1]
    rank = np.unique(np.geomspace(1, len(ordered), points).astype(int))
    return pd.DataFrame(
        {
            "rank": rank,
            "purchases": ordered[rank - 1],
            "items": rank / len(ordered),
            "sales": np.cumsum(ordered)[rank - 1] / ordered.sum(),
        }
    )
