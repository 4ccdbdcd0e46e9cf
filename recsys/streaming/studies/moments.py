"""Evaluation moments: for which user and time a list is requested, and which events are known by then.

After a cut in time each user gets one moment, drawn from those at which the user interacts with new items,
which are the targets. So users are the sample, with equal weights, and lists are evaluated by ordinary
metrics. Freshness determines up to when the user's behaviour is known: the moment itself, or an earlier time
at which the state was last updated.

K: events. C: moments, one a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from recsys.data.tables import Dataset
from recsys.streaming.events import DAY, HOUR, KIND, MINUTE
from recsys.streaming.replay import rows_of

Freshness = Literal["cut", "month", "day", "hour", "session", "event", "session_only"]
Targets = Literal["all", "new_items", "new_categories"]
PERIODS = {"month": 30 * DAY, "day": DAY, "hour": HOUR}
PAUSE = 30 * MINUTE
WITHHELD = 0.2  # share of the categories that are new at the cut, with targets "new_categories"
LONG_AGO = 0  # ms: before every event
MOST_HISTORY = 50  # newest events of a user that are read


@dataclass(frozen=True)
class Moments:
    """C evaluation moments, one per user.

    rows: [K] of `EVENT` with an item, by user, time, id. cut: ms. time: [C] ms. session: [C] start of the
    current session, ms. users: [C] codes. targets, seen: columns user (index of the moment, 0 … C − 1) and
    item. new: [C] number of the user's events between the cut and the moment. old: [C] before the cut.
    """

    rows: np.ndarray
    cut: int
    users: np.ndarray
    time: np.ndarray
    session: np.ndarray
    targets: pd.DataFrame
    seen: pd.DataFrame
    old: np.ndarray
    new: np.ndarray

    def known_until(self, freshness: Freshness) -> np.ndarray:
        """[C] ms before which events are known.

        "cut": no events since the cut. "month", "day", "hour": states are updated at the cut and at this
        interval after it. "session": at the start of the current session. "event", "session_only": all events
        before the moment.

        Raises:
            ValueError: another value.
        """
        if freshness not in get_args(Freshness):
            raise ValueError(f"freshness must be one of {', '.join(get_args(Freshness))}, not {freshness!r}")
        if freshness == "cut":
            return np.full(len(self.users), self.cut)
        if freshness in PERIODS:
            period = PERIODS[freshness]
            return self.cut + (self.time - self.cut) // period * period
        return self.session if freshness == "session" else self.time

    def history(self, freshness: Freshness) -> pd.DataFrame:
        """Known events of each user: columns user (index of the moment), item, order; newest ones only."""
        ends = self._places(self.known_until(freshness))
        begin = self.session if freshness == "session_only" else np.full(len(self.users), LONG_AGO)
        starts = np.maximum(self._places(begin), ends - MOST_HISTORY)
        lengths = np.maximum(0, ends - starts)
        owner = np.repeat(np.arange(len(self.users)), lengths)
        order = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = self.rows["item"][np.repeat(starts, lengths) + order]
        return pd.DataFrame({"user": owner, "item": items, "order": order})

    def _places(self, times: np.ndarray) -> np.ndarray:
        """[C] place in `rows` of the first event of each user that is not before its time."""
        return _first_at(self.rows, self.users, times)


def moments(
    dataset: Dataset,
    test_share: float,
    kinds: tuple[str, ...] = ("click", "cart", "purchase"),
    target_kinds: tuple[str, ...] = ("click", "cart", "purchase"),
    targets: Targets = "all",
    inside_session: bool = False,
    most_users: int = 0,
    seed: int = 0,
) -> Moments:
    """Draw each user's moment after the cut.

    Args:
        test_share: share of the events after the cut, in (0, 1).
        kinds: kinds of events that are read. target_kinds: kinds that are to be predicted.
        targets: "new_items": only items without events before the cut. "new_categories": a share of the
            categories is made new by removing all their events before the cut.
        inside_session: only moments that are not the first of their session.
        most_users: number of users drawn; 0 takes all.
        seed: of the draw.

    Raises:
        ValueError: an argument out of range, or no user has such a moment.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie in (0, 1), got {test_share}")
    if targets not in get_args(Targets):
        raise ValueError(f"targets must be one of {', '.join(get_args(Targets))}, not {targets!r}")
    random = np.random.default_rng(seed)
    rows = rows_of(dataset.events[dataset.events["kind"].isin(kinds) & (dataset.events["item"] >= 0)])
    rows = np.sort(rows, order=["user", "time", "id"])
    cut = int(np.quantile(rows["time"], 1 - test_share, method="higher"))
    wanted = np.ones(dataset.n_items, dtype=bool)
    if targets == "new_categories":
        wanted = _opened_categories(dataset, random)
        rows = rows[~(wanted[rows["item"]] & (rows["time"] < cut))]
    elif targets == "new_items":
        wanted[rows["item"][rows["time"] < cut]] = False
    first = ~pd.DataFrame({"user": rows["user"], "item": rows["item"]}).duplicated().to_numpy()
    session = session_starts(rows)
    asked = first & (rows["time"] >= cut) & wanted[rows["item"]]
    asked &= np.isin(rows["kind"], [KIND[kind] for kind in target_kinds])
    if inside_session:
        asked &= session < rows["time"]
    chosen = _one_a_user(rows, np.flatnonzero(asked), most_users, random)
    if not len(chosen):
        raise ValueError(f"{dataset.name}: no user has a moment like that after the cut; take other settings")
    users, time = rows["user"][chosen], rows["time"][chosen]
    begin, cut_at, now = (
        _first_at(rows, users, t) for t in (np.full(len(users), LONG_AGO), np.full(len(users), cut), time)
    )
    aims = _pairs(rows, now, _first_at(rows, users, time + 1), asked)
    seen = _pairs(rows, begin, now, first)
    return Moments(rows, cut, users, time, session[chosen], aims, seen, cut_at - begin, now - cut_at)


