"""The re-ranker starts from the first stage's order and learns what the first stage cannot see."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.encoders.backbone import load_backbone
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.bi_encoder import SETTINGS
from recsys.search.errors import SearchError
from recsys.search.reranking.cross_encoder import JoinedPairs, ReRanker
from tests.search.test_bi_encoder import pairs

QUICK = replace(SETTINGS, epochs=20, learning_rate=2e-3, batch_size=32, mixed_precision="no")


def test_untrained_it_keeps_the_first_stage():
    queries, titles, _ = (list(x) for x in pairs())
    first = np.random.default_rng(0).random(len(queries))
    scores = ReRanker(load_backbone("random-bert", seed=0)).score(queries, titles, first)
    assert np.array_equal(np.argsort(scores), np.argsort(first))


def test_it_learns_what_the_first_stage_does_not_see():
    queries, titles, _ = (list(x) for x in pairs())
    grades = [{"lamp": 4.0, "hose": 2.0}.get(title.split()[0], 1.0) for title in titles]
    first = np.random.default_rng(0).random(len(queries))
    ranker = ReRanker(load_backbone("random-bert", seed=0), QUICK)
    ranker.fit(queries, titles, first, np.array(grades))
    before = judged_ndcg(queries, grades, first).mean
    scores = ranker.score(queries, titles, first)
    assert judged_ndcg(queries, grades, scores).mean > before + 0.15
    order = np.random.default_rng(1).permutation(len(queries))
    again = ranker.score([queries[i] for i in order], [titles[i] for i in order], first[order])
    np.testing.assert_allclose(again, scores[order], atol=1e-5)


def test_one_sequence_holds_both_texts():
    backbone = load_backbone("random-bert", seed=0)
    samples = JoinedPairs(backbone, ["drill"], ["red lamp"], np.zeros(1))
    ids = samples.tokens.ids.tolist()
    assert ids.count(backbone.tokenizer.cls_token_id) == 1
    assert ids.count(backbone.tokenizer.sep_token_id) == 2


def test_what_teaches_nothing_is_refused():
    ranker = ReRanker(load_backbone("random-bert", seed=0))
    with pytest.raises(SearchError, match="all alike"):
        ranker.fit(["a", "b"], ["c", "d"], np.zeros(2), np.ones(2))
    with pytest.raises(SearchError, match="not finite"):
        ranker.score(["a"], ["b"], np.array([np.nan]))
    with pytest.raises(SearchError, match="differ in number"):
        ranker.score(["a"], ["b", "c"], np.zeros(1))
