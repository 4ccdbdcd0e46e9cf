"""The value of freshness: the same recommender with older or newer user state and parameters.

Every arm ranks the whole catalogue for the same users at the same moments, without items that they had
before. Ties, and users without history, are ordered by popularity *of the same freshness*, which is also an
arm: a personal list has to beat the best sellers of the same hour, not those of last month.

C: moments. M: items.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys.baselines.interactions import interaction_matrix, newest_items
from recsys.baselines.item_knn import ItemKNN
from recsys.baselines.popularity import RandomScorer
from recsys.data.histories import histories
from recsys.data.tables import Dataset
from recsys.metrics.ranking import mask_seen, rank_checked, ranking_metrics
from recsys.streaming.events import DAY
from recsys.streaming.studies.moments import Freshness, Moments

SCORERS = ("item_knn", "sequence", "title_sequence", "text", "popularity", "random")
BATCH = 256
TIE = 1e-6  # largest contribution of popularity as tie-breaker, relative to a list's largest score


@dataclass(frozen=True)
class Arm:
    """One recommender at one freshness.

    scorer: one of `SCORERS`. freshness: of the user state. refit: refit parameters every night on all events
    before it; otherwise once, on those before the cut. window_days: of popularity. last_items: how many items
    of a history item kNN reads. text: [M, D] unit-length title vectors ("text", "title_sequence"). epochs: of
    the sequence models. seed: of random draws.
    """

    scorer: str = "item_knn"
    freshness: Freshness = "event"
    refit: bool = False
    window_days: float = 30.0
    last_items: int = 20
    text: np.ndarray | None = None
    epochs: float = 8.0
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """Result of an arm.

    positions: as from `rank_positions`, with user codes of the data set. fits, fit_seconds, lists,
    list_seconds: how often the model was fitted and lists were made, and the processor seconds for it.
    """

    positions: pd.DataFrame
    fits: int
    fit_seconds: float
    lists: int
    list_seconds: float

    def per_user(self) -> pd.Series:
        """NDCG@10 by user."""
        return ranking_metrics(self.positions, [10])[1]["ndcg@10"]


class ArmError(ValueError):
    """An arm cannot be run: an unknown scorer, or one that cannot be refitted."""


def judge(dataset: Dataset, asked: Moments, arm: Arm) -> Outcome:
    """Rank the targets of all moments by one arm.

    Raises:
        ArmError: an unknown scorer, or one that cannot be refitted.
    """
    if arm.scorer not in SCORERS:
        raise ArmError(f"scorer must be one of {', '.join(SCORERS)}, not {arm.scorer!r}")
    if arm.refit and arm.scorer not in ("item_knn", "popularity", "random", "text"):
        raise ArmError(f"{arm.scorer} takes minutes to fit: a nightly fit is for item_knn")
    known_until, history = asked.known_until(arm.freshness), asked.history(arm.freshness)
    nights = (
        asked.cut + (asked.time - asked.cut) // DAY * DAY
        if arm.refit
        else np.full(len(asked.time), asked.cut)
    )
    if arm.scorer in ("popularity", "random", "text"):
        nights = np.full(len(asked.time), asked.cut)  # not refitted
    parts, fits, fit_seconds, list_seconds = [], 0, 0.0, 0.0
    fresh = _popularity(dataset, asked, known_until, arm.window_days)
    for night in np.unique(nights):
        chosen = np.flatnonzero(nights == night)
        started = time.process_time()
        score = _fitted(dataset, asked, arm, int(night), history)
        fitted = time.process_time()
        parts += [_ranked(asked, block, score, fresh) for block in _blocks(chosen)]
        fits += arm.scorer not in ("popularity", "random", "text")
        fit_seconds += fitted - started
        list_seconds += time.process_time() - fitted
    positions = pd.concat(parts, ignore_index=True).sort_values(["user", "item"], ignore_index=True)
    positions["user"] = asked.users[positions["user"]]
    return Outcome(positions, fits, fit_seconds, len(asked.users), list_seconds)


def curve(dataset: Dataset, asked: Moments, arms: dict[str, Arm]) -> dict[str, Outcome]:
    """Outcomes of several arms by name, on the same moments."""
    return {name: judge(dataset, asked, arm) for name, arm in arms.items()}


def ladder(arm: Arm, inside_session: bool = False) -> dict[str, Arm]:
    """The arm's scorer and popularity at every freshness, also refitted nightly where possible."""
    steps = ["cut", "month", "day", "hour", *(["session"] if inside_session else []), "event"]
    arms = {f"{arm.scorer}, {step}": replace(arm, freshness=step, refit=False) for step in steps}
    if arm.scorer == "item_knn":
        arms["item_knn, event, refitted"] = replace(arm, freshness="event", refit=True)
    if inside_session:
        arms[f"{arm.scorer}, session_only"] = replace(arm, freshness="session_only", refit=False)
    if arm.scorer != "popularity":
        popular = replace(arm, scorer="popularity", refit=False)
        arms |= {f"popularity, {step}": replace(popular, freshness=step) for step in steps}
    return arms | {"random": replace(arm, scorer="random", freshness="event", refit=False)}


