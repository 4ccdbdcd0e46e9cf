"""Known-item search (已知项检索): is the one text that answers a query found among thousands?

A Chinese question looks for the question that means the same (LCQMC, ATEC); a review's title looks for its
own review (Women's Clothing). Every text of a part is in the pool, and only a query's own answers are known:
an unknown one that stands before them counts as a miss, for every scorer.

Q: queries. N: texts of the pool.
"""

from __future__ import annotations

import bm25s
import numpy as np
import pandas as pd

from recsys.data.labelled.dataset import LabelledTexts, labelled_split, load_labelled
from recsys.data.splits import normal_query
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.ensembling.score_fusion import PreparedConvex, convex
from recsys.metrics.ranking import rank_positions, ranking_metrics
from recsys.search.bi_encoder import QUERY_TOKENS
from recsys.search.errors import SearchError
from recsys.search.lexical import LexicalIndex, words
from recsys.search.ranking import SHARES
from recsys.search.studies.study import Study, StudySettings, study

ENCODERS = ("e5-small-multilingual", "use-multilingual", "minilm")  # the first is the one that is tested
QUESTIONS, REVIEWS = 2000, 3000  # most that are drawn of a part: questions asked, reviews in the pool
QUESTION_TOKENS, REVIEW_TOKENS = 48, 128
SHARE = (
    0.5  # weight of the first encoder beside the bigrams, fixed, so that nothing is chosen on test questions
)
MEASURES = ["hr@1", "hr@10", "mrr"]


def chinese_questions(settings: StudySettings) -> Study:
    """Test questions look for their match by each of ENCODERS, BM25 over characters and over bigrams.

    `settings.backbone` is not used. Nothing is trained or chosen: of the test part alone, the pool is its
    pairs' second questions, the queries are first questions of pairs that mean the same.

    Lists (questions): `chinese:difference`, reciprocal rank of the first encoder − bigrams;
    `chinese_characters:difference`, − characters; `chinese_fused:difference`, encoder and bigrams − bigrams.

    Raises:
        SearchError: a data set without pairs of two classes, or without a question that has something to
            find. BackboneError: an encoder is not installed.
    """
    data = load_labelled(settings.dataset)
    questions, pool, targets = question_pool(data, f"{settings.salt} {settings.fold}", settings.seed)
    lexical = LexicalIndex(pool)
    scores = {"random": np.zeros((len(questions), len(pool)), np.float32)}  # all equal: the expectation
    scores["bm25 characters"] = np.stack([lexical.scores(question) for question in questions])
    scores["bm25 bigrams"] = bigram_scores(questions, pool)
    for name in ENCODERS:
        network = load_backbone(name, seed=settings.seed)
        asked, there = (embed_texts(network, x, max_tokens=QUESTION_TOKENS) for x in (questions, pool))
        scores[name] = asked @ there.T
    main, fused = ENCODERS[0], f"{ENCODERS[0]} + bigrams"
    scores[fused] = convex([scores[main], scores["bm25 bigrams"]], [SHARE, 1 - SHARE])
    found = {name: places(own, targets) for name, own in scores.items()}
    ranks = pd.DataFrame({name: own["mrr"].to_numpy() for name, own in found.items()}, index=questions)
    lists = pd.DataFrame({"chinese:difference": ranks[main] - ranks["bm25 bigrams"]})
    lists["chinese_characters:difference"] = ranks[main] - ranks["bm25 characters"]
    lists["chinese_fused:difference"] = ranks[fused] - ranks["bm25 bigrams"]
    return study(lists, table_of(found), pool=float(len(pool)))


def question_pool(data: LabelledTexts, salt: str, seed: int) -> tuple[list[str], list[str], pd.DataFrame]:
    """At most QUESTIONS questions of the test part, the N distinct questions of the pool, and the answers.

    A question that stands in the pool word for word is left out: it would only find itself.

    Returns:
        Questions [Q], pool [N], and a table of columns user (place among the questions) and item (place in
        the pool), at least one row for each question.

    Raises:
        SearchError: as `chinese_questions`.
    """
    if "text_pair" not in data.table or len(data.labels) != 2:
        raise SearchError(f"{data.name} has no pairs of questions: take lcqmc or atec")
    table = data.table.iloc[labelled_split(data, salt)["test"]]
    pool, item = np.unique(table["text_pair"].to_numpy(object), return_inverse=True)
    right = table.assign(item=item)[(table["label"] == 1).to_numpy()]
    right = right[~normal_query(right["text"]).isin(set(normal_query(table["text_pair"])))]
    if right.empty:
        raise SearchError(f"no test question of {data.name} has a match to find")
    every = right["text"].unique()
    drawn = np.random.default_rng(seed).permutation(len(every))[:QUESTIONS]
    questions = every[np.sort(drawn)].tolist()
    user = pd.Index(questions).get_indexer(right["text"])
    targets = pd.DataFrame({"user": user, "item": right["item"].to_numpy()})
    return questions, list(pool), targets[user >= 0]


