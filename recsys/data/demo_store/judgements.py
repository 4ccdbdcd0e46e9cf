"""Graded relevance of products for a sample of the log's queries."""

from collections import Counter

import numpy as np
import pandas as pd

from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import JUDGED_QUERIES, JUDGEMENT_POOL
from recsys.data.demo_store.queries import Queries
from recsys.data.demo_store.seeds import generator

SATURATION, LENGTH_WEIGHT = 1.2, 0.75  # the usual BM25 constants k1 and b


def judge(seed: int, size: str, catalogue: Catalogue, queries: Queries, texts: list[str]) -> pd.DataFrame:
    """Judged pools: query (text), item, grade 0..3; sorted by query, then item.

    The judged queries are drawn from the distinct query texts, each text equally likely, so that rare and
    paraphrased ones are represented. The pool of a query is the union of the best lexical matches and of
    random products of the wanted category, of its group and of the whole shop (`JUDGEMENT_POOL`). The judges
    make no mistakes: the grade is the true one (`Queries.grade`).

    Args:
        seed, size, catalogue, queries: of the store.
        texts: [M] title and description of each product.
    """
    random = generator(seed, size, "judgements")
    n_queries = min(JUDGED_QUERIES[size], len(queries.text))
    chosen = np.sort(random.choice(len(queries.text), n_queries, replace=False))
    scores = lexical_scores(texts, [queries.text[q] for q in chosen])
    leaves, groups = catalogue.members(), catalogue.group_members()
    query_parts, item_parts = [], []
    for row, query in enumerate(chosen):
        leaf = queries.leaf[query]
        best = np.argsort(-scores[row], kind="stable")[: JUDGEMENT_POOL["lexical"]]
        pools = (leaves[leaf][leaves[leaf] >= 0], groups[leaf // 3][groups[leaf // 3] >= 0])
        drawn = [
            random.choice(pool, min(JUDGEMENT_POOL[name], len(pool)), replace=False)
            for name, pool in zip(("category", "group"), pools, strict=True)
        ]
        anything = random.choice(catalogue.n_items, JUDGEMENT_POOL["random"], replace=False)
        items = np.unique(np.concatenate([best[scores[row][best] > 0], *drawn, anything]))
        item_parts.append(items)
        query_parts.append(np.full(len(items), query))
    query, item = np.concatenate(query_parts), np.concatenate(item_parts)
    table = pd.DataFrame(
        {
            "query": queries.text[query],
            "item": item.astype(np.int64),
            "grade": queries.grade(catalogue, query, item).astype(np.int64),
        }
    )
    return table.sort_values(["query", "item"], ignore_index=True)


def lexical_scores(texts: list[str], queries: list[str]) -> np.ndarray:
    """[queries, texts] BM25 scores (Robertson & Zaragoza 2009) over lower-case words without stemming."""
    documents = [Counter(_words(text)) for text in texts]
    length = np.array([sum(document.values()) for document in documents], dtype=float)
    norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length / length.mean())
    postings: dict[str, np.ndarray] = {}
    wanted = {word for query in queries for word in _words(query)}
    for word in sorted(wanted):
        count = np.array([document[word] for document in documents], dtype=float)
        found = (count > 0).sum()
        rarity = np.log(1 + (len(texts) - found + 0.5) / (found + 0.5))
        postings[word] = rarity * count * (SATURATION + 1) / (count + norm)
    return np.stack([sum(postings[word] for word in _words(query)) for query in queries])


def _words(text: str) -> list[str]:
    return "".join(sign if sign.isalnum() else " " for sign in text.lower()).split()