def session_starts(rows: np.ndarray, pause: int = PAUSE) -> np.ndarray:
    """[K] time (ms) at which each event's session began; rows sorted by user and time."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    same = rows["user"][1:] == rows["user"][:-1]
    begins = np.r_[True, ~same | (np.diff(rows["time"]) > pause)]
    return rows["time"][np.flatnonzero(begins)][np.cumsum(begins) - 1]


def _opened_categories(dataset: Dataset, random: np.random.Generator) -> np.ndarray:
    if "category" not in dataset.items:
        raise ValueError(f"{dataset.name} has no categories: take targets 'new_items'")
    codes, names = pd.factorize(dataset.items["category"], sort=True)
    return np.isin(codes, random.choice(len(names), max(1, round(WITHHELD * len(names))), replace=False))


def _one_a_user(rows: np.ndarray, places: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Places of one drawn event a user, sorted by user."""
    drawn = random.permutation(places)
    _, first = np.unique(rows["user"][drawn], return_index=True)
    chosen = drawn[first]
    if most and len(chosen) > most:
        chosen = np.sort(random.choice(chosen, most, replace=False))
    return chosen[np.argsort(rows["user"][chosen])]


def _first_at(rows: np.ndarray, users: np.ndarray, times: np.ndarray) -> np.ndarray:
    if not len(rows):
        return np.zeros(len(users), dtype=np.int64)
    origin, span = int(rows["time"].min()), int(np.ptp(rows["time"])) + 2
    key = rows["user"] * span + (rows["time"] - origin)
    return np.searchsorted(key, users * span + np.clip(times - origin, 0, span - 1))


def _pairs(rows: np.ndarray, starts: np.ndarray, stops: np.ndarray, marked: np.ndarray) -> pd.DataFrame:
    """Marked rows of each stretch [start, stop) as (place of the stretch, item)."""
    lengths = stops - starts
    owner = np.repeat(np.arange(len(starts)), lengths)
    place = (
        np.arange(lengths.sum())
        - np.repeat(np.cumsum(lengths) - lengths, lengths)
        + np.repeat(starts, lengths)
    )
    kept = marked[place]
    return pd.DataFrame({"user": owner[kept], "item": rows["item"][place[kept]]})
