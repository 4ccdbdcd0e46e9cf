"""Events as a sparse matrix users × items, and the input checks that all baselines share.

N: users. M: items in the catalogue. L: distinct (user, item) pairs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

Weights = Literal["binary", "count"]


def interaction_matrix(
    events: pd.DataFrame, n_users: int, n_items: int, weights: Weights = "binary"
) -> sparse.csr_matrix:
    """Events as a matrix; it depends neither on the order of the rows nor on their labels.

    Args:
        events: columns user, item (whole codes, 0 ≤ user < N, 0 ≤ item < M); may be empty.
        n_users, n_items: N and M.
        weights: "binary" puts 1 where there is any event, "count" the number of events.

    Returns:
        [N, M] float32 with L stored values and ascending columns in each row, without duplicates. A
        `csr_matrix`, not a `csr_array`: implicit takes no other.

    Raises:
        ValueError: a column is missing, a code is missing, not whole or out of range, or no such weights.
    """
    if weights not in ("binary", "count"):
        raise ValueError(f"weights must be 'binary' or 'count', not {weights!r}")
    users, items = _codes(events, "user", n_users), _codes(events, "item", n_items)
    ones = np.ones(len(users), dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (users, items)), shape=(n_users, n_items))
    matrix.sum_duplicates()  # sorts the columns too; implicit's BPR searches them by bisection
    if weights == "binary":
        matrix.data[:] = 1
    return matrix


def newest_items(events: pd.DataFrame, count: int | None) -> pd.DataFrame:
    """The last `count` distinct items of each user; a repeated item counts at its last event.

    Args:
        events: columns user, item, and order (preferred) or time, both ascending.
        count: ≥ 1, or None for all events, which needs neither order nor time.

    Returns:
        Columns user, item. Events at the same moment are put in order of their item codes, so that the
        order of the rows does not matter.

    Raises:
        ValueError: count < 1, or the events have neither order nor time.
    """
    if count is None:
        return events
    if count < 1:
        raise ValueError(f"the number of newest items must be at least 1, or None for all; got {count}")
    clock = next((name for name in ("order", "time") if name in events), None)
    if clock is None:
        raise ValueError("the newest items are asked for, but the events have neither order nor time")
    ordered = events.sort_values(["user", clock, "item"]).drop_duplicates(["user", "item"], keep="last")
    return ordered.groupby("user").tail(count)[["user", "item"]]


def user_rows(users: np.ndarray, n_users: int) -> np.ndarray:
    """[B] user codes, checked: numpy and scipy would silently count a negative one from the end.

    Raises:
        ValueError: a code is not in 0 … N − 1.
    """
    users = np.asarray(users)
    wrong = users[(users < 0) | (users >= n_users)]
    if len(wrong):
        raise ValueError(f"user {wrong[0]} is unknown: the model was fitted for the codes 0 to {n_users - 1}")
    return users


def _codes(events: pd.DataFrame, column: str, size: int) -> np.ndarray:
    if column not in events:
        raise ValueError(f"events need a column {column!r}; they have {', '.join(map(str, events.columns))}")
    codes = events[column]
    if codes.empty:
        return np.empty(0, dtype=np.int64)
    if codes.isna().any():
        raise ValueError(f"events hold a {column} that is missing: drop these rows first")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{column} must hold whole codes, not {codes.dtype}")
    if codes.min() < 0 or codes.max() >= size:
        wrong = codes[(codes < 0) | (codes >= size)].iloc[0]
        raise ValueError(
            f"events hold {column} {wrong}, but the codes run from 0 to {size - 1}: "
            f"give fit the data set's n_{column}s"
        )
    return codes.to_numpy()
