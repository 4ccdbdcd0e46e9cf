"""Small data sets for the tests of splits and leaks."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from recsys.data.tables import Dataset, check, place_in_history

WORDS = ["red", "blue", "oak", "linen", "lamp", "chair", "bowl", "scarf"]


def make_dataset(users: list[int], times: list[int] | None, seed: int = 0, n_items: int = 40) -> Dataset:
    """One purchase for each entry of `users`: a random item, titled in three words, and a random query."""
    rng = np.random.default_rng(seed)
    events = pd.DataFrame({"user": np.array(users, dtype=np.int64)})
    events["item"] = rng.integers(n_items, size=len(events))
    events["kind"] = "purchase"
    events["query"] = [f"query {number}" for number in rng.integers(10, size=len(events))]
    if times is not None:
        events["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(times, unit="h")
    events = events.sort_values(
        ["user", *(["time"] if times is not None else [])], kind="stable", ignore_index=True
    )
    events["order"] = place_in_history(events["user"])
    items = pd.DataFrame({"item": range(n_items), "source_id": [f"i{item}" for item in range(n_items)]})
    items["title"] = [
        f"{WORDS[item % 8].title()} {WORDS[item // 8]} number-{item}" for item in range(n_items)
    ]
    n_users = int(max(users, default=-1)) + 1
    return check(
        Dataset(
            "small",
            items,
            pd.DataFrame({"user": range(n_users), "source_id": range(100, 100 + n_users)}),
            events,
        )
    )


def timed_dataset(seed: int = 0) -> Dataset:
    """12 users with 20 events each, all at different times."""
    times = np.random.default_rng(seed).permutation(240)
    return make_dataset([user for user in range(12) for _ in range(20)], times.tolist(), seed)


def ordered_dataset(seed: int = 0) -> Dataset:
    """12 users with 20 events each, without times."""
    return make_dataset([user for user in range(12) for _ in range(20)], None, seed)


@st.composite
def datasets(draw, with_times: bool = True) -> Dataset:
    users = draw(st.lists(st.integers(0, 8), min_size=1, max_size=60))
    times = (
        draw(st.lists(st.integers(0, 50), min_size=len(users), max_size=len(users))) if with_times else None
    )
    return make_dataset(users, times, draw(st.integers(0, 100)))
