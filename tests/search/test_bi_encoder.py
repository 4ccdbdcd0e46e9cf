"""Tuning a small random encoder on graded pairs: it learns what the grades say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.encoders.backbone import load_backbone
from recsys.losses.contrastive import in_batch_softmax
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.bi_encoder import SETTINGS, GradedTraining, among_other_queries, pair_cosines, tune
from recsys.search.errors import SearchError

WORDS = ["drill", "hose", "lamp", "chair", "paint", "tile", "door", "rug"]


def pairs():
    """A query fits the title that has its neighbour's word: no overlap of words would find it."""
    rows = []
    for place, word in enumerate(WORDS):
        for other, title in enumerate(WORDS):
            grade = {1: 4.0, 2: 2.0}.get((other - place) % len(WORDS), 1.0)
            rows.append((f"buy {word}", f"{title} for home", grade))
    return zip(*rows, strict=True)


@pytest.mark.parametrize("loss", ["order", "in_batch", "both", "pointwise"])
def test_a_relation_that_words_do_not_show_is_learnt(loss):
    queries, titles, grades = pairs()
    backbone = load_backbone("random-bert", seed=0)
    settings = replace(SETTINGS, epochs=40, learning_rate=2e-3, batch_size=32, mixed_precision="no")
    before = judged_ndcg(queries, grades, pair_cosines(backbone, queries, titles)).mean
    tune(backbone, queries, titles, np.array(grades), GradedTraining(loss, settings))
    after = judged_ndcg(queries, grades, pair_cosines(backbone, queries, titles)).mean
    # a squared error moves cosines that all start near 1 slowly
    assert after > (before + 0.1 if loss == "pointwise" else max(before + 0.1, 0.85))


def test_right_titles_of_one_query_are_no_negatives_of_each_other():
    """Two titles that are both best for a query: a model that knows it pays nothing."""
    query = torch.eye(3)[[0, 0, 1, 2]]
    code = torch.tensor([0, 0, 1, 2])
    assert among_other_queries(query, query, code) < 1e-6
    assert in_batch_softmax(query, query) > 1.3  # 2 log 2
    other = torch.arange(4)
    noisy = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(among_other_queries(query, noisy, other), in_batch_softmax(query, noisy))


def test_what_teaches_nothing_is_refused():
    backbone = load_backbone("random-bert", seed=0)
    with pytest.raises(SearchError, match="all alike"):
        tune(backbone, ["a", "b"], ["c", "d"], np.ones(2))
    with pytest.raises(SearchError, match="loss must be"):
        tune(backbone, ["a"], ["b"], np.ones(1), GradedTraining("hinge"))
    with pytest.raises(SearchError, match="a pair has each"):
        tune(backbone, ["a"], ["b", "c"], np.ones(1))
