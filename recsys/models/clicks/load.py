"""Loads click data by name: the synthetic case of 000 §4.3, or the clicks of a data set."""

from __future__ import annotations

from recsys.models.clicks.data import ClickData


def load_click_data(dataset: str, seed: int = 0) -> ClickData:
    """Load the synthetic case of 000 §4.3 with known true weights ("planted"), or the clicks of a data set.

    Args:
        dataset: "planted", "demo_store" (its clicks, split by global time), or the name of any other data
            set of `recsys.data.load` (its purchases, its default split).
        seed: of the planted case; the other data sets are the same for every seed.

    Raises:
        ValueError: unknown name. DataUnavailable: the files cannot be obtained.

    Example:
        >>> data = load_click_data("planted")
        >>> data.n_users, data.n_items, data.features.shape
        (1000, 1000, (1000, 100))
    """
    # imported late: the planted case reads no data set
    if dataset == "planted":
        from recsys.models.clicks.planted import planted_clicks

        return planted_clicks(seed=seed)
    from recsys.data.load import load_dataset
    from recsys.data.splits import global_time, split

    source = load_dataset(dataset)
    parts = global_time(source, kinds=("click",)) if dataset == "demo_store" else split(source)
    return ClickData(dataset, parts)
