"""The conversion funnel: how many events reach each stage, from view to purchase, and at what rate."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from recsys.data.tables import Dataset
from recsys.plots.style import COLOURS, panels


def funnel(dataset: Dataset) -> pd.DataFrame:
    """Stages of the funnel.

    A click counts as "in a list" when it has a position; other clicks come from browsing and have no view
    before them, so clicks per view are computed from list clicks only.

    Returns:
        One row per stage that the data set has, in order: stage, events, rate (share of the previous stage
        that gets here; NaN for the first), and of (the previous stage's name, or "").
    """
    kinds = dataset.events["kind"].value_counts()
    clicks = dataset.events[dataset.events["kind"] == "click"]
    from_list = int(clicks["position"].notna().sum()) if "position" in clicks else 0
    stages = [
        ("shown in a result list", kinds.get("view", 0), None),
        ("clicked in a list", from_list, "shown in a result list"),
        ("clicked while browsing", len(clicks) - from_list, None),
        ("put in the cart", kinds.get("cart", 0), "clicked"),
        ("bought", kinds.get("purchase", 0), "put in the cart"),
    ]
    counts = {name: int(count) for name, count, _ in stages} | {"clicked": len(clicks)}
    rows = [
        {
            "stage": name,
            "events": int(count),
            "rate": count / counts[of] if of and counts[of] else None,
            "of": of,
        }
        for name, count, of in stages
        if count
    ]
    return pd.DataFrame(rows, columns=["stage", "events", "rate", "of"]).astype({"rate": float})


def conversion_rate(dataset: Dataset) -> float | None:
    """转化率 as the first article defines it (section 2.1): purchases per click; None without clicks."""
    kinds = dataset.events["kind"].value_counts()
    return float(kinds.get("purchase", 0) / kinds["click"]) if kinds.get("click", 0) else None


def plot_funnel(shops: Mapping[str, Dataset]) -> list[Axes]:
    """One panel for each shop that logs more than purchases; a note where none does."""
    tables = {name: table for name, data in shops.items() if len(table := funnel(data)) > 1}
    if not tables:
        print("Only purchases are known here: there is no funnel to draw.")
        return []
    axes = panels(len(tables), width=7.5, height=3.4)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        bars = ax.barh(table["stage"], table["events"], color=COLOURS[0])
        labels = [
            f" {row.events:,}" + (f"  ({row.rate:.0%} of {row.of})" if row.rate == row.rate else "")
            for row in table.itertuples()
        ]
        ax.bar_label(bars, labels, fontsize=10)
        ax.invert_yaxis()
        ax.margins(x=0.4)
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_formatter("{x:,.0f}")
        rate = conversion_rate(shops[name])
        ax.set_title(f"{name}: {rate:.0%} of clicks end in a purchase" if rate else name)
        ax.set_xlabel("events")
    return axes
