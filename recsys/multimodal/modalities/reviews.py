"""Reviews of an item written before a given time: mean text vector and rating statistics.

n: items.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.modalities.text import text_vectors

MOST_REVIEWS = 20  # newest per item; encoding all would cost minutes for little gain


def encode(
    table: pd.DataFrame,
    known: np.ndarray,
    reviews: pd.DataFrame | None = None,
    before: pd.Timestamp | None = None,
    backbone: str = "minilm",
) -> Features:
    """The modality "reviews" of a table of items (column item: codes).

    Args:
        reviews: columns item, rating, and where known review (text) and time (when it was written).
        before: only older reviews count; None only if the reviews have no time and belong to training events.
        backbone: as `recsys.encoders.backbone.load_backbone` takes it.

    Raises:
        FeatureError: no reviews, or `before` is given and they have no time.
    """
    if reviews is None:
        raise FeatureError("modality reviews: pass reviews=<events with item and rating>")
    if before is not None and "time" not in reviews:
        raise FeatureError("modality reviews: `before` is given, but the reviews have no time")
    older = reviews if before is None else reviews[reviews["time"] < before]
    statistics = _statistics(table["item"].to_numpy(), older)
    present = statistics[:, 1] > 0
    parts = [statistics]
    if "review" in older:
        parts.append(_texts(table["item"].to_numpy(), older, backbone))
    vectors = np.concatenate(parts, axis=1).astype(np.float32)
    vectors[~present] = 0
    return Features("reviews", vectors, present, costs={"megabytes": vectors.nbytes / 1e6})


def _statistics(items: np.ndarray, reviews: pd.DataFrame) -> np.ndarray:
    """[n, 4]: mean rating (shrunk to the global mean by ten pseudo-reviews), log count, standard deviation,
    share of the highest rating.
    """
    rated = reviews.dropna(subset="rating")
    overall = rated["rating"].mean() if len(rated) else 0.0
    by_item = rated.groupby("item")["rating"]
    count = by_item.size().reindex(items, fill_value=0).to_numpy(float)
    total = by_item.sum().reindex(items, fill_value=0.0).to_numpy(float)
    spread = by_item.std().reindex(items).fillna(0).to_numpy(float)
    best = (
        (rated["rating"] == rated["rating"].max()).groupby(rated["item"]).mean()
        if len(rated)
        else pd.Series()
    )
    share = best.reindex(items).fillna(0).to_numpy(float)
    mean = (total + 10 * overall) / (count + 10)
    return np.stack([mean - overall, np.log1p(count), spread, share], axis=1)


def _texts(items: np.ndarray, reviews: pd.DataFrame, backbone: str) -> np.ndarray:
    """[n, width]: mean vector of each item's newest review texts."""
    written = reviews[reviews["review"].fillna("").str.strip() != ""]
    if "time" in written:
        written = written.sort_values("time", kind="stable")
    newest = written.groupby("item").tail(MOST_REVIEWS)
    vectors = text_vectors("reviews", list(newest["review"]), backbone).vectors
    place = pd.Index(items).get_indexer(newest["item"])
    total = np.zeros((len(items), vectors.shape[1]), dtype=np.float32)
    known = place >= 0
    np.add.at(total, place[known], vectors[known])
    count = np.bincount(place[known], minlength=len(items))[:, None]
    return total / np.maximum(count, 1)
