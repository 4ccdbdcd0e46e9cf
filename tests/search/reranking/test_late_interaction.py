"""Token vectors and MaxSim: against a loop in plain words, whatever the batch, and what is refused."""

import numpy as np
import pytest
import torch

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.tokens import tokenise
from recsys.search.errors import SearchError
from recsys.search.reranking.late_interaction import TokenVectors, embed_tokens, max_sim

TEXTS = ["red shoe", "a much longer title of a blue mug with a handle", "mug", "garden hose"]


def test_each_token_of_the_query_takes_its_nearest_token_of_the_title():
    rng = np.random.default_rng(0)
    lengths = [3, 1, 5]
    rows = rng.normal(size=(9, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    titles = TokenVectors(rows, np.r_[0, np.cumsum(lengths)])
    query = TokenVectors(rows[[2, 6]], np.array([0, 2]))
    expected = [
        np.mean([max(float(one @ other) for other in titles.take([i]).vectors) for one in query.vectors])
        for i in range(3)
    ]
    np.testing.assert_allclose(max_sim(query, titles), expected, rtol=1e-5)
    np.testing.assert_allclose(max_sim(query, titles.take([2, 0])), np.array(expected)[[2, 0]], rtol=1e-5)
    with pytest.raises(SearchError, match="one query"):
        max_sim(titles, titles)
    with pytest.raises(SearchError, match="some titles"):
        max_sim(query, titles.take([]))


def test_every_text_has_its_own_tokens_in_order(bert):
    found = embed_tokens(bert, TEXTS)
    assert np.diff(found.offsets).tolist() == tokenise(bert, TEXTS).lengths.tolist()
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
    for place, text in enumerate(TEXTS):
        alone = embed_tokens(bert, [text]).vectors
        np.testing.assert_allclose(found.take([place]).vectors, alone, atol=0.02)  # bfloat16, other padding


def test_a_text_is_nearest_to_itself_and_the_mean_of_its_tokens_is_the_pooled_vector(bert):
    found = embed_tokens(bert, TEXTS)
    for place in range(len(TEXTS)):
        scores = max_sim(found.take([place]), found)
        assert scores.argmax() == place
        assert scores[place] == pytest.approx(1, abs=1e-5)
    with torch.inference_mode():
        ids, mask = tokenise(bert, TEXTS[:1]).take([0])
        hidden = bert.model(input_ids=ids, attention_mask=mask).last_hidden_state[0].numpy()
    unit = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
    np.testing.assert_allclose(found.take([0]).vectors, unit, atol=0.02)
    pooled = hidden.mean(axis=0) / np.linalg.norm(hidden.mean(axis=0))
    np.testing.assert_allclose(embed_texts(bert, TEXTS[:1])[0], pooled, atol=0.02)


def test_a_decoder_is_refused():
    with pytest.raises(SearchError, match="knows the whole text"):
        embed_tokens(load_backbone("random-gpt"), TEXTS)
