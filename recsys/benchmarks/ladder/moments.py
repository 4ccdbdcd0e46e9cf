"""Evaluation moments of the ladder: which user is asked when, and which of the events are known by then.

Each user with a new product in the test part is asked once, at a moment drawn from those; what was met at
that moment (a basket, where a log has baskets) is to be found in the whole catalogue. Whatever the state,
the same products are masked: those that the user had met before.

R: rows, one a moment. M: items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.metrics.ranking import new_targets
from recsys.models.next_item.data import NextItemData

STATES = ("training", "moment")
REPEAT_DAYS = 30.0


@dataclass(frozen=True)
class Asked:
    """users: [R] codes. histories: by state, columns user (the row), item, order. targets, seen: row as
    user, item; targets is None where only `later` is judged. later: what was bought afterwards, repeats
    included."""

    users: np.ndarray
    histories: dict[str, pd.DataFrame]
    targets: pd.DataFrame | None
    seen: pd.DataFrame
    later: pd.DataFrame | None = None


def asked(data: NextItemData, seed: int = 0) -> Asked:
    """One moment a user of the test part.

    Args:
        seed: of the draw among a user's moments.

    Raises:
        ValueError: nobody met anything new in the test part.
    """
    fresh = new_targets(data.split, "test")
    if fresh.empty:
        raise ValueError(f"{data.dataset.name}: nobody meets anything new in the test part")
    test = data.split.test.merge(fresh, on=["user", "item"]).sort_values(["user", "order"])
    test = test.drop_duplicates(["user", "item"], ignore_index=True)
    drawn = test.sample(frac=1, random_state=seed).drop_duplicates("user").sort_values("user")
    users, clock = drawn["user"].to_numpy(), "time" if "time" in test else "order"
    row = pd.Series(np.arange(len(users)), index=users)
    moment = pd.Series(drawn[clock].to_numpy(), index=users)
    together = test[test[clock] == test["user"].map(moment)]
    # a log in whole seconds may be cut within one: what precedes the test part is known at its moments anyway
    later = data.split.test
    before = pd.concat([data.known, later[later[clock] < later["user"].map(moment)]])
    before = before[before["user"].isin(users)]
    before = before.sort_values(["user", "order"], kind="stable", ignore_index=True)
    # what was met between the cut and the moment is masked in either state
    known = together.merge(
        before[["user", "item"]].drop_duplicates(), on=["user", "item"], how="left", indicator=True
    )
    together = known[known["_merge"] == "left_only"]
    train = data.split.train[data.split.train["user"].isin(users)]
    histories = {"training": _rows(train, row), "moment": _rows(before, row)}
    seen = histories["moment"][["user", "item"]].drop_duplicates(ignore_index=True)
    targets = _rows(together, row)[["user", "item"]].drop_duplicates(ignore_index=True)
    return Asked(users, histories, targets, seen)


def returning(data: NextItemData, days: float = REPEAT_DAYS) -> tuple[Asked, float] | None:
    """Everybody with a history, at one moment: what do they buy in the days after it, repeats included?

    The moment is so many days before the log's end, but not before the test part begins.

    Returns:
        Asked (with `later`, nothing masked) and the days that the log has after the moment; None for a log
        without times, or in which nobody buys anything twice.
    """
    whole = _whole_log(data)
    if "time" not in whole or "test_from" not in data.split.boundaries:
        return None
    if not whole.duplicated(["user", "item"]).any():
        return None
    end = whole["time"].max()
    moment = max(end - pd.Timedelta(days=days), data.split.boundaries["test_from"])
    train = data.split.train
    users = np.sort(train["user"].unique())
    row = pd.Series(np.arange(len(users)), index=users)
    before = whole[(whole["time"] < moment) & whole["user"].isin(users)]
    later = whole[(whole["time"] >= moment) & whole["user"].isin(users)]
    histories = {"training": _rows(train, row), "moment": _rows(before, row)}
    nothing = histories["training"].iloc[:0][["user", "item"]]
    bought = _rows(later, row)[["user", "item"]].drop_duplicates(ignore_index=True)
    return Asked(users, histories, None, nothing, bought), (end - moment) / pd.Timedelta(days=1)


def _whole_log(data: NextItemData) -> pd.DataFrame:
    parts = [data.split.train, data.split.validation, data.split.test]
    return pd.concat(parts).sort_values(["user", "order"], kind="stable", ignore_index=True)


def _rows(events: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """Events of users as those of rows: columns user, item, order."""
    table = events[["user", "item", "order"]].reset_index(drop=True)
    return table.assign(user=table["user"].map(row).astype(np.int64))
