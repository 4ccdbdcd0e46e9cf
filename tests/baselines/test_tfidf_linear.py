"""Words under a linear model."""

import numpy as np
import pytest
from scipy.special import softmax

from recsys.baselines.tfidf_linear import TfidfLinear

TEXTS = ["red shoe", "blue shoe", "green tea", "black tea", "red sock", "white tea"] * 5
LABELS = np.array([0, 0, 2, 2, 0, 2] * 5)


def test_words_tell_the_class_and_an_unseen_class_is_last():
    found = TfidfLinear(classes=3).fit(TEXTS, LABELS).outputs(["shoe", "tea"])
    assert found.argmax(axis=1).tolist() == [0, 2]
    assert (found.argmin(axis=1) == 1).all()
    assert np.allclose(softmax(found, axis=1).sum(axis=1), 1)


def test_grades_are_predicted_as_numbers():
    found = TfidfLinear(100.0).fit(TEXTS, LABELS.astype(float)).outputs(["red shoe", "green tea"])
    assert found[:, 0] == pytest.approx([0, 2], abs=0.2)


def test_chinese_characters_are_words():
    texts, labels = ["质量很好", "很好用", "质量太差", "太差了"], np.array([1, 1, 0, 0])
    assert TfidfLinear(classes=2).fit(texts, labels).outputs(["很好", "太差"]).argmax(axis=1).tolist() == [
        1,
        0,
    ]


def test_of_a_pair_the_shared_words_count():
    queries = ["red shoe", "red shoe", "tea", "tea"] * 5
    titles = ["a red shoe", "a green tea", "black tea", "blue sock"] * 5
    model = TfidfLinear(100.0).fit(queries, np.array([3.0, 1, 3, 1] * 5), titles)
    same, other = model.outputs(["blue sock", "blue sock"], ["blue sock", "a red shoe"])[:, 0]
    assert same > other
