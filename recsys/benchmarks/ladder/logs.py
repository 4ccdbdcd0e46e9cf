"""A log split for the ladder: a shop's purchases by global time, or ratings by each user's own order."""

from __future__ import annotations

from recsys.data.leaks import check_leaks
from recsys.data.load import load_dataset
from recsys.data.splits import split
from recsys.encoders.item_text import item_texts
from recsys.models.next_item.data import NextItemData, load_next_item
from recsys.multimodal.tasks.next_item import split_by_order

VALIDATION_SHARE = 0.1


def load(name: str, test_share: float = 0.0) -> NextItemData:
    """A data set by name.

    Where films are rated and nothing is bought (MovieLens), histories are cut by each user's own order, 60,
    20 and 20 % of the events: most users' ratings are of one evening, so a cut in time would leave hardly
    anybody with a history on either side.

    Args:
        test_share: of a shop's purchases, after the second cut in time; 0: the split that all models of the
            kit are judged by. A longer test part holds more users, and thirty days to watch.

    Raises:
        ValueError, RegistryError, DataUnavailable: as `recsys.models.next_item.data.load_next_item`.
    """
    dataset = load_dataset(name)
    bought = (dataset.events["kind"] == "purchase").any()
    if bought and not (test_share and dataset.has_times):
        return load_next_item(name)
    if bought:
        parts = split(dataset, "global_time", validation_share=VALIDATION_SHARE, test_share=test_share)
        check_leaks(parts, dataset)
    else:
        parts, _ = split_by_order(dataset)
    items = dataset.items
    titles = item_texts(items) if "title" in items and items["title"].notna().any() else None
    columns = ("text",) if "text" in items else ("title", "category")
    described = None if titles is None else item_texts(items, columns, absent_ok=True)
    return NextItemData(dataset, parts, parts.train, titles, described)
