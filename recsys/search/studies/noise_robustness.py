"""Does quality fall less on noisy queries after contrastive training than after pointwise training?"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.bi_encoder import SETTINGS, GradedTraining, pair_cosines, tune
from recsys.search.errors import SearchError
from recsys.search.graded import load_graded
from recsys.search.lexical import LexicalIndex
from recsys.search.studies.noise import NOISES, noisy
from recsys.search.studies.study import Study, StudySettings, study

SCORERS = ("bm25", "zero_shot", "pointwise", "contrastive")


def noise_robustness(settings: StudySettings) -> Study:
    """NDCG@10 on clean and noisy test queries: BM25, an untuned encoder, and the encoder tuned in two ways.

    Both are tuned on the same pairs for the same steps; `settings.loss` names the contrastive loss. Lists:
    for each kind of noise, `<noise>:difference` = fall of the pointwise model − fall of the contrastive one,
    above 0 where the contrastive one is more robust; queries that the noise does not change count as 0.

    Raises:
        SearchError: the contrastive loss is pointwise, or the data set has no training part.
    """
    if settings.loss == "pointwise":
        raise SearchError("loss is the contrastive model's here: in_batch, both or order, not pointwise")
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    if not len(data.parts["train"]):
        raise SearchError(f"{data.name} has no part to learn from: take another data set")
    part, train = data.part("test"), data.part("train")
    titles, queries = part["title"].tolist(), part["query"].tolist()
    asked = {"clean": queries} | {kind: noisy(queries, kind, settings.seed) for kind in NOISES}
    scores: dict[tuple[str, str], pd.Series] = {}
    for name in SCORERS:
        network = None if name == "bm25" else load_backbone(settings.backbone, seed=settings.seed)
        if name in ("pointwise", "contrastive"):
            loss = settings.loss if name == "contrastive" else "pointwise"
            how = GradedTraining(loss, replace(SETTINGS, max_steps=settings.max_steps or None))
            pairs = (train["query"].tolist(), train["title"].tolist(), train["grade"].to_numpy())
            tune(network, *pairs, how, settings.seed)
        index = LexicalIndex(titles) if name == "bm25" else None
        for kind, texts in asked.items():
            found = (
                index.pair_scores(texts, range(len(texts))) if index else pair_cosines(network, texts, titles)
            )
            judged = judged_ndcg(part["list"].to_numpy(), part["grade"].to_numpy(), found, 10, data.lowest)
            scores[name, kind] = judged.per_list
    lists = pd.DataFrame()
    for kind in NOISES:
        fall = {name: scores[name, "clean"] - scores[name, kind] for name in SCORERS}
        lists[f"{kind}:difference"] = fall["pointwise"] - fall["contrastive"]
    table = pd.DataFrame({key: values.mean() for key, values in scores.items()}, index=["ndcg@10"])
    table = table.T.rename_axis(["scorer", "queries"]).reset_index()
    changed = {
        f"{kind}_changed": float(pd.Series(asked[kind]).ne(pd.Series(queries)).mean()) for kind in NOISES
    }
    return study(lists, table, **changed)
