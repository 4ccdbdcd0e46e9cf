"""Does late interaction pay: MaxSim over an untuned encoder's token vectors against its pooled cosine?

Both scorers read the same judged lists with the same encoder; what differs is how much of it is kept for a
title. So beside NDCG stand the bytes of a title's vectors and the milliseconds of scoring a list.

P: pairs of validation and test together.
"""

from __future__ import annotations

from time import process_time

import numpy as np
import pandas as pd

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.graded import Graded, load_graded
from recsys.search.matching import judge, match
from recsys.search.ranking import alpha_surface, choose_alpha, rank_scores
from recsys.search.reranking.late_interaction import embed_tokens, max_sim
from recsys.search.studies.study import Study, StudySettings, study

COMBINED = {
    "pooled + bm25": ("pooled", "bm25"),
    "max_sim + bm25": ("max_sim", "bm25"),
    "max_sim + pooled": ("max_sim", "pooled"),
}
SHARE = 0.5  # of both scorers where there is no validation part to choose by


def late_interaction(settings: StudySettings) -> Study:
    """NDCG@10 of test lists by BM25, pooled cosine, MaxSim, and convex combinations of two of them.

    The combinations' weights are validation's best; without a validation part (Chorus) both scorers weigh
    the same, so that nothing is chosen on test queries.

    Lists: `late:difference` (MaxSim − pooled cosine), `late_pooled:difference` (both together − pooled),
    `late_words:difference` (MaxSim with BM25 − pooled with BM25: what a shop that has BM25 would gain).
    Metrics: title_bytes_pooled, title_bytes_max_sim (float32), tokens (mean of a title), pooled_ms and
    max_sim_ms (processor time, mean of a list, without encoding), and of each combination the weight of its
    first scorer.

    Raises:
        SearchError: as `load_graded` and `embed_tokens`.
    """
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    rows = np.concatenate([data.parts["validation"], data.parts["test"]])
    network = load_backbone(settings.backbone, seed=settings.seed)
    scored, costs = score_lists(network, data.table.iloc[rows])
    own = {"bm25": match(data, ("bm25",)).scores["bm25"][rows]} | scored
    keys, alphas = data.table["list"].to_numpy()[rows], {}
    for name, (first, second) in COMBINED.items():
        alphas[name] = best_share(data, own[first], own[second])
        own[name] = rank_scores(keys, own[first], own[second], alphas[name])
    scores = {name: np.full(len(data.table), np.nan) for name in own}
    for name, values in own.items():
        scores[name][rows] = values
    judged = {name: judge(data, values) for name, values in scores.items()}
    found = {name: one.per_list for name, one in judged.items()}
    lists = pd.DataFrame({"late:difference": found["max_sim"] - found["pooled"]})
    lists["late_pooled:difference"] = found["max_sim + pooled"] - found["pooled"]
    lists["late_words:difference"] = found["max_sim + bm25"] - found["pooled + bm25"]
    table = pd.DataFrame({"ndcg@10": {name: values.mean() for name, values in found.items()}})
    table.loc["random"] = judged["bm25"].random_mean
    table["alpha"] = pd.Series(alphas)
    table["title_bytes"] = pd.Series({name: costs[f"title_bytes_{name}"] for name in scored})
    table["list_ms"] = pd.Series({name: costs[f"{name}_ms"] for name in scored})
    weights = {f"alpha_{name.replace(' + ', '_')}": alpha for name, alpha in alphas.items()}
    return study(lists, table.rename_axis("scorer").reset_index(), **costs, **weights)


def score_lists(network: Backbone, asked: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """[P] scores of query and title by "pooled" and by "max_sim", and what they cost.

    Args:
        asked: columns query, title.

    Returns:
        The scores by name, and title_bytes_pooled, title_bytes_max_sim, tokens, pooled_ms, max_sim_ms. The
        times are processor time of one pass, which fetches the titles' vectors from one table, as an index
        would.
    """
    queries, query = np.unique(asked["query"].to_numpy(object), return_inverse=True)
    titles, title = np.unique(asked["title"].to_numpy(object), return_inverse=True)
    sides = ((list(queries), QUERY_TOKENS), (list(titles), TITLE_TOKENS))
    pooled = [embed_texts(network, texts, max_tokens=most) for texts, most in sides]
    tokens = [embed_tokens(network, texts, most) for texts, most in sides]
    scores = {name: np.empty(len(asked), np.float32) for name in ("pooled", "max_sim")}
    seconds = dict.fromkeys(scores, 0.0)
    for number, rows in pd.Series(query).groupby(query).indices.items():
        start = process_time()
        scores["pooled"][rows] = pooled[1][title[rows]] @ pooled[0][number]
        middle = process_time()
        scores["max_sim"][rows] = max_sim(tokens[0].take([number]), tokens[1].take(title[rows]))
        seconds["pooled"] += middle - start
        seconds["max_sim"] += process_time() - middle
    costs = {
        "title_bytes_pooled": float(pooled[1][0].nbytes),
        "title_bytes_max_sim": tokens[1].vectors.nbytes / len(titles),
        "tokens": len(tokens[1].vectors) / len(titles),
    }
    return scores, costs | {f"{name}_ms": 1e3 * value / len(queries) for name, value in seconds.items()}


def best_share(data: Graded, first: np.ndarray, second: np.ndarray) -> float:
    """Weight of the first scorer with the best NDCG@10 on validation; SHARE where there is none.

    Args:
        first, second: [P] scores, validation's rows before test's.
    """
    chosen = data.part("validation")
    if not len(chosen):
        return SHARE
    columns = (chosen["list"].to_numpy(), chosen["grade"].to_numpy())
    both = (first[: len(chosen)], second[: len(chosen)])
    surface = alpha_surface(*columns, *both, normalisations=("z_score",), lowest=data.lowest)
    return choose_alpha(surface)[1]
