"""A shop with two circles of customers: each buys from its own half of the catalogue only."""

import numpy as np
import pandas as pd

from recsys.data.splits import Split

USERS, ITEMS, BOUGHT = 120, 40, 10


def planted_split(seed: int = 0) -> Split:
    """Leave-one-out over `BOUGHT` distinct items of each user, drawn evenly from the user's half.

    Half the catalogue is worth nothing to a user, so whoever sees the circles beats popularity.
    """
    rng = np.random.default_rng(seed)
    half = ITEMS // 2
    rows = [
        (user, int(item) + half * (user % 2), place)
        for user in range(USERS)
        for place, item in enumerate(rng.choice(half, BOUGHT, replace=False))
    ]
    events = pd.DataFrame(rows, columns=["user", "item", "order"])
    from_end = BOUGHT - 1 - events["order"]
    parts = {"train": from_end >= 2, "validation": from_end == 1, "test": from_end == 0}
    tables = {name: events[rows] for name, rows in parts.items()}
    return Split(**tables, kind="leave_one_out", n_users=USERS, n_items=ITEMS)
