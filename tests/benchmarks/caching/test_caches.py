"""Caches against a plain list, theory and each other."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.benchmarks.caching.caches import (
    Costs,
    entry_bytes,
    hit_rate_table,
    simulate,
    staleness_table,
)
from recsys.benchmarks.caching.traffic import (
    answer_versions,
    belady_hits,
    che_hit_rate,
    fit_zipf,
    next_request,
    static_hits,
    store_traffic,
    zipf_probabilities,
    zipf_traffic,
)
from recsys.search.query_cache import TimedLruCache

COSTS = Costs(hit=0.001, miss=0.009, entry=200)
traffic = st.lists(st.integers(0, 6), min_size=1, max_size=25).map(np.array)


def plain_lru(requests, entries, time_to_live):
    """Hits, by a list in order of use."""
    kept, hits = [], 0
    for now, query in enumerate(requests):
        found = [row for row in kept if row[0] == query and now - row[1] < time_to_live]
        kept = [row for row in kept if row[0] != query]
        hits += bool(found)
        kept = ([*kept, *(found or [(query, now)])])[-entries:]
    return hits


def best_hits(requests, entries):
    """The most hits that any cache can have, by trying what to keep after every request."""
    states = {frozenset(): 0}
    for query in requests:
        following = {}
        for kept, hits in states.items():
            hits += query in kept
            everything = kept | {query}
            choices = [everything] if len(everything) <= entries else [everything - {x} for x in everything]
            for choice in choices:
                following[choice] = max(hits, following.get(choice, 0))
        states = following
    return max(states.values())


@given(traffic, st.integers(1, 5), st.one_of(st.none(), st.integers(1, 12)))
@settings(max_examples=100, deadline=None)
def test_the_cache_equals_a_plain_list(requests, entries, time_to_live):
    run = simulate(requests, entries, COSTS, time_to_live=time_to_live)
    hits = plain_lru(requests.tolist(), entries, float("inf") if time_to_live is None else time_to_live)
    assert run.hit_rate == hits / len(requests)
    assert run.entries <= entries
    assert run.bytes == 200 * run.entries
    assert run.seconds == pytest.approx(0.001 + 0.009 * (1 - run.hit_rate))


@given(traffic, st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_nothing_beats_belady(requests, entries):
    best = belady_hits(requests, entries).sum()
    assert best == best_hits(requests.tolist(), entries)
    assert best >= simulate(requests, entries, COSTS).hit_rate * len(requests) - 1e-9
    assert best >= static_hits(requests, entries).sum()


def test_hits_by_hand():
    requests = np.array([1, 2, 1, 3, 1, 2])
    assert next_request(requests).tolist() == [2, 5, 4, 6, 6, 6]
    assert belady_hits(requests, 2).tolist() == [False, False, True, False, True, True]
    assert static_hits(requests, 1).tolist() == [False, False, True, False, True, False]
    assert simulate(requests, 2, COSTS).hit_rate == 2 / 6
    assert simulate(requests, 2, COSTS, warm_up=2).hit_rate == 2 / 4


def test_an_entry_leaves_when_it_is_old():
    now = 0.0
    cache = TimedLruCache(2, time_to_live=5, clock=lambda: now)
    cache.put("a", None)
    now = 4.9
    assert cache.get("a", "absent") is None
    now = 5.0  # reading does not prolong
    assert cache.get("a", "absent") == "absent"
    assert len(cache) == 0
    cache.put("b", 1)
    cache.put("b", 2)
    cache.put("c", 3)
    cache.put("d", 4)
    assert [cache.get(key) for key in "bcd"] == [None, 3, 4]
    for wrong in ({"entries": 0}, {"entries": 1, "time_to_live": 0}):
        with pytest.raises(ValueError, match="are needed"):
            TimedLruCache(**wrong)


def test_traffic_follows_the_law():
    requests = zipf_traffic(50, 200_000, 0.9, seed=1)
    shares = np.bincount(requests, minlength=50) / len(requests)
    assert np.abs(shares - zipf_probabilities(50, 0.9)).max() < 0.005
    assert (requests == zipf_traffic(50, 200_000, 0.9, seed=1)).all()
    assert (requests != zipf_traffic(50, 200_000, 0.9, seed=2)).any()
    assert zipf_probabilities(4, 0).tolist() == [0.25] * 4
    with pytest.raises(ValueError, match="exponent"):
        zipf_traffic(10, 10, -1.0)


@pytest.mark.parametrize("exponent", [0.3, 0.9, 1.5])
def test_the_exponent_is_found_again(exponent):
    fit = fit_zipf(zipf_traffic(50, 200_000, exponent))
    assert abs(fit.exponent - exponent) < 5 * fit.error < 0.03
    assert fit.distance < 0.01


def test_the_error_of_the_exponent_is_its_spread():
    found = [fit_zipf(zipf_traffic(20, 3_000, 1.0, seed)) for seed in range(60)]
    assert np.std([fit.exponent for fit in found]) == pytest.approx(found[0].error, rel=0.3)
    with pytest.raises(ValueError, match="two distinct"):
        fit_zipf(np.zeros(5, int))


def test_theory_and_simulation_agree():
    table = hit_rate_table([10, 100], [0.6, 1.0], n_queries=500, n_requests=20_000)
    assert (table["lru"] - table["che"]).abs().max() < 0.02
    assert (table["lru"] < table["static"]).all()
    assert (table["static"] < table["belady"]).all()
    assert (table.sort_values("exponent").groupby("entries")["lru"].diff().dropna() > 0.05).all()


def test_che_at_its_ends():
    assert che_hit_rate(np.full(10, 0.1), 4) == pytest.approx(0.4)  # all alike: C of n are there
    assert che_hit_rate(np.full(10, 0.1), 10) == 1
    steep = zipf_probabilities(100_000, 2.0)
    rates = [che_hit_rate(steep, entries) for entries in (1, 10, 1000, 99_999)]
    assert 0 < rates[0] < rates[1] < rates[2] < rates[3] <= 1
    with pytest.raises(ValueError, match="at least 1"):
        che_hit_rate(steep, 0)


def test_versions_count_changes():
    """Checked against a counter that goes through time."""
    requests = zipf_traffic(30, 5_000, 0.8)
    versions = answer_versions(requests, updates=0.5, touched=0.1, seed=3)
    for query in range(30):
        assert (np.diff(versions[requests == query]) >= 0).all()
    late = requests[-500:], versions[-500:]
    assert np.mean(late[1] / np.arange(4_500, 5_000)) == pytest.approx(0.05, rel=0.05)
    assert (answer_versions(requests, 0, 0.1) == 0).all()
    assert (answer_versions(requests, 1, 0) == 0).all()
    with pytest.raises(ValueError, match="touched"):
        answer_versions(requests, 1, 1.5)


def test_staleness_by_theory():
    """One query asked for at every moment: after an entry's age a it is stale with 1 − exp(−rate · a)."""
    requests = np.zeros(60_000, int)
    table = staleness_table(
        requests, 1, COSTS, updates=[0.0, 0.05], touched=0.4, times_to_live=[1, 20, None]
    ).set_index(["updates", "time_to_live"])
    ages = np.arange(1, 20)
    assert table.loc[(0.05, 20), "staleness"] == pytest.approx((-np.expm1(-0.02 * ages)).mean(), rel=0.05)
    assert table.loc[(0.05, 20), "hit_rate"] == 19 / 20
    assert table.loc[(0.05, np.inf), "staleness"] > 0.99
    assert table.loc[(0.0, np.inf), "staleness"] == 0
    assert np.isnan(table.loc[(0.05, 1), "staleness"])  # no hit at all


def test_the_store_s_own_traffic():
    requests, times, queries = store_traffic()
    assert len(requests) == len(times) > 1000
    assert (np.diff(times) >= 0).all()
    counts = Counter(requests.tolist())
    assert [counts[i] for i in range(len(queries))] == sorted(counts.values(), reverse=True)
    assert 0 < fit_zipf(requests).exponent < 2
    by_day = simulate(requests, len(queries), COSTS, time_to_live=86_400, times=times)
    for_ever = simulate(requests, len(queries), COSTS)
    assert by_day.hit_rate < for_ever.hit_rate == 1 - len(queries) / len(requests)


def test_bytes_of_an_entry():
    vectors = entry_bytes([f"query {i}" for i in range(300)], lambda query: np.ones(384, np.float32))
    assert 384 * 4 + len("query 1") < vectors < 384 * 4 + 700


@pytest.mark.parametrize("wrong", [{"warm_up": 3}, {"warm_up": -1}, {"versions": np.zeros(2)}])
def test_shapes_are_checked(wrong):
    with pytest.raises(ValueError, match="3 requests"):
        simulate(np.array([1, 2, 3]), 2, COSTS, **wrong)
