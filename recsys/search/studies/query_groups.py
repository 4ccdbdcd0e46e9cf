"""Does the cosine correlate with the grade, and does the encoder help more on long queries?

L: lists.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError
from recsys.search.graded import load_graded
from recsys.search.lexical import words
from recsys.search.matching import judge, match
from recsys.search.studies.study import Study, StudySettings, study

FEWEST = 3  # products of a list; with two a rank correlation is only a sign


def cosine_and_grade(settings: StudySettings) -> Study:
    """Spearman's correlation of cosine and grade in each test query's list, and that of the dot product.

    Lists: `spearman:difference` (to 0), `cosine_over_dot:difference`.
    """
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    part = data.part("test")
    network = load_backbone(settings.backbone, seed=settings.seed)
    query = embed_texts(network, part["query"].tolist(), max_tokens=QUERY_TOKENS, normalise=False)
    title = embed_texts(network, part["title"].tolist(), max_tokens=TITLE_TOKENS, normalise=False)
    dot = np.einsum("pd,pd->p", query, title)
    cosine = dot / (np.linalg.norm(query, axis=1) * np.linalg.norm(title, axis=1)).clip(1e-12)
    table = pd.DataFrame({"list": part["list"].to_numpy(), "grade": part["grade"].to_numpy()})
    both = {"cosine": spearman(table.assign(score=cosine)), "dot": spearman(table.assign(score=dot))}
    lists = pd.DataFrame({"spearman:difference": both["cosine"]})
    lists["cosine_over_dot:difference"] = both["cosine"] - both["dot"]
    shown = pd.DataFrame({name: values.describe() for name, values in both.items()}).rename_axis("statistic")
    return study(lists, shown.reset_index())


def spearman(table: pd.DataFrame) -> pd.Series:
    """[L] rank correlation of columns score and grade by column list.

    Lists with fewer than three products, or with one grade only, are left out; a list with equal scores only
    has correlation 0.

    Raises:
        SearchError: no list is left.
    """
    sizes = table.groupby("list")["grade"].agg(["size", "nunique"])
    kept = sizes.index[(sizes["size"] >= FEWEST) & (sizes["nunique"] > 1)]
    if kept.empty:
        raise SearchError(f"no list has {FEWEST} products and two grades: no order to correlate with")
    ranks = table[table["list"].isin(kept)].copy()
    ranks[["grade", "score"]] = ranks.groupby("list")[["grade", "score"]].rank()
    centred = ranks[["grade", "score"]] - ranks.groupby("list")[["grade", "score"]].transform("mean")
    products = pd.DataFrame(
        {
            "list": ranks["list"],
            "both": centred["grade"] * centred["score"],
            "grade": centred["grade"] ** 2,
            "score": centred["score"] ** 2,
        }
    )
    sums = products.groupby("list").sum()
    return (sums["both"] / np.sqrt(sums["grade"] * sums["score"]).where(sums["score"] > 0)).fillna(0.0)


def long_queries(settings: StudySettings) -> Study:
    """Encoder minus BM25 in NDCG@10: mean over long test queries minus mean over short ones.

    Long: more words than the median test query. The two groups are independent samples of queries, so
    `long:difference` contains each list's influence on the difference of the means: its mean is that
    difference, and its standard deviation over √L the standard error of two independent groups.
    `meaning_words:difference` and `meaning_random:difference`: the encoder minus BM25, and minus the
    expectation of a random order, over all lists.
    """
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    found = match(data, ("bm25", "zero_shot"), settings.backbone, seed=settings.seed)
    meaning = judge(data, found.scores["zero_shot"])
    judged = {"bm25": judge(data, found.scores["bm25"]).per_list, "zero_shot": meaning.per_list}
    gain = judged["zero_shot"] - judged["bm25"]
    text = data.part("test").drop_duplicates("list").set_index("list")["query"]
    length = text.map(lambda query: len(words(query))).reindex(gain.index)
    is_long = length > length.median()
    lists = pd.DataFrame({"long:difference": group_influence(gain, is_long)})
    lists["meaning_words:difference"] = gain
    lists["meaning_random:difference"] = meaning.per_list - meaning.random
    shown = pd.DataFrame({"long": is_long, "words": length, "gain": gain}).groupby("long").mean()
    return study(lists, shown.reset_index(), long_share=float(is_long.mean()))


def group_influence(values: pd.Series, first: pd.Series) -> pd.Series:
    """[L] influence of each value on mean(first group) − mean(the others); the mean is that difference.

    Raises:
        SearchError: a group has fewer than two values.
    """
    share = float(first.mean())
    if min(first.sum(), (~first).sum()) < 2:
        raise SearchError("one of the two groups has fewer than two queries: there is nothing to compare")
    means = values.groupby(first).mean()
    centred = values - means.reindex(first).to_numpy()
    weight = np.where(first, 1 / share, -1 / (1 - share))
    return float(means[True] - means[False]) + centred * weight
