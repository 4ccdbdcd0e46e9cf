"""Metrics of a stack, value and cost: ranking, breadth, stability over time, bytes and seconds.

R: moments. M: items. k: length of lists.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.benchmarks.ladder.moments import Asked
from recsys.benchmarks.ladder.stack import Stack, blocks, stored_bytes
from recsys.metrics.lists import coverage_and_novelty, top_lists
from recsys.metrics.ranking import mask_seen, rank_checked, ranking_metrics
from recsys.models.next_item.data import NextItemData
from recsys.multimodal.modalities.words import encode as encode_words

K = 10
TIMED_LISTS = 60
REPEAT_K = 20


@dataclass(frozen=True)
class Judged:
    """metrics by name; positions: as from `rank_positions`, user codes of the data set; lists: [R, k]."""

    metrics: dict[str, float]
    positions: pd.DataFrame
    lists: np.ndarray

    def per_user(self, metric: str = "ndcg@10") -> pd.Series:
        return ranking_metrics(self.positions)[1][metric]


def judge(stack: Stack, asked: Asked, data: NextItemData) -> Judged:
    """Rank the targets of all moments over the whole catalogue.

    Args:
        asked: from `recsys.benchmarks.ladder.moments.asked`.

    Returns:
        Metrics: hr, recall and ndcg at 5, 10, 20, mrr, map; coverage@10, novelty@10; diversity@10, one minus
        the mean cosine (TF-IDF of the items' texts) of two products of a list, where the items have texts;
        list_ms, median milliseconds of one list; stored_bytes; core_seconds of building, and of its parts;
        title_ms where titles are encoded.
    """
    histories, parts, lists = asked.histories[stack.state], [], []
    for rows in blocks(len(asked.users)):
        seen = asked.seen[asked.seen["user"].between(rows[0], rows[-1])]
        scores = mask_seen(stack.score(histories, rows), rows, seen)
        targets = asked.targets[asked.targets["user"].between(rows[0], rows[-1])]
        parts.append(rank_checked(scores, rows, targets, "id"))
        lists.append(top_lists(scores, K))
    positions = pd.concat(parts, ignore_index=True)
    positions["user"] = asked.users[positions["user"]]
    shown = np.concatenate(lists)
    counts = np.bincount(data.train["item"], minlength=data.split.n_items)
    metrics = ranking_metrics(positions)[0] | coverage_and_novelty(shown, counts) | _diversity(shown, data)
    return Judged(metrics | costs(stack, asked), positions, shown)


def costs(stack: Stack, asked: Asked) -> dict[str, float]:
    """list_ms, stored_bytes, core_seconds (all, and by part), title_ms where titles are encoded,
    encoded_files where pictures are."""
    histories, spent = asked.histories[stack.state], []
    rows = np.linspace(0, len(asked.users) - 1, min(TIMED_LISTS, len(asked.users))).astype(int)
    stack.score(histories, rows[:1])  # what is made once is not a list's
    for row in rows:
        own = histories[histories["user"] == row].assign(user=0)  # the state is at hand, not searched for
        start = time.perf_counter()
        top_lists(stack.score(own, np.zeros(1, dtype=int)), K)
        spent.append(1e3 * (time.perf_counter() - start))
    found = {"list_ms": float(np.median(spent)), "stored_bytes": float(stored_bytes(stack))}
    found["core_seconds"] = float(sum(stack.seconds.values()))
    found |= {f"core_seconds_{part}": seconds for part, seconds in stack.seconds.items()}
    if "multimodal" in stack.steps:
        found["encoded_files"] = stack.item_side.encoded_files
    return (
        found
        if np.isnan(stack.item_side.titles.title_ms)
        else found | {"title_ms": stack.item_side.titles.title_ms}
    )


def repurchases(stack: Stack, asked: Asked, days: float) -> dict[str, float]:
    """Does a customer buy a listed product in the days that follow? Nothing is masked: repeats count.

    Args:
        asked, days: from `recsys.benchmarks.ladder.moments.returning`.

    Returns:
        repeat_hr@10: share of all customers asked who buy one of ten listed products in that time, whoever
        stays away counting 0; repeat_recall@20: of those who come back, the mean share of what they buy;
        returning_share; repeat_days, how long the log could be watched.
    """
    histories, hits, recalls = asked.histories[stack.state], [], []
    for rows in blocks(len(asked.users)):
        lists = top_lists(stack.score(histories, rows), REPEAT_K)
        bought = asked.later[asked.later["user"].between(rows[0], rows[-1])]
        found = bought.assign(
            place=_places(lists, bought["user"].to_numpy() - rows[0], bought["item"].to_numpy())
        )
        by_user = found.groupby("user")["place"]
        hits.append((by_user.min() < K).reindex(rows, fill_value=False))
        recalls.append(found.assign(inside=found["place"] < REPEAT_K).groupby("user")["inside"].mean())
    hit, recall = pd.concat(hits), pd.concat(recalls)
    return {
        f"repeat_hr@{K}": float(hit.mean()),
        f"repeat_recall@{REPEAT_K}": float(recall.mean()),
        "returning_share": len(recall) / len(asked.users),
        "repeat_days": days,
    }


def _places(lists: np.ndarray, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    """[n] place of each item in its row's list, the list's length where it is not there."""
    same = lists[rows] == items[:, None]
    return np.where(same.any(axis=1), same.argmax(axis=1), lists.shape[1])


def _diversity(lists: np.ndarray, data: NextItemData) -> dict[str, float]:
    if data.described is None:
        return {}
    table = pd.DataFrame({"text": data.described})
    words = encode_words(table, np.unique(data.train["item"])).vectors
    full = lists[(lists >= 0).all(axis=1)]
    if not len(full):
        return {}
    # Σ over pairs of cosines = (|Σ rows|² − Σ |row|²) / 2, without a matrix of items by items
    means = []
    for block in blocks(len(full), 512):
        chosen = words[full[block].ravel()]
        row = np.repeat(np.arange(len(block)), K)
        sums = np.zeros((len(block), words.shape[1]), dtype=np.float32)
        for place in range(K):
            sums += chosen[np.flatnonzero(np.arange(len(row)) % K == place)].toarray()
        own = np.bincount(row, np.asarray(chosen.multiply(chosen).sum(axis=1)).ravel())
        means.append((np.square(sums).sum(axis=1) - own) / (K * (K - 1)))
    return {f"diversity@{K}": float(1 - np.concatenate(means).mean())}
