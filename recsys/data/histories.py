"""Each user's items in order of time, as two flat arrays: the form that sequence models read.

B: users asked for. T: the longest history among them. K: events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Histories:
    """All users' histories, end to end.

    Attributes:
        items: [K] item codes, users one after another, oldest first.
        starts: [n_users + 1]: user u's items are items[starts[u] : starts[u + 1]], which may be empty.
    """

    items: np.ndarray
    starts: np.ndarray

    @property
    def n_users(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """[n_users] events of each user."""
        return np.diff(self.starts)

    def of(self, user: int) -> np.ndarray:
        """One user's items, oldest first."""
        return self.items[self.starts[user] : self.starts[user + 1]]

    def newest(self, users: np.ndarray, most: int, padding: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The newest `most` items of some users.

        Returns:
            [B, T] int64 item codes, oldest first, padded at the end with `padding`; [B] lengths.
            T ≥ 1 also where nobody has a history.

        Raises:
            ValueError: a user code outside 0 … n_users − 1.
        """
        users = self.checked(users)
        ends = self.starts[users + 1]
        return self.windows(ends, np.minimum(ends - self.starts[users], most), padding)

    def checked(self, users: np.ndarray) -> np.ndarray:
        """The user codes [B] unchanged, once they are in range (numpy would silently count −1 from the end).

        Raises:
            ValueError: a user code outside 0 … n_users − 1.
        """
        users = np.asarray(users)
        wrong = users[(users < 0) | (users >= self.n_users)]
        if len(wrong):
            raise ValueError(f"user {wrong[0]} is unknown: codes run from 0 to {self.n_users - 1}")
        return users

    def windows(
        self, ends: np.ndarray, lengths: np.ndarray, padding: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `lengths` [B] items before the positions `ends` [B] of `items`, in the form of `newest`."""
        order = np.arange(max(1, int(lengths.max(initial=0))))
        places = (ends - lengths)[:, None] + order
        inside = order < lengths[:, None]
        table = np.full(places.shape, padding, dtype=np.int64)
        table[inside] = self.items[places[inside]]
        return table, lengths


def histories(events: pd.DataFrame, n_users: int) -> Histories:
    """Collect events (columns user, item, and time and order where there are any) by user.

    Events of one user are put in the order of `time`, then `order`; where neither is there, they keep the
    order of the table's rows.

    Raises:
        ValueError: codes that are missing or not whole, a user code outside 0 … n_users − 1.

    Example:
        >>> log = pd.DataFrame({"user": [0, 1, 0], "item": [5, 7, 6], "time": [3, 1, 2]})
        >>> histories(log, n_users=2).newest(np.array([0, 1]), most=2, padding=-1)[0].tolist()
        [[6, 5], [7, -1]]
    """
    users, items = _codes(events, "user"), _codes(events, "item")
    if len(users) and not 0 <= users.min() <= users.max() < n_users:
        raise ValueError(f"events hold users {users.min()} to {users.max()}, but there are {n_users} users")
    by = ["user"] + [column for column in ("time", "order") if column in events]
    order = events[by].reset_index(drop=True).sort_values(by, kind="stable").index
    counts = np.bincount(users, minlength=n_users)
    return Histories(items[order], np.concatenate([[0], np.cumsum(counts)]))


def _codes(events: pd.DataFrame, column: str) -> np.ndarray:
    codes = events[column].to_numpy()
    # an empty table has columns of any type; elsewhere a cast would make a code of a NaN
    if len(codes) and codes.dtype.kind not in "iu":
        raise ValueError(f"{column} must hold whole codes, none missing, not {codes.dtype}")
    return codes.astype(np.int64)