def bigram_scores(queries: list[str], pool: list[str]) -> np.ndarray:
    """[Q, N] float32 BM25 over pairs of neighbouring characters: Chinese words have mostly two."""
    model = bm25s.BM25(k1=1.2, b=0.75)  # as `LexicalIndex`
    model.index([bigrams(text) for text in pool], show_progress=False)
    rows = np.zeros((len(queries), len(pool)), dtype=np.float32)
    for row, query in zip(rows, queries, strict=True):
        known = [part for part in dict.fromkeys(bigrams(query)) if part in model.vocab_dict]
        if known:
            row[:] = model.get_scores(known)
    return rows


def bigrams(text: str) -> list[str]:
    """Neighbouring characters of a text without blanks and punctuation; a single character stands alone."""
    joined = "".join(words(text))
    return [joined[i : i + 2] for i in range(len(joined) - 1)] or list(joined)


def known_item_reviews(settings: StudySettings) -> Study:
    """Titles of reviews look for their review by BM25, by the encoder's cosine, and by both together.

    The combination's weight is the best of validation's titles. The parts divide garments.

    Lists (titles): `known_item:difference`, reciprocal rank of the combination − BM25;
    `known_item_cosine:difference`, − the cosine alone.

    Raises:
        SearchError: a data set without titles of reviews.
    """
    data = load_labelled(settings.dataset)
    if "title" not in data.table:
        raise SearchError(f"{data.name} has no titles of reviews: take womens_clothing")
    network = load_backbone(settings.backbone, seed=settings.seed)
    parts = labelled_split(data, f"{settings.salt} {settings.fold}")
    scores, targets, names = {}, {}, {}
    for part in ("validation", "test"):
        titles, pool, targets[part] = review_pool(data.table.iloc[parts[part]], settings.seed)
        lexical, names[part] = LexicalIndex(pool), titles
        asked = embed_texts(network, titles, max_tokens=QUERY_TOKENS)
        cosine = asked @ embed_texts(network, pool, max_tokens=REVIEW_TOKENS).T
        scores[part] = {"bm25": np.stack([lexical.scores(title) for title in titles]), "cosine": cosine}
    both = {part: PreparedConvex([own["cosine"], own["bm25"]]) for part, own in scores.items()}
    tried = {share: both["validation"].at([share, 1 - share]) for share in SHARES}
    quality = {share: places(own, targets["validation"])["mrr"].mean() for share, own in tried.items()}
    alpha = max(SHARES, key=lambda share: (quality[share], share))
    scores["test"]["combination"] = both["test"].at([alpha, 1 - alpha])
    scores["test"]["random"] = np.zeros_like(scores["test"]["bm25"])  # all equal: the expectation
    found = {name: places(own, targets["test"]) for name, own in scores["test"].items()}
    ranks = pd.DataFrame({name: own["mrr"].to_numpy() for name, own in found.items()}, index=names["test"])
    lists = pd.DataFrame({"known_item:difference": ranks["combination"] - ranks["bm25"]})
    lists["known_item_cosine:difference"] = ranks["combination"] - ranks["cosine"]
    return study(lists, table_of(found), alpha=alpha, pool=float(scores["test"]["bm25"].shape[1]))


def review_pool(table: pd.DataFrame, seed: int) -> tuple[list[str], list[str], pd.DataFrame]:
    """Titles that only one of the drawn reviews has, at most REVIEWS reviews without their titles, answers.

    Args:
        table: columns text (title, line break, review) and title (None where there is none).

    Returns:
        Titles [Q], reviews [N], and a table of columns user (place among the titles) and item (place among
        the reviews), one row for each title.

    Raises:
        SearchError: no title belongs to one review alone.
    """
    drawn = np.sort(np.random.default_rng(seed).permutation(len(table))[:REVIEWS])
    table = table.iloc[drawn]
    titled = table["title"].notna().to_numpy()
    pool = [
        text.removeprefix(f"{title}\n") if has else text
        for text, title, has in zip(table["text"], table["title"], titled, strict=True)
    ]
    plain = normal_query(table["title"].where(titled, ""))
    own = titled & ~plain.duplicated(keep=False).to_numpy()
    if not own.any():
        raise SearchError("no title belongs to one review alone: there is no known item to look for")
    targets = pd.DataFrame({"user": np.arange(own.sum()), "item": np.flatnonzero(own)})
    return table["title"][own].tolist(), pool, targets


def places(scores: np.ndarray, targets: pd.DataFrame) -> pd.DataFrame:
    """hr@1, hr@10 and mrr (1 / place of the first answer, over the whole pool) of each query.

    Args:
        scores: [Q, N]; of equal scores the expectation over their orders. targets: columns user, item.
    """
    positions = rank_positions(scores, np.arange(len(scores)), targets, ties="expected")
    return ranking_metrics(positions, cutoffs=(1, 10))[1][MEASURES]


def table_of(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row for each scorer: the means over its queries."""
    means = pd.DataFrame({name: own.mean() for name, own in found.items()}).T
    return means.rename_axis("scorer").reset_index()
