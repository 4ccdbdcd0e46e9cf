import heapq

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.benchmarks.cost_per_query import (
    cores_needed,
    cores_table,
    cost_by_load,
    cost_table,
    waiting_at_most,
)


def test_cost_by_hand():
    table = cost_table({"slow": 0.036, "fast": 0.0036}, price=0.05, utilisation=0.5)
    assert list(table["variant"]) == ["fast", "slow"]
    # a million of 3.6 ms are an hour of a core, two at half of the time: ten cents
    assert table["cost_per_million"].tolist() == pytest.approx([0.1, 1.0])
    assert table["queries_per_second"][0] == pytest.approx(0.5 / 0.0036)
    two = cost_table({"fast": 0.0036}, price=0.05, utilisation=0.5, threads=2)
    assert two["cost_per_million"][0] == pytest.approx(0.2)


def test_nobody_waits_at_one_core_as_often_as_it_is_idle():
    assert waiting_at_most(0.0, 1.0, 0.7, 1) == pytest.approx(0.3, abs=1e-9)


@pytest.mark.parametrize("busy", [0.2, 0.6, 0.9])
def test_mean_wait_at_one_core_is_pollaczek_and_khinchine_s(busy):
    step = 0.005
    waits = np.arange(0, 60, step)
    waited = 1 - np.array([waiting_at_most(wait + step / 2, 1.0, busy, 1) for wait in waits[::10]])
    assert waited.sum() * 10 * step == pytest.approx(busy / (2 * (1 - busy)), rel=0.1)


@pytest.mark.parametrize(("rate", "cores"), [(0.8, 1), (2.7, 3), (8.0, 10)])
def test_waits_as_simulated(rate, cores):
    draw = np.random.default_rng(0)
    arrivals = np.cumsum(draw.exponential(1 / rate, 60_000))
    free, waits = [0.0] * cores, np.empty(len(arrivals))
    for place, arrival in enumerate(arrivals):
        start = max(arrival, heapq.heappop(free))
        waits[place] = start - arrival
        heapq.heappush(free, start + 1)
    for wait in (0.0, 0.3, 1.0, 2.5):
        assert waiting_at_most(wait, 1.0, rate, cores) == pytest.approx((waits <= wait).mean(), abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.001, 0.1), st.floats(1, 300), st.floats(1.0, 5.0), st.sampled_from([0.5, 0.95, 0.99]))
def test_the_fewest_cores(seconds, rate, slack, share):
    cores = cores_needed(seconds, rate, slack * seconds, share)
    wait = slack * seconds - seconds
    assert waiting_at_most(wait, seconds, rate, cores) >= share
    fewer = cores - 1
    assert rate * seconds > 0.98 * fewer or waiting_at_most(wait, seconds, rate, fewer) < share


def test_cores_of_variants():
    table = cores_table({"a": 0.0114, "b": 0.0012, "c": 0.2}, rate=500, within=0.02, price=0.04)
    assert list(table["variant"]) == ["b", "a", "c"]
    assert table["cores"][2] is pd.NA
    assert table["utilisation"][1] == pytest.approx(500 * 0.0114 / table["cores"][1])
    assert table["cost_per_million"][0] == pytest.approx(table["cores"][0] * 0.04 / 3600 / 500 * 1e6)
    # a tighter bound never takes fewer
    tight = cores_table({"a": 0.0114}, rate=500, within=0.0115, price=0.04)
    assert tight["cores"][0] > table["cores"][1]


def test_what_cannot_be():
    with pytest.raises(ValueError, match="slow must be a number above 0"):
        cost_table({"slow": 0.0}, price=1)
    with pytest.raises(ValueError, match="utilisation"):
        cost_table({"a": 1.0}, price=1, utilisation=0)
    with pytest.raises(ValueError, match="no number of cores answers it"):
        cores_needed(0.2, 1, 0.1)
    with pytest.raises(ValueError, match="more than 1024"):
        cores_needed(1.0, 5000, 2.0)
    with pytest.raises(ValueError, match="busy"):
        waiting_at_most(0.0, 1.0, 2.0, 2)
    with pytest.raises(ValueError, match="share"):
        cores_needed(0.1, 1, 0.2, 1.0)


def test_cost_by_load_leaves_out_what_is_too_slow_and_a_million_gets_cheaper_with_load():
    table = cost_by_load({"a": 0.01, "slow": 1.0}, [1, 50, 500], within=0.05, price=0.04)
    assert set(table["variant"]) == {"a"}
    assert table["cost_per_million"].is_monotonic_decreasing
    assert table["cost_per_hour"].tolist() == pytest.approx((0.04 * table["cores"]).tolist())
    dear = cost_by_load({"a": 0.01}, [50], within=0.05, price=0.08)
    assert dear["cost_per_million"].iloc[0] == pytest.approx(2 * table["cost_per_million"].iloc[1])
