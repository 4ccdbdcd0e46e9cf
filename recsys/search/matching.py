"""Intent matching (意图匹配): scorers of graded pairs by name, evaluated in the same way.

Names: random; bm25 (titles); zero_shot (an untuned encoder's cosine); convex (both, weight from validation);
rrf (both, by reciprocal ranks); tuned (the encoder trained on the train part); tuned_convex and tuned_rrf
(with BM25); reranked (a cross-encoder trained on the train part over zero_shot's cosine); reranked_convex.

P: pairs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.metrics.judged_lists import JudgedNdcg, judged_ndcg
from recsys.metrics.relevance import best_threshold, relevance_measures
from recsys.search.bi_encoder import SETTINGS, GradedTraining, pair_cosines, tune
from recsys.search.errors import SearchError
from recsys.search.graded import Graded
from recsys.search.lexical import LexicalIndex
from recsys.search.ranking import alpha_surface, choose_alpha, rank_places, rank_scores
from recsys.search.reranking.cross_encoder import ReRanker
from recsys.search.reranking.hard_negatives import mine

WEIGHTED = {"convex": "zero_shot", "tuned_convex": "tuned", "reranked_convex": "reranked"}
BY_RANK = {"rrf": "zero_shot", "tuned_rrf": "tuned"}
COMBINED = WEIGHTED | BY_RANK
UNTRAINED = (
    "random",
    "bm25",
    "zero_shot",
    "rrf",
)  # the others learn weights, or their share, from graded pairs
METHODS = (*UNTRAINED, "convex", "tuned", "tuned_convex", "tuned_rrf", "reranked", "reranked_convex")


@dataclass(frozen=True)
class Matched:
    """Scores of several methods.

    scores: by method, [P] for all rows of the table (NaN for rows that were not scored). seconds: by method,
    of training and scoring. alpha: by combination, weight of the encoder, chosen on validation.
    """

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
    mined: int = 0,
) -> Matched:
    """Score validation and test rows by every requested method.

    Args:
        data: from `recsys.search.graded.load_graded`. methods: of METHODS.
        backbone: encoder of zero_shot, and the start of tuning.
        loss: see `GradedTraining`. max_steps: of training; 0: the settings' two epochs.
        seed: of training and of the random order.
        mined: number of hard negatives per training query (`recsys.search.reranking.hard_negatives`) that
            are added to the judged pairs.

    Raises:
        SearchError: no such method; tuning, or choosing a weight, on a data set that has only a test part.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise SearchError(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    learned = [name for name in methods if name not in UNTRAINED]
    if learned and not len(data.parts["validation"]):
        raise SearchError(
            f"{learned[0]} learns from graded pairs, and {data.name} has none to learn from: "
            f"take one of {', '.join(UNTRAINED)} there, or another data set"
        )
    rows = np.concatenate([data.parts["validation"], data.parts["test"]])
    asked, found = data.table.iloc[rows], Matched({}, {}, {})
    for name in METHODS:
        base = COMBINED.get(name)
        asked_for_another = any(c in methods and name in ("bm25", other) for c, other in COMBINED.items())
        if name not in methods and not asked_for_another:
            continue
        start = time.perf_counter()
        if base is None:
            own = _scores(name, data, asked, backbone, loss, max_steps, seed, mined)
        else:
            own = _combined(data, rows, found, base, name)
        found.scores[name] = np.full(len(data.table), np.nan)
        found.scores[name][rows] = own
        found.seconds[name] = time.perf_counter() - start
    return found


def judge(data: Graded, scores: np.ndarray, part: str = "test", k: int = 10) -> JudgedNdcg:
    """NDCG@k of one part's lists, ordered by `scores` [P]."""
    rows, table = data.parts[part], data.part(part)
    return judged_ndcg(table["list"].to_numpy(), table["grade"].to_numpy(), scores[rows], k, data.lowest)


def comparison_table(data: Graded, found: Matched, k: int = 10) -> pd.DataFrame:
    """One row per method, first the random order: validation and test NDCG@k, seconds, encoder's weight.

    Beside them mrr, recall@k, accuracy, recall and f1 on test (`recsys.metrics.relevance`): relevant is a
    grade above the middle of the scale, the threshold is validation's best. Of random: one draw.
    """
    rows, middle = [], (data.lowest + data.table["grade"].max()) / 2
    relevant = {part: (data.part(part)["grade"] > middle).to_numpy() for part in ("validation", "test")}
    for name, scores in found.scores.items():
        row: dict = {"method": name}
        for part in ("validation", "test"):
            if len(data.parts[part]):
                judged = judge(data, scores, part, k)
                # for a random order the exact expectation, not one draw
                row[f"ndcg@{k}_{part}"] = judged.random_mean if name == "random" else judged.mean
        row |= {"seconds": found.seconds[name], "alpha": found.alpha.get(name, np.nan)}
        own = {part: scores[data.parts[part]] for part in relevant}
        chosen = (
            best_threshold(relevant["validation"], own["validation"]) if len(own["validation"]) else np.nan
        )
        lists = data.part("test")["list"].to_numpy()
        rows.append(row | relevance_measures(lists, relevant["test"], own["test"], chosen, k))
    return pd.DataFrame(rows)


def _scores(
    name: str,
    data: Graded,
    asked: pd.DataFrame,
    backbone: str,
    loss: str,
    max_steps: int,
    seed: int,
    mined: int,
) -> np.ndarray:
    queries, titles = asked["query"].tolist(), asked["title"].tolist()
    if name == "random":
        return np.random.default_rng(seed).random(len(asked))
    if name == "bm25":
        texts, rows = np.unique(np.asarray(titles, dtype=object), return_inverse=True)
        everything = list(texts) + sorted(set(data.table["title"]) - set(texts))
        return LexicalIndex(everything).pair_scores(queries, rows)
    network = load_backbone(backbone, seed=seed)
    settings = replace(SETTINGS, max_steps=max_steps or None)
    if name == "zero_shot":
        return pair_cosines(network, queries, titles)
    train = training_pairs(data, network, mined, seed)
    pairs = (train["query"].tolist(), train["title"].tolist())
    if name == "tuned":
        tune(network, *pairs, train["grade"].to_numpy(), GradedTraining(loss, settings), seed)
        return pair_cosines(network, queries, titles)
    first = pair_cosines(network, *pairs)
    cosines = pair_cosines(network, queries, titles)
    ranker = ReRanker(network, settings).fit(*pairs, first, train["grade"].to_numpy(), seed)
    return ranker.score(queries, titles, cosines)


def training_pairs(data: Graded, backbone: Backbone, mined: int = 0, seed: int = 0) -> pd.DataFrame:
    """Query, title, grade of the train part, plus `mined` hard negatives per query with the lowest grade.

    They are mined among the titles of the train part only: a test title as a negative would leak the test.
    """
    own = data.part("train")[["query", "title", "grade"]]
    if not mined:
        return own
    found = mine(own, own["title"], backbone, per_query=mined, seed=seed)
    return pd.concat([own, found[["query", "title", "grade"]]], ignore_index=True)


def _combined(data: Graded, rows: np.ndarray, found: Matched, base: str, name: str) -> np.ndarray:
    lists = data.table["list"].to_numpy()[rows]
    if name in BY_RANK:
        return rank_places(lists, found.scores[base][rows], found.scores["bm25"][rows])
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
    return rank_scores(lists, found.scores[base][rows], found.scores["bm25"][rows], alpha)
