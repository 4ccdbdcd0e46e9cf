"""Next purchases by the vectors of titles, on the demo store."""

import numpy as np
import pytest

from recsys.benchmarks.comparison import BASELINE
from recsys.benchmarks.search_quality import purchase_scores, search_by_list, search_table


class Hashed:
    """Vectors of a text's words, each word's drawn from its letters."""

    def __init__(self, blind=False):
        self.blind, self.calls = blind, 0

    def encode(self, texts, **_):
        self.calls += 1
        rows = [np.zeros(16) for _ in texts]
        for row, text in zip(rows, texts, strict=True):
            for word in text.split() if not self.blind else [text[::-1]]:
                row += np.random.default_rng(list(word.encode())).normal(size=16)
        vectors = np.array(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_who_reads_no_words_is_inferior():
    encoders = {"same": Hashed(), "blind": Hashed(blind=True)}
    scores = purchase_scores(Hashed(), encoders, "demo_store", "validation")
    found = search_table(scores)
    assert found.loc[BASELINE, "ndcg@10"] > 3 * found.loc[BASELINE, "random"] > 0
    assert found.loc["same", "difference"] == 0
    assert bool(found.loc["same", "holds"])
    assert found.loc["blind", "difference"] < 0
    by_user = search_by_list(scores)
    assert by_user.columns.tolist() == ["user", "same:difference", "blind:difference"]
    assert by_user["user"].is_unique
    assert by_user["blind:difference"].mean() == pytest.approx(found.loc["blind", "difference"])


def test_fewer_users_and_vectors_that_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    baseline = Hashed()
    for _ in range(2):
        scores = purchase_scores(baseline, {}, "demo_store", "test", users=50, model="minilm")
        assert len(scores[BASELINE].per_list) <= 50
    assert baseline.calls == 1
