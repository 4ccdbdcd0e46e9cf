"""Top-k lists against a full sort; coverage and novelty by hand."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.metrics.lists import (
    NO_ITEM,
    breadth_of_each_list,
    coverage_and_novelty,
    distance_within_lists,
    recommend,
    top_lists,
)

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


def test_breadth_of_each_list_adds_up_to_that_of_all():
    lists = np.array([[0, 1], [0, NO_ITEM], [2, 1]])
    counts = np.array([5, 1, 0, 0])
    each = breadth_of_each_list(lists, counts)
    # item 2 stands in the last list alone: the jackknife adds (B - 1) / M for it
    assert each["coverage@2"].tolist() == [0.75, 0.75, 0.75 + 2 / 4]
    parts = -np.log2(np.array([6, 2, 1]) / 10)
    assert each["novelty@2"].tolist() == pytest.approx([parts[:2].mean(), parts[0], parts[1:].mean()])


@given(st.integers(2, 8), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_coverage_of_each_list_is_its_jackknife(n, k, seed):
    random = np.random.default_rng(seed)
    lists = np.stack([random.permutation(9)[:k] for _ in range(n)])
    counts = np.ones(9)
    whole = coverage_and_novelty(lists, counts)[f"coverage@{k}"]
    left_out = [coverage_and_novelty(np.delete(lists, u, 0), counts)[f"coverage@{k}"] for u in range(n)]
    pseudo = n * whole - (n - 1) * np.array(left_out)
    assert breadth_of_each_list(lists, counts)[f"coverage@{k}"].to_numpy() == pytest.approx(pseudo)


@given(st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_distance_within_a_list_is_the_mean_over_its_pairs(k, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(9, 3)).astype(np.float32)
    vectors[4] = 0
    items = random.permutation(9)[:k]
    lists = np.full((1, 6), NO_ITEM)
    lists[0, :k] = items
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    pairs = [1 - float(unit[a] @ unit[b]) for a, b in combinations(items, 2) if 4 not in (a, b)]
    pairs += [1.0 for a, b in combinations(items, 2) if 4 in (a, b)]
    found = distance_within_lists(lists, vectors)[0]
    assert found == pytest.approx(np.mean(pairs) if pairs else 0.0, abs=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="between 1 and the 3 items"):
        top_lists(np.ones((1, 3)), 4)
    with pytest.raises(ValueError, match="no item"):
        coverage_and_novelty(np.full((2, 3), NO_ITEM), np.ones(3))
