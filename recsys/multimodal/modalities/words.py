"""Words: TF-IDF vectors of each item's words (and word pairs): the baseline for text encoders.

n: items. V: words kept.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys.multimodal.features import FeatureError, Features

MOST_WORDS = 8_000
# a word is a run of letters and digits, or a single Chinese character
TOKEN = r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+"


def encode(
    table: pd.DataFrame, known: np.ndarray, column: str = "text", ngrams: int = 1, modality: str = "words"
) -> Features:
    """The modality "words": TF-IDF rows of length 1, sparse [n, V].

    Args:
        known: rows from which the vocabulary and document frequencies are learned; other words are ignored.
        column: with texts.
        ngrams: 2 adds word pairs.
        modality: name of the result.

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
    """The modality "tags": the tags that users gave an item (column `tags`, joined by line breaks), as
    TF-IDF."""
    return encode(table, known, column="tags", modality="tags")
