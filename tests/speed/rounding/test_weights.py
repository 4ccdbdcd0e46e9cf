"""Weights rounded by what they are multiplied with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.speed.rounding.weights import LARGEST, round_weights


def case(seed, inputs=70, outputs=12, texts=400):
    """Inputs that go together, as an encoder's do, and channels of very different reach."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(texts, inputs)) @ draw.normal(size=(inputs, inputs))
    weight = draw.normal(size=(inputs, outputs))
    return rows * np.exp(draw.normal(size=inputs)), weight, np.abs(weight).max(axis=0) / LARGEST


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_product_changes_less_than_by_rounding_to_the_nearest(seed):
    rows, weight, scale = case(seed)
    nearest = np.rint(weight / scale)
    found = round_weights(weight, rows.T @ rows, scale)

    def error(whole):
        return np.linalg.norm(rows @ (whole * scale - weight))

    assert error(found) < 0.8 * error(nearest)
    assert np.abs(found).max() <= LARGEST
    # each weight stays near its own place
    assert np.abs(found - weight / scale).mean() < 2


def test_inputs_without_any_relation_are_rounded_to_the_nearest():
    _, weight, scale = case(1)
    assert np.array_equal(round_weights(weight, np.eye(70), scale), np.rint(weight / scale))


def test_weights_on_the_grid_stay():
    rows, weight, scale = case(2)
    whole = np.rint(weight / scale)
    assert np.array_equal(round_weights(whole * scale, rows.T @ rows, scale), whole)


def test_what_does_not_fit_is_refused():
    _, weight, scale = case(3)
    with pytest.raises(ValueError, match="the gram holds no input"):
        round_weights(weight, np.zeros((70, 70)), scale)
    with pytest.raises(ValueError, match="needs a gram of"):
        round_weights(weight, np.eye(3), scale)
