"""Values by hand where scikit-learn does not supply them: calibration, Brier over classes, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.metrics.classification import (
    binary_metrics,
    calibration_table,
    expected_calibration_error,
    multiclass_metrics,
)


def test_binary_by_hand():
    found = binary_metrics([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1])
    assert found["accuracy"] == found["precision"] == found["recall"] == found["f1"] == 0.5
    assert found["auc"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())
    assert found["prevalence"] == 0.5


def test_nothing_said_to_be_one_scores_zero_not_an_error():
    found = binary_metrics([1, 0], [0.1, 0.2])
    assert found["precision"] == found["recall"] == found["f1"] == 0.0


def test_calibration_table_and_error_by_hand():
    labels, probabilities = [0, 1, 1, 1], [0.05, 0.15, 0.95, 1.0]
    table = calibration_table(labels, probabilities)
    assert table[["low", "count", "true"]].to_numpy().tolist() == [
        [0.0, 1, 0.0],
        [0.1, 1, 1.0],
        [0.9, 2, 1.0],
    ]
    assert expected_calibration_error(labels, probabilities) == pytest.approx((0.05 + 0.85 + 2 * 0.025) / 4)


def test_a_calibrated_forecaster_has_a_small_error_and_an_overconfident_one_a_large():
    random = np.random.default_rng(0)
    truth = random.random(50_000)
    labels = random.random(50_000) < truth
    overconfident = np.clip(truth + 0.3 * np.sign(truth - 0.5), 0, 1)
    assert expected_calibration_error(labels, truth) < 0.01
    assert expected_calibration_error(labels, overconfident) > 0.2


@given(
    arrays(np.float64, 20, elements=st.floats(0, 1)),
    arrays(np.int64, 20, elements=st.integers(0, 1)),
    st.integers(1, 15),
)
def test_the_table_keeps_every_example(probabilities, labels, bins):
    table = calibration_table(labels, probabilities, bins)
    assert table["count"].sum() == 20
    assert np.average(table["said"], weights=table["count"]) == pytest.approx(probabilities.mean())
    assert np.average(table["true"], weights=table["count"]) == pytest.approx(labels.mean())
    assert ((table["said"] >= table["low"] - 1e-9) & (table["said"] <= table["high"] + 1e-9)).all()


def test_two_classes_measured_either_way_agree():
    random = np.random.default_rng(1)
    p = random.random(300)
    labels = (random.random(300) < p).astype(int)
    binary = binary_metrics(labels, p)
    several = multiclass_metrics(labels, np.stack([1 - p, p], axis=1))
    assert several["accuracy"] == binary["accuracy"]
    assert several["log_loss"] == pytest.approx(binary["log_loss"])
    assert several["brier"] == pytest.approx(2 * binary["brier"])


def test_a_class_that_never_occurs_counts_in_the_macro_average():
    found = multiclass_metrics([0, 1], np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]))
    assert found["accuracy"] == 1.0
    assert found["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binary_metrics([1, 1], [0.5, 0.6]), "AUC is undefined"),
        (lambda: binary_metrics([1, 0], [2.5, -1.0]), "sigmoid"),
        (lambda: binary_metrics([1, 0], [0.5]), "as many"),
        (lambda: multiclass_metrics([0, 2], np.full((2, 2), 0.5)), "class numbers"),
        (lambda: multiclass_metrics([0, 1], np.full((2, 2), 0.9)), "sum to 1"),
        (lambda: calibration_table([1], [0.5], bins=0), "at least 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
