"""Key figures of a data set, and a table that compares several."""

from collections.abc import Mapping

import pandas as pd

from recsys.data.tables import EVENT_KINDS, Dataset
from recsys.plots.long_tail import gini, purchase_counts, top_share


def shop_facts(dataset: Dataset) -> dict[str, float]:
    """Size and shape of a data set as metrics.

    Returns:
        users, items, events; purchases, purchases_per_user (median), density (share of all user–item pairs
        bought at least once, in [0, 1]), repeat_share (purchases of something the user had bought before),
        gini and top_decile_share of purchases over items, both in [0, 1].
    """
    purchases = dataset.events[dataset.events["kind"] == "purchase"]
    counts = purchase_counts(dataset)
    pairs = len(purchases[["user", "item"]].drop_duplicates())
    return {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "events": len(dataset.events),
        "purchases": len(purchases),
        "purchases_per_user": float(purchases.groupby("user").size().median()),
        "density": pairs / (dataset.n_users * dataset.n_items),
        "repeat_share": 1 - pairs / len(purchases),
        "gini": gini(counts),
        "top_decile_share": top_share(counts, 0.1),
    }


def compare_shops(shops: Mapping[str, Dataset]) -> pd.DataFrame:
    """Table of key figures, data sets as columns, formatted for reading."""
    return pd.DataFrame({name: _readable(dataset) for name, dataset in shops.items()}).fillna("–")


def _readable(dataset: Dataset) -> dict[str, str]:
    facts = shop_facts(dataset)
    kinds = dataset.events["kind"].value_counts()
    times = "only the order within a user"
    if dataset.has_times:
        times = f"{dataset.events['time'].min():%d %b %Y} – {dataset.events['time'].max():%d %b %Y}"
    described = [c for c in ("title", "description", "category", "price", "brand") if c in dataset.items]
    dropped = dataset.cleaning.get("rows dropped", 0)
    return {
        "users": f"{dataset.n_users:,}",
        "items": f"{dataset.n_items:,}",
        **{f"events: {kind}": f"{kinds[kind]:,}" for kind in EVENT_KINDS if kind in kinds},
        "purchases a user (median)": f"{facts['purchases_per_user']:g}",
        "pairs bought, of all possible": f"{facts['density']:.3%}",
        "purchases that are repeats": f"{facts['repeat_share']:.1%}",
        "Gini of purchases over items": f"{facts['gini']:.2f}",
        "purchases of the top 10 % of items": f"{facts['top_decile_share']:.0%}",
        "times": times,
        "known about an item": ", ".join(described) or "nothing but its code",
        "rows dropped on loading": f"{dropped:,}" if dataset.cleaning else "generated: none",
    }
