"""A leak test of a whole model: fit it with two different test periods and compare the results bit for bit.

`recsys.data.leaks.check_leaks` checks the tables of a split, but not what is made of them (histories,
prefixes, texts, popularity counts, item vectors, early stopping). This probe does: a model that uses nothing
of the test period is bit for bit the same when all events of that period are replaced by others.

What it cannot detect: leaks in what both fits share, such as item texts that the source chose from lines of
all times, the catalogue itself and the boundaries. And it needs repeatable arithmetic: compare on the CPU.

K: events. M: items.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from recsys.data.splits import evenly
from recsys.data.tables import NO_ITEM, place_in_history
from recsys.models.next_item.comparison import fit
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.evaluation import with_training_history
from recsys.models.next_item.model_settings import ModelSettings, model_settings
from recsys.training.next_item import NextItemRecommender
from recsys.training.samples import Samples

USERS = 50  # whose scores are compared
CHUNK = 512  # samples compared at once

Row = tuple[str, bool, float]


def leak_probe(name: str, data: NextItemData, settings: ModelSettings, seed: int = 0) -> pd.DataFrame:
    """Fit a next-item model on the data and on a copy with another test period, and compare the results.

    Args:
        name: of `recsys.models.next_item.comparison.fit`.
        data: split by global time.
        settings: of both fits.
        seed: of the other test period, see `another_future`.

    Returns:
        Rows what, equal (bit for bit), difference (the largest between two numbers; infinite where shapes
        differ, or where one is not finite): "training events" (users, items and times, in order),
        "popularity counts" of them; of a model that is trained by the loop "training samples" (their
        number), "sample contents" (histories, token ids, targets), "model's popularity counts" and "item
        vectors"; "scores" of 50 users by their training history. All are equal for a model without a leak.

    Raises:
        ValueError: no global-time split; no user has a training event before the test period; see `fit` too.
    """
    other = another_future(data, seed)
    users = _users(data)
    first, second = fit(name, data, settings).model, fit(name, other, settings).model
    rows = [_training_events(data, other)]
    counts = [np.bincount(each.train["item"], minlength=data.split.n_items) for each in (data, other)]
    rows.append(_compare("popularity counts", *counts))
    if isinstance(first, NextItemRecommender):
        rows += _trained(first, second)
    scores = [
        with_training_history(model, each).score(users) for model, each in ((first, data), (second, other))
    ]
    rows.append(_compare("scores", *scores))
    return pd.DataFrame(rows, columns=["what", "equal", "difference"])


def leak_probe_of_text(data: NextItemData, seed: int = 0) -> pd.DataFrame:
    """`leak_probe` of a small text recommender, on the data and on a copy with a deliberate leak.

    Returns:
        The rows of both, with a first column `data`: "as it is", or "planted" for the copy with the leak.
    """
    settings = model_settings(
        "text", seed=seed, trials=1, judged_users=200, backbone="random-bert", max_steps=2
    )
    both = {"as it is": data, "planted": planted(data)}
    tables = [leak_probe("text", each, settings, seed).assign(data=name) for name, each in both.items()]
    table = pd.concat(tables, ignore_index=True)
    return table[["data", *(name for name in table if name != "data")]]


def probe_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Metrics of `leak_probe_of_text`.

    leak_differences: rows that differ on the data as it is, 0 where nothing leaks. leak_caught: 1 where the
    deliberate leak was detected.
    """
    differs = table.assign(differs=~table["equal"]).groupby("data")["differs"].sum()
    return {"leak_differences": float(differs["as it is"]), "leak_caught": float(differs["planted"] > 0)}


