"""Top-k lists against a full sort; coverage and novelty by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.metrics.lists import NO_ITEM, coverage_and_novelty, recommend, top_lists

LEVELS = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])


@given(arrays(np.float64, (3, 6), elements=LEVELS), st.integers(1, 6))
def test_lists_equal_a_stable_sort(scores, k):
    for row, found in zip(scores, top_lists(scores, k), strict=True):
        order = [i for i in np.argsort(-row, kind="stable") if row[i] > -np.inf][:k]
        assert found.tolist() == order + [NO_ITEM] * (k - len(order))


def test_recommend_leaves_seen_items_out():
    class Descending:
        def score(self, users):
            return np.tile([4.0, 3.0, 2.0, 1.0], (len(users), 1))

    seen = pd.DataFrame({"user": [5, 9, 9], "item": [0, 1, 3]})
    users, lists = recommend(Descending(), [9, 5, 6], 3, seen, batch=2)
    assert users.tolist() == [5, 6, 9]
    assert lists.tolist() == [[1, 2, 3], [0, 1, 2], [0, 2, NO_ITEM]]


def test_coverage_and_novelty_by_hand():
    lists = np.array([[0, 1], [0, NO_ITEM]])
    found = coverage_and_novelty(lists, np.array([5, 1, 0, 0]))
    assert found["coverage@2"] == 0.5
    assert found["novelty@2"] == pytest.approx(-(2 * np.log2(6 / 10) + np.log2(2 / 10)) / 3)


def test_rarer_lists_are_more_novel_and_longer_lists_cover_no_less():
    counts = np.array([50, 20, 5, 1, 0])
    popular, rare = np.array([[0, 1]]), np.array([[3, 4]])
    assert (
        coverage_and_novelty(rare, counts)["novelty@2"] > coverage_and_novelty(popular, counts)["novelty@2"]
    )


def test_refusals():
    with pytest.raises(ValueError, match="between 1 and the 3 items"):
        top_lists(np.ones((1, 3)), 4)
    with pytest.raises(ValueError, match="no item"):
        coverage_and_novelty(np.full((2, 3), NO_ITEM), np.ones(3))
