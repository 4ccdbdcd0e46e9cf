"""Both ways pay for the same pairs; uncertainty takes what it does not know; the update is exact."""

import numpy as np
import pytest

from recsys.search.errors import SearchError
from recsys.search.studies.active_learning import FIRST, choose, fit


def data(seed=0, queries=30, each=6, features=8):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(queries * each, features))
    return x, [np.arange(q * each, (q + 1) * each) for q in range(queries)]


def test_equal_budgets_and_the_same_start():
    x, queries = data()
    orders = [choose(x, queries, 100, way, np.random.default_rng(1)) for way in (False, True)]
    for order in orders:
        assert len(order) == len(set(order)) == 100
    assert (orders[0][: FIRST * 6] == orders[1][: FIRST * 6]).all()
    assert (orders[0] != orders[1]).any()
    with pytest.raises(SearchError, match="cannot pay"):
        choose(x, queries, 181, True, np.random.default_rng(0))


def test_the_query_of_an_unknown_direction_is_taken_first():
    x, queries = data()
    x[:, -1] = 0
    drawn = np.random.default_rng(2).permutation(len(queries))
    new = queries[drawn[-1]]  # at random it would be the last one
    x[new, -1] = 5.0
    order = choose(x, queries, (FIRST + 1) * 6, True, np.random.default_rng(2))
    assert set(order[-6:]) == set(new)


def test_uncertainty_narrows_the_posterior_more_than_chance():
    x, queries = data(queries=60)
    x *= np.repeat(np.random.default_rng(5).uniform(0.1, 3, 60), 6)[:, None]
    spread = {}
    for way in (False, True):
        rows = choose(x, queries, 90, way, np.random.default_rng(3))
        covariance = np.linalg.inv(x[rows].T @ x[rows] + np.eye(x.shape[1]))
        spread[way] = np.einsum("pf,fg,pg->p", x, covariance, x).mean()
    assert spread[True] < spread[False]


def test_weights_are_found_again():
    rng = np.random.default_rng(0)
    x = np.hstack([rng.normal(size=(4000, 5)), np.ones((4000, 1))])
    weights = np.array([1.0, -2, 0.5, 0, 3, 2.5])
    np.testing.assert_allclose(fit(x, x @ weights + rng.normal(size=4000)), weights, atol=0.06)
