"""S = α s + β f: the ends are the parts, scales play no part, unknown feedback moves nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.search.errors import SearchError
from recsys.search.ranking import alpha_surface, choose_alpha, rank_scores


def rows(seed, lists=8):
    rng = np.random.default_rng(seed)
    key = np.repeat(np.arange(lists), rng.integers(2, 9, lists))
    rng.shuffle(key)
    return key, rng.normal(size=len(key)), rng.normal(size=len(key))


def order(key, scores):
    return [tuple(np.argsort(-scores[key == one], kind="stable")) for one in np.unique(key)]


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50))
def test_the_ends_are_the_parts_and_scales_play_no_part(seed, factor, shift):
    key, match, feedback = rows(seed)
    assert order(key, rank_scores(key, match, feedback, 1.0)) == order(key, match)
    assert order(key, rank_scores(key, match, feedback, 0.0)) == order(key, feedback)
    one = rank_scores(key, match, feedback, 0.4)
    np.testing.assert_allclose(one, rank_scores(key, factor * match + shift, feedback, 0.4), atol=1e-6)


def test_a_product_without_feedback_stands_at_its_lists_mean():
    key, match = np.zeros(3, int), np.zeros(3)
    scores = rank_scores(key, match, np.array([1.0, np.nan, 3.0]), 0.5)
    assert scores[2] > scores[1] > scores[0]
    nobody = rank_scores(key, np.array([3.0, 2, 1]), np.full(3, np.nan), 0.5)
    assert nobody.argmax() == 0


def test_alpha_is_found_where_it_was_planted():
    rng = np.random.default_rng(0)
    key = np.repeat(np.arange(300), 10)
    match, feedback = rng.normal(size=(2, 3000))
    grades = 1 + np.clip(np.round(1.5 + 0.7 * match + 0.3 * feedback), 0, 3)
    surface = alpha_surface(key, grades, match, feedback)
    _, alpha = choose_alpha(surface)
    assert 0.5 <= alpha <= 0.9
    best = surface["ndcg"].max()
    ends = surface[surface["alpha"].isin([0.0, 1.0])]["ndcg"]
    assert best > ends.max() + 0.01
    assert (surface["random"] < best).all()


def test_wrong_arguments_are_said():
    with pytest.raises(SearchError, match="alpha"):
        rank_scores([0], [1.0], [1.0], 1.5)
    with pytest.raises(SearchError, match="length"):
        rank_scores([0], [1.0, 2.0], [1.0], 0.5)
