"""The warehouse neither makes nor loses pieces, and repeats by seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.applications.demand.stock import held_at, lead_times, simulate


@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_pieces_are_kept(seed, lead, late):
    draw = np.random.default_rng(seed)
    demand = draw.poisson(3, (12, 5)).astype(float)
    targets = draw.poisson(8, (12, 5)).astype(float)
    stock = simulate(demand, targets, lead_times(12, 5, lead, late, seed))
    np.testing.assert_allclose(stock.served + stock.lost, demand)
    assert (stock.served >= 0).all()
    assert (stock.held >= 0).all()
    before = np.vstack([targets[0], stock.held[:-1]])
    came = stock.held + stock.served - before
    assert (came >= -1e-9).all()
    # nothing arrives before an order could have
    np.testing.assert_allclose(came[:lead], 0, atol=1e-9)
    assert 0 <= stock.fill_rate <= 1


def test_a_target_for_the_protection_interval_never_runs_out():
    demand = np.full((10, 1), 4.0)
    stock = simulate(demand, np.full((10, 1), 12.0), lead_times(10, 1, 2, 0.0, 0))
    assert stock.fill_rate == 1
    short = simulate(demand, np.full((10, 1), 8.0), lead_times(10, 1, 2, 0.0, 0))
    assert short.fill_rate < 1
    # late orders cost service
    late = simulate(demand, np.full((10, 1), 12.0), lead_times(10, 1, 2, 1.0, 0))
    assert late.fill_rate < 1


def test_more_stock_serves_more_and_cost_weighs_both():
    draw = np.random.default_rng(3)
    demand = draw.poisson(5, (30, 20)).astype(float)
    lead = lead_times(30, 20, 2, 0.2, 7)
    found = [simulate(demand, np.full(demand.shape, level), lead) for level in (10.0, 15.0, 25.0)]
    assert [one.fill_rate for one in found] == sorted(one.fill_rate for one in found)
    assert [one.weeks_held for one in found] == sorted(one.weeks_held for one in found)
    assert found[0].cost(1.0).sum() == pytest.approx(found[0].lost.sum())
    assert found[0].cost(0.0).sum() == pytest.approx(found[0].held.sum())


def test_the_seed_alone_decides_who_is_late():
    np.testing.assert_array_equal(lead_times(9, 4, 2, 0.5, 11), lead_times(9, 4, 2, 0.5, 11))
    assert (lead_times(9, 4, 2, 0.5, 11) != lead_times(9, 4, 2, 0.5, 12)).any()
    with pytest.raises(ValueError, match="at least 1 week"):
        lead_times(9, 4, 0, 0.5, 1)


def test_wrong_numbers_are_refused():
    demand = np.ones((3, 2))
    lead = lead_times(3, 2, 1, 0.0, 0)
    with pytest.raises(ValueError, match="shapes differ"):
        simulate(demand, np.ones((2, 2)), lead)
    with pytest.raises(ValueError, match="at least 0"):
        simulate(demand, np.full((3, 2), np.nan), lead)


def test_equal_service_is_read_between_the_levels_and_nowhere_else():
    curve = pd.DataFrame(
        {"method": "a", "level": [0.5, 0.9], "fill_rate": [0.6, 0.9], "weeks_held": [1.0, 4.0]}
    )
    found = held_at(curve, (0.5, 0.75, 0.95)).loc["a"].to_numpy()
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] == pytest.approx(2.5)
