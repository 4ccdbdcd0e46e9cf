"""Transfer: model and weights chosen on one data set, evaluated on Chorus; and the ceiling by human judges.

Chorus has no validation part. α and the normalisation come from the other data set's validation part; queries
in both are left out. The ceiling: one judge's grades as scores, evaluated against the mean of the other two,
and against the final grade, which includes the judge's own and so is biased upwards.

L: lists. P: pairs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.labelled import chorus_electronics
from recsys.data.splits import normal_query
from recsys.encoders.backbone import load_backbone
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.bi_encoder import SETTINGS, GradedTraining, pair_cosines, tune
from recsys.search.errors import SearchError
from recsys.search.graded import load_graded
from recsys.search.lexical import LexicalIndex
from recsys.search.ranking import alpha_surface, choose_alpha, rank_scores
from recsys.search.studies.study import Study, StudySettings, study

TARGET = "chorus_electronics"


def carried_weights(settings: StudySettings) -> Study:
    """NDCG@10 on Chorus by BM25, the untuned and the tuned encoder, and both convex combinations.

    Everything is chosen and tuned on `settings.dataset`. For the demo store, which has no second shop, its
    own test part is used instead of Chorus.

    Lists: `carried_words:difference` (combination with the untuned encoder − BM25),
    `carried_meaning:difference` (− untuned alone), `carried_tuned:difference` (with the tuned − untuned).

    Raises:
        SearchError: the data set has no validation part.
    """
    source = load_graded(settings.dataset, settings.fold, settings.salt)
    if not len(source.parts["validation"]):
        raise SearchError(f"{source.name} has no part to choose weights on: take another data set")
    own = source.name == "demo_store"
    target = source if own else load_graded(TARGET)
    shared = {} if own else set(normal_query(source.table["query"]))
    judged_rows = target.part("test")
    judged_rows = judged_rows[~normal_query(judged_rows["query"]).isin(shared)]
    network, found, weights = load_backbone(settings.backbone, seed=settings.seed), {}, {}
    chosen = source.part("validation")
    words = {"source": title_scores(chosen), "target": title_scores(judged_rows, not own)}

    def ndcg(scores: np.ndarray) -> pd.Series:
        keys, grades = judged_rows["list"].to_numpy(), judged_rows["grade"].to_numpy()
        return judged_ndcg(keys, grades, scores, 10, target.lowest).per_list

    found["bm25"] = ndcg(words["target"])
    for name in ("untuned", "tuned"):
        if name == "tuned":
            train = source.part("train")
            how = GradedTraining(settings.loss, replace(SETTINGS, max_steps=settings.max_steps or None))
            pairs = (train["query"].tolist(), train["title"].tolist(), train["grade"].to_numpy())
            tune(network, *pairs, how, settings.seed)
        near = {
            side: pair_cosines(network, table["query"].tolist(), table["title"].tolist())
            for side, table in (("source", chosen), ("target", judged_rows))
        }
        columns = (chosen["list"].to_numpy(), chosen["grade"].to_numpy())
        surface = alpha_surface(*columns, near["source"], words["source"], lowest=source.lowest)
        normalisation, weights[f"alpha_{name}"] = choose_alpha(surface)
        both = (judged_rows["list"].to_numpy(), near["target"], words["target"])
        found[name] = ndcg(near["target"])
        found[f"{name}_convex"] = ndcg(rank_scores(*both, weights[f"alpha_{name}"], normalisation))
    lists = pd.DataFrame({"carried_words:difference": found["untuned_convex"] - found["bm25"]})
    lists["carried_meaning:difference"] = found["untuned_convex"] - found["untuned"]
    lists["carried_tuned:difference"] = found["tuned_convex"] - found["untuned"]
    table = pd.DataFrame({"ndcg@10": {name: values.mean() for name, values in found.items()}})
    table.loc["random"] = ndcg(np.zeros(len(judged_rows))).mean()
    if not own:
        table = pd.concat([table, judge_ceiling()])
    return study(lists, table.rename_axis("scorer").reset_index(), **weights)


def title_scores(table: pd.DataFrame, described: bool = False) -> np.ndarray:
    """[P] BM25 score of each pair over the distinct titles; `described`: over Chorus's titles with
    descriptions."""
    if described:
        products = chorus_electronics.catalogue(sources.all_sources()[TARGET])
        texts = (products["title"] + " " + products["description"]).tolist()
        rows = table["product"].to_numpy()
    else:
        titles, rows = np.unique(table["title"].to_numpy(object), return_inverse=True)
        texts = list(titles)
    return LexicalIndex(texts).pair_scores(table["query"].tolist(), rows)


def judge_ceiling() -> pd.DataFrame:
    """NDCG@10 of each of Chorus's judges, rows "judge 1 against the others" and "... against the final"."""
    table = chorus_electronics.judges(sources.all_sources()[TARGET])
    rows = {}
    for number, name in enumerate(chorus_electronics.JUDGES, 1):
        others = [other for other in chorus_electronics.JUDGES if other != name]
        for words, truth in (("others", table[others].mean(axis=1)), ("final", table["final_rating"])):
            columns = (table["query"].to_numpy(), truth.to_numpy(), table[name].to_numpy())
            rows[f"judge {number} against the {words}"] = judged_ndcg(*columns, 10, 0.0).mean
    return pd.DataFrame({"ndcg@10": rows})
