"""Examples for reading: the titles that a model recommends to one user, and titles with similar vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.metrics.lists import recommend
from recsys.models.next_item.data import NextItemData

WIDTH = 70  # characters of a title that are shown


def nearest_titles(
    data: NextItemData, item: int, k: int = 5, backbone: str = "minilm", among: int = 600
) -> pd.DataFrame:
    """The k items whose titles' vectors have the largest cosine with that of `item`: cosine and title.

    Args:
        among: how many items are compared, spread evenly over the catalogue (enough for an illustration).
    """
    step = max(1, data.split.n_items // among)
    others = np.array([code for code in range(0, data.split.n_items, step) if code != item])
    titles = data.required_titles()
    vectors = embed_texts(load_backbone(backbone), [titles[code] for code in (item, *others)], max_tokens=32)
    cosine = vectors[1:] @ vectors[0]
    near = np.argsort(-cosine, kind="stable")[:k]
    return pd.DataFrame({"cosine": cosine[near], "title": [_title(data, code) for code in others[near]]})


def shown_to(model: Any, data: NextItemData, user: int, k: int = 5) -> pd.DataFrame:
    """A user's newest k items beside the model's k best recommendations.

    Args:
        model: scores users, with the histories that it holds.
        user: a code; the user's items of train and validation are not recommended.
    """
    past = data.known[data.known["user"] == user]
    newest = past.sort_values("order", ascending=False)["item"].drop_duplicates().head(k)
    _, lists = recommend(model, np.array([user]), k, past[["user", "item"]])
    columns = {"history, newest first": newest.tolist(), "shown, best first": lists[0].tolist()}
    titled = {name: pd.Series([_title(data, code) for code in codes]) for name, codes in columns.items()}
    return pd.DataFrame(titled).fillna("")


def example_user(data: NextItemData, items: int = 4) -> int:
    """A test user with about `items` events before the test part; the same one every time."""
    counts = data.known.groupby("user").size()
    candidates = counts[counts.index.isin(data.split.test["user"])]
    return int((candidates - items).abs().idxmin())


def _title(data: NextItemData, item: int) -> str:
    text = data.titles[item] if data.titles else f"item {item}"
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
