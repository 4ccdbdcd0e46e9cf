"""NDCG of judged lists against sklearn, ir_measures, and the mean over all orders."""

import itertools

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import nDCG
from sklearn.metrics import ndcg_score

from recsys.metrics.judged_lists import judged_ndcg

GRADES = (1.0, 1.33, 2.0, 2.67, 3.0)


@st.composite
def lists(draw):
    """Keys, grades and scores (many ties) of a few lists, at least one with two grades."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    keys = np.repeat([f"q{number}" for number in range(len(sizes) + 1)], [*sizes, 2])
    n = len(keys)
    grades = [*draw(st.lists(st.sampled_from(GRADES), min_size=n - 2, max_size=n - 2)), 1.0, 3.0]
    scores = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    order = np.array(draw(st.permutations(range(n))))
    return keys[order], np.array(grades)[order], np.array(scores, float)[order]


@settings(max_examples=60, deadline=None)
@given(case=lists(), k=st.sampled_from([1, 3, 10]))
def test_agrees_with_sklearn_also_with_ties(case, k):
    keys, grades, scores = case
    result = judged_ndcg(keys, grades, scores, k)
    varied = [key for key in np.unique(keys) if len(set(grades[keys == key])) > 1]
    assert result.per_list.index.tolist() == varied
    assert result.dropped == len(np.unique(keys)) - len(varied)
    for key in varied:
        gains = 2 ** (grades[keys == key] - 1) - 1
        for got, by in ((result.per_list, scores), (result.random, np.zeros(len(scores)))):
            assert got[key] == pytest.approx(ndcg_score([gains], [by[keys == key]], k=k))
    assert result.mean == pytest.approx(result.per_list.mean())


def test_agrees_with_ir_measures_where_no_scores_are_equal():
    rng = np.random.default_rng(0)
    keys = np.repeat(np.arange(30), 8)
    grades = rng.integers(1, 4, len(keys)).astype(float)
    scores = rng.permutation(len(keys)).astype(float)
    gain = {1: 0, 2: 1, 3: 3}
    rows = list(enumerate(zip(keys, grades, scores, strict=True)))
    qrels = [ir_measures.Qrel(str(key), str(row), gain[int(grade)]) for row, (key, grade, _) in rows]
    run = [ir_measures.ScoredDoc(str(key), str(row), score) for row, (key, _, score) in rows]
    expected = {int(m.query_id): m.value for m in ir_measures.iter_calc([nDCG @ 5], qrels, run)}
    for key, value in judged_ndcg(keys, grades, scores, 5).per_list.items():
        assert value == pytest.approx(expected[key])


def test_random_row_is_the_mean_over_all_orders():
    grades = np.array([1.0, 3.0, 2.33, 1.67, 3.0])
    every = [
        judged_ndcg(np.zeros(5), grades, np.array(order, float), 3).mean
        for order in itertools.permutations(range(5))
    ]
    result = judged_ndcg(np.zeros(5), grades, grades, 3)
    assert result.random_mean == pytest.approx(np.mean(every))
    assert result.mean == pytest.approx(1.0)
    assert min(every) < result.random_mean < 1


def test_constant_lists_are_dropped_and_counted():
    result = judged_ndcg(["a", "a", "b", "b", "c"], [2, 2, 1, 3, 3], [0, 1, 0, 1, 0])
    assert (result.dropped, result.per_list.index.tolist(), result.mean) == (2, ["b"], 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", "a"], [2, 2], [0, 1]), "one constant grade"),
        (([], [], []), "no list to measure"),
        ((["a", "a"], [1, 2], [0, np.nan]), "NaN"),
        ((["a", "a"], [0, 2], [0, 1]), "at least 1"),
        ((["a", "a"], [1, 2], [0]), "differ in length"),
        ((["a", "a"], [1, 2], [0, 1], 0), "k is a list length"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        judged_ndcg(*arguments)
