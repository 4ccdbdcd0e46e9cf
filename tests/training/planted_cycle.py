"""A shop where everybody buys item after item around one circle: the next item is certain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.data.splits import Split

USERS, ITEMS, BOUGHT = 90, 18, 7
EVERYBODY = np.arange(USERS)


def planted_cycle(seed: int = 0) -> Split:
    """Leave-one-out over walks i, i + 1, … mod ITEMS from a place of each user's own.

    BOUGHT < ITEMS: no repeats. All items are about equally popular, so popularity says nothing.
    """
    starts = np.random.default_rng(seed).integers(ITEMS, size=USERS)
    rows = [
        (user, int(start + place) % ITEMS, place)
        for user, start in enumerate(starts)
        for place in range(BOUGHT)
    ]
    return parts_by_order(pd.DataFrame(rows, columns=["user", "item", "order"]), USERS, ITEMS)


def parts_by_order(events: pd.DataFrame, n_users: int, n_items: int) -> Split:
    """The last event of each user for test, the one before for validation; all users have as many."""
    from_end = events["order"].max() - events["order"]
    parts = {"train": from_end >= 2, "validation": from_end == 1, "test": from_end == 0}
    tables = {name: events[rows] for name, rows in parts.items()}
    return Split(**tables, kind="leave_one_out", n_users=n_users, n_items=n_items)


class Untouchable:
    """Stands where a table must not be read: whoever asks it for anything fails."""

    def __getattribute__(self, name):
        raise AssertionError(f"the test table was read: {name}")

    def __getitem__(self, name):
        raise AssertionError(f"the test table was read: {name}")

    def __len__(self):
        raise AssertionError("the test table was read: its length")
