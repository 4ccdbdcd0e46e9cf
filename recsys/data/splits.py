"""Splits of a data set's events into training, validation and test.

Two kinds follow time. Global time cuts all histories at the same two moments, as a shop that trains today and
is evaluated tomorrow; it is the default where times are known. Leave-one-out holds out each user's last
events; it serves where only the order is known or a published table used it. It lets training see events of
other users that happened after a user's test event (Ji et al. 2023, arXiv:2010.11060).

Two kinds ignore time: by query, so that a search model is tested on unknown queries, and by salt, which
divides users by a salted hash of their ids, the same on every machine and unchanged when users are added.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recsys.data.tables import Dataset

PARTS = ("train", "validation", "test")
SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
PURCHASES = ("purchase",)
REVIEW_COLUMNS = ("rating", "review", "review_time")  # known only when the review is written
KINDS = ("default", "global_time", "leave_one_out", "by_query", "by_salt")


@dataclass(frozen=True)
class Split:
    """Three disjoint tables of a data set's events, each in the order of the data set's.

    train, validation, test: rows of `Dataset.events` with their columns and row labels.
    kind: "global_time", "leave_one_out", "by_query" or "by_salt".
    n_users, n_items: of the whole data set, so that codes keep their range.
    boundaries: what fixed the split. global_time: validation_from and test_from (Timestamps, an event at a
        boundary belongs to the later part); by_query and by_salt: salt and shares.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    kind: str
    n_users: int
    n_items: int
    boundaries: dict[str, Any] = field(default_factory=dict)


def split(dataset: Dataset, kind: str = "default", **options: Any) -> Split:
    """A split of the named kind with its default options; "default" is global_time where there are times.

    Args:
        kind: one of KINDS.
        options: passed on to the function of that kind.

    Raises:
        ValueError: an unknown kind, or one that needs a column that the data set lacks.

    Example:
        >>> from recsys.data.load import load_dataset
        >>> parts = split(load_dataset("demo_store", size="small"))
        >>> parts.kind, len(parts.train) > len(parts.validation) > 0
        ('global_time', True)
    """
    makers = {
        "global_time": global_time,
        "leave_one_out": leave_one_out,
        "by_query": by_query,
        "by_salt": users_by_salt,
    }
    if kind == "default":
        kind = "global_time" if dataset.has_times else "leave_one_out"
    if kind not in makers:
        raise ValueError(f"unknown kind of split {kind!r}; there are {', '.join(KINDS)}")
    return makers[kind](dataset, **options)


def leave_one_out(dataset: Dataset, kinds: Iterable[str] = PURCHASES) -> Split:
    """Each user's last event for test, the one before for validation, the rest for training.

    Users with fewer than three events of these kinds are in training only.

    Args:
        kinds: which events take part.
    """
    events = _of_kinds(dataset, kinds)
    by_user = events.groupby("user")["order"]
    count = by_user.transform("size").to_numpy()
    from_end = by_user.rank(ascending=False, method="first").to_numpy()  # 1 for the last event
    long = count >= 3
    part = np.where(long & (from_end == 1), "test", np.where(long & (from_end == 2), "validation", "train"))
    return _assemble(dataset, events, part, "leave_one_out", {})


def global_time(
    dataset: Dataset,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    kinds: Iterable[str] = PURCHASES,
) -> Split:
    """Cut all histories at two moments, so that about these shares of the events come after them.

    Each boundary is the time of an event, and all events of that time belong to the later part, so the later
    parts may be a little larger than asked for. Validation and test keep users and items that training has
    never seen; whether to evaluate on them is the caller's choice. For events of other kinds before a
    boundary compare `Dataset.events` with `boundaries`. Where a review has a time of its own, rating and
    review of an event are blanked in a part at whose end they were not yet written.

    Args:
        validation_share, test_share: of the events of these kinds, each in (0, 1), together below 1.
        kinds: which events take part and set the boundaries.

    Raises:
        ValueError: the events have no times, the shares are out of range, or a part would be empty.
    """
    if not dataset.has_times:
        raise ValueError(
            f"{dataset.name} has no event times: use leave_one_out, which needs only their order"
        )
    if not (validation_share > 0 and test_share > 0 and validation_share + test_share < 1):
        raise ValueError(f"shares must lie in (0, 1) and leave a rest: {validation_share}, {test_share}")
    events = _of_kinds(dataset, kinds)
    times = np.sort(events["time"].to_numpy())
    cuts = [
        times[min(len(times) - 1, round(len(times) * share))]
        for share in (1 - validation_share - test_share, 1 - test_share)
    ]
    time = events["time"].to_numpy()
    part = np.where(time >= cuts[1], "test", np.where(time >= cuts[0], "validation", "train"))
    boundaries = {"validation_from": pd.Timestamp(cuts[0]), "test_from": pd.Timestamp(cuts[1])}
    result = _assemble(dataset, _without_later_reviews(events, part, cuts), part, "global_time", boundaries)
    for name in PARTS:
        if getattr(result, name).empty:
            raise ValueError(f"{dataset.name}: no event in {name}; too many share one time for these shares")
    return result


