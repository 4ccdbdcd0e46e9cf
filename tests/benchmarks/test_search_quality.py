"""What a search notices, on made lists."""

import numpy as np
import pytest

from recsys.benchmarks import search_quality
from recsys.benchmarks.comparison import BASELINE
from recsys.metrics.judged_lists import judged_ndcg


def test_a_search_that_lost_its_order_is_inferior(monkeypatch, tmp_path):
    """Home Depot's place is taken by a hundred made lists: an encoder is what orders them."""
    generator = np.random.default_rng(0)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    lists, grades = np.repeat(np.arange(100), 10), generator.integers(1, 4, 1000).astype(float)
    orders = {"right": grades, "same": 2 * grades, "blind": generator.random(1000)}

    def ndcg(encode_query, encode_title, part, most):
        return judged_ndcg(lists, grades, encode_query([""]))

    monkeypatch.setattr(search_quality, "home_depot_ndcg", ndcg)

    class Encoder:
        def __init__(self, scores):
            self.scores = scores

        def encode(self, texts, normalize_embeddings, show_progress_bar):
            asked.append(self.scores is orders["right"])
            return self.scores

    asked: list[bool] = []
    encoders = {name: Encoder(scores) for name, scores in orders.items()}
    right = encoders.pop("right")
    scores = search_quality.search_scores(right, encoders)
    found, by_list = search_quality.search_table(scores), search_quality.search_by_list(scores)
    assert found.loc[BASELINE, "ndcg@10"] == 1
    assert bool(found.loc["same", "holds"])
    assert not found.loc["blind", "holds"]
    assert asked == [True, False, False]
    assert found.loc["blind", "margin"] == pytest.approx(0.1 * (1 - found.loc["blind", "random"]))
    assert by_list["blind:difference"].mean() == pytest.approx(found.loc["blind", "difference"])
    assert by_list["list"].tolist() == scores["blind"].per_list.index.tolist()
    assert (by_list["same:difference"] == 0).all()
    for _ in range(2):
        kept = search_quality.search_scores(right, {}, model="minilm")
        assert kept[BASELINE].mean == 1
    assert asked == [True, False, False, True], "the baseline's vectors are kept where its model is known"


def test_students_stand_for_queries_only(monkeypatch):
    """Titles are the baseline's, for itself and for every other."""
    used = []

    class Encoder:
        def __init__(self, name):
            self.name = name

        def encode(self, texts, **settings):
            used.append((self.name, *texts))
            return np.ones((len(texts), 2))

    def ndcg(encode_query, encode_title, part, most):
        encode_query(["query"]), encode_title(["title"])
        return judged_ndcg(np.array([0, 0]), np.array([1.0, 3.0]), np.array([0.0, 1.0]))

    monkeypatch.setattr(search_quality, "home_depot_ndcg", ndcg)
    search_quality.search_scores(Encoder("slow"), {"fast": Encoder("fast")}, queries_only=True)
    assert used == [("slow", "query"), ("slow", "title"), ("fast", "query"), ("slow", "title")]


def test_no_scores_no_rows():
    assert search_quality.search_table({}).empty
