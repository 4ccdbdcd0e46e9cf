"""Symbolic knowledge: where an item stands in a category tree, and what a knowledge graph says of it.

Indicators of nodes and facts, no words and no encoder: what somebody who knows the field wrote down.

n: items. V: nodes or facts kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys.multimodal.features import FeatureError, Features

STEP = " > "  # from a category to the one below it
MOST_FACTS = 20_000


def encode_tree(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "tree": the item's category and all that stand above it, rare ones weighing more.

    Args:
        table: with a column `category` ("Shoes > Boots > Winter boots"), or `genres` ("Drama|Comedy"), a tree
            of one level in which an item may hang at several places.
        known: rows that nodes and their rarity are learned from.

    Raises:
        FeatureError: neither column, or the known rows hold no category.
    """
    if "category" in table:
        return _indicators("tree", table["category"], _nodes, known)
    if "genres" in table:
        return _indicators("tree", table["genres"], lambda text: [g for g in text.split("|") if g], known)
    raise FeatureError("modality tree needs a column category or genres")


def encode_graph(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "graph": one indicator for each fact (relation and tail) that two known items share.

    Args:
        table: with a column `graph`: facts joined by line breaks, None where the graph knows no item.

    Raises:
        FeatureError: no such column, or the known rows hold no fact twice.
    """
    if "graph" not in table:
        raise FeatureError("modality graph needs a data set with a knowledge graph")
    return _indicators("graph", table["graph"], str.splitlines, known, fewest=2)


def _nodes(path: str) -> list[str]:
    """ "A > B" -> ["A", "A > B"]."""
    steps = path.split(STEP) if path else []
    return [STEP.join(steps[: depth + 1]) for depth in range(len(steps))]


def _indicators(
    modality: str, texts: pd.Series, cut: Callable[[str], list[str]], known: np.ndarray, fewest: int = 1
) -> Features:
    """Sparse TF-IDF rows of length 1; `fewest`: known items that must share an entry."""
    started = time.perf_counter()
    texts = texts.fillna("").astype(str)
    entries = TfidfVectorizer(analyzer=cut, min_df=fewest, max_features=MOST_FACTS, dtype=np.float32)
    try:
        entries.fit(texts.iloc[known])
    except ValueError as error:
        raise FeatureError(f"modality {modality}: {error}") from None
    vectors = entries.transform(texts).tocsr()
    costs = {
        "files": float(len(texts)),
        "decoded": 0.0,
        "encoded": float(len(texts)),
        "seconds": time.perf_counter() - started,
        "megabytes": (vectors.data.nbytes + vectors.indices.nbytes) / 1e6,
        "parameters": float(len(entries.vocabulary_)),
    }
    return Features(modality, vectors, np.diff(vectors.indptr) > 0, costs=costs)