def by_query(dataset: Dataset, salt: str = "recsys", shares: Mapping[str, float] = SHARES) -> Split:
    """Divide the events that carry a query, all events of one query into one part.

    Queries that differ only in case or blanks are one query.

    Raises:
        ValueError: no event has a query.
    """
    if "query" not in dataset.events or dataset.events["query"].isna().all():
        raise ValueError(f"{dataset.name}: no event has a query, so it cannot be split by query")
    events = dataset.events[dataset.events["query"].notna()]
    part = by_salt(normal_query(events["query"]), salt, shares)
    return _assemble(dataset, events, part, "by_query", {"salt": salt, "shares": dict(shares)})


def users_by_salt(
    dataset: Dataset,
    salt: str = "recsys",
    shares: Mapping[str, float] = SHARES,
    kinds: Iterable[str] = PURCHASES,
) -> Split:
    """Divide by user: all events of a user are in one part, by a salted hash of the source's user id."""
    events = _of_kinds(dataset, kinds)
    part_of_user = by_salt(dataset.users["source_id"], salt, shares)
    part = part_of_user[events["user"].to_numpy()]
    return _assemble(dataset, events, part, "by_salt", {"salt": salt, "shares": dict(shares)})


def by_salt(ids: Iterable[Any], salt: str, shares: Mapping[str, float] = SHARES) -> np.ndarray:
    """The part of each id, which depends only on the id, the salt and the shares.

    The text of an id is hashed (SHA-256) with the salt to a number in [0, 1) that is looked up in the
    cumulated shares. Adding or removing ids moves no other id.

    Args:
        ids: [K] ids, compared as texts; repeated ids get the same part.
        salt: another salt gives an independent division.
        shares: part name -> share; the shares are positive and sum to 1.

    Returns:
        [K] part names.

    Example:
        >>> by_salt(["ann", "bob", "ann"], salt="recsys").tolist()
        ['test', 'train', 'test']
    """
    weights = np.array(list(shares.values()), dtype=float)
    if len(weights) == 0 or (weights <= 0).any() or not np.isclose(weights.sum(), 1):
        raise ValueError(f"shares must be positive and sum to 1: {dict(shares)}")
    codes, distinct = pd.factorize(pd.Series(list(ids), dtype=object))
    if (codes < 0).any():
        raise ValueError("an id is missing (None or NaN); drop such rows before splitting")
    edges = np.cumsum(weights)[:-1]
    names = np.array(list(shares))
    part = names[np.searchsorted(edges, [_unit_hash(salt, str(value)) for value in distinct], side="right")]
    return part[codes] if len(codes) else np.array([], dtype=names.dtype)


def evenly(users: pd.Series, most: int) -> np.ndarray:
    """At most so many of the distinct users, spread evenly over their codes."""
    distinct = np.sort(users.unique())
    return distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), most)).astype(int)]


def normal_query(queries: pd.Series) -> pd.Series:
    """Queries normalised: case folded, outer blanks removed, inner runs of blanks made single."""
    return queries.str.casefold().str.split().str.join(" ")


def _unit_hash(salt: str, text: str) -> float:
    digest = hashlib.sha256(f"{salt}\0{text}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _without_later_reviews(events: pd.DataFrame, part: np.ndarray, cuts: list[np.datetime64]) -> pd.DataFrame:
    if "review_time" not in events:
        return events
    written = events["review_time"].to_numpy()
    later = ((part == "train") & (written >= cuts[0])) | ((part == "validation") & (written >= cuts[1]))
    columns = [name for name in REVIEW_COLUMNS if name in events]
    return events.assign(**{name: events[name].mask(later) for name in columns})


def _of_kinds(dataset: Dataset, kinds: Iterable[str]) -> pd.DataFrame:
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    events = dataset.events[dataset.events["kind"].isin(kinds)]
    if events.empty:
        there = ", ".join(sorted(dataset.events["kind"].unique()))
        raise ValueError(f"{dataset.name} has no events of kind {', '.join(kinds)}; it has {there}")
    return events


def _assemble(
    dataset: Dataset, events: pd.DataFrame, part: np.ndarray, kind: str, boundaries: dict[str, Any]
) -> Split:
    tables = {name: events[part == name] for name in PARTS}
    return Split(**tables, kind=kind, n_users=dataset.n_users, n_items=dataset.n_items, boundaries=boundaries)
