"""Click data by name: the planted case, or the clicks of a data set."""

from __future__ import annotations

from recsys.models.clicks.data import ClickData


def load_click_data(dataset: str, seed: int = 0) -> ClickData:
    """The planted case of 000 §4.3, or the clicks of a data set.

    Args:
        dataset: "planted", "demo_store" (its clicks, cut at two moments), or the name of any other data set
            of `recsys.data.load` (its purchases, its default split).
        seed: draws the planted case; the other data sets are the same for every seed.

    Raises:
        ValueError: unknown name. DataUnavailable: the files are not to be had.
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
