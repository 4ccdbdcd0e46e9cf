"""Intent matching (意图匹配) by name: every scorer of graded pairs, judged in the same way.

Names: random; bm25 (titles); zero_shot (an untuned encoder's cosine); convex (both, weight from validation);
tuned (the encoder trained on the train part); tuned_convex (with BM25, weight from validation).

P: pairs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.metrics.judged_lists import JudgedNdcg, judged_ndcg
from recsys.search.bi_encoder import SETTINGS, GradedTraining, pair_cosines, tune
from recsys.search.errors import SearchError
from recsys.search.graded import Graded
from recsys.search.lexical import LexicalIndex
from recsys.search.ranking import alpha_surface, choose_alpha, rank_scores

METHODS = ("random", "bm25", "zero_shot", "convex", "tuned", "tuned_convex")


@dataclass(frozen=True)
class Matched:
    """scores: by method, [P] for all rows of the table (NaN where a row was not asked for). seconds: of
    making them.

    alpha: of the combinations: share of the encoder, chosen on validation."""

    scores: dict[str, np.ndarray]
    seconds: dict[str, float]
    alpha: dict[str, float]


def match(
    data: Graded,
    methods: tuple[str, ...] = METHODS,
    backbone: str = "minilm",
    loss: str = "order",
    max_steps: int = 0,
    seed: int = 0,
) -> Matched:
    """Score validation and test rows by every method asked for.

    Args:
        backbone: that is tuned, and that zero_shot is.
        loss: see `GradedTraining`. max_steps: of training; 0: the settings' own two passes.
        seed: of training and of the random order.

    Raises:
        SearchError: no such method; tuning, or choosing a weight, on a set that is all test.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise SearchError(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    learned = [name for name in methods if name not in ("random", "bm25", "zero_shot")]
    if learned and not len(data.parts["validation"]):
        raise SearchError(f"{data.name} has no part to learn {learned[0]} from: choose on another data set")
    rows = np.concatenate([data.parts["validation"], data.parts["test"]])
    asked, found = data.table.iloc[rows], Matched({}, {}, {})
    for name in METHODS:
        base = {"convex": "zero_shot", "tuned_convex": "tuned"}.get(name)
        wanted = name in methods or any(
            other in methods and name in needed
            for other, needed in (("convex", ("bm25", "zero_shot")), ("tuned_convex", ("bm25", "tuned")))
        )
        if not wanted:
            continue
        start = time.perf_counter()
        if base is None:
            own = _scores(name, data, asked, backbone, loss, max_steps, seed)
        else:
            own = _combined(data, rows, found, base, name)
        found.scores[name] = np.full(len(data.table), np.nan)
        found.scores[name][rows] = own
        found.seconds[name] = time.perf_counter() - start
    return found


def judge(data: Graded, scores: np.ndarray, part: str = "test", k: int = 10) -> JudgedNdcg:
    """NDCG@k of one part's lists by these scores ([P])."""
    rows, table = data.parts[part], data.part(part)
    return judged_ndcg(table["list"].to_numpy(), table["grade"].to_numpy(), scores[rows], k, data.lowest)


def comparison_table(data: Graded, found: Matched, k: int = 10) -> pd.DataFrame:
    """One row a method: validation and test NDCG@k, seconds, weight of the encoder; first the random
    order."""
    rows = []
    for name, scores in found.scores.items():
        row: dict = {"method": name}
        for part in ("validation", "test"):
            if len(data.parts[part]):
                judged = judge(data, scores, part, k)
                # a random order's exact expectation stands in for its one draw
                row[f"ndcg@{k}_{part}"] = judged.random_mean if name == "random" else judged.mean
        rows.append(row | {"seconds": found.seconds[name], "alpha": found.alpha.get(name, np.nan)})
    return pd.DataFrame(rows)


def _scores(
    name: str, data: Graded, asked: pd.DataFrame, backbone: str, loss: str, max_steps: int, seed: int
) -> np.ndarray:
    queries, titles = asked["query"].tolist(), asked["title"].tolist()
    if name == "random":
        return np.random.default_rng(seed).random(len(asked))
    if name == "bm25":
        texts, rows = np.unique(np.asarray(titles, dtype=object), return_inverse=True)
        everything = list(texts) + sorted(set(data.table["title"]) - set(texts))
        return LexicalIndex(everything).pair_scores(queries, rows)
    network = load_backbone(backbone, seed=seed)
    if name == "tuned":
        train = data.part("train")
        settings = replace(SETTINGS, max_steps=max_steps or None)
        how = GradedTraining(loss, settings)
        tune(network, train["query"].tolist(), train["title"].tolist(), train["grade"].to_numpy(), how, seed)
    return pair_cosines(network, queries, titles)


def _combined(data: Graded, rows: np.ndarray, found: Matched, base: str, name: str) -> np.ndarray:
    part = data.parts["validation"]
    table = data.table.iloc[part]
    surface = alpha_surface(
        table["list"].to_numpy(),
        table["grade"].to_numpy(),
        found.scores[base][part],
        found.scores["bm25"][part],
        normalisations=("z_score",),
        lowest=data.lowest,
    )
    _, alpha = choose_alpha(surface)
    found.alpha[name] = alpha
    lists = data.table["list"].to_numpy()[rows]
    return rank_scores(lists, found.scores[base][rows], found.scores["bm25"][rows], alpha)
