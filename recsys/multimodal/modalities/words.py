"""Words: each item's words and pairs of words, weighted by rarity. What a text encoder has to beat.

n: items. V: words kept.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys.multimodal.features import FeatureError, Features

MOST_WORDS = 8_000
# runs of letters and digits, and each Chinese character by itself
TOKEN = r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+"


def encode(
    table: pd.DataFrame, known: np.ndarray, column: str = "text", ngrams: int = 1, modality: str = "words"
) -> Features:
    """The modality "words": TF-IDF rows of length 1, sparse.

    Args:
        known: rows that words and their rarity are learned from; a word of the test part alone is unknown.
        ngrams: 2 adds pairs of words.

    Raises:
        FeatureError: the known rows hold no word.
    """
    started = time.perf_counter()
    texts = table[column].fillna("").astype(str)
    words = TfidfVectorizer(
        token_pattern=TOKEN,
        ngram_range=(1, ngrams),
        sublinear_tf=True,
        max_features=MOST_WORDS,
        dtype=np.float32,
    )
    try:
        words.fit(texts.iloc[known])
    except ValueError as error:
        raise FeatureError(f"modality {modality}: {error}") from None
    vectors = words.transform(texts).tocsr()
    present = np.diff(vectors.indptr) > 0
    costs = {
        "files": float(len(table)),
        "decoded": 0.0,
        "encoded": float(len(table)),
        "seconds": time.perf_counter() - started,
        "megabytes": (vectors.data.nbytes + vectors.indices.nbytes) / 1e6,
        "parameters": float(len(words.vocabulary_)),
    }
    return Features(modality, vectors, present, costs=costs)


def encode_tags(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "tags": what users wrote to an item (column `tags`, joined by line breaks)."""
    return encode(table, known, column="tags", modality="tags")