def _blocks(chosen: np.ndarray) -> list[np.ndarray]:
    return [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]


Score = Callable[[np.ndarray], np.ndarray]


def _ranked(asked: Moments, block: np.ndarray, score: Score, fresh: Score) -> pd.DataFrame:
    scores, popular = score(block).astype(np.float64), fresh(block)
    # ties, and rows of zeros, are ordered by popularity of the same freshness
    top = np.abs(scores).max(axis=1, keepdims=True)
    scores += np.where(top > 0, TIE * top, 1.0) * popular
    seen = asked.seen[asked.seen["user"].isin(block)]
    targets = asked.targets[asked.targets["user"].isin(block)]
    return rank_checked(mask_seen(scores, block, seen), block, targets, "id")


def _popularity(dataset: Dataset, asked: Moments, known_until: np.ndarray, window_days: float) -> Score:
    """Popularity as a share of the window's largest count, [B, M] in [0, 1], at each moment's freshness."""
    order = np.argsort(asked.rows["time"], kind="stable")
    times, items = asked.rows["time"][order], asked.rows["item"][order]
    stops = np.searchsorted(times, known_until)
    starts = np.searchsorted(times, known_until - int(window_days * DAY))

    def score(block: np.ndarray) -> np.ndarray:
        counts = np.stack(
            [
                np.bincount(items[a:b], minlength=dataset.n_items)
                for a, b in zip(starts[block], stops[block], strict=True)
            ]
        )
        return counts / np.maximum(1, counts.max(axis=1, keepdims=True))

    return score


def _fitted(dataset: Dataset, asked: Moments, arm: Arm, night: int, history: pd.DataFrame) -> Score:
    if arm.scorer == "random":
        chance = RandomScorer(arm.seed).fit(history, len(asked.users), dataset.n_items)
        return chance.score
    if arm.scorer == "popularity":
        return lambda block: np.zeros((len(block), dataset.n_items))
    if arm.scorer == "text":
        return _text(asked, arm.text, history)
    train = _table(asked.rows[asked.rows["time"] < night])
    if arm.scorer == "item_knn":
        return _knn(dataset, asked, arm, train, history)
    return _sequence(dataset, asked, arm, train, history)


def _table(rows: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"user": rows["user"], "item": rows["item"], "time": rows["time"]})
    table["order"] = table.groupby("user").cumcount()  # rows are by user and time
    return table


def _knn(dataset: Dataset, asked: Moments, arm: Arm, train: pd.DataFrame, history: pd.DataFrame) -> Score:
    model = ItemKNN().fit(train, dataset.n_users, dataset.n_items)
    other = copy.copy(model)
    newest = newest_items(history, arm.last_items)
    other.history = interaction_matrix(newest, len(asked.users), dataset.n_items)
    return other.score


def _text(asked: Moments, text: np.ndarray | None, history: pd.DataFrame) -> Score:
    """Cosine of an item's title with the mean of the history's."""
    if text is None:
        raise ArmError("scorer 'text' needs title vectors: give Arm(text=...)")
    known = histories(history, len(asked.users))

    def score(block: np.ndarray) -> np.ndarray:
        items, lengths = known.newest(block, 5)
        inside = np.arange(items.shape[1]) < lengths[:, None]
        mean = (text[items] * inside[..., None]).sum(axis=1)
        return mean @ text.T

    return score


def _sequence(
    dataset: Dataset, asked: Moments, arm: Arm, train: pd.DataFrame, history: pd.DataFrame
) -> Score:
    from recsys.models.next_item.title_sequence import SETTINGS, TitleSequence

    options: dict[str, Any] = {"most_per_user": 20, "width": 64}
    settings = replace(SETTINGS, epochs=arm.epochs, seed=arm.seed)
    model = TitleSequence(arm.text if arm.scorer == "title_sequence" else None, settings=settings, **options)
    model.fit(train, dataset.n_users, dataset.n_items)
    other = copy.copy(model)
    other.known = histories(history, len(asked.users))
    readers = other.known.lengths > 0

    def score(block: np.ndarray) -> np.ndarray:
        # users without a history get popularity of the same freshness, not that of training
        return other.score(block) * readers[block][:, None]

    return score
