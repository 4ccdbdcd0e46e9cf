"""Where a head starts."""

import numpy as np
import pytest

from recsys.models.labelled.linear_probe import linear_probe


def logits(found, vectors):
    return vectors @ found[0].T + found[1]


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 2], [0, 1], [1]])
def test_classes_that_are_there_are_told_apart_and_others_come_last(classes):
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(3, 8)) * 4
    labels = draw.choice(classes, 200)
    vectors = centres[labels] + draw.normal(size=(200, 8))
    found = linear_probe(vectors, labels, 3)
    assert found[0].shape == (3, 8)
    assert (logits(found, vectors).argmax(axis=1) == labels).mean() > 0.95


def test_two_classes_have_the_probabilities_of_the_logistic_regression():
    from scipy.special import softmax
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(1)
    vectors, labels = draw.normal(size=(60, 4)), draw.integers(0, 2, 60)
    expected = LogisticRegression(max_iter=300).fit(vectors, labels).predict_proba(vectors)
    assert softmax(logits(linear_probe(vectors, labels, 2), vectors), axis=1) == pytest.approx(expected)


def test_a_grade_is_a_line():
    vectors = np.random.default_rng(2).normal(size=(500, 3))
    grades = vectors @ [1.0, -2, 0.5] + 3
    found = linear_probe(vectors, grades, 1, strength=1e3)
    assert logits(found, vectors)[:, 0] == pytest.approx(grades, abs=1e-3)
