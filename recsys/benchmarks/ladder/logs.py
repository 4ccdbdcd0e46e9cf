"""A log made ready for the ladder: a shop's purchases by global time, or ratings by each user's own order."""

from __future__ import annotations

from recsys.data.load import load_dataset
from recsys.encoders.item_text import item_texts
from recsys.models.next_item.data import NextItemData, load_next_item
from recsys.multimodal.tasks.next_item import split_by_order


def load(name: str) -> NextItemData:
    """A data set by name.

    Where films are rated and nothing is bought (MovieLens), histories are cut by each user's own order, 60,
    20 and 20 % of the events: most users' ratings are of one evening, so a cut in time would leave hardly
    anybody with a history on either side.

    Raises:
        ValueError, RegistryError, DataUnavailable: as `recsys.models.next_item.data.load_next_item`.
    """
    dataset = load_dataset(name)
    if (dataset.events["kind"] == "purchase").any():
        return load_next_item(name)
    parts, _ = split_by_order(dataset)
    items = dataset.items
    titles = item_texts(items) if "title" in items and items["title"].notna().any() else None
    columns = ("text",) if "text" in items else ("title", "category")
    described = None if titles is None else item_texts(items, columns, absent_ok=True)
    return NextItemData(dataset, parts, parts.train, titles, described)
