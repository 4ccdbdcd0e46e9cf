"""Right or wrong: reciprocal rank, recall, and a threshold that validation chooses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from recsys.metrics.relevance import best_threshold, relevance_measures

rows = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40)


@given(rows.filter(lambda rows: any(relevant for _, relevant, _ in rows)))
def test_the_threshold_has_the_best_f1_and_all_measures_are_sklearns(rows):
    lists, relevant, scores = (np.array(column) for column in zip(*rows, strict=True))
    threshold = best_threshold(relevant, scores)
    found = relevance_measures(lists, relevant, scores, threshold)
    called = scores >= threshold
    assert found["f1"] == pytest.approx(f1_score(relevant, called))
    assert found["accuracy"] == pytest.approx(accuracy_score(relevant, called))
    assert found["recall"] == pytest.approx(recall_score(relevant, called))
    assert found["f1"] >= max(f1_score(relevant, scores >= other) for other in np.unique(scores)) - 1e-12
    assert 0 < found["mrr"] <= 1


def test_places_are_by_list_and_lists_without_a_relevant_row_do_not_count():
    lists = np.array(["a", "a", "a", "b", "b", "c"])
    relevant = np.array([False, True, True, True, False, False])
    scores = np.array([3.0, 2.0, 1.0, 9.0, 1.0, 5.0])
    assert relevance_measures(lists, relevant, scores, k=2) == {"mrr": 0.75, "recall@2": 0.75}


def test_equal_scores_do_not_flatter():
    assert relevance_measures(np.zeros(4), np.array([True, False, False, False]), np.zeros(4))["mrr"] == 0.25


@pytest.mark.parametrize(
    "wrong", [{"scores": np.array([np.nan, 1.0])}, {"relevant": np.array([False, False])}, {"k": 0}]
)
def test_what_cannot_be_measured_is_said(wrong):
    usual = {"lists": np.zeros(2), "relevant": np.array([True, False]), "scores": np.ones(2)}
    with pytest.raises(ValueError, match=r"nothing to measure|k is 0"):
        relevance_measures(**(usual | wrong))
