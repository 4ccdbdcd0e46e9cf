"""EASE against its formula in float64, and its limits."""

import numpy as np
import pandas as pd
import pytest

from recsys.baselines import ease
from recsys.baselines.ease import EASE
from recsys.baselines.interactions import interaction_matrix


def random_events(n_users, n_items, count, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"user": rng.integers(n_users, size=count), "item": rng.integers(n_items, size=count)}
    )


def by_formula(events, n_users, n_items, l2):
    x = interaction_matrix(events, n_users, n_items).toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(n_items))
    weights = np.eye(n_items) - inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return x, weights


@pytest.mark.parametrize("rows", [512, 7])
def test_weights_are_the_closed_form(rows, monkeypatch):
    monkeypatch.setattr(ease, "ROWS_AT_ONCE", rows)
    events = random_events(60, 30, 400)
    x, weights = by_formula(events, 60, 30, 3.0)
    model = EASE(l2=3.0).fit(events, 60, 30)
    assert model.weights.dtype == np.float32
    assert model.weights.flags.c_contiguous  # else every batch of scores would copy the matrix
    assert (model.weights.diagonal() == 0).all()
    np.testing.assert_allclose(model.weights, weights, atol=1e-6)
    scores = model.score(np.arange(60))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, x @ weights, atol=1e-5)


def test_the_weights_solve_the_constrained_problem():
    """At the minimum every off-diagonal derivative of ‖X − XB‖² + l2‖B‖² is 0."""
    events = random_events(50, 20, 300, seed=1)
    x, _ = by_formula(events, 50, 20, 5.0)
    weights = EASE(l2=5.0).fit(events, 50, 20).weights.astype(np.float64)
    gradient = x.T @ (x @ weights - x) + 5.0 * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4


def test_with_history_differs_from_a_fit_on_all_through_the_weights_only():
    train, later = random_events(40, 15, 200), random_events(40, 15, 40, seed=2)
    everything = pd.concat([train, later])
    _, weights = by_formula(train, 40, 15, 2.0)
    x, _ = by_formula(everything, 40, 15, 2.0)
    model = EASE(l2=2.0).fit(train, 40, 15)
    told = model.with_history(everything)
    refitted = EASE(l2=2.0).fit(everything, 40, 15)
    np.testing.assert_allclose(told.score(np.arange(40)), x @ weights, atol=1e-5)
    np.testing.assert_array_equal(told.history.toarray(), refitted.history.toarray())
    assert told.weights is model.weights
    assert not np.allclose(told.score(np.arange(40)), refitted.score(np.arange(40)), atol=1e-3)


def test_a_large_catalogue_is_refused_before_memory_is_taken():
    with pytest.raises(ValueError, match=r"100000 items needs a dense matrix of 40.0 GB"):
        EASE().fit(random_events(3, 3, 5), 3, 100_000)


def test_too_small_a_penalty_is_refused():
    with pytest.raises(ValueError, match="too small to invert in float32"):
        EASE(l2=1e-6).fit(random_events(40, 15, 200), 40, 15)
    with pytest.raises(ValueError, match="above 0"):
        EASE(l2=0)
    with pytest.raises(ValueError, match="num_threads"):
        EASE(num_threads=0)
