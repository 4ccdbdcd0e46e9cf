"""Recall over the whole catalogue: are the judged-relevant products among the first 10 and 100?

A judged pool comes from some search engine's results; an unjudged product need not be irrelevant. So beside
the recall of judged-relevant products are reported judged@10 (share of the first ten that were judged; where
it is low, recall says little) and NDCG@10 of the condensed list (without unjudged products; Sakai 2007).

Q: queries. N: products.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.labelled import chorus_electronics
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.ensembling.score_fusion import convex
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError
from recsys.search.graded import Graded, load_graded
from recsys.search.lexical import LexicalIndex
from recsys.search.studies.study import Study, StudySettings, study

RELEVANT = 2 / 3  # a product is relevant from this share of the way from the lowest to the highest grade on
SHARE = 0.5  # weight of the cosine in the combination, fixed, so that nothing is chosen on test queries
DEPTHS = (10, 100)


def whole_catalogue(settings: StudySettings) -> Study:
    """Random, BM25, cosine and their convex combination over all products, for the test queries.

    Lists: `fused_recall@10:difference` and `@100`: the combination minus the better single scorer by its
    mean over the validation queries. Where there is no validation part the single one is the better over the
    judged queries themselves: hindsight that speaks for it, never for the combination.
    """
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    titles, product = catalogue(data)
    network, lexical = load_backbone(settings.backbone, seed=settings.seed), LexicalIndex(titles)
    vectors = embed_texts(network, titles, max_tokens=TITLE_TOKENS)
    rng = np.random.default_rng(settings.seed)
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for part in ("validation", "test"):
        rows = data.parts[part]
        if not len(rows):
            continue
        table = data.table.iloc[rows].assign(place=product[rows])
        found[part] = _of_part(table, data, network, vectors, lexical, rng)
    chosen = found.get("validation", found["test"])
    lists = pd.DataFrame(index=found["test"]["fused"].index)
    for k in DEPTHS:
        column = f"recall@{k}"
        means = {name: chosen[name][column].mean() for name in ("bm25", "cosine")}
        best = max(means, key=means.get)
        lists[f"fused_recall@{k}:difference"] = found["test"]["fused"][column] - found["test"][best][column]
    shown = pd.DataFrame({name: frame.mean() for name, frame in found["test"].items()}).T
    return study(lists, shown.rename_axis("scorer").reset_index(), products=float(len(titles)))


def catalogue(data: Graded) -> tuple[list[str], np.ndarray]:
    """(N texts, index of each pair's product among them): the shop's catalogue where it is known (Chorus),
    else the distinct titles of all pairs."""
    if data.name == "chorus_electronics":
        products = chorus_electronics.catalogue(sources.all_sources()[data.name])
        return products["title"].tolist(), data.table["product"].to_numpy()
    titles, places = np.unique(data.table["title"].to_numpy(object), return_inverse=True)
    return list(titles), places


def _of_part(
    table: pd.DataFrame,
    data: Graded,
    network: Backbone,
    vectors: np.ndarray,
    lexical: LexicalIndex,
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """Scorer -> metrics, one row per query with a relevant product."""
    highest = float(data.table["grade"].max())
    limit = data.lowest + RELEVANT * (highest - data.lowest)
    kept = table.groupby("list")["grade"].transform("max") >= limit
    if not kept.any():
        raise SearchError(f"no query of {data.name} has a product of grade {limit:g} or more")
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for key, judged in table[kept].groupby("list"):
        query = str(judged["query"].iloc[0])
        vector = embed_texts(network, [query], max_tokens=QUERY_TOKENS)[0]
        words, cosine = lexical.scores(query), vectors @ vector
        scores = {"random": rng.random(len(vectors)), "bm25": words, "cosine": cosine}
        scores["fused"] = convex([cosine[None], words[None]], [SHARE, 1 - SHARE])[0]
        for name, own in scores.items():
            rows.setdefault(name, {})[key] = _measures(own, judged, limit, data.lowest)
    return {name: pd.DataFrame(values).T.rename_axis("list") for name, values in rows.items()}


def _measures(scores: np.ndarray, judged: pd.DataFrame, limit: float, lowest: float) -> dict[str, float]:
    # a product judged twice (equal titles) counts once, with its mean grade
    grades = judged.groupby("place")["grade"].mean()
    relevant = grades.index[grades >= limit]
    found = {
        f"recall@{k}": _among_first(k, scores, relevant).mean() if len(relevant) else np.nan for k in DEPTHS
    }
    found["judged@10"] = float(_among_first(10, scores, grades.index).sum() / min(10, len(scores)))
    constant = grades.nunique() < 2
    own = scores[grades.index.to_numpy()]
    condensed = None if constant else judged_ndcg(np.zeros(len(grades)), grades, own, 10, lowest)
    return found | {"condensed_ndcg@10": np.nan if condensed is None else condensed.mean}


def _among_first(k: int, scores: np.ndarray, places: pd.Index) -> np.ndarray:
    """[n] how probable it is that each of these products is among the first k, equal scores in random order:
    BM25 gives most of a catalogue the score 0."""
    own = scores[places.to_numpy()][:, None]
    better, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return ((k - better) / equal).clip(0, 1)
