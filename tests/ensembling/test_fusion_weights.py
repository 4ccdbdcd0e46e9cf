"""Choice of weights on measures whose best point is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion_weights import coordinate_search, grid_search, random_search, simplex_grid

BEST = np.array([0.7, 0.0, 0.3])


def near_best(weights):
    return -float(np.square(weights - BEST).sum())


@given(st.integers(1, 4), st.integers(1, 6))
def test_a_grid_has_each_point_of_the_simplex_once(scorers, steps):
    points = [tuple(point) for point in simplex_grid(scorers, steps)]
    assert len(points) == len(set(points)) == math.comb(steps + scorers - 1, scorers - 1)
    assert all(min(point) >= 0 and abs(sum(point) - 1) < 1e-9 for point in points)


def test_the_grid_finds_a_best_point_that_lies_on_it():
    np.testing.assert_allclose(grid_search(near_best, 3, steps=10).weights, BEST, atol=1e-12)


@given(st.integers(0, 100))
@settings(max_examples=10)
def test_every_search_is_at_least_as_good_as_the_best_single_and_logs_its_calls(seed):
    goal = np.random.default_rng(seed).dirichlet(np.ones(3))
    calls = []

    def measure(weights):
        calls.append(weights)
        return -float(np.abs(weights - goal).sum())

    single = max(measure(row) for row in np.eye(3))
    searches = (
        lambda: grid_search(measure, 3, 5),
        lambda: random_search(measure, 3, 20, seed),
        lambda: coordinate_search(measure, 3),
    )
    for search in searches:
        calls.clear()
        chosen = search()
        assert chosen.value >= single
        assert len(chosen.trials) == len(calls)
        assert chosen.value == chosen.trials["value"].max()
        assert chosen.weights.sum() == pytest.approx(1)


def test_coordinate_search_lands_near_the_best_point_and_keeps_to_its_limit():
    assert np.abs(coordinate_search(near_best, 3, rounds=5).weights - BEST).max() < 0.08
    assert len(coordinate_search(near_best, 3, limit=7).trials) <= 7


def test_a_change_within_the_least_gain_is_not_made():
    chosen = coordinate_search(near_best, 3, start=[1, 0, 0], least_gain=1.0)
    np.testing.assert_array_equal(chosen.weights, [1, 0, 0])


def test_of_equals_the_grid_takes_the_fewest_scorers():
    assert np.count_nonzero(grid_search(lambda w: 1.0, 4, 4).weights) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grid_search(near_best, 8, 20), "more than 5000"),
        (lambda: random_search(near_best, 3, 2), "at least 4 trials"),
        (lambda: coordinate_search(near_best, 3, limit=2), "at least 3"),
        (lambda: coordinate_search(near_best, 3, steps=[0]), "above 0"),
        (lambda: coordinate_search(near_best, 3, start=[1, 1]), "3 weights"),
        (lambda: grid_search(lambda w: math.nan, 2), "is NaN"),
        (lambda: grid_search(near_best, 0), "at least one scorer"),
    ],
)
def test_a_search_that_cannot_be_is_refused(call, words):
    with pytest.raises(EnsembleError, match=words):
        call()