def another_future(data: NextItemData, seed: int = 0) -> NextItemData:
    """A copy with another test period: other users, and at every event another item.

    Every event at or after `boundaries["test_from"]`, wherever it occurs (the data set, a part of the split,
    the training events), is replaced by the same other event. Times and kinds are kept, and so are the
    boundaries; users, with the other columns (reviews, queries, prices), are permuted among events of a kind.

    Raises:
        ValueError: no global-time split, only one item, or an event that the data set does not have.
    """
    since = _test_from(data)
    if data.split.n_items < 2:
        raise ValueError("another test period needs two items at least")
    events = data.dataset.events.reset_index(drop=True)
    late = np.flatnonzero(events["time"] >= since)
    rng = np.random.default_rng(seed)
    order = late.copy()
    for kind in events["kind"].unique():
        of_kind = (events["kind"].to_numpy()[late] == kind).nonzero()[0]
        order[of_kind] = late[rng.permutation(of_kind)]
    replaced = events.iloc[order].set_axis(late)
    replaced["time"] = events["time"].iloc[late]
    # shifted by 1 to M − 1 codes: never the same item
    own = events["item"].to_numpy()[late]
    moved = (own + rng.integers(1, data.split.n_items, size=len(own))) % data.split.n_items
    replaced["item"] = np.where(own == NO_ITEM, NO_ITEM, moved)
    changed = pd.concat([events.drop(index=late), replaced]).sort_values(["user", "time"], kind="stable")
    changed["order"] = place_in_history(changed["user"])
    keys = pd.MultiIndex.from_frame(events[["user", "order"]])

    def with_other(table: pd.DataFrame) -> pd.DataFrame:
        is_late = (table["time"] >= since).to_numpy()
        places = keys.get_indexer(pd.MultiIndex.from_frame(table.loc[is_late, ["user", "order"]]))
        if (places < 0).any():
            raise ValueError("an event of the split is none of the data set's: see check_leaks")
        rows = changed.loc[places, table.columns].set_axis(table.index[is_late])
        together = pd.concat([table[~is_late], rows])
        return together.iloc[np.argsort(np.concatenate([np.flatnonzero(~is_late), np.flatnonzero(is_late)]))]

    parts = {part: with_other(getattr(data.split, part)) for part in ("train", "validation", "test")}
    return replace(
        data,
        dataset=replace(data.dataset, events=changed.reset_index(drop=True)),
        split=replace(data.split, **parts),
        train=with_other(data.train),
    )


def planted(data: NextItemData) -> NextItemData:
    """A copy with a deliberate leak: one event of the test part is moved into training.

    It is the first whose user has a training history without its item, so that every kind of model can learn
    from it; else the first of all.

    Raises:
        ValueError: the test part is empty.
    """
    test, train = data.split.test, data.train
    if test.empty:
        raise ValueError("the test part holds no event to plant")
    pairs = pd.MultiIndex.from_frame(test[["user", "item"]])
    new = test["user"].isin(train["user"]) & ~pairs.isin(pd.MultiIndex.from_frame(train[["user", "item"]]))
    event = test[new.to_numpy()].head(1) if new.any() else test.head(1)
    parts = replace(data.split, train=pd.concat([data.split.train, event]), test=test.drop(index=event.index))
    return replace(data, split=parts, train=pd.concat([train, event]))


def _test_from(data: NextItemData) -> pd.Timestamp:
    if data.split.kind != "global_time":
        raise ValueError(
            f"{data.dataset.name} is split by {data.split.kind}, and only a global-time split has a test "
            "period: use a data set with times (demo_store, online_retail)"
        )
    return data.split.boundaries["test_from"]


def _users(data: NextItemData) -> np.ndarray:
    """At most USERS codes, evenly spread, of users with a training event before the test period."""
    users = evenly(data.train.loc[data.train["time"] < _test_from(data), "user"], USERS)
    if not len(users):
        raise ValueError("no user has a training event before the test period: nobody to score")
    return users


def _training_events(data: NextItemData, other: NextItemData) -> Row:
    def numbers(each: NextItemData) -> np.ndarray:
        return each.train[["user", "item", "time"]].astype("int64").to_numpy()

    return _compare("training events", numbers(data), numbers(other))


def _trained(first: NextItemRecommender, second: NextItemRecommender) -> list[Row]:
    samples = [model.samples(model.known) for model in (first, second)]
    return [
        _compare("training samples", *(np.array([len(each)]) for each in samples)),
        _contents(*samples),
        _compare("model's popularity counts", first.popularity, second.popularity),
        _compare("item vectors", *(model.items.detach().cpu().numpy() for model in (first, second))),
    ]


def _contents(first: Samples, second: Samples) -> Row:
    """Every sample of both, batch by batch, under the same seeds; masks and negatives included."""
    difference = 0.0 if len(first) == len(second) else np.inf
    with torch.random.fork_rng(devices=[]):
        for start in range(0, min(len(first), len(second)), CHUNK):
            batches = []
            for samples in (first, second):
                torch.manual_seed(start)
                batches.append(samples.collate(np.arange(start, min(start + CHUNK, len(samples)))))
            for key in batches[0]:
                pair = [np.asarray(batch[key]) for batch in batches]
                difference = max(difference, _compare("", *pair)[2])
    return "sample contents", difference == 0, difference


def _compare(what: str, first: Any, second: Any) -> Row:
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape:
        return what, False, float("inf")
    if np.array_equal(first, second, equal_nan=first.dtype.kind == "f"):
        return what, True, 0.0
    with np.errstate(invalid="ignore"):
        gap = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return what, False, float(gap.max()) if np.isfinite(gap).all() else float("inf")
