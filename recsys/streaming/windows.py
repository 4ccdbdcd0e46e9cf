"""Popularity and trend by event-time windows, as integers, which can be added over shards in any order.

A window is time // width. The newest `windows` of them are kept separately, older ones are summed up in
window `EARLIER`, so that a table grows with the catalogue and not with the stream.
"""

from __future__ import annotations

import numpy as np

from recsys.streaming.user_state import StateSpec

EARLIER = -1
COUNT = np.dtype([("window", "<i8"), ("item", "<i8"), ("count", "<i8")])


def count_windows(events: np.ndarray, spec: StateSpec) -> np.ndarray:
    """Sorted rows of `COUNT` for due events; kinds with weight 0 are left out."""
    weight = np.array(spec.popular)[events["kind"]]
    counted = (weight != 0) & (events["item"] >= 0)
    keys = np.stack([events["time"][counted] // spec.window, events["item"][counted]], axis=1)
    distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
    rows = np.zeros(len(distinct), dtype=COUNT)
    if len(distinct):
        rows["window"], rows["item"] = distinct.T
        np.add.at(rows["count"], inverse.ravel(), weight[counted])
    return rows


def merged(tables: list[np.ndarray]) -> np.ndarray:
    """Counts of several shards, or of old and new, added up; sorted by window and item."""
    rows = np.concatenate([np.zeros(0, dtype=COUNT), *tables])
    distinct, inverse = np.unique(rows[["window", "item"]], return_inverse=True)
    total = np.zeros(len(distinct), dtype=COUNT)
    total["window"], total["item"] = distinct["window"], distinct["item"]
    np.add.at(total["count"], inverse.ravel(), rows["count"])
    return total


def oldest_kept(watermark: int, spec: StateSpec) -> int:
    """The first window that is still kept separately."""
    return watermark // spec.window - spec.windows + 1


def roll_up(rows: np.ndarray, first: int) -> np.ndarray:
    """The same counts with all windows before `first` summed up in `EARLIER`."""
    rolled = rows.copy()
    rolled["window"][rows["window"] < first] = EARLIER
    return merged([rolled])


def popularity(rows: np.ndarray, n_items: int, newest: int | None = None) -> np.ndarray:
    """[M] counts over the newest `newest` windows (None: all, including `EARLIER`), for items 0 … M − 1."""
    inside = rows["item"] < n_items
    if newest is not None and len(rows):
        inside &= rows["window"] > rows["window"].max() - newest
    return np.bincount(rows["item"][inside], rows["count"][inside], minlength=n_items).astype(np.int64)


def trend(rows: np.ndarray, n_items: int, newest: int = 1) -> np.ndarray:
    """[M] trend score of the newest windows: (observed − expected) / √(expected + 1).

    Expected is the mean of the other kept windows. This is the standardised Poisson count, with 1 added so
    that a single sale of a new product is no trend. 0 where there is only one window.
    """
    kept = rows[rows["window"] != EARLIER]
    if not len(kept):
        return np.zeros(n_items)
    last, first = int(kept["window"].max()), int(kept["window"].min())
    others = last - newest - first + 1
    if others < 1:
        return np.zeros(n_items)
    recent = popularity(kept, n_items, newest)
    expected = (popularity(kept, n_items) - recent) * (newest / others)
    return (recent - expected) / np.sqrt(expected + 1)
